"""A transport to registers that exist only in Python."""

import time

from derca_sim.host.transport import AccessRefused
from derca_sim.model.registers import register_map


class Words:
    """A transport on a dictionary; addresses in `refuse` answer with SLVERR."""

    def __init__(self, p, refuse=()):
        self.words = {r.offset: r.reset for r in register_map(p).registers}
        self.refuse, self.log = set(refuse), []

    def read(self, address):
        self.log.append(address)
        return self.words.get(address, 0)

    def write(self, address, value):
        if address in self.refuse:
            raise AccessRefused(f"{address:#x}")
        self.words[address] = value

    def write_all(self, writes):
        for address, value in writes:
            self.write(address, value)

    def clock(self):
        return time.monotonic()

    def pause(self, seconds):
        time.sleep(min(seconds, 1e-3))
