"""A serial port of this computer as the line of a link."""

import time

import serial

from ..errors import InputError


class Port:
    """An open serial port, 8 data bits, no parity, 1 stop bit; a `link.Line`.

    Parameters
    ----------
    name
        A device such as /dev/ttyUSB0 or COM3, or a URL of pyserial.
    baud
        Bits per second.

    Raises
    ------
    InputError
        If it cannot be opened.
    """

    #: USB adapters collect bytes for up to 16 ms, in each direction.
    latency = 0.1

    def __init__(self, name: str, baud: int):
        try:
            self._serial = serial.serial_for_url(name, baudrate=baud, timeout=1)
        except (OSError, ValueError) as e:  # SerialException is an OSError
            raise InputError(f"--port = {name}: cannot be opened ({e}); allowed are serial ports such as /dev/ttyUSB0 "
                             "that exist, that you may use, and that no other program uses") from e
        self.baud = baud

    @property
    def timeout(self) -> float:
        """Seconds after which `read` gives up."""
        return self._serial.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._serial.timeout = seconds

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._serial.write(data)

    def read(self, count: int) -> bytes:
        """The next bytes, fewer if the time-out passes."""
        return self._serial.read(count)

    def clock(self) -> float:
        """Seconds of real time."""
        return time.monotonic()

    def __enter__(self) -> "Port":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._serial.close()
