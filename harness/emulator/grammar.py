"""DynamoDB's expression language: from text to a tree. Trees are cached by their text and never changed.

Names (`#n`), values (`:v`) and reserved words are looked up later, when the request's own are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedEOF, UnexpectedInput, UnexpectedToken

from harness.emulator.errors import WireError, validation

_GRAMMAR = r"""
condition: either
?either: both | either OR both -> either
?both: negation | both AND negation -> both
?negation: comparison | NOT negation -> negation
?comparison: operand
    | operand (COMPARATOR | EQUAL) operand -> compare
    | operand BETWEEN operand AND operand -> between
    | operand IN "(" operand ("," operand)* ")" -> within
?operand: path | value | call | "(" either ")" -> parentheses

update: section+
?section: SET assignment ("," assignment)* -> set_section
    | REMOVE path ("," path)* -> remove_section
    | ADD change ("," change)* -> add_section
    | DELETE change ("," change)* -> delete_section
assignment: path EQUAL sum
change: path value
?sum: term | term SIGN term -> arithmetic
?term: path | value | call_of_terms | "(" sum ")"
call_of_terms: NAME "(" term ("," term)* ")" -> call

projection: path ("," path)*

call: NAME "(" operand ("," operand)* ")"
value: VALUE
path: name (("." name) | index)*
name: NAME | ALIAS
index: "[" INTEGER "]"

OR.2: /or(?![A-Za-z0-9_])/i
AND.2: /and(?![A-Za-z0-9_])/i
NOT.2: /not(?![A-Za-z0-9_])/i
IN.2: /in(?![A-Za-z0-9_])/i
BETWEEN.2: /between(?![A-Za-z0-9_])/i
SET.2: /set(?![A-Za-z0-9_])/i
REMOVE.2: /remove(?![A-Za-z0-9_])/i
ADD.2: /add(?![A-Za-z0-9_])/i
DELETE.2: /delete(?![A-Za-z0-9_])/i
COMPARATOR: "<>" | "<=" | ">=" | "<" | ">"
EQUAL: "="
SIGN: "+" | "-"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
ALIAS: /#[A-Za-z0-9_]+/
VALUE: /:[A-Za-z0-9_]+/
INTEGER: /[0-9]+/
%ignore /[ \t\r\n]+/
"""
_TOKEN = re.compile(r"[#:]?[A-Za-z0-9_]+|<>|<=|>=|[^ \t\r\n]")
MAX_BYTES = 4096
_STARTS = ("condition", "update", "projection")


@dataclass(frozen=True, slots=True)
class Path:
    """`a.#b[0]` as written: names, aliases and list indices."""

    steps: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ValueName:
    """`:v`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its operands."""

    function: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator of a condition (`=`, `BETWEEN`, `AND` …) and its operands."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Parentheses:
    """What stands in parentheses, kept because AWS refuses to have it in two pairs."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right` in a SET."""

    sign: int
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Action:
    """One `path = value`, `path` or `path value` of an update section."""

    section: str
    path: Path
    value: Node | None


Node = Path | ValueName | Call | Operation | Parentheses | Arithmetic


def condition_tree(text: object, kind: str) -> Node:
    """The tree of a condition; `kind` is the request member it came in, for error texts."""
    return _tree(_given(text, kind), "condition", kind)  # type: ignore[no-any-return]


def update_tree(text: object, kind: str = "UpdateExpression") -> tuple[Action, ...]:
    """The actions of an update expression, in the order written."""
    sections = _tree(_given(text, kind), "update", kind)
    names = [section[0].section for section in sections]
    for name in names:
        if names.count(name) > 1:
            raise validation(
                f'Invalid {kind}: The "{name}" section can only be used once in an update expression;'
            )
    return tuple(action for section in sections for action in section)


def projection_tree(text: object, kind: str = "ProjectionExpression") -> tuple[Path, ...]:
    """The paths of a projection expression."""
    return _tree(_given(text, kind), "projection", kind)  # type: ignore[no-any-return]


def _given(text: object, kind: str) -> str:
    if not isinstance(text, str):
        raise WireError("SerializationException", f"{kind} must be a string")
    if not text.strip():
        raise validation(f"Invalid {kind}: The expression can not be empty;")
    if len(text.encode()) > MAX_BYTES:
        raise validation(
            f"Invalid {kind}: Expression size has exceeded the maximum allowed size; "
            f"expression size: {len(text.encode())}"
        )
    return text


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", start=list(_STARTS))


@lru_cache(maxsize=4096)
def _tree(text: str, start: str, kind: str) -> Any:
    try:
        return _Trees().transform(_parser().parse(text, start=start))
    except UnexpectedInput as error:
        raise _syntax_error(text, kind, error) from None
    except RecursionError:
        raise validation(f"Invalid {kind}: The expression contains too many operators") from None


def _syntax_error(text: str, kind: str, error: UnexpectedInput) -> WireError:
    """AWS's text: the token that does not fit, and the text around it."""
    tokens = list(_TOKEN.finditer(text))
    at_end = isinstance(error, UnexpectedEOF) or (
        isinstance(error, UnexpectedToken) and error.token.type == "$END"
    )
    position = len(text) if at_end else (error.pos_in_stream or 0)
    index = next((i for i, token in enumerate(tokens) if token.end() > position), len(tokens))
    first = tokens[max(index - 1, 0)].start()
    last = tokens[min(index + 1, len(tokens) - 1)].end()
    token = tokens[index].group() if index < len(tokens) else "<EOF>"
    return validation(f'Invalid {kind}: Syntax error; token: "{token}", near: "{text[first:last]}"')


class _Trees(Transformer[Token, Any]):
    """From lark's trees to the nodes above."""

    def condition(self, children: list[Any]) -> Node:
        return children[0]  # type: ignore[no-any-return]

    def either(self, children: list[Any]) -> Operation:
        return Operation("OR", (children[0], children[2]))

    def both(self, children: list[Any]) -> Operation:
        return Operation("AND", (children[0], children[2]))

    def negation(self, children: list[Any]) -> Operation:
        return Operation("NOT", (children[1],))

    def compare(self, children: list[Any]) -> Operation:
        return Operation(str(children[1]), (children[0], children[2]))

    def between(self, children: list[Any]) -> Operation:
        return Operation("BETWEEN", (children[0], children[2], children[4]))

    def within(self, children: list[Any]) -> Operation:
        return Operation("IN", (children[0], *children[2:]))

    def parentheses(self, children: list[Any]) -> Parentheses:
        return Parentheses(children[0])

    def call(self, children: list[Any]) -> Call:
        return Call(str(children[0]), tuple(children[1:]))

    def value(self, children: list[Any]) -> ValueName:
        return ValueName(str(children[0]))

    def name(self, children: list[Any]) -> str:
        return str(children[0])

    def index(self, children: list[Any]) -> int:
        return int(children[0])

    def path(self, children: list[Any]) -> Path:
        return Path(tuple(children))

    def arithmetic(self, children: list[Any]) -> Arithmetic:
        return Arithmetic(1 if children[1] == "+" else -1, children[0], children[2])

    def assignment(self, children: list[Any]) -> tuple[Path, Node]:
        return children[0], children[2]

    def change(self, children: list[Any]) -> tuple[Path, Node]:
        return children[0], children[1]

    def set_section(self, children: list[Any]) -> list[Action]:
        return [Action("SET", path, value) for path, value in children[1:]]

    def remove_section(self, children: list[Any]) -> list[Action]:
        return [Action("REMOVE", path, None) for path in children[1:]]

    def add_section(self, children: list[Any]) -> list[Action]:
        return [Action("ADD", path, value) for path, value in children[1:]]

    def delete_section(self, children: list[Any]) -> list[Action]:
        return [Action("DELETE", path, value) for path, value in children[1:]]

    def update(self, children: list[Any]) -> tuple[list[Action], ...]:
        return tuple(children)

    def projection(self, children: list[Any]) -> tuple[Path, ...]:
        return tuple(children)
