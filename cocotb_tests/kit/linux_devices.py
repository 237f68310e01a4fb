"""Models of the devices through which Linux shows an accelerator: files for devices, a folder for sysfs.

Mapping, attributes and hand-over of ranges are those of the product. The files cannot model registers that do
something, nor when Linux writes an interrupt's count: the tests of runs put a simulation behind the transport instead.
"""

from pathlib import Path

from derca_sim.host.devices import Attributes
from derca_sim.host.linux import BASE_PROPERTY, open_linux
from derca_sim.model.registers import identity, register_map

#: Where the buffer of the models begins, and where the accelerator's memory does.
PHYSICAL, BASE = 0x4000_0000, 0x4001_0000


class Devices:
    """A UIO device `uio0` called derca and a buffer `udmabuf0`, below a folder.

    `offset` is that of the registers in the first page, `extra` the bytes of the buffer behind the accelerator's
    memory; `base` says whether the device tree has the base.
    """

    def __init__(self, folder: Path, p, *, offset: int = 0, extra: int = 0, base: bool = True):
        self.p, self.sysfs, self.devices = p, folder / "sys", folder / "dev"
        self.offset, self.registers = offset, register_map(p)
        self.uio, self.buffer = self.sysfs / "class/uio/uio0", self.sysfs / "class/u-dma-buf/udmabuf0"
        self.length = BASE - PHYSICAL + p.memory.size + extra
        self.devices.mkdir(parents=True)
        words = bytearray(offset + self.registers.size)
        for r in identity(p):
            words[offset + r.offset:offset + r.offset + 4] = r.reset.to_bytes(4, "little")
        (self.devices / "uio0").write_bytes(words)
        (self.devices / "udmabuf0").write_bytes(bytes(self.length))
        self.attributes(self.uio, {"name": "derca", "maps/map0/size": hex(self.registers.size),
                                   "maps/map0/offset": hex(offset)})
        self.attributes(self.buffer, {
            "phys_addr": hex(PHYSICAL), "size": self.length, "dma_coherent": 0, "sync_mode": 1, "sync_offset": 0,
            "sync_size": 0, "sync_direction": 0, "sync_for_cpu": 0, "sync_for_device": 0})
        if base:
            node = self.uio / "device/of_node"
            node.mkdir(parents=True)
            (node / BASE_PROPERTY).write_bytes(BASE.to_bytes(8, "big"))

    @staticmethod
    def attributes(folder: Path, values: dict) -> None:
        """Set attributes of a device."""
        for name, value in values.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{value}\n")

    def open(self, uio: str = "derca", memory: str = "udmabuf0", base: int | None = None):
        """The transport to the devices."""
        return open_linux(self.p, uio, memory, base, self.sysfs, self.devices)


class Caches:
    """What the accelerator sees of a buffer behind caches that nothing keeps coherent: only ranges handed over.

    The mapped file is what the processor sees, `memory` what the accelerator does. Writing `sync_for_cpu` and
    `sync_for_device` copies the range; other ranges stay stale for ever, which is the worst that caches may do.
    """

    def __init__(self, devices: Devices, monkeypatch):
        self.file, self.memory, self.handed = devices.devices / "udmabuf0", bytearray(devices.length), 0
        write, own = Attributes.write, devices.buffer

        def synchronous(attributes: Attributes, name: str, value: int) -> None:
            write(attributes, name, value)
            if attributes.folder == own and name in ("sync_for_cpu", "sync_for_device"):
                self._copy(attributes, name)

        monkeypatch.setattr(Attributes, "write", synchronous)

    def _copy(self, attributes: Attributes, name: str) -> None:
        first, size = attributes.number("sync_offset"), attributes.number("sync_size")
        assert attributes.number("sync_direction") == 0 and first % 64 == 0
        self.handed += size
        with self.file.open("r+b") as file:
            file.seek(first)
            if name == "sync_for_cpu":
                file.write(self.memory[first:first + size])
            else:
                self.memory[first:first + size] = file.read(size)


class Behind:
    """The registers of a simulation whose memory is what the accelerator sees of a buffer; a `mapped.Registers`.

    The two memories are made equal around every access, so the simulation works on what was handed over to it.
    """

    def __init__(self, simulation, caches: Caches, size: int):
        self._simulation, self._caches, self._size = simulation, caches, size

    def __getattr__(self, name):
        def access(*args):
            first = BASE - PHYSICAL
            self._simulation.memory.write(0, bytes(self._caches.memory[first:first + self._size]))
            value = getattr(self._simulation.registers, name)(*args)
            self._caches.memory[first:first + self._size] = self._simulation.memory.read(0, self._size)
            return value
        return access

    def close(self):
        self._simulation.close()
