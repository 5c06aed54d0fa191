"""Numbers as DynamoDB has them: texts on the wire, 38 decimal digits, compared by value."""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache

from harness.emulator.errors import validation

MAX_DIGITS = 38
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,37}", re.ASCII)
_EXACT = Context(prec=600)  # enough for the sum of the largest and the smallest number


@lru_cache(maxsize=65_536)
def number(text: str) -> Decimal:
    """The number `text` says, within DynamoDB's 38 digits and 1E-130 … 9.99E+125."""
    if not _NUMBER.fullmatch(text):
        raise validation(f"The parameter cannot be converted to a numeric value{text and ': ' + text}")
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent beyond even Decimal's
        value = Decimal("1E-999" if re.search("[eE]-", text) else "1E+999")
    if not value:
        return Decimal(0)
    if value.adjusted() > _LARGEST_EXPONENT:
        raise validation(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if value.adjusted() < _SMALLEST_EXPONENT:
        raise validation(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    sign, digits, exponent = value.as_tuple()
    significant = len(digits)
    while digits[significant - 1] == 0:
        significant -= 1
    if significant > MAX_DIGITS:
        raise validation("Attempting to store more than 38 significant digits in a Number")
    return Decimal((sign, digits[:significant], int(exponent) + len(digits) - significant))


@lru_cache(maxsize=65_536)
def number_text(text: str) -> str:
    """`text` as DynamoDB gives it back: no exponent, no idle zeros ("1.500" → "1.5", "1E3" → "1000")."""
    if _CANONICAL_INTEGER.fullmatch(text):
        return text
    return decimal_text(number(text))


def decimal_text(value: Decimal) -> str:
    """A number in DynamoDB's notation; the inverse of `number`."""
    return format(value, "f") if value else "0"


def add(left: str, right: str, sign: int = 1) -> str:
    """left + sign × right, exactly, or the error of a sum beyond 38 digits."""
    return number_text(str(_EXACT.add(number(left), number(right) * sign)))
