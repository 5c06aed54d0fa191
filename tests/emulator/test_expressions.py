"""Expressions: what they mean, and the words in which AWS refuses them."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from harness.emulator.errors import WireError
from harness.emulator.expressions import (
    ExpressionContext,
    KeyRange,
    parse_condition,
    parse_key_condition,
    parse_projection,
    parse_update,
)
from harness.emulator.items import Item, KeySchema
from harness.emulator.reserved_words import RESERVED_WORDS

SCHEMA = KeySchema("pk", "S", "sk", "N")
ITEM: Item = {
    "pk": {"S": "p"},
    "sk": {"N": "1"},
    "s": {"S": "hello"},
    "n": {"N": "10"},
    "b": {"B": "AAEC"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "tags": {"SS": ["red", "blue"]},
    "sizes": {"NS": ["1", "2.5"]},
    "steps": {"L": [{"N": "1"}, {"S": "two"}, {"M": {"three": {"N": "3"}}}]},
    "props": {"M": {"x": {"N": "1"}, "letters": {"L": [{"S": "a"}, {"S": "b"}]}, "dotted.name": {"S": "d"}}},
}
VALUES = {
    ":hello": {"S": "hello"},
    ":he": {"S": "he"},
    ":two": {"S": "two"},
    ":red": {"S": "red"},
    ":N": {"S": "N"},
    ":SS": {"S": "SS"},
    ":ten": {"N": "1E1"},
    ":nine": {"N": "9"},
    ":eleven": {"N": "11.0"},
    ":one": {"N": "1"},
    ":five": {"N": "5"},
    ":three": {"N": "3"},
    ":bytes": {"B": "AAEC"},
    ":head": {"B": "AAE="},
    ":tags": {"SS": ["blue", "red"]},
    ":half": {"N": "2.50"},
    ":true": {"BOOL": True},
    ":map3": {"M": {"three": {"N": "3.0"}}},
    ":list": {"L": [{"S": "c"}]},
    ":numbers": {"NS": ["2.5", "7"]},
    ":strings": {"SS": ["red", "green"]},
}
NAMES = {"#s": "s", "#map": "props", "#d": "dotted.name", "#size": "size", "#pk": "pk", "#unused": "unused"}


def context() -> ExpressionContext:
    return ExpressionContext(NAMES, VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "s = :hello",
        ":hello = s",
        "n = :ten",
        "n <> :nine",
        "lacking <> :nine",
        "n < :eleven",
        "n <= :ten and n >= :ten",
        ":nine < n",
        "n > sk",
        "s > :he",
        "b = :bytes",
        "tags = :tags",
        "steps[2] = :map3",
        "n BETWEEN :nine AND :eleven",
        "n between :nine and :eleven and s = :hello",
        ":ten BETWEEN sk AND n",
        "NOT n BETWEEN :one AND :nine",
        "n IN (:nine, :ten)",
        "s in (:hello)",
        "attribute_exists(props.letters[1])",
        "attribute_not_exists(props.letters[2])",
        "attribute_not_exists(s.deeper)",
        "attribute_not_exists(props[0])",
        "attribute_exists(#map.#d)",
        "attribute_type(n, :N)",
        "attribute_type(tags, :SS)",
        "begins_with(s, :he)",
        "begins_with(b, :head)",
        "NOT begins_with(n, :he)",
        "contains(s, :he)",
        "contains(tags, :red)",
        "contains(sizes, :half)",
        "contains(steps, :two)",
        "contains(steps, :map3)",
        "contains(b, :head)",
        "NOT contains(props, :two)",
        "size(s) = :five",
        "size(b) = :three",
        "size(steps) = :three and size(props) = size(b)",
        "NOT size(n) = :one",
        "size (tags) > :one",
        "NOT s = :he",
        "NOT (s = :he OR n = :nine)",
        "s = :he OR s = :hello AND n = :ten",
        "(s = :hello OR n = :nine) AND yes = :true",
        "NOT s = :he AND NOT n = :nine",
        "(s) = (:hello)",
        "((s = :hello) AND (n = :ten))",
        "NOT n < :hello",
        "NOT lacking = lacking2",
        "#s = :hello",
    ],
)
def test_the_condition_holds(text: str) -> None:
    assert parse_condition(text, context()).holds(ITEM)


@pytest.mark.parametrize(
    ("text", "holds"),
    [("attribute_not_exists(pk)", True), ("attribute_exists(pk)", False), ("pk = :one", False)],
)
def test_an_item_that_does_not_exist_has_no_attributes(text: str, holds: bool) -> None:
    assert parse_condition(text, context()).holds(None) is holds


def test_a_condition_knows_the_attributes_it_looks_at() -> None:
    assert parse_condition("#map.x = :one OR size(s) > steps[0]", context()).roots == {"props", "s", "steps"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "The expression can not be empty;"),
        ("a =", 'Syntax error; token: "<EOF>", near: "="'),
        ("a = = :one", 'Syntax error; token: "=", near: "= = :one"'),
        ("a ! :one", 'Syntax error; token: "!", near: "a ! :one"'),
        ("((s = :hello))", "The expression has redundant parentheses;"),
        ("order = :one", "Attribute name is a reserved keyword; reserved keyword: order"),
        ("a.Size = :one", "Attribute name is a reserved keyword; reserved keyword: Size"),
        (
            "#x = :one",
            "An expression attribute name used in the document path is not defined; attribute name: #x",
        ),
        (
            "s = :x",
            "An expression attribute value used in expression is not defined; attribute value: :x",
        ),
        ("nonsense(s)", "Invalid function name; function: nonsense"),
        (
            "list_append(s, :list)",
            "The function is not allowed in a condition expression; function: list_append",
        ),
        ("size(s)", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "s = contains(n, :one)",
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            "attribute_exists(s, n)",
            "Incorrect number of operands for operator or function; "
            "operator or function: attribute_exists, number of operands: 2",
        ),
        (
            "attribute_exists(:one)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "begins_with(s, :one)",
            "Incorrect operand type for operator or function; "
            "operator or function: begins_with, operand type: N",
        ),
        ("s < :true", "Incorrect operand type for operator or function; operator: <, operand type: BOOL"),
        (
            "attribute_type(s, :he)",
            "Invalid attribute type name found; type: he, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "s = s",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: =, first operand: [s]",
        ),
        (
            "n BETWEEN :ten AND :nine",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:10}, upper bound operand: AttributeValue: {N:9}",
        ),
        (
            "n BETWEEN :ten AND :he",
            "The BETWEEN operator requires same data type for lower and upper bounds; "
            "lower bound operand: AttributeValue: {N:10}, upper bound operand: AttributeValue: {S:he}",
        ),
    ],
)
def test_a_bad_condition_is_refused_in_awss_words(text: str, complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        parse_condition(text, context())
    assert refusal.value.message == f"Invalid ConditionExpression: {complaint}"


def test_a_bad_filter_is_named_a_filter() -> None:
    with pytest.raises(WireError, match=r"^Invalid FilterExpression: Syntax error"):
        parse_condition("a", context(), "FilterExpression")


@pytest.mark.parametrize("text", ["(" * 2000 + "s = :hello" + ")" * 2000, "s = :hello" + " " * 5000])
def test_an_oversized_expression_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="Invalid ConditionExpression: "):
        parse_condition(text, context())


def test_there_are_573_reserved_words() -> None:
    assert len(RESERVED_WORDS) == 573
    assert {"ABORT", "DURATION", "TTL", "URL", "ZONE"} <= RESERVED_WORDS
    assert not {"COURSEID", "TITLE", "COMPANY"} & RESERVED_WORDS


@pytest.mark.parametrize(
    ("names", "values", "text", "complaint"),
    [
        (
            {"#a": "a", "#b": "b"},
            None,
            "attribute_exists(#a)",
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}",
        ),
        (
            None,
            {":a": {"S": "a"}, ":b": {"S": "b"}, ":c": {"S": "c"}},
            "s = :a",
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b, :c}",
        ),
        ({"#a": "a"}, None, None, "ExpressionAttributeNames can only be specified when using expressions"),
        ({}, None, None, "ExpressionAttributeNames must not be empty"),
        (None, {}, None, "ExpressionAttributeValues must not be empty"),
        ({"a": "b"}, None, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'),
        (
            None,
            {"a": {"S": "b"}},
            None,
            'ExpressionAttributeValues contains invalid key: Syntax error; key: "a"',
        ),
        (
            None,
            {":a": {"N": "x"}},
            None,
            "ExpressionAttributeValues contains invalid value: "
            "The parameter cannot be converted to a numeric value: x for key :a",
        ),
    ],
)
def test_names_and_values_must_be_well_formed_and_used(
    names: dict[str, str] | None, values: dict[str, Any] | None, text: str | None, complaint: str
) -> None:
    with pytest.raises(WireError) as refusal:  # noqa: PT012 - the refusal may come at either step
        ctx = ExpressionContext(names, values)
        if text is not None:
            parse_condition(text, ctx)
        ctx.check_all_used()
    assert refusal.value.message == complaint


def updated(text: str, item: Item = ITEM) -> Item:
    before = copy.deepcopy(item)
    result = parse_update(text, context()).apply(item, SCHEMA)
    assert item == before, "the item before the update was changed"
    return result.item


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("SET s = :two", "s", {"S": "two"}),
        ("SET fresh = n", "fresh", {"N": "10"}),
        ("SET n = n + :one", "n", {"N": "11"}),
        ("SET n = :one - n", "n", {"N": "-9"}),
        ("SET n = n - :half", "n", {"N": "7.5"}),
        ("SET fresh = if_not_exists(fresh, :one)", "fresh", {"N": "1"}),
        ("SET n = if_not_exists(n, :one) + :one", "n", {"N": "11"}),
        ("SET fresh = list_append(if_not_exists(fresh, :list), :list)", "fresh", {"L": [{"S": "c"}] * 2}),
        ("SET props.letters = list_append(:list, props.letters)", "props", "c a b"),
        ("SET props.letters[0] = :two", "props", "two b"),
        ("SET props.letters[9] = :two", "props", "a b two"),
        ("SET props.letters[9] = :two, props.letters[7] = :he", "props", "a b he two"),
        ("SET props.letters[1] = :two REMOVE props.letters[0]", "props", "two"),
        ("REMOVE props.letters[0], props.letters[1]", "props", ""),
        ("REMOVE props.letters[5]", "props", "a b"),
        ("REMOVE s", "s", None),
        ("REMOVE lacking", "lacking", None),
        ("ADD n :half", "n", {"N": "12.5"}),
        ("ADD fresh :half", "fresh", {"N": "2.5"}),
        ("ADD tags :strings", "tags", {"SS": ["red", "blue", "green"]}),
        ("ADD sizes :numbers", "sizes", {"NS": ["1", "2.5", "7"]}),
        ("DELETE tags :strings", "tags", {"SS": ["blue"]}),
        ("DELETE tags :tags", "tags", None),
        ("DELETE lacking :tags", "lacking", None),
        ("set n = sk add sk2 :one", "n", {"N": "1"}),
    ],
)
def test_an_update_gives_the_attribute_its_value(text: str, attribute: str, value: Any) -> None:
    after = updated(text)
    if isinstance(value, str):
        assert " ".join(member["S"] for member in after["props"]["M"]["letters"]["L"]) == value
    else:
        assert after.get(attribute) == value
    others = {name: content for name, content in after.items() if name != attribute}
    assert others.items() <= {**ITEM, "sk2": {"N": "1"}}.items()


def test_operands_are_read_before_anything_changes() -> None:
    after = updated("SET s = n, n = s")
    assert (after["s"], after["n"]) == ({"N": "10"}, {"S": "hello"})


def test_removals_mean_the_list_as_it_was() -> None:
    after = updated("REMOVE steps[2].three, steps[0], steps[1]")
    assert after["steps"] == {"L": [{"M": {}}]}


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("SET n = :one REMOVE s", {"n": {"N": "10"}, "s": {"S": "hello"}}, {"n": {"N": "1"}}),
        (
            "SET props.x = :five, props.y = :one",
            {"props": {"M": {"x": {"N": "1"}}}},
            {"props": {"M": {"x": {"N": "5"}, "y": {"N": "1"}}}},
        ),
        ("ADD fresh :one", {}, {"fresh": {"N": "1"}}),
        ("SET steps[1] = :he", {"steps": {"L": [{"S": "two"}]}}, {"steps": {"L": [{"S": "he"}]}}),
    ],
)
def test_touched_shows_only_what_the_update_names(text: str, old: Item, new: Item) -> None:
    result = parse_update(text, context()).apply(ITEM, SCHEMA)
    assert result.touched.apply(ITEM) == old
    assert result.touched.apply(result.item) == new


BAD_PATH = "The document path provided in the update expression is invalid for update"
BAD_TYPE = "An operand in the update expression has an incorrect data type"
ABSENT = "The provided expression refers to an attribute that does not exist in the item"
KEY = (
    "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key"
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SET pk = :one", KEY.format("pk")),
        ("REMOVE sk", KEY.format("sk")),
        ("ADD sk :one", KEY.format("sk")),
        ("SET lacking.x = :one", BAD_PATH),
        ("SET s.x = :one", BAD_PATH),
        ("SET props[0] = :one", BAD_PATH),
        ("SET steps[7].x = :one", BAD_PATH),
        ("REMOVE lacking.x", BAD_PATH),
        ("SET fresh = lacking", ABSENT),
        ("SET n = n + lacking", ABSENT),
        ("SET n = n + s", BAD_TYPE),
        ("SET steps = list_append(s, :list)", BAD_TYPE),
        ("ADD s :one", BAD_TYPE),
        ("ADD n :tags", BAD_TYPE),
        ("DELETE n :tags", BAD_TYPE),
    ],
)
def test_an_update_the_item_does_not_allow_is_refused_in_awss_words(text: str, complaint: str) -> None:
    update = parse_update(text, context())
    with pytest.raises(WireError) as refusal:
        update.apply(ITEM, SCHEMA)
    assert refusal.value.message == complaint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "The expression can not be empty;"),
        ("SET", 'Syntax error; token: "<EOF>", near: "SET"'),
        ("SET n = n + n + n", 'Syntax error; token: "+", near: "n + n"'),
        ("PUT n = :one", 'Syntax error; token: "PUT", near: "PUT n"'),
        ("SET n = :one SET s = :he", 'The "SET" section can only be used once in an update expression;'),
        (
            "SET props.x = :one, props = :map3",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [props, x], path two: [props]",
        ),
        (
            "SET #s = :one REMOVE s",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [s], path two: [s]",
        ),
        (
            "SET props.x = :one, props[1] = :one",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; "
            "path one: [props, x], path two: [props, [1]]",
        ),
        (
            "ADD n :he",
            "Incorrect operand type for operator or function; "
            "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "DELETE tags :one",
            "Incorrect operand type for operator or function; "
            "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
        (
            "SET n = n + :he",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET n = list_append(n, :he)",
            "Incorrect operand type for operator or function; "
            "operator or function: list_append, operand type: S",
        ),
        ("SET n = size(s)", "The function is not allowed in an update expression; function: size"),
        ("SET n = nonsense(s)", "Invalid function name; function: nonsense"),
        (
            "SET n = if_not_exists(n)",
            "Incorrect number of operands for operator or function; "
            "operator or function: if_not_exists, number of operands: 1",
        ),
        (
            "SET n = if_not_exists(:one, :one)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        ("SET #x = :one", "An expression attribute name used in the document path is not defined; attribute name: #x"),
        ("SET name = :one", "Attribute name is a reserved keyword; reserved keyword: name"),
    ],
)  # fmt: skip
def test_a_bad_update_is_refused_in_awss_words(text: str, complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        parse_update(text, context())
    assert refusal.value.message == f"Invalid UpdateExpression: {complaint}"


def test_an_update_may_not_nest_deeper_than_32() -> None:
    item: Item = {"pk": {"S": "p"}, "a": {"M": {}}}
    value: dict[str, Any] = {"S": "core"}
    for _ in range(32):
        value = {"L": [value]}
    ctx = ExpressionContext(None, {":v": value})
    parse_update("SET a = :v", ctx).apply(item, SCHEMA)
    update = parse_update("SET a.b = :v", ctx)
    with pytest.raises(WireError, match="Nesting Levels"):
        update.apply(item, SCHEMA)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("s, n", {"s": {"S": "hello"}, "n": {"N": "10"}}),
        ("lacking", {}),
        ("props.x, #map.#d", {"props": {"M": {"x": {"N": "1"}, "dotted.name": {"S": "d"}}}}),
        ("steps[2].three, steps[0]", {"steps": {"L": [{"N": "1"}, {"M": {"three": {"N": "3"}}}]}}),
        ("steps[9], props.letters[1]", {"props": {"M": {"letters": {"L": [{"S": "b"}]}}}}),
        ("s.x, steps.y, props[0]", {}),
    ],
)
def test_a_projection_keeps_what_lies_on_its_paths(text: str, kept: Item) -> None:
    assert parse_projection(text, context()).apply(ITEM) == kept


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("props, s, props.x", "overlap with each other; must remove or rewrite one of these paths; "
         "path one: [props], path two: [props, x]"),
        ("props.x, props[0]", "conflict with each other; must remove or rewrite one of these paths; "
         "path one: [props, x], path two: [props, [0]]"),
    ],
)  # fmt: skip
def test_overlapping_projections_are_refused_in_awss_words(text: str, complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        parse_projection(text, context())
    assert refusal.value.message == f"Invalid ProjectionExpression: Two document paths {complaint}"


@pytest.mark.parametrize(
    ("text", "key_range"),
    [
        ("pk = :he", KeyRange("he")),
        (":he = #pk", KeyRange("he")),
        ("pk = :he AND sk = :one", KeyRange("he", low=Decimal(1), high=Decimal(1))),
        ("sk < :one AND pk = :he", KeyRange("he", high=Decimal(1), high_inclusive=False)),
        ("(pk = :he) AND (sk >= :one)", KeyRange("he", low=Decimal(1))),
        ("pk = :he AND :one < sk", KeyRange("he", low=Decimal(1), low_inclusive=False)),
        ("pk = :he AND :one >= sk", KeyRange("he", high=Decimal(1))),
        ("pk = :he AND sk BETWEEN :one AND :ten", KeyRange("he", low=Decimal(1), high=Decimal(10))),
    ],
)
def test_a_key_condition_is_a_range_of_one_partition(text: str, key_range: KeyRange) -> None:
    assert parse_key_condition(text, context(), SCHEMA) == key_range


def test_begins_with_is_a_range_from_the_prefix() -> None:
    schema = KeySchema("pk", "S", "sk", "S")
    found = parse_key_condition("pk = :two AND begins_with(sk, :he)", context(), schema)
    assert found == KeyRange("two", low="he", prefix="he")


KIND = "KeyConditionExpression"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sk = :one", "Query condition missed key schema element: pk"),
        ("pk = :he AND n = :one", "Query condition missed key schema element: sk"),
        ("pk > :he", "Query key condition not supported"),
        ("pk = :he AND sk = :one AND n = :one", "Conditions can be of length 1 or 2 only"),
        ("pk = :he AND pk = :two", "KeyConditionExpressions must only contain one condition per key"),
        ("pk = :he OR sk = :one", f"Invalid operator used in {KIND}: OR"),
        ("pk = :he AND NOT sk = :one", f"Invalid operator used in {KIND}: NOT"),
        ("pk = :he AND sk <> :one", f"Invalid operator used in {KIND}: <>"),
        ("pk = :he AND sk IN (:one)", f"Invalid operator used in {KIND}: IN"),
        ("attribute_exists(pk)", f"Invalid operator used in {KIND}: attribute_exists"),
        ("pk = :he AND size(sk) = :one", f"{KIND}s cannot contain nested operations"),
        ("pk = sk", f"Invalid condition in {KIND}: Multiple attribute names used in one condition"),
        (":he = :two", f"Invalid condition in {KIND}: No key attribute specified"),
        (
            "pk = :he AND :one BETWEEN sk AND :ten",
            f"Invalid condition in {KIND}: BETWEEN operator must have the key attribute as its first operand",
        ),
        ("pk.x = :he", f"{KIND}s cannot have conditions on nested attributes"),
        (
            "pk = :one",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        ("pk = :he AND", f'Invalid {KIND}: Syntax error; token: "<EOF>", near: "AND"'),
    ],
)
def test_a_bad_key_condition_is_refused_in_awss_words(text: str, complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        parse_key_condition(text, context(), SCHEMA)
    assert refusal.value.message == complaint


def test_a_table_without_sort_key_takes_one_condition() -> None:
    with pytest.raises(WireError, match="Query key condition not supported"):
        parse_key_condition("pk = :he AND sk = :one", context(), KeySchema("pk", "S"))
