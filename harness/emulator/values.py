"""Attribute values as they travel ({"S": "a"}, {"N": "1.5"}): checked, normalised, compared, weighed.

A normalised value is shared freely between versions of an item and never changed in place.
"""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal
from typing import Any

from harness.emulator.errors import WireError, validation
from harness.emulator.numerals import number, number_text

Value = dict[str, Any]

MAX_NESTING = 32

_NO_TYPE = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_TWO_TYPES = (
    "Supplied AttributeValue has more than one datatypes set, "
    "must contain exactly one of the supported datatypes"
)
_INVALID = "One or more parameter values were invalid: "


def binary(text: object) -> bytes:
    """The bytes of a base64 text."""
    if not isinstance(text, str):
        raise malformed(text, "Blob")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("SerializationException", f"'{text}' is not valid Base64") from None


def binary_text(data: bytes) -> str:
    """The base64 text of bytes."""
    return base64.b64encode(data).decode("ascii")


def malformed(content: object, wanted: str) -> WireError:
    """JSON of a kind that cannot stand where it stands."""
    kinds = {str: "STRING_VALUE", bool: "TRUE_VALUE" if content else "FALSE_VALUE", int: "NUMBER_VALUE"}
    kinds |= {float: "DECIMAL_VALUE", dict: "START_OBJECT", list: "START_ARRAY", type(None): "NULL_VALUE"}
    return WireError(
        "SerializationException", f"{kinds.get(type(content), 'token')} cannot be converted to {wanted}"
    )


def normalise_value(raw: object, depth: int = 0) -> Value:
    """One attribute value, checked and normalised; `depth` counts the maps and lists around it."""
    if type(raw) is not dict:
        raise malformed(raw, "AttributeValue")
    if len(raw) != 1:
        raw = {name: content for name, content in raw.items() if name in _TYPES and content is not None}
        if len(raw) > 1:
            raise validation(_TWO_TYPES)
    for name, content in raw.items():
        if name == "S" and type(content) is str:
            return raw
        if name in _CONTAINERS:
            if depth >= MAX_NESTING:
                raise validation("Nesting Levels have exceeded supported limits")
            return {name: _CONTAINERS[name](content, depth + 1)}
        if name in _SCALARS:
            return {name: _SCALARS[name](content)}
    raise validation(_NO_TYPE)


def _string(content: object) -> str:
    if type(content) is not str:
        raise malformed(content, "String")
    return content


def _number(content: object) -> str:
    return number_text(_string(content))


def _binary(content: object) -> str:
    return binary_text(binary(content))


def _bool(content: object) -> bool:
    if type(content) is not bool:
        raise malformed(content, "Boolean")
    return content


def _null(content: object) -> bool:
    if not _bool(content):
        raise validation(_INVALID + "Null attribute value types must have the value of true")
    return True


def _members(content: object, empty: str) -> list[object]:
    if type(content) is not list:
        raise malformed(content, "Collection")
    if not content:
        raise validation(_INVALID + empty)
    return content


def _string_set(content: object) -> list[str]:
    members = [_string(member) for member in _members(content, "An string set  may not be empty")]
    if len(set(members)) != len(members):
        raise validation(f"{_INVALID}Input collection [{', '.join(members)}] contains duplicates.")
    return members


def _number_set(content: object) -> list[str]:
    members = [_number(member) for member in _members(content, "An number set  may not be empty")]
    if len(set(members)) != len(members):
        raise validation("Input collection contains duplicates")
    return members


def _binary_set(content: object) -> list[str]:
    members = [_binary(member) for member in _members(content, "Binary sets should not be empty")]
    if len(set(members)) != len(members):
        raise validation(f"{_INVALID}Input collection [{', '.join(members)}]of type BS contains duplicates.")
    return members


def _map(content: object, depth: int) -> dict[str, Value]:
    if type(content) is not dict:
        raise malformed(content, "Map")
    return {name: normalise_value(value, depth) for name, value in content.items()}


def _list(content: object, depth: int) -> list[Value]:
    if type(content) is not list:
        raise malformed(content, "Collection")
    return [normalise_value(value, depth) for value in content]


_CONTAINERS: dict[str, Any] = {"M": _map, "L": _list}
_SCALARS: dict[str, Any] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _bool,
    "NULL": _null,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
}
_TYPES = frozenset(_CONTAINERS) | frozenset(_SCALARS)
SETS = frozenset({"SS", "NS", "BS"})


def type_of(value: Value) -> str:
    """The type descriptor of a normalised value: "S", "N", …"""
    return next(iter(value))


def equal(left: Value, right: Value) -> bool:
    """Same type and same content; sets have no order."""
    if left == right:
        return True
    kind = type_of(left)
    if kind != type_of(right):
        return False
    a, b = left[kind], right[kind]
    if kind in SETS:
        return set(a) == set(b)
    if kind == "L":
        return len(a) == len(b) and all(map(equal, a, b))
    if kind == "M":
        return a.keys() == b.keys() and all(equal(a[name], b[name]) for name in a)
    return False


def sortable(value: Value) -> str | bytes | Decimal | None:
    """What <, BETWEEN and sort keys compare; None for types without an order."""
    kind = type_of(value)
    if kind == "S":
        return str(value["S"])
    if kind == "N":
        return number(value["N"])
    return binary(value["B"]) if kind == "B" else None


def value_size(value: Value) -> int:
    """Bytes a value counts for, by AWS's rules ("Item sizes and formats" in the developer guide)."""
    kind = type_of(value)
    content = value[kind]
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        return len(binary(content))
    if kind in SETS:
        return sum(value_size({kind[0]: member}) for member in content)
    if kind == "L":
        return 3 + sum(1 + value_size(member) for member in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + value_size(member) for name, member in content.items())
    return 1


def _number_size(text: str) -> int:
    """One byte, and one per two digits as they pair up around the decimal point, and one for a sign."""
    value = number(text)
    if not value:
        return 1
    digits = len(value.as_tuple().digits)
    split_pair = digits % 2 == 0 and value.adjusted() % 2 == 0
    return 1 + (digits + 1) // 2 + split_pair + (value < 0)
