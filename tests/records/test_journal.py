"""The journal: nothing flushed is lost, nothing damaged is believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import DamagedRun, UsageError
from harness.measure.events import Event, Phase, Poll, Swept, Write
from harness.records.journal import Journal, JournalFull, read_journal

EVENTS: list[Event] = [
    Phase("measuring", 10, "10"),
    Write("us-west-2", 0, 10, 11, 15, "acked", units=1.0),
    Write("us-west-2", 1, 20, None, None, "failed", 0, "not attempted"),
    Poll("us-west-2", "eu-west-1", 12, 20, 0, 3, 1, None, (0,), (2,), units=0.5),
    Poll("us-west-2", "eu-west-1", 12, 20, seqs=(4, 9), hits=(9,)),
    Poll("us-west-2", "eu-west-1", 12, 20, failure="throttled", error="slow down"),
    Swept("us-west-2", "eu-west-1", 1, None, 99),
]

KILLED_WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from harness.measure.events import Phase
from harness.records.journal import Journal

async def main():
    async with Journal(Path(sys.argv[1])) as journal:
        for number in itertools.count():
            journal.append(Phase(str(number), number))
            if number % 20 == 0:
                journal._flush()
                print(number, flush=True)

asyncio.run(main())
"""


async def write_all(path: Path, frames: list[list[Event]]) -> None:
    async with Journal(path) as journal:
        for events in frames:
            for event in events:
                journal.append(event)
            journal._flush()


async def test_what_is_appended_is_read_back_equal(tmp_path: Path) -> None:
    await write_all(tmp_path / "j", [EVENTS[:3], EVENTS[3:]])
    contents = read_journal(tmp_path / "j")
    assert contents.events == EVENTS
    assert contents.torn_bytes == 0


async def test_a_torn_tail_is_dropped_and_counted_wherever_it_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "j"
    await write_all(path, [EVENTS[:3], EVENTS[3:]])
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        contents = read_journal(path)
        assert contents.events in ([], EVENTS[:3])
        assert (contents.torn_bytes > 0) or end in (0, data.index(b"\x28\xb5\x2f\xfd", 4))


async def test_a_flipped_bit_is_never_silently_believed(tmp_path: Path) -> None:
    path = tmp_path / "j"
    await write_all(path, [EVENTS[:3], EVENTS[3:]])
    data = path.read_bytes()
    for at in range(len(data)):
        for bit in (0, 3, 7):
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :])
            try:
                events = read_journal(path).events
            except DamagedRun:
                continue
            assert events in ([], EVENTS[:3], EVENTS), f"byte {at} bit {bit} was believed"


def test_after_kill_9_every_flushed_event_is_there(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with subprocess.Popen([sys.executable, "-c", KILLED_WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        flushed = [int(writer.stdout.readline()) for _ in range(40)][-1]
        writer.send_signal(signal.SIGKILL)
    names = [int(event.name) for event in read_journal(path).events if isinstance(event, Phase)]
    assert names == list(range(len(names)))
    assert len(names) > flushed


async def test_zstdcat_readers_see_json_lines(tmp_path: Path) -> None:
    import zstandard

    await write_all(tmp_path / "j", [EVENTS])
    with zstandard.open(tmp_path / "j", "rt") as lines:
        assert next(iter(lines)).startswith('{"type":"phase"')


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_a_full_disk_is_an_error_that_says_what_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._fd)
    os.close(full)
    with pytest.raises(JournalFull, match="No space left on device; the 1 newest events are lost"):
        async with journal:
            journal.append(EVENTS[0])


async def test_a_journal_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"")
    with pytest.raises(UsageError, match="File exists"):
        Journal(tmp_path / "j")
