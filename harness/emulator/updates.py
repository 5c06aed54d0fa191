"""Update expressions: what becomes of an item. Every operand is read from the item as it was before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.emulator.context import ExpressionContext, Steps, check_disjoint, lookup
from harness.emulator.errors import WireError, validation
from harness.emulator.grammar import Action, Arithmetic, Call, Node, Path, ValueName, update_tree
from harness.emulator.items import Item, KeySchema
from harness.emulator.numerals import add
from harness.emulator.projections import Projection
from harness.emulator.values import SETS, Value, normalise_value, type_of

_KIND = "UpdateExpression"
_ADDABLE = frozenset({"N"}) | SETS
_CONDITION_FUNCTIONS = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
)
_TYPE_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}

# The value an action gives its path; None removes what is there.
Outcome = Callable[[Item], Value | None]


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The item after an update, and the paths it touched: apply `touched` for UPDATED_OLD and UPDATED_NEW."""

    item: Item
    touched: Projection


@dataclass(frozen=True, slots=True)
class Update:
    """A compiled update expression: paths without overlaps, and the value each receives."""

    actions: tuple[tuple[Steps, Outcome], ...]

    def apply(self, item: Item, schema: KeySchema) -> UpdateResult:
        """The outcome for `item`, which stays as it is."""
        for steps, _ in self.actions:
            if steps[0] in schema.names:
                raise validation(
                    f"One or more parameter values were invalid: Cannot update attribute {steps[0]}. "
                    "This attribute is part of the key"
                )
        outcomes = [(steps, outcome(item)) for steps, outcome in self.actions]
        changed: Value = {"M": item}
        for steps, value in sorted(outcomes, key=_turn):
            changed = _edited(changed, steps, value, len(steps))
        return UpdateResult(changed["M"], Projection(tuple(steps for steps, _ in self.actions)))


def parse_update(text: object, ctx: ExpressionContext) -> Update:
    """Read an UpdateExpression."""
    ctx.begin()
    actions = update_tree(text, _KIND)
    compiled = tuple((ctx.steps(action.path, _KIND), _outcome(action, ctx)) for action in actions)
    check_disjoint([steps for steps, _ in compiled], _KIND)
    return Update(compiled)


def _turn(edit: tuple[Steps, Value | None]) -> tuple[int, int, int]:
    """Indices mean the list as it was: values first (new ones in order), then removals, deep and late first."""
    steps, value = edit
    index = steps[-1] if isinstance(steps[-1], int) else -1
    return (0, 0, index) if value is not None else (1, -len(steps), -index)


def _edited(value: Value, steps: Steps, new: Value | None, depth: int) -> Value:
    """A copy of `value` with `new` at `steps`; only the containers on the way are copied."""
    step, rest = steps[0], steps[1:]
    kind = "M" if isinstance(step, str) else "L"
    if kind not in value:
        raise _bad_path()
    members = value[kind].copy()
    present = step in members if isinstance(step, str) else step < len(members)
    if rest:
        if not present:
            raise _bad_path()
        members[step] = _edited(members[step], rest, new, depth)
    elif new is None:
        if present:
            del members[step]
    else:
        placed = normalise_value(new, depth - 1) if depth > 1 else new  # the nesting limit
        if present or isinstance(step, str):
            members[step] = placed
        else:
            members.append(placed)
    return {kind: members}


def _outcome(action: Action, ctx: ExpressionContext) -> Outcome:
    if action.value is None:
        return lambda item: None
    if action.section == "SET":
        return _Operands(ctx).read(action.value)
    steps = ctx.steps(action.path, _KIND)
    operand = ctx.value(action.value.name, _KIND) if isinstance(action.value, ValueName) else {}
    kind = type_of(operand)
    if kind not in (_ADDABLE if action.section == "ADD" else SETS):
        raise _error(
            f"Incorrect operand type for operator or function; operator: {action.section}, operand type: "
            f"{_TYPE_NAMES.get(kind, kind)}, typeSet: ALLOWED_FOR_{action.section}_OPERAND"
        )
    change = _added if action.section == "ADD" else _taken
    return lambda item: change(lookup(item, steps), operand, kind)


def _added(current: Value | None, operand: Value, kind: str) -> Value:
    if current is None:
        return operand
    if kind not in current:
        raise _bad_type()
    if kind == "N":
        return {"N": add(current["N"], operand["N"])}
    return {kind: list(dict.fromkeys(current[kind] + operand[kind]))}


def _taken(current: Value | None, operand: Value, kind: str) -> Value | None:
    if current is None:
        return None
    if kind not in current:
        raise _bad_type()
    left = [member for member in current[kind] if member not in operand[kind]]
    return {kind: left} if left else None


class _Operands:
    """Compiles the right-hand side of a SET."""

    def __init__(self, ctx: ExpressionContext) -> None:
        self._ctx = ctx

    def read(self, node: Node) -> Callable[[Item], Value]:
        if isinstance(node, ValueName):
            value = self._ctx.value(node.name, _KIND)
            return lambda item: value
        if isinstance(node, Path):
            steps = self._ctx.steps(node, _KIND)
            return lambda item: _found(lookup(item, steps))
        if isinstance(node, Call):
            return self._call(node)
        assert isinstance(node, Arithmetic)
        return self._sum(node)

    def _sum(self, node: Arithmetic) -> Callable[[Item], Value]:
        sign = node.sign
        for side in (node.left, node.right):
            self._check_literal(side, "N", "+" if sign > 0 else "-")
        left, right = self.read(node.left), self.read(node.right)
        return lambda item: {"N": add(_content(left(item), "N"), _content(right(item), "N"), sign)}

    def _call(self, call: Call) -> Callable[[Item], Value]:
        name = call.function
        if name in _CONDITION_FUNCTIONS:
            raise _error(f"The function is not allowed in an update expression; function: {name}")
        if name not in ("if_not_exists", "list_append"):
            raise _error(f"Invalid function name; function: {name}")
        if len(call.operands) != 2:
            raise _error(
                "Incorrect number of operands for operator or function; operator or function: "
                f"{name}, number of operands: {len(call.operands)}"
            )
        first, second = call.operands
        if name == "if_not_exists":
            if not isinstance(first, Path):
                raise _error(f"Operator or function requires a document path; operator or function: {name}")
            steps, otherwise = self._ctx.steps(first, _KIND), self.read(second)
            return lambda item: found if (found := lookup(item, steps)) is not None else otherwise(item)
        for side in call.operands:
            self._check_literal(side, "L", name)
        left, right = self.read(first), self.read(second)
        return lambda item: {"L": _content(left(item), "L") + _content(right(item), "L")}

    def _check_literal(self, node: Node, wanted: str, function: str) -> None:
        if isinstance(node, ValueName):
            kind = type_of(self._ctx.value(node.name, _KIND))
            if kind != wanted:
                raise _error(
                    "Incorrect operand type for operator or function; operator or function: "
                    f"{function}, operand type: {kind}"
                )


def _found(value: Value | None) -> Value:
    if value is None:
        raise validation("The provided expression refers to an attribute that does not exist in the item")
    return value


def _content(value: Value, kind: str) -> Any:
    if kind not in value:
        raise _bad_type()
    return value[kind]


def _bad_type() -> WireError:
    return validation("An operand in the update expression has an incorrect data type")


def _bad_path() -> WireError:
    return validation("The document path provided in the update expression is invalid for update")


def _error(text: str) -> WireError:
    return validation(f"Invalid {_KIND}: {text}")
