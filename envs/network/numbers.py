"""Decimal numbers as CityFlow reads them.

CityFlow's JSON library does not round correctly unless asked to: it gathers the digits in a 64-bit integer while they
fit into 53 bits, then in a float64, and divides by a power of ten. Numbers of 16 digits and more can come out one unit
in the last place away from Python's. In gridlock that last place decides between two branches: newyork_16x3 is exact
only with it.
"""

_EXACT_BELOW = 1 << 53
_MOST_DIGITS = 17
_PLAIN_DIGITS = 15  # so many digits and a small power of ten: one correctly rounded division, as in float()
_PLAIN_POWER = 22
_LARGEST_POWER = 280  # far from where float64 ends; beyond it Python's reading is as good as any


def cityflow_number(text: str) -> float:
    """The float64 that CityFlow makes of a JSON number; for `json.loads(..., parse_float=cityflow_number)`.

    >>> cityflow_number("905.9999999999999"), float("905.9999999999999")
    (906.0, 905.9999999999999)
    """
    mantissa, _, exponent = text.lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0)
    if len(whole) + len(fraction) <= _PLAIN_DIGITS and abs(power) + len(fraction) <= _PLAIN_POWER:
        return float(text)
    if len(whole) > _PLAIN_DIGITS or abs(power) > _LARGEST_POWER:
        return float(text)
    value, places = _gather_digits(whole, fraction)
    power -= places
    value = value * float(f"1e{power}") if power >= 0 else value / float(f"1e{-power}")
    return -value if text.startswith("-") else value


def _gather_digits(whole: str, fraction: str) -> tuple[float, int]:
    """The digits as one number, and how many of the fraction's are in it."""
    digits, taken = int(whole), 0
    significant = 0 if whole == "0" else len(whole) - 1
    while taken < len(fraction) and digits < _EXACT_BELOW:
        digits = digits * 10 + int(fraction[taken])
        taken += 1
        significant += digits != 0
    value = float(digits)
    for digit in fraction[taken:]:
        if significant >= _MOST_DIGITS:
            break
        value = value * 10.0 + int(digit)
        taken += 1
        significant += value > 0.0
    return value, taken
