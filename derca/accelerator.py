"""An accelerator from Python, simulated, on a board or beside a processor: tensors in, tensors out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np

from derca_flow.boards.file import with_platform
from derca_flow.boards.known import find
from derca_flow.rtl import board as simulation
from derca_flow.rtl.mapped import open_mapped
from derca_flow.sessions.serving import Service
from derca_sim.errors import CheckFailed, InputError
from derca_sim.host.driver import Driver, WrongHardware
from derca_sim.host.link import Link
from derca_sim.host.linux import open_linux
from derca_sim.host.port import Port
from derca_sim.host.transport import AccessRefused, LinkError, MemoryTransport
from derca_sim.model.platform import Platform
from derca_sim.workload.taskset import network_of

from .tasks import load_platform


class Accelerator:
    """An open accelerator; a context that closes it. `simulated`, `open_board` and `open_uio` make one.

    `load` puts networks into its memory, `infer` has it compute one of them.

    Attributes
    ----------
    platform
        What the hardware was built from.
    """

    def __init__(self, host: MemoryTransport, driver: Driver, opened: contextlib.ExitStack):
        self.platform, self._host, self._driver, self._opened = driver.platform, host, driver, opened
        self._service: Service | None = None

    def load(self, networks: Mapping[str, str | PathLike], batch: int = 1) -> None:
        """Load trained networks (.tflite, .onnx, .npz) in place of those before; `infer` knows them by name.

        Parameters
        ----------
        batch
            Samples of a job, of every network.

        Raises
        ------
        InputError
            If a network cannot run, or they do not fit the platform together.
        CheckFailed
            If the hardware does not answer, or refuses.
        """
        if batch < 1:
            raise InputError(f"batch = {batch}: allowed are whole numbers from 1")
        read = {name: network_of(Path(file), name, self.platform, batch) for name, file in networks.items()}
        self._service = None
        with _failures():
            self._service = Service(self._host, self._driver, read)

    def infer(self, network: str, x: np.ndarray | Mapping[str, np.ndarray],
              timeout: float | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """The outputs [count, *shape] of a loaded network for inputs [count, *shape].

        Integers are taken and given as the network stores them. Floats for a quantised input are scaled, and so are
        the outputs then. A network with several inputs takes an array for each by name; one with several outputs gives
        a dictionary.

        Parameters
        ----------
        timeout
            Seconds on the accelerator's clock that a job may take; by default a tenth of one, and 20 times what array
            and bus need at least.

        Raises
        ------
        InputError
            If the network is not loaded, or the inputs have another shape or type.
        CheckFailed
            If the job failed, or the hardware reports a fault or does not answer.
        """
        if self._service is None:
            raise InputError("no network is loaded: call load first")
        with _failures():
            return self._service.infer(network, x, timeout)

    def close(self) -> None:
        """Close it."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def simulated(platform: str | PathLike) -> Accelerator:
    """The accelerator of a platform file in a simulation of its RTL, as a processor on its bus sees it.

    Raises
    ------
    InputError
        If the file is wrong.
    MissingToolError
        If Verilator or a compiler is missing.
    """
    p = load_platform(platform)
    return _opened(p, lambda stack: stack.enter_context(open_mapped(p)))


def open_board(board: str | PathLike, port: str | None = None, *,
               platform: str | PathLike | None = None) -> Accelerator:
    """The accelerator on a board of `derca build`, through its serial port.

    Parameters
    ----------
    board
        Its name, or its file.
    port
        Such as /dev/ttyUSB1; None simulates the board's RTL, down to the bits of its UART.
    platform
        A platform file in place of the board's own.

    Raises
    ------
    InputError
        If there is no such board, or its port cannot be opened.
    CheckFailed
        If the board does not answer, or its bitstream was made for another platform.
    """
    known = with_platform(find(str(board), {}), None if platform is None else Path(platform))
    p = load_platform(known.platform)
    return _opened(p, lambda stack: Link.open(stack.enter_context(
        Port(port, known.baud) if port is not None else simulation.open_board(known, p))))


def open_uio(platform: str | PathLike, uio: str = "derca", memory: str = "udmabuf0",
             base: int | None = None) -> Accelerator:
    """The accelerator on the bus of this computer's processor, through devices of Linux.

    Parameters
    ----------
    uio, memory
        Device files, or names, of the UIO device and of the buffer of u-dma-buf.
    base
        Physical address at which the accelerator's memory begins; None takes it from the device tree.

    Raises
    ------
    InputError
        If a device cannot be opened, or the buffer does not lie where the accelerator's memory does.
    CheckFailed
        If the hardware was built from another platform.
    """
    p = load_platform(platform)
    return _opened(p, lambda stack: stack.enter_context(open_linux(p, uio, memory, base)))


def _opened(p: Platform, connect: Callable[[contextlib.ExitStack], MemoryTransport]) -> Accelerator:
    """An accelerator behind a connection, which is closed if the hardware is not that of the platform."""
    with contextlib.ExitStack() as stack, _failures():
        host = connect(stack)
        return Accelerator(host, Driver.open(host, p), stack.pop_all())


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Failures of the hardware as those of the package."""
    try:
        yield
    except (AccessRefused, LinkError, WrongHardware, TimeoutError) as e:
        raise CheckFailed(*str(e).splitlines()) from e
