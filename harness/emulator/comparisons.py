"""How conditions compare two values of an item; None is a value that is not there."""

from __future__ import annotations

from collections.abc import Callable

from harness.emulator.values import Value, binary, equal, sortable, type_of

SIZED = ("S", "B", "SS", "NS", "BS", "L", "M")


def same(left: Value | None, right: Value | None) -> bool:
    """Both there, and equal."""
    return left is not None and right is not None and equal(left, right)


def ordered(compare: Callable[..., bool], left: Value | None, right: Value | None) -> bool:
    """Both there, of one ordered type, and `compare` says so."""
    if left is None or right is None or type_of(left) != type_of(right):
        return False
    a, b = sortable(left), sortable(right)
    return a is not None and b is not None and compare(a, b)


def begins_with(value: Value | None, prefix: Value | None) -> bool:
    """Whether a string or binary begins with another."""
    if value is None or prefix is None or type_of(value) != type_of(prefix):
        return False
    a, b = sortable(value), sortable(prefix)
    if isinstance(a, str) and isinstance(b, str):
        return a.startswith(b)
    return isinstance(a, bytes) and isinstance(b, bytes) and a.startswith(b)


def contains(value: Value | None, member: Value | None) -> bool:
    """Whether a set, list, string or binary holds `member`."""
    if value is None or member is None:
        return False
    kind, wanted = type_of(value), type_of(member)
    if kind == "L":
        return any(equal(element, member) for element in value["L"])
    if kind == wanted + "S":
        return member[wanted] in value[kind]
    if kind == wanted:
        a, b = sortable(value), sortable(member)
        if isinstance(a, str) and isinstance(b, str):
            return b in a
        return isinstance(a, bytes) and isinstance(b, bytes) and b in a
    return False


def size(value: Value | None) -> Value | None:
    """What `size(value)` stands for; None for types without a size."""
    if value is None or type_of(value) not in SIZED:
        return None
    if type_of(value) == "B":
        return {"N": str(len(binary(value["B"])))}
    return {"N": str(len(value[type_of(value)]))}
