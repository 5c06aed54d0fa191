"""Condition and filter expressions: compiled to a test of an item, with the checks AWS makes beforehand."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from harness.emulator.comparisons import SIZED, begins_with, contains, ordered, same, size
from harness.emulator.context import ExpressionContext, Steps, lookup, path_text
from harness.emulator.errors import WireError, validation
from harness.emulator.grammar import Call, Node, Operation, Parentheses, Path, ValueName, condition_tree
from harness.emulator.items import Item
from harness.emulator.values import Value, type_of

Test = Callable[[Item], bool]
Read = Callable[[Item], Value | None]

_ORDER: dict[str, Callable[..., bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERAND_COUNT = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_UPDATE_FUNCTIONS = ("if_not_exists", "list_append")
_TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")
_ORDERED = ("S", "N", "B")
_MAX_CHOICES = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; `roots` are the top-level attributes it looks at."""

    test: Test
    roots: frozenset[str]

    def holds(self, item: Item | None) -> bool:
        """Whether `item` meets the condition; None is an item that does not exist."""
        return self.test(item or {})


@dataclass(frozen=True, slots=True)
class Operand:
    """How to read an operand; what is known of it without an item."""

    read: Read
    literal: Value | None = None
    steps: Steps | None = None

    @property
    def literal_type(self) -> str | None:
        """The type of a literal; None where only the item knows."""
        return None if self.literal is None else type_of(self.literal)


def parse_condition(text: object, ctx: ExpressionContext, kind: str = "ConditionExpression") -> Condition:
    """Read a condition; `kind` is the request member it came in (FilterExpression …)."""
    ctx.begin()
    compiler = ConditionCompiler(ctx, kind)
    test = compiler.test(condition_tree(text, kind))
    return Condition(test, frozenset(compiler.roots))


class ConditionCompiler:
    """Turns trees into tests, in the names and values of one request."""

    def __init__(self, ctx: ExpressionContext, kind: str) -> None:
        self._ctx = ctx
        self._kind = kind
        self.roots: set[str] = set()

    def test(self, node: Node) -> Test:
        """The test of a tree in a place where a condition must stand."""
        if isinstance(node, Parentheses):
            return self.test(self._inner(node))
        if isinstance(node, Call):
            return self._function(node)
        if isinstance(node, Operation):
            return self._operation(node)
        raise self._error(f'Syntax error; token: "<EOF>", near: "{_text(node)}"')

    def operand(self, node: Node) -> Operand:
        """A tree in a place where a value must stand."""
        if isinstance(node, Parentheses):
            return self.operand(self._inner(node))
        if isinstance(node, ValueName):
            value = self._ctx.value(node.name, self._kind)
            return Operand(lambda item: value, literal=value)
        if isinstance(node, Path):
            steps = self._ctx.steps(node, self._kind)
            self.roots.add(str(steps[0]))
            return Operand(lambda item: lookup(item, steps), steps=steps)
        if isinstance(node, Call):
            return self._size(node)
        raise self._error('Syntax error; token: ")", near: ")"')

    def _inner(self, node: Parentheses) -> Node:
        if isinstance(node.inner, Parentheses):
            raise self._error("The expression has redundant parentheses;")
        return node.inner

    def _operation(self, node: Operation) -> Test:
        name = node.operator
        if name == "NOT":
            inner = self.test(node.operands[0])
            return lambda item: not inner(item)
        if name in ("AND", "OR"):
            left, right = self.test(node.operands[0]), self.test(node.operands[1])
            if name == "AND":
                return lambda item: left(item) and right(item)
            return lambda item: left(item) or right(item)
        operands = [self.operand(operand) for operand in node.operands]
        self._check_distinct(name, operands)
        if name == "IN":
            return self._within(operands)
        if name == "BETWEEN":
            return self._between(operands)
        return self._comparison(name, operands[0].read, operands[1].read, operands)

    def _comparison(self, name: str, left: Read, right: Read, operands: list[Operand]) -> Test:
        if name == "=":
            return lambda item: same(left(item), right(item))
        if name == "<>":
            return lambda item: not same(left(item), right(item))
        self._check_types(operands, _ORDERED, f"operator: {name}")
        compare = _ORDER[name]
        return lambda item: ordered(compare, left(item), right(item))

    def _within(self, operands: list[Operand]) -> Test:
        if len(operands) > _MAX_CHOICES + 1:
            raise self._error(
                "Incorrect number of operands for operator or function; operator or function: IN, "
                f"number of operands: {len(operands)}"
            )
        subject, choices = operands[0].read, [operand.read for operand in operands[1:]]
        return lambda item: any(same(subject(item), choice(item)) for choice in choices)

    def _between(self, operands: list[Operand]) -> Test:
        self._check_types(operands, _ORDERED, "operator: BETWEEN")
        _, low, high = operands
        if low.literal is not None and high.literal is not None:
            bounds = (
                f"lower bound operand: AttributeValue: {_value_text(low.literal)}, "
                f"upper bound operand: AttributeValue: {_value_text(high.literal)}"
            )
            if low.literal_type != high.literal_type:
                raise self._error(
                    f"The BETWEEN operator requires same data type for lower and upper bounds; {bounds}"
                )
            if ordered(operator.gt, low.literal, high.literal):
                raise self._error(
                    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
                    + bounds
                )
        read, read_low, read_high = (operand.read for operand in operands)

        def test(item: Item) -> bool:
            value = read(item)
            above = ordered(operator.ge, value, read_low(item))
            return above and ordered(operator.le, value, read_high(item))

        return test

    def _arguments(self, call: Call) -> list[Operand]:
        if call.function in _UPDATE_FUNCTIONS:
            raise self._error(
                f"The function is not allowed in a condition expression; function: {call.function}"
            )
        if call.function not in _OPERAND_COUNT:
            raise self._error(f"Invalid function name; function: {call.function}")
        operands = [self.operand(operand) for operand in call.operands]
        if len(operands) != _OPERAND_COUNT[call.function]:
            raise self._error(
                "Incorrect number of operands for operator or function; operator or function: "
                f"{call.function}, number of operands: {len(operands)}"
            )
        self._check_distinct(call.function, operands)
        return operands

    def _function(self, call: Call) -> Test:
        operands = self._arguments(call)
        name, first = call.function, operands[0].read
        if name == "size":
            raise self._misused(name)
        if name in ("attribute_exists", "attribute_not_exists"):
            if operands[0].steps is None:
                raise self._error(
                    f"Operator or function requires a document path; operator or function: {name}"
                )
            wanted = name == "attribute_exists"
            return lambda item: (first(item) is not None) is wanted
        if name == "attribute_type":
            kind = self._type_name(operands[1])
            return lambda item: (value := first(item)) is not None and kind in value
        second = operands[1].read
        if name == "begins_with":
            self._check_types(operands, ("S", "B"), "operator or function: begins_with")
            return lambda item: begins_with(first(item), second(item))
        return lambda item: contains(first(item), second(item))

    def _type_name(self, operand: Operand) -> str:
        name = operand.literal["S"] if operand.literal is not None and "S" in operand.literal else None
        if name is None:
            found = operand.literal_type or "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
            raise self._error(
                "Incorrect operand type for operator or function; operator or function: attribute_type, "
                f"operand type: {found}"
            )
        if name not in _TYPES:
            raise self._error(
                f"Invalid attribute type name found; type: {name}, valid types: {{{','.join(_TYPES)}}}"
            )
        return str(name)

    def _size(self, call: Call) -> Operand:
        operands = self._arguments(call)
        if call.function != "size":
            raise self._misused(call.function)
        self._check_types(operands, SIZED, "operator or function: size")
        read = operands[0].read
        return Operand(lambda item: size(read(item)))

    def _misused(self, function: str) -> WireError:
        return self._error(
            f"The function is not allowed to be used this way in an expression; function: {function}"
        )

    def _check_types(self, operands: list[Operand], allowed: tuple[str, ...], what: str) -> None:
        for operand in operands:
            kind = operand.literal_type
            if kind is not None and kind not in allowed:
                raise self._error(
                    f"Incorrect operand type for operator or function; {what}, operand type: {kind}"
                )

    def _check_distinct(self, name: str, operands: list[Operand]) -> None:
        first = operands[0].steps
        if first is not None and any(operand.steps == first for operand in operands[1:]):
            raise self._error(
                "The first operand must be distinct from the remaining operands for this operator or "
                f"function; operator: {name}, first operand: {path_text(first)}"
            )

    def _error(self, text: str) -> WireError:
        return validation(f"Invalid {self._kind}: {text}")


def _text(node: Node) -> str:
    return node.name if isinstance(node, ValueName) else str(node.steps[-1]) if isinstance(node, Path) else ""


def _value_text(value: Value) -> str:
    kind = type_of(value)
    return f"{{{kind}:{value[kind]}}}"
