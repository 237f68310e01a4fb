"""AXI4: its five channels as signatures, for managers, memories and the ports of whole systems."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from derca_sim.model.platform import Platform

from ..layouts import offset_bits

#: Responses: done, refused.
OKAY, SLVERR = 0b00, 0b10
#: Burst type: addresses increase from beat to beat.
INCR = 0b01


def address_layout(address_width: int, *, id_width: int = 0, shaped: bool = False,
                   attributes: bool = False) -> data.StructLayout:
    """Payload of AR and AW. For the parameters see `Axi4`."""
    return data.StructLayout({
        **({"id": id_width} if id_width else {}),
        "addr": address_width,  # of the first byte
        "len": 8,  # beats - 1
        **({"size": 3, "burst": 2} if shaped else {}),
        **({"lock": 1, "cache": 4, "prot": 3, "qos": 4} if attributes else {}),
    })


def _identified(id_width: int, fields: dict) -> data.StructLayout:
    return data.StructLayout({**({"id": id_width} if id_width else {}), **fields})


class AxiRead(wiring.Signature):
    """The read channels, seen from the manager. For the parameters see `Axi4`.

    Members
    -------
    ar : Out(stream)
        The address of a burst.
    r : In(stream)
        A beat, its response, and whether it is the last one of its burst.
    """

    def __init__(self, address_width: int, data_width: int, *, id_width: int = 0, **options: bool):
        super().__init__({
            "ar": Out(stream.Signature(address_layout(address_width, id_width=id_width, **options))),
            "r": In(stream.Signature(_identified(id_width, {"data": data_width, "resp": 2, "last": 1}))),
        })

    @classmethod
    def of(cls, p: Platform, **options):
        """The channels of a platform's memory."""
        return cls(p.bus.address_width, p.bus.data_width, **options)


class AxiWrite(wiring.Signature):
    """The write channels, seen from the manager. For the parameters see `Axi4`.

    Members
    -------
    aw : Out(stream)
        The address of a burst.
    w : Out(stream)
        A beat, and whether it is the last one of its burst.
    b : In(stream)
        The response to a burst.
    """

    def __init__(self, address_width: int, data_width: int, *, id_width: int = 0, shaped: bool = False,
                 attributes: bool = False):
        options = {"id_width": id_width, "shaped": shaped, "attributes": attributes}
        super().__init__({
            "aw": Out(stream.Signature(address_layout(address_width, **options))),
            "w": Out(stream.Signature(data.StructLayout({
                "data": data_width,
                **({"strb": data_width // 8} if shaped else {}),
                "last": 1,
            }))),
            "b": In(stream.Signature(_identified(id_width, {"resp": 2}))),
        })

    @classmethod
    def of(cls, p: Platform, **options):
        """The channels of a platform's memory."""
        return cls(p.bus.address_width, p.bus.data_width, **options)


class Axi4(wiring.Signature):
    """All five channels, seen from the manager: the members of `AxiWrite` and of `AxiRead`.

    Parameters
    ----------
    address_width, data_width
        In bits.
    id_width
        Bits of IDs; 0 leaves them out.
    shaped
        With `size`, `burst` and `strb`. Without, bursts are INCR, of whole beats, and every byte is written.
    attributes
        With `lock`, `cache`, `prot` and `qos`.
    """

    def __init__(self, address_width: int, data_width: int, **options):
        super().__init__({**AxiWrite(address_width, data_width, **options).members,
                          **AxiRead(address_width, data_width, **options).members})

    @classmethod
    def of(cls, p: Platform, **options):
        """The channels of a platform's memory."""
        return cls(p.bus.address_width, p.bus.data_width, **options)


def manager_options() -> dict:
    """The options of `Axi4` that the accelerator's managers use: IDs of one bit, and the shape of bursts."""
    return {"id_width": 1, "shaped": True}


def incrementing(address, p: Platform, number) -> list:
    """Assignments to the payload of AR or AW: bursts are INCR, of whole beats, and have the ID `number`."""
    return [address.size.eq(offset_bits(p)), address.burst.eq(INCR), address.id.eq(number)]
