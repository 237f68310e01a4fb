"""Settings of PLLs against a search of all settings within the limits of the data sheets."""

import random
import re
from dataclasses import replace
from fractions import Fraction

import pytest
from amaranth.back import rtlil

from derca_flow.boards.known import BOARDS
from derca_hw.board.clocks import Clocks
from derca_hw.bus.join import ports
from derca_hw.families.family import Family
from derca_sim.errors import InputError
from derca_sim.model.pll import ecp5_pll, ice40_pll


def ice40_settings(pin: int) -> dict[Fraction, set[tuple[int, int, int]]]:
    """Every rate in MHz that an iCE40 PLL makes of a pin's, with (divr, divf, divq)."""
    out: dict[Fraction, set[tuple[int, int, int]]] = {}
    for divr in range(16):
        for divf in range(128):
            oscillator = Fraction(pin * (divf + 1), divr + 1)
            if 10 <= Fraction(pin, divr + 1) <= 133 and 533 <= oscillator <= 1066:
                for divq in range(1, 7):
                    out.setdefault(oscillator / 2 ** divq, set()).add((divr, divf, divq))
    return out


@pytest.mark.parametrize("pin", [10, 12, 16, 25, 26, 48, 100])
def test_an_ice40_pll_makes_what_can_be_made_and_refuses_the_rest(pin):
    possible = ice40_settings(pin)
    for mhz, settings in possible.items():
        if Fraction(float(mhz)) == mhz:  # a rate that a file can hold
            divr, divf, divq, filter_range = ice40_pll(pin, float(mhz))
            assert (divr, divf, divq) in settings
            assert filter_range == next(n for n, end in enumerate((17, 26, 44, 66, 101, 134), 1)
                                        if Fraction(pin, divr + 1) < end)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    for mhz in random.Random(seed).sample(range(9, 500), 40):
        if Fraction(mhz) not in possible:
            with pytest.raises(InputError, match=f"{mhz} MHz: no setting of the PLL makes this of pin_mhz = {pin}"):
                ice40_pll(pin, mhz)


def test_an_ecp5_pll_stays_within_its_limits():
    refused = 0
    for pin in (12, 16, 25, 48, 50, 100, 125):
        for mhz in range(1, 480):
            whole = pin % mhz == 0 or mhz % pin == 0
            oscillators = [mhz * output for output in range(2, 129) if 400 <= mhz * output <= 800]
            if whole and oscillators:
                reference, feedback, output = ecp5_pll(pin, mhz)
                assert pin * feedback == mhz * reference and mhz * output in oscillators
            else:
                refused += 1
                with pytest.raises(InputError, match="must be"):
                    ecp5_pll(pin, mhz)
    assert refused > 2000


@pytest.mark.parametrize(("pad", "cell"), [(True, "SB_PLL40_PAD"), (False, "SB_PLL40_CORE")])
def test_an_ice40_without_spram_has_a_pll_for_a_clock_that_is_not_the_pins(pad, cell):
    board = replace(BOARDS["hx8k"], core_mhz=24, pll_pad=pad)
    clocks = Clocks(board)
    text = rtlil.convert(clocks, platform=Family(board.target), ports=ports(clocks), emit_src=False)
    values = {key: int(value) for key, value in re.findall(r"parameter \\(DIV\w+) (\d+)$", text, re.MULTILINE)}
    values |= {key: int(value, 2) for key, value in re.findall(r"parameter \\(DIV\w+) \d+'([01]+)", text)}
    assert 12 * (values["DIVF"] + 1) / (values["DIVR"] + 1) / 2 ** values["DIVQ"] == 24
    assert cell in text and "SB_GB" not in text
