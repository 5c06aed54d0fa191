"""What became of each of many numbered things, in one byte each, allocated up front."""

from __future__ import annotations

from collections.abc import Iterator


class Marks:
    """A set of the numbers `0 … size-1`: a long run's memory stays what it was at its beginning."""

    def __init__(self, size: int) -> None:
        self._bytes = bytearray(size)

    def add(self, number: int) -> None:
        """Mark a number of the range."""
        self._bytes[number] = 1

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and 0 <= number < len(self._bytes) and self._bytes[number] == 1

    def __iter__(self) -> Iterator[int]:
        return self._where(1)

    def missing(self) -> Iterator[int]:
        """The numbers not marked, ascending."""
        return self._where(0)

    def _where(self, value: int) -> Iterator[int]:
        at = self._bytes.find(value)
        while at >= 0:
            yield at
            at = self._bytes.find(value, at + 1)
