"""What `derca host` talks to: a board, an accelerator behind devices of Linux, or a simulation of either."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.host.transport import MemoryTransport
from derca_sim.model.board import Board
from derca_sim.model.platform import Platform
from derca_sim.proof import Proof, varying_memory

from .boards import board_to_build

#: Opens the way to the hardware, and has the stack close it; the last argument is called with text before slow work.
Connect = Callable[[ExitStack, Platform, Callable[[str], None]], MemoryTransport]


@dataclass(frozen=True)
class Target:
    """Hardware, or a simulation of it.

    Attributes
    ----------
    name, title
        In names of folders, and for people.
    board, uio
        The board, or the UIO device; None where there is none.
    platform
        The platform file that replaces that of the task set.
    simulated
        What is simulated: RTL or netlist; None of hardware.
    opening
        What connecting is called while it goes on.
    traced
        Whether events reach the host.
    """

    name: str
    title: str
    board: str | None
    uio: str | None
    platform: Path | None
    simulated: str | None
    opening: str
    traced: bool
    connect: Connect

    def check(self, p: Platform) -> None:
        """Refuse a platform whose runs could not be judged.

        Raises
        ------
        InputError
            If there is neither an event nor a register that says how jobs went.
        """
        if not self.traced and not p.trace.statistics:
            raise InputError(f"{p.where}: trace.statistics = false: allowed is true where no events reach the "
                             "host, because registers must then say how jobs went; set it and build the hardware again")

    def proof(self, proof: Proof, p: Platform) -> Proof:
        """A proof as far as it holds of this hardware: memory beside a processor keeps to no latency."""
        return proof if self.uio is None else proof.and_beyond(varying_memory(p, "the memory of the processor"))


def host_target(board: str | None, port: str | None, uio: str | None, memory: str | None, base: str | None,
                platform: Path | None, sim: bool, netlist: bool) -> Target:
    """The target that the options of `derca host` name.

    Raises
    ------
    InputError
        If they do not name exactly one, or there is no such board.
    """
    if (port is not None) + (uio is not None) + sim != 1:
        raise InputError("--port, --uio, --sim: exactly one of them is allowed; --port DEV for a board, --uio DEV for "
                         "an accelerator on the bus of this computer, --sim without either")
    if netlist and not sim:
        raise InputError("--netlist: allowed with --sim only")
    if uio is None:
        for name, value in (("--memory", memory), ("--base", base)):
            if value is not None:
                raise InputError(f"{name} = {value}: allowed with --uio only")
    if uio is not None and board is not None:
        raise InputError(f"--board = {board}: not allowed with --uio; give the platform with --platform, such as "
                         "sim/platforms/zcu104.toml")
    if uio is not None:
        return _uio(uio, memory or "udmabuf0", None if base is None else _address(base), platform)
    if board is not None:
        return _board(board_to_build(board, platform), port, netlist)
    if port is not None or netlist:
        raise InputError(f"--board: needed with {'--port' if port is not None else '--netlist'}")
    return _mapped(platform)


def _board(board: Board, port: str | None, netlist: bool) -> Target:
    def connect(stack: ExitStack, p: Platform, progress) -> MemoryTransport:
        from derca_flow.rtl.board import open_board, open_netlist
        from derca_sim.host.link import Link
        from derca_sim.host.port import Port

        if port is not None:
            line = Port(port, board.baud)
        else:
            line = (open_netlist if netlist else open_board)(board, p, progress=progress)
        return Link.open(stack.enter_context(line))

    simulated = None if port is not None else "netlist" if netlist else "RTL"
    opening = f"opening {port}" if port is not None else "building the simulated board"
    return Target(board.name, board.name, board.name, None, board.platform, simulated, opening, True, connect)


def _uio(uio: str, memory: str, base: int | None, platform: Path | None) -> Target:
    def connect(stack: ExitStack, p: Platform, progress) -> MemoryTransport:
        from derca_sim.host.linux import open_linux

        return stack.enter_context(open_linux(p, uio, memory, base))

    return Target("uio", uio, None, uio, platform, None, f"opening {uio} and {memory}", False, connect)


def _mapped(platform: Path | None) -> Target:
    def connect(stack: ExitStack, p: Platform, progress) -> MemoryTransport:
        from derca_flow.rtl.mapped import open_mapped

        return stack.enter_context(open_mapped(p, progress=progress))

    return Target("mapped", "the bus of a processor", None, None, platform, "RTL", "building the simulated accelerator",
                  False, connect)


def _address(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as e:
        raise InputError(f"--base = {text}: allowed are addresses, as 0x40000000") from e
