"""Settings of the PLLs that make a board's clock of the one at its pin. Rates are in MHz, and met exactly."""

from fractions import Fraction
from typing import NamedTuple

from ..errors import InputError


class Ecp5Pll(NamedTuple):
    """EHXPLLL: out = pin / `reference` * `feedback`; the oscillator runs at out * `output`."""

    reference: int
    feedback: int
    output: int


class Ice40Pll(NamedTuple):
    """SB_PLL40 with simple feedback: out = pin / (`divr` + 1) * (`divf` + 1) / 2 ** `divq`."""

    divr: int
    divf: int
    divq: int
    filter_range: int


#: Of an ECP5: the oscillator's range, and the largest divider behind it.
_ECP5_OSCILLATOR, _ECP5_DIVIDER = (400, 800), 128
#: Of an iCE40: ranges of the phase detector and of the oscillator, and the upper ends of the filter's first ranges.
_ICE40_DETECTOR, _ICE40_OSCILLATOR, _ICE40_FILTER = (10, 133), (533, 1066), (17, 26, 44, 66, 101)


def ecp5_pll(pin_mhz: float, mhz: float) -> Ecp5Pll:
    """The settings for an ECP5.

    Raises
    ------
    InputError
        If the rate is no integer fraction or multiple of the pin's, or out of reach.
    """
    ratio, low, high = Fraction(pin_mhz) / Fraction(mhz), *_ECP5_OSCILLATOR
    if 1 not in (ratio.numerator, ratio.denominator):
        raise InputError(f"{mhz:g} MHz must be an integer fraction or multiple of pin_mhz = {pin_mhz:g}")
    divider = min(round((low + high) / 2 / mhz), _ECP5_DIVIDER)
    if divider < 2 or not low <= mhz * divider <= high or max(ratio.numerator, ratio.denominator) > _ECP5_DIVIDER:
        raise InputError(f"{mhz:g} MHz must be within {low / _ECP5_DIVIDER:g} .. {high / 2:g}, the range of the PLL")
    return Ecp5Pll(ratio.numerator, ratio.denominator, divider)


def ice40_pll(pin_mhz: float, mhz: float) -> Ice40Pll:
    """The settings for an iCE40 with the fastest phase detector.

    Raises
    ------
    InputError
        If the PLL cannot make this rate exactly.
    """
    for divr in range(16):
        detector = Fraction(pin_mhz) / (divr + 1)
        for divq in range(1, 7):
            oscillator = Fraction(mhz) * 2 ** divq
            times = oscillator / detector
            if (_within(detector, _ICE40_DETECTOR) and _within(oscillator, _ICE40_OSCILLATOR)
                    and times.denominator == 1 and times <= 128):
                return Ice40Pll(divr, int(times) - 1, divq, 1 + sum(detector >= end for end in _ICE40_FILTER))
    raise InputError(f"{mhz:g} MHz: no setting of the PLL makes this of pin_mhz = {pin_mhz:g} exactly; choose another "
                     "rate")


def _within(value: Fraction, ends: tuple[int, int]) -> bool:
    return ends[0] <= value <= ends[1]
