"""Key conditions of Query: one partition, and a range of its sort keys."""

from __future__ import annotations

from dataclasses import dataclass

from harness.emulator.conditions import ConditionCompiler, Operand
from harness.emulator.context import ExpressionContext
from harness.emulator.errors import WireError, validation
from harness.emulator.grammar import Call, Node, Operation, Parentheses, condition_tree
from harness.emulator.items import KeyPart, KeySchema
from harness.emulator.values import Value, type_of

_KIND = "KeyConditionExpression"
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NOT_SUPPORTED = "Query key condition not supported"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Sort keys from `low` to `high` (None: open) of one partition.

    With `prefix`, only those that begin with it; `low` is then the prefix itself.
    """

    hash: KeyPart
    low: KeyPart | None = None
    low_inclusive: bool = True
    high: KeyPart | None = None
    high_inclusive: bool = True
    prefix: str | bytes | None = None


@dataclass(frozen=True, slots=True)
class _Term:
    """One attribute, an operator ("BETWEEN" and "begins_with" among them) and its literals."""

    name: str
    operator: str
    values: tuple[Value, ...]


def parse_key_condition(text: object, ctx: ExpressionContext, schema: KeySchema) -> KeyRange:
    """Read a KeyConditionExpression for a table's keys."""
    ctx.begin()
    tree = condition_tree(text, _KIND)
    compiler = ConditionCompiler(ctx, _KIND)
    compiler.test(tree)  # the checks of every condition come first
    terms: dict[str, _Term] = {}
    for node in _conjuncts(tree):
        term = _term(node, compiler)
        if term.name in terms:
            raise validation("KeyConditionExpressions must only contain one condition per key")
        terms[term.name] = term
    return _range(terms, schema)


def _conjuncts(node: Node) -> list[Operation | Call]:
    if isinstance(node, Parentheses):
        return _conjuncts(node.inner)
    if isinstance(node, Operation):
        if node.operator == "AND":
            return [*_conjuncts(node.operands[0]), *_conjuncts(node.operands[1])]
        if node.operator in ("OR", "NOT", "IN", "<>"):
            raise validation(f"Invalid operator used in {_KIND}: {node.operator}")
        return [node]
    assert isinstance(node, Call)
    if node.function != "begins_with":
        raise validation(f"Invalid operator used in {_KIND}: {node.function}")
    return [node]


def _term(node: Operation | Call, compiler: ConditionCompiler) -> _Term:
    name = node.function if isinstance(node, Call) else node.operator
    operands = [compiler.operand(operand) for operand in node.operands]
    positions = [i for i, operand in enumerate(operands) if operand.steps is not None]
    literals = tuple(operand.literal for operand in operands if operand.literal is not None)
    if len(positions) + len(literals) != len(operands):
        raise validation("KeyConditionExpressions cannot contain nested operations")
    if len(positions) > 1:
        raise _invalid("Multiple attribute names used in one condition")
    if not positions:
        raise _invalid("No key attribute specified")
    if positions[0] > 0:
        if name not in _MIRRORED:
            raise _invalid(f"{name} operator must have the key attribute as its first operand")
        name = _MIRRORED[name]
    return _Term(_attribute(operands[positions[0]]), name, literals)


def _attribute(operand: Operand) -> str:
    assert operand.steps is not None
    if len(operand.steps) > 1:
        raise validation("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(operand.steps[0])


def _range(terms: dict[str, _Term], schema: KeySchema) -> KeyRange:
    if len(terms) > 2:
        raise validation("Conditions can be of length 1 or 2 only")
    if schema.hash_name not in terms:
        raise _missed(schema.hash_name)
    if len(terms) == 2 and schema.range_name is None:
        raise validation(_NOT_SUPPORTED)
    if len(terms) == 2 and schema.range_name not in terms:
        raise _missed(str(schema.range_name))
    (hash_part,) = _parts(terms[schema.hash_name], schema, schema.hash_type)[:1]
    if terms[schema.hash_name].operator != "=":
        raise validation(_NOT_SUPPORTED)
    if schema.range_name is None or schema.range_type is None or len(terms) == 1:
        return KeyRange(hash_part)
    term = terms[schema.range_name]
    return _sort_range(hash_part, term.operator, _parts(term, schema, schema.range_type))


def _parts(term: _Term, schema: KeySchema, kind: str) -> list[KeyPart]:
    for value in term.values:
        if type_of(value) != kind:
            raise validation(
                "One or more parameter values were invalid: "
                "Condition parameter type does not match schema type"
            )
    return [schema.part(term.name, value) for value in term.values]


def _sort_range(hash_part: KeyPart, operator: str, parts: list[KeyPart]) -> KeyRange:
    first = parts[0]
    if operator == "begins_with":
        assert isinstance(first, str | bytes)
        return KeyRange(hash_part, low=first, prefix=first)
    if operator in ("=", "BETWEEN"):
        return KeyRange(hash_part, low=first, high=parts[-1])
    inclusive = operator.endswith("=")
    if operator.startswith(">"):
        return KeyRange(hash_part, low=first, low_inclusive=inclusive)
    return KeyRange(hash_part, high=first, high_inclusive=inclusive)


def _missed(name: str) -> WireError:
    return validation(f"Query condition missed key schema element: {name}")


def _invalid(text: str) -> WireError:
    return validation(f"Invalid condition in {_KIND}: {text}")
