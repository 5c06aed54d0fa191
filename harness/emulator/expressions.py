"""DynamoDB's expressions, one door: text and context in, a compiled object out.

    parse_condition      → Condition.holds(item)
    parse_update         → Update.apply(item, schema)
    parse_projection     → Projection.apply(item)
    parse_key_condition  → KeyRange

grammar (text → tree, cached) ← context (names, values, paths) ← conditions, projections, updates, key_conditions
"""

from __future__ import annotations

from harness.emulator.conditions import Condition, parse_condition
from harness.emulator.context import ExpressionContext
from harness.emulator.key_conditions import KeyRange, parse_key_condition
from harness.emulator.projections import Projection, parse_projection
from harness.emulator.updates import Update, UpdateResult, parse_update

__all__ = [
    "Condition",
    "ExpressionContext",
    "KeyRange",
    "Projection",
    "Update",
    "UpdateResult",
    "parse_condition",
    "parse_key_condition",
    "parse_projection",
    "parse_update",
]
