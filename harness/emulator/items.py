"""Items and their keys: from the wire's JSON to checked, comparable Python values.

Item   {"courseid": {"S": "a"}, "duration": {"N": "30"}}   normalised, never changed in place
Key    ("a", None) or ("a", Decimal(30))                   hashable; parts compare as DynamoDB sorts
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from harness.emulator.errors import WireError, validation
from harness.emulator.numerals import decimal_text, number
from harness.emulator.values import (
    Value,
    binary_text,
    malformed,
    normalise_value,
    sortable,
    type_of,
    value_size,
)

Item = dict[str, dict[str, Any]]
KeyPart = str | bytes | Decimal
Key = tuple[KeyPart, KeyPart | None]

MAX_HASH_BYTES = 2048
MAX_RANGE_BYTES = 1024
_MISMATCH = "The provided key element does not match the schema"
_INVALID = "One or more parameter values were invalid: "


def normalise_item(raw: object) -> Item:
    """A checked copy of an item of the wire, with numbers and base64 in their one spelling."""
    if type(raw) is not dict:
        raise malformed(raw, "Map")
    return {name: normalise_value(value) for name, value in raw.items()}


def item_size(item: Item) -> int:
    """Bytes an item counts for: the UTF-8 names and the values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def key_text(key: Key) -> str:
    """A key for people and for truth.jsonl: the hash, or hash/range."""
    hash_part, range_part = key
    return (
        _part_text(hash_part) if range_part is None else f"{_part_text(hash_part)}/{_part_text(range_part)}"
    )


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The key attributes of a table and their types ("S", "N" or "B")."""

    hash_name: str
    hash_type: str
    range_name: str | None = None
    range_type: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The key attributes, hash first."""
        return (self.hash_name,) if self.range_name is None else (self.hash_name, self.range_name)

    def key_of_request(self, raw_key: object) -> Key:
        """The key a request names: exactly the key attributes, of their types."""
        try:
            hash_value = raw_key[self.hash_name]  # type: ignore[index]
            hash_part = _fast_part(hash_value, self.hash_type)
            if self.range_name is None:
                if len(raw_key) == 1 and hash_part:  # type: ignore[arg-type]
                    return hash_part, None
            elif hash_part:
                range_part = _fast_part(raw_key[self.range_name], self.range_type)  # type: ignore[index]
                if range_part and len(raw_key) == 2:  # type: ignore[arg-type]
                    return hash_part, range_part
        except (KeyError, TypeError, WireError):
            pass  # the slow path says what is wrong
        return self._checked_key(raw_key)

    def key_of_item(self, item: Item) -> Key:
        """The key of a normalised item that is about to be stored."""
        for name, wanted in self._typed_names():
            if name not in item:
                raise validation(f"{_INVALID}Missing the key {name} in the item")
            actual = type_of(item[name])
            if actual != wanted:
                raise validation(
                    f"{_INVALID}Type mismatch for key {name} expected: {wanted} actual: {actual}"
                )
        return self._key(item)

    def attributes(self, key: Key) -> Item:
        """The key as attributes of an item: the inverse of `key_of_item`."""
        hash_part, range_part = key
        item = {self.hash_name: _value(hash_part)}
        if self.range_name is not None and range_part is not None:
            item[self.range_name] = _value(range_part)
        return item

    def part(self, name: str, value: Value) -> KeyPart:
        """The comparable part of one key attribute, of the right type, not empty and not too long."""
        part = sortable(value)
        if part is None:
            raise validation(_MISMATCH)
        if not isinstance(part, Decimal):
            self._check_length(name, part)
        return part

    def _typed_names(self) -> list[tuple[str, str]]:
        typed = [(self.hash_name, self.hash_type)]
        if self.range_name is not None and self.range_type is not None:
            typed.append((self.range_name, self.range_type))
        return typed

    def _checked_key(self, raw_key: object) -> Key:
        key = normalise_item(raw_key)
        wanted = self._typed_names()
        if len(key) != len(wanted):
            raise validation(_MISMATCH)
        for name, kind in wanted:
            if name not in key or type_of(key[name]) != kind:
                raise validation(_MISMATCH)
        return self._key(key)

    def _key(self, item: Item) -> Key:
        hash_part = self.part(self.hash_name, item[self.hash_name])
        if self.range_name is None:
            return hash_part, None
        return hash_part, self.part(self.range_name, item[self.range_name])

    def _check_length(self, name: str, part: str | bytes) -> None:
        if not part:
            kind = "string" if isinstance(part, str) else "binary"
            raise validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {kind} value. Key: {name}"
            )
        length = len(part.encode()) if isinstance(part, str) else len(part)
        if name == self.hash_name and length > MAX_HASH_BYTES:
            raise validation(
                f"{_INVALID}Size of hashkey has exceeded the maximum size limit of{MAX_HASH_BYTES} bytes"
            )
        if name == self.range_name and length > MAX_RANGE_BYTES:
            raise validation(
                f"{_INVALID}Aggregated size of all range keys has exceeded the size limit of "
                f"{MAX_RANGE_BYTES} bytes"
            )


def _fast_part(value: Any, kind: str | None) -> KeyPart | None:
    """The part of a short string or a number; None for whatever needs a closer look."""
    if len(value) != 1:
        return None
    content = value[kind]
    if type(content) is not str:
        return None
    if kind == "S":
        return content if len(content) < 256 else None  # at most 4 bytes a character
    return number(content) or None if kind == "N" else None


def _value(part: KeyPart) -> Value:
    if isinstance(part, str):
        return {"S": part}
    return {"B": binary_text(part)} if isinstance(part, bytes) else {"N": decimal_text(part)}


def _part_text(part: KeyPart) -> str:
    return str(next(iter(_value(part).values())))
