"""A simulation as a process that answers requests on its standard input and output."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from derca_sim.errors import MachineError


class SimulationProcess:
    """A compiled simulation that runs until it is closed.

    Parameters
    ----------
    binary, arguments
        The program.
    what
        What it simulates, for messages.
    """

    def __init__(self, binary: Path, arguments: Sequence[object], what: str):
        self._what = what
        self._process = subprocess.Popen([str(binary), *map(str, arguments)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)

    def ask(self, request: bytes) -> None:
        """Send a request.

        Raises
        ------
        MachineError
            If the simulation has ended.
        """
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except BrokenPipeError as e:
            raise self._ended() from e

    def answer(self, size: int) -> bytes:
        """The next bytes of an answer.

        Raises
        ------
        MachineError
            If the simulation has ended.
        """
        data = self._process.stdout.read(size)
        if len(data) != size:
            raise self._ended()
        return data

    def close(self) -> None:
        """End the simulation."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _ended(self) -> MachineError:
        """The simulation is gone: killed, or out of memory."""
        return MachineError(f"the simulation of {self._what} ended with exit code {self._process.wait()}; was there "
                            "enough memory?")
