"""Random single-Region histories, the same boto3 calls to the emulator and to moto: same answers, same error codes.

DIFFERENTIAL_EXAMPLES=500 looks at other histories, and at more of them, than the default run does.

moto differs from AWS in known places. The histories keep away from them:

- numbers are given in their normalised spelling only: moto does not normalise "1.500";
- keys have their schema's types, and batches stay within 25 writes and name each key once: moto checks none of it;
- key conditions have the attribute first: moto refuses reversed operands;
- `size()` is asked of sets, after `attribute_exists()`: moto fails where it has no meaning;
- NULL and BOOL are not compared with: in moto an absent attribute equals NULL, and 1 equals true;
- only numbers are added to `n`, and only whole ones: moto compares sets with numbers, and gives sums back as "3.0";
- an item whose update failed is forgotten: moto keeps the half that came before the error;
- an update names each path once: moto looks for overlaps only after the condition;
- key attributes are left out of UPDATED_NEW: moto shows them when the update creates the item;
- elements of lists are left out of UPDATED_OLD and UPDATED_NEW: moto shows the list, AWS the elements named;
- filters do not name key attributes: moto lets them in a Query;
- pages are compared as one: AWS and this emulator may end with an empty page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator

REGION = "us-west-2"
TABLES = {"hash": (("pk", "S"),), "number": (("pk", "S"), ("sk", "N")), "string": (("pk", "S"), ("sk", "S"))}
_EXTRAS = ("ResponseMetadata", "ConsumedCapacity", "ItemCollectionMetrics")  # moto adds the last two unasked

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One operation and its parameters; `paged` follows LastEvaluatedKey to the end."""

    operation: str
    parameters: Wire
    paged: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides of the comparison."""

    emulated: Any
    moto: Any


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    options = EmulatorOptions(extra=("--rtt", "none", "--eventual-lag", "none", "--table-delay", "1ms"))
    with emulator([REGION], options) as target, mock_aws():
        sides = Pair(_client(target.endpoints[REGION]), _client(None))
        for name, keys in TABLES.items():
            for side in (sides.emulated, sides.moto):
                side.create_table(
                    TableName=name,
                    AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys],
                    KeySchema=[
                        {"AttributeName": n, "KeyType": kind}
                        for (n, _), kind in zip(keys, ("HASH", "RANGE"), strict=False)
                    ],
                    BillingMode="PAY_PER_REQUEST",
                )
        sides.emulated.get_waiter("table_exists").wait(TableName="string", WaiterConfig={"Delay": 1})
        yield sides


def _client(endpoint: str | None) -> Any:
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=EMULATOR_KEYS[0],
        aws_secret_access_key=EMULATOR_KEYS[1],
        config=Config(retries={"total_max_attempts": 1}),
    )


HASHES = st.sampled_from(["p", "q", "ä"])
NUMBERS = st.sampled_from(["-10", "-1.5", "0", "1", "2", "10", "12345678901234567890"])
WHOLE = NUMBERS.filter(lambda n: "." not in n).map(lambda n: {"N": n})
TEXTS = st.sampled_from(["a", "ab", "abc", "b", "ä", "z"])
SORT_KEYS = {"N": NUMBERS, "S": TEXTS}
SCALARS = st.one_of(
    NUMBERS.map(lambda n: {"N": n}),
    TEXTS.map(lambda s: {"S": s}),
    st.sampled_from([{"BOOL": True}, {"BOOL": False}, {"NULL": True}]),
    st.sampled_from([b"a", b"ab", b"\x00\xff"]).map(lambda b: {"B": b}),
)
COMPARED = SCALARS.filter(lambda value: not value.keys() & {"NULL", "BOOL"})
SETS = st.one_of(
    st.lists(TEXTS, min_size=1, max_size=3, unique=True).map(lambda v: {"SS": v}),
    st.lists(NUMBERS, min_size=1, max_size=3, unique=True).map(lambda v: {"NS": v}),
)
LISTS = st.lists(SCALARS, max_size=3).map(lambda v: {"L": v})
MAPS = st.dictionaries(st.sampled_from(["x", "y"]), st.one_of(SCALARS, LISTS)).map(lambda v: {"M": v})
VALUES = st.one_of(SCALARS, SCALARS, SETS, LISTS, MAPS)
NAMES = ("a", "b", "n", "tags", "props", "steps")
ADDED = {"n": WHOLE, "tags": SETS}
BY_NAME = {
    "a": VALUES,
    "b": COMPARED,
    "n": WHOLE,
    "tags": SETS,
    "props": MAPS,
    "steps": LISTS,
}
PATHS = st.sampled_from(["a", "b", "n", "tags", "props", "steps", "props.x", "steps[0]", "props.y[1]"])
TOP = st.sampled_from(NAMES)


@st.composite
def keys_of(draw: st.DrawFn, table: str) -> Wire:
    key = {"pk": {"S": draw(HASHES)}}
    for name, kind in TABLES[table][1:]:
        key[name] = {kind: draw(SORT_KEYS[kind])}
    return key


@st.composite
def items_of(draw: st.DrawFn, table: str) -> Wire:
    item = draw(keys_of(table))
    for name in draw(st.lists(TOP, unique=True, max_size=4)):
        item[name] = draw(BY_NAME[name])
    return item


class Literals:
    """Collects the values of one request's expressions."""

    def __init__(self) -> None:
        self.values: Wire = {}

    def name(self, value: Wire) -> str:
        name = f":v{len(self.values)}"
        self.values[name] = value
        return name

    def members(self) -> Wire:
        return {"ExpressionAttributeValues": self.values} if self.values else {}


def comparison(draw: st.DrawFn, literals: Literals) -> str:
    path = draw(PATHS)
    kind = draw(st.integers(0, 8))
    if kind == 0:
        return f"attribute_exists({path})"
    if kind == 1:
        return f"attribute_not_exists({path})"
    if kind == 2:
        return f"attribute_type({path}, {literals.name({'S': draw(st.sampled_from(['S', 'N', 'L', 'M', 'SS']))})})"
    if kind == 3:
        return f"begins_with({path}, {literals.name({'S': draw(TEXTS)})})"
    if kind == 4:
        return f"contains({path}, {literals.name({'S': draw(TEXTS)})})"
    if kind == 5:
        operator = draw(st.sampled_from(["=", "<", ">="]))
        return f"(attribute_exists(tags) AND size(tags) {operator} {literals.name({'N': '2'})})"
    if kind == 6:
        low, high = sorted((draw(NUMBERS), draw(NUMBERS)), key=float)
        return f"n BETWEEN {literals.name({'N': low})} AND {literals.name({'N': high})}"
    if kind == 7:
        return f"b IN ({literals.name(draw(COMPARED))}, {literals.name(draw(COMPARED))})"
    operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
    if operator in ("=", "<>"):
        return f"{path} {operator} {literals.name(draw(st.one_of(COMPARED, SETS, MAPS)))}"
    return f"n {operator} {literals.name({'N': draw(NUMBERS)})}"


def conditions(draw: st.DrawFn, literals: Literals) -> str:
    shape = draw(st.integers(0, 6))
    first = comparison(draw, literals)
    if shape < 3:
        return first
    second = comparison(draw, literals)
    return {
        3: f"{first} AND {second}",
        4: f"{first} OR {second}",
        5: f"NOT {first} AND ({second} OR attribute_exists(a))",
        6: f"NOT ({first} OR {second})",
    }[shape]


def updates(draw: st.DrawFn, literals: Literals) -> str:
    """An update expression; no attribute is named by two sections."""
    sections, free = [], {"a", "b", "n", "tags", "props.x", "steps[0]"}
    if draw(st.booleans()):
        assignment, used = draw(st.sampled_from(_sets(draw, literals)))
        sections.append("SET " + assignment)
        free -= used
    if draw(st.booleans()):
        removed = draw(st.lists(st.sampled_from(sorted(free)), min_size=1, max_size=2, unique=True))
        sections.append("REMOVE " + ", ".join(removed))
        free -= set(removed)
    if draw(st.booleans()) and free & {"a", "b", "n", "tags"}:
        name = draw(st.sampled_from(sorted(free & {"a", "b", "n", "tags"})))
        value = draw(ADDED.get(name, st.one_of(WHOLE, SETS)))
        sections.append(f"ADD {name} {literals.name(value)}")
        free.discard(name)
    if not sections or ("tags" in free and draw(st.booleans())):
        sections.append(f"DELETE tags {literals.name(draw(SETS))}")
    return " ".join(sections)


def _sets(draw: st.DrawFn, literals: Literals) -> list[tuple[str, set[str]]]:
    """Assignments to choose from, each with the paths that other sections must leave alone."""
    kind = draw(st.integers(0, 7))
    if kind == 0:
        return [(f"n = n + {literals.name(draw(WHOLE))}", {"n"})]
    if kind == 1:
        zero, one = literals.name({"N": "0"}), literals.name({"N": "1"})
        return [(f"n = if_not_exists(n, {zero}) - {one}", {"n"})]
    if kind == 2:
        extra, start = literals.name({"L": [draw(SCALARS)]}), literals.name({"L": []})
        return [(f"steps = list_append(if_not_exists(steps, {start}), {extra})", {"steps[0]"})]
    if kind == 3:
        return [(f"props.x = {literals.name(draw(SCALARS))}", {"props.x"})]
    if kind == 4:
        return [(f"steps[1] = {literals.name(draw(SCALARS))}", set())]
    if kind == 5:
        return [("b = n, n = n", {"b", "n"}), ("a = b, b = n", {"a", "b"}), ("a = props.x", {"a"})]
    if kind == 6:
        return [(f"pk = {literals.name({'S': 'p'})}", set())]
    return [(f"a = {literals.name(draw(VALUES))}, b = {literals.name(draw(COMPARED))}", {"a", "b"})]


@st.composite
def writes(draw: st.DrawFn, table: str) -> Call:
    operation = draw(st.sampled_from(["put_item", "put_item", "delete_item", "update_item", "update_item"]))
    literals = Literals()
    parameters: Wire = {"TableName": table}
    choices = ["NONE", "ALL_OLD"]
    if operation == "put_item":
        parameters["Item"] = draw(items_of(table))
    else:
        parameters["Key"] = draw(keys_of(table))
    if operation == "update_item":
        parameters["UpdateExpression"] = updates(draw, literals)
        choices += ["ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"]
    if draw(st.booleans()):
        parameters["ConditionExpression"] = conditions(draw, literals)
    if "steps[" in parameters.get("UpdateExpression", ""):
        choices = choices[:3]
    parameters["ReturnValues"] = draw(st.sampled_from(choices))
    return Call(operation, parameters | literals.members())


@st.composite
def gets(draw: st.DrawFn, table: str) -> Call:
    parameters: Wire = {
        "TableName": table,
        "Key": draw(keys_of(table)),
        "ConsistentRead": draw(st.booleans()),
    }
    if draw(st.booleans()):
        parameters["ProjectionExpression"] = draw(
            st.sampled_from(["pk, a", "props.x, steps[0]", "b", "#n, tags"])
        )
        if "#n" in parameters["ProjectionExpression"]:
            parameters["ExpressionAttributeNames"] = {"#n": "n"}
    return Call("get_item", parameters)


@st.composite
def batches(draw: st.DrawFn, table: str) -> Call:
    if draw(st.booleans()):
        keys = draw(st.lists(keys_of(table), min_size=1, max_size=5, unique_by=repr))
        return Call("batch_get_item", {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}})
    puts = draw(st.lists(items_of(table), max_size=4))
    deletes = draw(st.lists(keys_of(table), max_size=2))
    requests: dict[str, Wire] = {}
    for key in deletes:
        requests[repr(key)] = {"DeleteRequest": {"Key": key}}
    for item in puts:
        key = {name: item[name] for name, _ in TABLES[table]}
        requests[repr(key)] = {"PutRequest": {"Item": item}}
    return Call(
        "batch_write_item",
        {"RequestItems": {table: list(requests.values()) or [{"PutRequest": {"Item": {}}}]}},
    )


@st.composite
def queries(draw: st.DrawFn, table: str) -> Call:
    literals = Literals()
    text = f"pk = {literals.name({'S': draw(HASHES)})}"
    for name, kind in TABLES[table][1:]:
        operator = draw(st.sampled_from(["", "=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]))
        values = [{kind: value} for value in sorted((draw(SORT_KEYS[kind]), draw(SORT_KEYS[kind])))]
        if operator == "BETWEEN" and kind == "N":
            values.sort(key=lambda value: float(value["N"]))
        if operator == "BETWEEN":
            text += f" AND {name} BETWEEN {literals.name(values[0])} AND {literals.name(values[1])}"
        elif operator == "begins_with" and kind == "S":
            text += f" AND begins_with({name}, {literals.name(values[0])})"
        elif operator not in ("", "begins_with"):
            text += f" AND {name} {operator} {literals.name(values[0])}"
    parameters: Wire = {"TableName": table, "KeyConditionExpression": text}
    parameters["ScanIndexForward"] = draw(st.booleans())
    return Call("query", parameters | _reading(draw, literals), paged=True)


@st.composite
def scans(draw: st.DrawFn, table: str) -> Call:
    return Call("scan", {"TableName": table} | _reading(draw, Literals()), paged=True)


def _reading(draw: st.DrawFn, literals: Literals) -> Wire:
    parameters: Wire = {}
    if draw(st.booleans()):
        parameters["FilterExpression"] = conditions(draw, literals)
    if draw(st.booleans()):
        parameters["ProjectionExpression"] = draw(
            st.sampled_from(["pk, a", "pk, props.x", "pk, steps[1], b"])
        )
    if draw(st.booleans()):
        parameters["Limit"] = draw(st.integers(1, 3))
    elif draw(st.booleans()):
        parameters.pop("ProjectionExpression", None)
        parameters["Select"] = "COUNT"
    return parameters | literals.members()


CALLS = st.sampled_from(sorted(TABLES)).flatmap(
    lambda table: st.lists(
        st.one_of(writes(table), writes(table), gets(table), batches(table), queries(table), scans(table)),
        min_size=15,
        max_size=40,
    )
)  # fmt: skip
"""A history works on one table, so that its calls meet each other's items."""


@given(history=CALLS)
@settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "40")),
    derandomize="DIFFERENTIAL_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
def test_random_histories_answer_as_moto_does(pair: Pair, history: list[Call]) -> None:
    for table in TABLES:
        for side in (pair.emulated, pair.moto):
            _empty(side, table)
    for call in history:
        outcome = _outcome(pair.emulated, call)
        assert outcome == _outcome(pair.moto, call), call
        if call.operation == "update_item" and outcome == "ValidationException":
            pair.moto.delete_item(TableName=call.parameters["TableName"], Key=call.parameters["Key"])
            pair.emulated.delete_item(TableName=call.parameters["TableName"], Key=call.parameters["Key"])


def _empty(side: Any, table: str) -> None:
    names = [name for name, _ in TABLES[table]]
    for item in _outcome(side, Call("scan", {"TableName": table}, paged=True))["Items"]:
        side.delete_item(TableName=table, Key={name: item[name] for name in names})


def _outcome(side: Any, call: Call) -> Any:
    """The answer without what is not compared, or the error's code."""
    try:
        answer = _pages(side, call) if call.paged else getattr(side, call.operation)(**call.parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    answer = {name: _ordered(value) for name, value in answer.items() if name not in _EXTRAS}
    if call.parameters.get("ReturnValues", "").startswith("UPDATED"):
        answer["Attributes"] = {
            n: v for n, v in answer.get("Attributes", {}).items() if n not in ("pk", "sk")
        }
    if call.operation == "scan":
        answer["Items"] = sorted(answer.get("Items", ()), key=repr)
    if call.operation == "batch_get_item":
        answer["Responses"] = {t: sorted(items, key=repr) for t, items in answer["Responses"].items()}
    return answer


def _pages(side: Any, call: Call) -> Wire:
    """All pages as one: where a page ends at the last item, an empty one may follow or not."""
    found: Wire = {"Items": [], "Count": 0, "ScannedCount": 0}
    parameters = call.parameters
    while True:
        page = getattr(side, call.operation)(**parameters)
        found["Items"] += page.get("Items", [])
        found["Count"] += page["Count"]
        found["ScannedCount"] += page["ScannedCount"]
        if "LastEvaluatedKey" not in page:
            return found
        parameters = {**parameters, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _ordered(value: Any) -> Any:
    """Sets have no order; empty members of an answer mean the same as absent ones."""
    if isinstance(value, dict):
        ordered = {name: _ordered(member) for name, member in value.items()}
        return {
            name: sorted(member) if name in ("SS", "NS", "BS") and isinstance(member, list) else member
            for name, member in ordered.items()
        }
    return [_ordered(member) for member in value] if isinstance(value, list) else value
