"""What all operations ask of a request: only members that are understood, of the right kind."""

from __future__ import annotations

from typing import Any

from harness.emulator.errors import WireError, not_supported, validation
from harness.emulator.expressions import ExpressionContext

Request = dict[str, Any]

_LEGACY = frozenset(
    {
        "AttributesToGet",
        "AttributeUpdates",
        "ConditionalOperator",
        "Expected",
        "KeyConditions",
        "QueryFilter",
        "ScanFilter",
    }
)
_KINDS = {str: "String", int: "Integer", bool: "Boolean", dict: "Map", list: "List"}


def check_members(request: Request, allowed: frozenset[str]) -> None:
    """Refuse what would otherwise be ignored."""
    if request.keys() <= allowed:
        return
    for name, value in request.items():
        if name not in allowed and value is not None:
            legacy = "The legacy parameter " if name in _LEGACY else "The parameter "
            raise not_supported(legacy + name)


def required(request: Request, name: str) -> Any:
    """A member that has to be there."""
    value = request.get(name)
    if value is None:
        raise validation(
            f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to satisfy "
            "constraint: Member must not be null"
        )
    return value


def typed(request: Request, name: str, kind: type) -> Any:
    """A member of JSON type `kind`; None where it is absent."""
    value = request.get(name)
    if value is not None and type(value) is not kind:
        raise WireError("SerializationException", f"{name} is not of type {_KINDS[kind]}")
    return value


def positive(request: Request, name: str, lowest: int = 1) -> int | None:
    """An integer member of at least `lowest`; None where it is absent."""
    value: int | None = typed(request, name, int)
    if value is not None and value < lowest:
        raise validation(
            f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy "
            f"constraint: Member must have value greater than or equal to {lowest}"
        )
    return value


def flag(request: Request, name: str, default: bool = False) -> bool:
    """A boolean member."""
    value = typed(request, name, bool)
    return default if value is None else bool(value)


def one_of(request: Request, name: str, *choices: str) -> str:
    """A member of an enumeration; the first choice where it is absent."""
    value = request.get(name)
    if value is None:
        return choices[0]
    if value not in choices:
        raise validation(
            f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(choices)}]"
        )
    return str(value)


def expression_context(request: Request) -> ExpressionContext:
    """The names and values a request's expressions may use."""
    return ExpressionContext(
        typed(request, "ExpressionAttributeNames", dict), typed(request, "ExpressionAttributeValues", dict)
    )
