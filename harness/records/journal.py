"""The journal of a run: events as JSON lines, one checksummed zstd frame per flush (`zstdcat` reads it).

Appending is cheap and never waits; a background task encodes, writes and syncs every `FLUSH_S`, off the event loop.
After a kill everything flushed is readable; a torn last frame is dropped and counted, a damaged one is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import zstandard

from harness.errors import DamagedRun, HarnessError, UsageError
from harness.measure.events import Event, from_record, to_record

FLUSH_S = 0.5
_CHUNK = 1 << 16


class JournalFull(HarnessError):
    """The journal cannot be written any more: the disk is full, or the file went away."""


class Journal:
    """An append-only journal file; use as an async context manager.

    Raises:
        UsageError: the file cannot be created.
        JournalFull: from `append` or on closing, once a flush has failed; what was flushed before stays readable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[Event] = []
        self._failure: JournalFull | None = None
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"cannot create {path}: {error.strerror}; choose another --results") from None
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def append(self, event: Event) -> None:
        """Keep one event; it is on disk after the next flush."""
        if self._failure is not None:
            raise self._failure
        self._pending.append(event)

    async def __aenter__(self) -> Journal:
        self._task = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._closing.set()
        try:
            await self._task
        finally:
            os.close(self._fd)
        if self._failure is not None:
            raise self._failure

    async def _flush_regularly(self) -> None:
        closing = False
        while not closing and self._failure is None:
            closing = self._closing.is_set()  # read before the flush: what is appended until then is in it
            await asyncio.to_thread(self._flush)
            if not closing:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), FLUSH_S)

    def _flush(self) -> None:
        events, self._pending = self._pending, []
        if not events:
            return
        lines = b"".join(orjson.dumps(to_record(event)) + b"\n" for event in events)
        frame = memoryview(self._compressor.compress(lines))
        try:
            while frame:  # a full disk may take a part without an error
                frame = frame[os.write(self._fd, frame) :]
            os.fdatasync(self._fd)
        except OSError as error:
            self._failure = JournalFull(
                f"cannot write {self._path}: {error.strerror}; "
                f"the {len(events)} newest events are lost, what was measured before is kept"
            )


@dataclass(frozen=True, slots=True)
class JournalContents:
    """The events of a journal in order, and the bytes of a torn last frame that were dropped."""

    events: list[Event]
    torn_bytes: int


def read_journal(path: Path) -> JournalContents:
    """Every event up to the last whole flush.

    Raises:
        DamagedRun: there is no such file, or a frame before the last is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedRun(f"cannot read {path}: {error.strerror}") from None
    events: list[Event] = []
    at = 0
    for frame, end in _frames(path, data):
        try:
            events.extend(from_record(orjson.loads(line)) for line in frame.splitlines())
        except (ValueError, TypeError, AttributeError) as error:
            raise DamagedRun(f"{path} is damaged near byte {at}: {error}") from None
        at = end
    return JournalContents(events, len(data) - at)


def _frames(path: Path, data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each whole frame's contents and where it ends."""
    view, at = memoryview(data), 0
    while at < len(data):
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        parts: list[bytes] = []
        end = at
        try:
            while end < len(data) and not decompressor.eof:
                parts.append(decompressor.decompress(view[end : end + _CHUNK]))
                end = min(len(data), end + _CHUNK)
        except zstandard.ZstdError as error:
            raise DamagedRun(f"{path} is damaged near byte {at}: {error}") from None
        if not decompressor.eof:
            return
        at = end - len(decompressor.unused_data)
        yield b"".join(parts), at
