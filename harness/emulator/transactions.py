"""TransactWriteItems: all or nothing at one instant in one Region; the others receive it item by item."""

from __future__ import annotations

from typing import Any

from harness.emulator.capacity import consumed, wanted
from harness.emulator.errors import WireError, validation
from harness.emulator.operations import (
    PlannedWrite,
    check_condition,
    current,
    plan_delete,
    plan_put,
    plan_update,
)
from harness.emulator.replication import World
from harness.emulator.requests import Request, check_members, expression_context, required, typed
from harness.emulator.tables import Replica

MAX_ACTIONS = 100
TRANSACTIONAL = 2  # a transaction's write costs twice the units
_TOKENS_KEPT = 10_000

_REQUEST = frozenset(
    {"TransactItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ClientRequestToken"}
)
_COMMON = {
    "TableName",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}
_PLANS = {
    "Put": (plan_put, frozenset(_COMMON | {"Item"})),
    "Delete": (plan_delete, frozenset(_COMMON | {"Key"})),
    "Update": (plan_update, frozenset(_COMMON | {"Key", "UpdateExpression"})),
}
_CHECK = frozenset(_COMMON | {"Key"})


def transact_write_items(world: World, region: str, request: Request, now_ns: int) -> dict[str, Any]:
    """TransactWriteItems; a repeated ClientRequestToken gets the first answer again."""
    check_members(request, _REQUEST)
    actions = typed(request, "TransactItems", list) or []
    if not 1 <= len(actions) <= MAX_ACTIONS:
        raise validation(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length between 1 and {MAX_ACTIONS}, inclusive"
        )
    token = request.get("ClientRequestToken")
    if token in world.transactions:
        first, answer = world.transactions[token]
        if first != actions:
            text = "The request uses the same client token as a previous, but non-identical request."
            raise WireError("IdempotentParameterMismatchException", text)
        return answer
    answer = _perform(world, region, request, actions, now_ns)
    if token is not None:
        world.transactions[token] = actions, answer
        while len(world.transactions) > _TOKENS_KEPT:
            world.transactions.pop(next(iter(world.transactions)))
    return answer


def _perform(world: World, region: str, request: Request, actions: list[Any], now_ns: int) -> dict[str, Any]:
    planned: list[PlannedWrite] = []
    touched: list[tuple[str, object]] = []
    reasons: list[dict[str, Any]] = []
    for action in actions:
        name, body = _action(action)
        try:
            touched.append(_plan(world, region, name, body, now_ns, planned))
            reasons.append({"Code": "None"})
        except WireError as error:
            if error.error_type != "ConditionalCheckFailedException":
                raise
            extra = error.extra or {}
            reasons.append({"Code": "ConditionalCheckFailed", "Message": error.message, **extra})
    if any(reason["Code"] != "None" for reason in reasons):
        codes = ", ".join(reason["Code"] for reason in reasons)
        text = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        raise WireError("TransactionCanceledException", text, extra={"CancellationReasons": reasons})
    if len(set(touched)) < len(touched):
        raise validation("Transaction request cannot include multiple operations on one item")
    for write in planned:
        write.commit(world, now_ns)
    choice = wanted(request)
    if choice is None:
        return {}
    units: dict[str, float] = {}
    for write in planned:
        table = write.replica.table.name
        units[table] = units.get(table, 0.0) + TRANSACTIONAL * write.units
    return {"ConsumedCapacity": [consumed(choice, table, used) for table, used in units.items()]}


def _action(action: object) -> tuple[str, Request]:
    """(kind, body) of one entry."""
    if type(action) is dict:
        asked = {name: body for name, body in action.items() if body is not None}
        if len(asked) == 1:
            name, body = next(iter(asked.items()))
            if name in (*_PLANS, "ConditionCheck") and type(body) is dict:
                return name, body
    raise validation("TransactItems can only contain one of Check, Put, Update or Delete")


def _plan(
    world: World, region: str, name: str, body: Request, now_ns: int, planned: list[PlannedWrite]
) -> tuple[str, object]:
    """Add what an action would do to `planned`; returns the item it is about."""
    if name == "ConditionCheck":
        check_members(body, _CHECK)
        required(body, "ConditionExpression")
        replica = world.catalogue.readable(region, body.get("TableName"), now_ns)
        _refuse_strong(replica)
        key = replica.table.schema.key_of_request(required(body, "Key"))
        check_condition(body, expression_context(body), current(replica, key, now_ns)[0])
        return replica.table.name, key
    plan, members = _PLANS[name]
    check_members(body, members)
    write = plan(world, region, body, now_ns)
    _refuse_strong(write.replica)
    planned.append(write)
    return write.replica.table.name, write.key


def _refuse_strong(replica: Replica) -> None:
    if replica.table.strong:
        raise validation("Transactions are not supported on a table with MultiRegionConsistency STRONG")
