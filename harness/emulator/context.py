"""What an expression's `#names` and `:values` stand for in one request, and the paths it speaks of."""

from __future__ import annotations

import re

from harness.emulator.errors import WireError, validation
from harness.emulator.grammar import Path
from harness.emulator.items import Item
from harness.emulator.reserved_words import RESERVED_WORDS
from harness.emulator.values import Value, malformed, normalise_value

Steps = tuple[str | int, ...]

_NAME = re.compile(r"#[A-Za-z0-9_]+", re.ASCII)
_VALUE = re.compile(r":[A-Za-z0-9_]+", re.ASCII)


class ExpressionContext:
    """ExpressionAttributeNames and ExpressionAttributeValues of one request, and which were used."""

    def __init__(self, names: object = None, values: object = None) -> None:
        self._names = _checked("ExpressionAttributeNames", names, _NAME)
        self._raw_values = _checked("ExpressionAttributeValues", values, _VALUE)
        self._values: dict[str, Value] = {}
        for name, raw in self._raw_values.items():
            self._values[name] = _value(name, raw)
        self._used: set[str] = set()
        self._expressions = 0

    def begin(self) -> None:
        """An expression is about to be read in this context."""
        self._expressions += 1

    def steps(self, path: Path, kind: str) -> Steps:
        """A path with its aliases replaced; reserved words are refused."""
        return tuple(self._name(step, kind) if isinstance(step, str) else step for step in path.steps)

    def value(self, name: str, kind: str) -> Value:
        """The normalised value `:name`."""
        if name not in self._values:
            raise validation(
                f"Invalid {kind}: An expression attribute value used in expression is not defined; "
                f"attribute value: {name}"
            )
        self._used.add(name)
        return self._values[name]

    def check_all_used(self) -> None:
        """Refuse names and values that no expression of the request has used."""
        for member, given in (
            ("ExpressionAttributeNames", self._names),
            ("ExpressionAttributeValues", self._values),
        ):
            unused = [name for name in given if name not in self._used]
            if unused and not self._expressions:
                raise validation(f"{member} can only be specified when using expressions")
            if unused:
                raise validation(
                    f"Value provided in {member} unused in expressions: keys: {{{', '.join(unused)}}}"
                )

    def _name(self, step: str, kind: str) -> str:
        if not step.startswith("#"):
            if step.upper() in RESERVED_WORDS:
                raise validation(
                    f"Invalid {kind}: Attribute name is a reserved keyword; reserved keyword: {step}"
                )
            return step
        if step not in self._names:
            raise validation(
                f"Invalid {kind}: An expression attribute name used in the document path is not defined; "
                f"attribute name: {step}"
            )
        self._used.add(step)
        return str(self._names[step])


def lookup(item: Item, steps: Steps) -> Value | None:
    """The value at a path, or None where there is none."""
    value = item.get(steps[0])  # type: ignore[arg-type]  # the first step is always a name
    for step in steps[1:]:
        if value is None:
            return None
        if isinstance(step, str):
            value = value["M"].get(step) if "M" in value else None
        else:
            members = value.get("L", ())
            value = members[step] if step < len(members) else None
    return value


def path_text(steps: Steps) -> str:
    """A path as AWS prints it: [a, b, [0]]."""
    return f"[{', '.join(step if isinstance(step, str) else f'[{step}]' for step in steps)}]"


def check_disjoint(paths: list[Steps], kind: str) -> None:
    """Refuse two paths of which one contains the other, or that take one value for a map and a list."""
    for later, two in enumerate(paths):
        for one in paths[:later]:
            fault = _clash(one, two)
            if fault:
                raise validation(
                    f"Invalid {kind}: Two document paths {fault} with each other; must remove or rewrite "
                    f"one of these paths; path one: {path_text(one)}, path two: {path_text(two)}"
                )


def _clash(one: Steps, two: Steps) -> str | None:
    for left, right in zip(one, two, strict=False):
        if left != right:
            return "conflict" if isinstance(left, str) is not isinstance(right, str) else None
    return "overlap"


def _checked(member: str, given: object, pattern: re.Pattern[str]) -> dict[str, object]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise malformed(given, "Map")
    if not given:
        raise validation(f"{member} must not be empty")
    for name in given:
        if not pattern.fullmatch(name):
            raise validation(f'{member} contains invalid key: Syntax error; key: "{name}"')
    return given


def _value(name: str, raw: object) -> Value:
    try:
        return normalise_value(raw)
    except WireError as error:
        if error.error_type != "ValidationException":
            raise
        raise validation(
            f"ExpressionAttributeValues contains invalid value: {error.message} for key {name}"
        ) from None
