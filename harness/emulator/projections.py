"""Projection expressions: the parts of an item that a request asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.emulator.context import ExpressionContext, Steps, check_disjoint
from harness.emulator.grammar import projection_tree
from harness.emulator.items import Item
from harness.emulator.values import Value

_Branches = dict[str | int, Any]  # step → branches below it; empty: the whole value


@dataclass(frozen=True, slots=True)
class Projection:
    """Paths without overlaps; `apply` keeps what lies on them."""

    paths: tuple[Steps, ...]

    def apply(self, item: Item) -> Item:
        """The parts of `item` on the paths; lists close up, in order."""
        return _chosen_members(item, _tree(self.paths))


def parse_projection(text: object, ctx: ExpressionContext) -> Projection:
    """Read a ProjectionExpression."""
    ctx.begin()
    kind = "ProjectionExpression"
    paths = [ctx.steps(path, kind) for path in projection_tree(text, kind)]
    check_disjoint(paths, kind)
    return Projection(tuple(paths))


@lru_cache(maxsize=1024)
def _tree(paths: tuple[Steps, ...]) -> _Branches:
    root: _Branches = {}
    for path in paths:
        branches = root
        for step in path:
            branches = branches.setdefault(step, {})
    return root


def _chosen_members(members: dict[str, Value], branches: _Branches) -> dict[str, Value]:
    chosen: dict[str, Value] = {}
    for name, below in branches.items():
        if isinstance(name, str) and name in members:
            value = _chosen(members[name], below)
            if value is not None:
                chosen[name] = value
    return chosen


def _chosen(value: Value, branches: _Branches) -> Value | None:
    if not branches:
        return value
    if "M" in value:
        members = _chosen_members(value["M"], branches)
        return {"M": members} if members else None
    if "L" in value:
        indices = sorted(step for step in branches if isinstance(step, int) and step < len(value["L"]))
        kept = [_chosen(value["L"][index], branches[index]) for index in indices]
        found = [member for member in kept if member is not None]
        return {"L": found} if found else None
    return None
