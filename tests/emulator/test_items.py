"""Attribute values, items and keys, against what AWS documents and answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.errors import WireError
from harness.emulator.items import KeySchema, item_size, key_text, normalise_item
from harness.emulator.numerals import add, number, number_text

HASH = KeySchema("courseid", "S")
BOTH = KeySchema("pk", "S", "sk", "N")
BINARY = KeySchema("pk", "B")


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1.500", "1.5"),
        ("1E3", "1000"),
        ("-0", "0"),
        ("0.0e5", "0"),
        ("+7", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1e-2", "0.01"),
        ("-12.340", "-12.34"),
        ("9" * 38, "9" * 38),
        ("1E125", "1" + "0" * 125),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_is_given_back_in_its_one_spelling(written: str, stored: str) -> None:
    assert normalise_item({"n": {"N": written}}) == {"n": {"N": stored}}


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "The parameter cannot be converted to a numeric value"),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        (" 1", "The parameter cannot be converted to a numeric value:  1"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
        ("1_000", "The parameter cannot be converted to a numeric value: 1_000"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        (
            "1E126",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            "-1E9999999999999999999999",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            "1E-131",
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
    ],
)
def test_a_number_beyond_the_limits_is_refused_in_awss_words(written: str, complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        normalise_item({"n": {"N": written}})
    assert (refusal.value.error_type, refusal.value.message) == ("ValidationException", complaint)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_normalising_a_number_keeps_its_value_and_is_done_once(value: Decimal) -> None:
    text = number_text(str(value))
    assert number(text) == value
    assert number_text(text) == text
    assert "E" not in text


def test_sums_are_exact_or_refused() -> None:
    assert add("0.1", "0.2") == "0.3"
    assert add("10", "2.5", -1) == "7.5"
    with pytest.raises(WireError, match="38 significant digits"):
        add("1E37", "0.1")


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""},
        {"B": ""},
        {"B": "AAE="},
        {"BOOL": False},
        {"NULL": True},
        {"SS": ["a", ""]},
        {"NS": ["1", "2"]},
        {"BS": ["AA==", "AQ=="]},
        {"L": []},
        {"M": {}},
        {"M": {"l": {"L": [{"M": {"n": {"N": "1"}}}]}}},
    ],
)
def test_every_type_passes_unchanged(value: dict[str, Any]) -> None:
    assert normalise_item({"a": value}) == {"a": value}


INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ({"X": "1"}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"S": "a", "N": "1"},
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes",
        ),
        ({"NULL": False}, INVALID + "Null attribute value types must have the value of true"),
        ({"SS": []}, INVALID + "An string set  may not be empty"),
        ({"NS": []}, INVALID + "An number set  may not be empty"),
        ({"BS": []}, INVALID + "Binary sets should not be empty"),
        ({"SS": ["a", "b", "a"]}, INVALID + "Input collection [a, b, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, "Input collection contains duplicates"),
        ({"BS": ["AA==", "AA=="]}, INVALID + "Input collection [AA==, AA==]of type BS contains duplicates."),
        ({"L": [{"N": "x"}]}, "The parameter cannot be converted to a numeric value: x"),
    ],
)
def test_an_invalid_value_is_refused_in_awss_words(value: dict[str, Any], complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        normalise_item({"a": value})
    assert (refusal.value.error_type, refusal.value.message) == ("ValidationException", complaint)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"a": "text"},
        {"a": {"S": 1}},
        {"a": {"N": 1}},
        {"a": {"B": "*"}},
        {"a": {"BOOL": "true"}},
        {"a": {"NULL": 1}},
        {"a": {"L": {}}},
        {"a": {"M": []}},
        {"a": {"SS": "a"}},
        {"a": {"SS": [1]}},
    ],
)
def test_json_of_the_wrong_kind_is_a_serialization_error(raw: object) -> None:
    with pytest.raises(WireError) as refusal:
        normalise_item(raw)
    assert refusal.value.error_type == "SerializationException"


@pytest.mark.parametrize("kind", ["M", "L"])
def test_containers_nest_32_deep_and_no_deeper(kind: str) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {"S": "core"}
        for _ in range(levels):
            value = {"M": {"m": value}} if kind == "M" else {"L": [value]}
        return {"a": value}

    assert normalise_item(nested(32)) == nested(32)
    with pytest.raises(WireError, match="Nesting Levels have exceeded supported limits"):
        normalise_item(nested(33))


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": {"S": "hello"}}, 6),
        ({"é": {"S": "é"}}, 4),
        ({"a": {"B": "AAECAw=="}}, 5),
        ({"a": {"BOOL": True}}, 2),
        ({"a": {"NULL": True}}, 2),
        ({"a": {"N": "0"}}, 2),
        ({"a": {"N": "12"}}, 3),
        ({"a": {"N": "-12"}}, 4),
        ({"a": {"N": "123"}}, 4),
        ({"a": {"N": "1000000"}}, 3),
        ({"a": {"SS": ["ab", "c"]}}, 4),
        ({"a": {"L": []}}, 4),
        ({"a": {"L": [{"S": "x"}, {"S": "y"}]}}, 8),
        ({"a": {"M": {"k": {"S": "x"}}}}, 7),
    ],
)
def test_size_follows_awss_rules(item: dict[str, Any], size: int) -> None:
    assert item_size(normalise_item(item)) == size


@pytest.mark.parametrize(
    ("schema", "raw", "key", "text"),
    [
        (HASH, {"courseid": {"S": "a"}}, ("a", None), "a"),
        (HASH, {"courseid": {"S": "x" * 1000}}, ("x" * 1000, None), "x" * 1000),
        (BOTH, {"pk": {"S": "a"}, "sk": {"N": "1.50"}}, ("a", Decimal("1.5")), "a/1.5"),
        (BOTH, {"sk": {"N": "0"}, "pk": {"S": "a"}}, ("a", Decimal(0)), "a/0"),
        (BINARY, {"pk": {"B": "AAE="}}, (b"\x00\x01", None), "AAE="),
    ],
)
def test_a_key_becomes_comparable_values_and_back(
    schema: KeySchema, raw: dict[str, Any], key: object, text: str
) -> None:
    found = schema.key_of_request(raw)
    assert found == key
    assert key_text(found) == text
    assert schema.attributes(found) == normalise_item(raw)
    assert schema.key_of_item({**normalise_item(raw), "more": {"S": "x"}}) == found


MISMATCH = "The provided key element does not match the schema"
EMPTY = (
    "One or more parameter values are not valid. "
    "The AttributeValue for a key attribute cannot contain an empty {} value. Key: {}"
)


@pytest.mark.parametrize(
    ("schema", "raw", "complaint"),
    [
        (HASH, {}, MISMATCH),
        (HASH, {"other": {"S": "a"}}, MISMATCH),
        (HASH, {"courseid": {"N": "1"}}, MISMATCH),
        (HASH, {"courseid": {"S": "a"}, "more": {"S": "b"}}, MISMATCH),
        (BOTH, {"pk": {"S": "a"}}, MISMATCH),
        (BOTH, {"pk": {"S": "a"}, "sk": {"S": "1"}}, MISMATCH),
        (
            BOTH,
            {"pk": {"S": "a"}, "sk": {"N": "x"}},
            "The parameter cannot be converted to a numeric value: x",
        ),
        (HASH, {"courseid": {"S": ""}}, EMPTY.format("string", "courseid")),
        (BINARY, {"pk": {"B": ""}}, EMPTY.format("binary", "pk")),
        (
            HASH,
            {"courseid": {"S": "é" * 1025}},
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            KeySchema("pk", "S", "sk", "S"),
            {"pk": {"S": "a"}, "sk": {"S": "x" * 1025}},
            INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
    ],
)
def test_a_key_that_does_not_fit_is_refused_in_awss_words(
    schema: KeySchema, raw: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(WireError) as refusal:
        schema.key_of_request(raw)
    assert (refusal.value.error_type, refusal.value.message) == ("ValidationException", complaint)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"title": {"S": "t"}}, INVALID + "Missing the key courseid in the item"),
        ({"courseid": {"N": "1"}}, INVALID + "Type mismatch for key courseid expected: S actual: N"),
        ({"courseid": {"S": ""}}, EMPTY.format("string", "courseid")),
    ],
)
def test_an_item_without_its_key_is_refused_in_awss_words(item: dict[str, Any], complaint: str) -> None:
    with pytest.raises(WireError) as refusal:
        HASH.key_of_item(normalise_item(item))
    assert refusal.value.message == complaint


def test_equal_numbers_are_one_key_and_sort_by_value() -> None:
    keys = [BOTH.key_of_request({"pk": {"S": "a"}, "sk": {"N": n}}) for n in ("10", "9", "1E1", "-1", "9.5")]
    assert len(set(keys)) == 4
    assert [part for _, part in sorted(set(keys), key=lambda key: key[1] or Decimal(0))] == [
        Decimal("-1"),
        Decimal(9),
        Decimal("9.5"),
        Decimal(10),
    ]
