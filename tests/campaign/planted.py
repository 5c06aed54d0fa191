"""Bugs to be planted, one at a time, in a copy of the harness: small edits of its text.

Each old text occurs exactly once, so that a bug that no longer fits the source fails loudly.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

HARNESS = Path(__file__).parents[2] / "harness"


@dataclass(frozen=True, slots=True)
class Bug:
    """What is wrong, in which file of the package, and by which edits (old text, new text)."""

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]


def plant(bug: Bug | None, folder: Path) -> None:
    """A copy of the package in `folder`, with the bug in it, or with none.

    Raises:
        ValueError: an old text does not occur exactly once.
    """
    shutil.copytree(HARNESS, folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    if bug is None:
        return
    path = folder / "harness" / bug.file
    text = path.read_text()
    for old, new in bug.edits:
        if text.count(old) != 1:
            raise ValueError(f"{bug.name}: {old!r} occurs {text.count(old)} times in {bug.file}, not once")
        text = text.replace(old, new)
    path.write_text(text)


def _bug(name: str, file: str, *edits: tuple[str, str]) -> Bug:
    return Bug(name, file, edits)


BUGS = (
    _bug(
        "a failed poll counted as a miss",
        "measure/strategies.py",
        (
            "    if exchange.failure is not None:\n        return asked\n",
            "    asked = replace(asked, failure=None)\n",
        ),
    ),
    _bug(
        "a poll that timed out is dropped",
        "measure/poller.py",
        (
            "        self._record(event)\n\n    def _saw",
            '        if event.failure != "timeout":\n            self._record(event)\n\n    def _saw',
        ),
    ),
    _bug(
        "the wall clock used by the poller",
        "measure/poller.py",
        (
            "        tick_ns = self._start_ns\n        try:\n",
            "        skew_ns = self._clock.wall_ns() - self._clock.now_ns()\n"
            "        tick_ns = self._start_ns\n        try:\n",
        ),
        (
            "                now_ns = self._clock.now_ns()\n                self._admit",
            "                now_ns = self._clock.wall_ns() - skew_ns\n                self._admit",
        ),
    ),
    _bug(
        "a lost acknowledgement called failed",
        "measure/writer.py",
        (
            'frozenset({"throttled", "rejected"})',
            'frozenset({"throttled", "rejected", "timeout", "connection"})',
        ),
    ),
    _bug(
        "an outcome logged at every attempt",
        "measure/writer.py",
        (
            "                put = await self._send(seqs)\n",
            "                put = await self._send(seqs)\n"
            "                if attempt > 1:\n"
            "                    self._record(_ended(self.plan.source, seqs[0], due_ns, attempt, put, 0.0))\n",
        ),
    ),
    _bug(
        "a write in flight lost on cancel",
        "measure/writer.py",
        (
            "                self._finish(event)\n            raise\n",
            "                del event\n            raise\n",
        ),
    ),
    _bug(
        "a second cancellation ends what the first puts in order",
        "measure/session.py",
        ("                if not task.cancelling():", "                if task:"),
    ),
    _bug(
        "a run that was broken off calls itself finished",
        "measure/session.py",
        (
            "            self.interrupted = self.interrupted or type(error).__name__\n",
            "            del error\n",
        ),
    ),
    _bug(
        "the first miss kept, not the last",
        "records/sightings.py",
        (
            "newer = missed & (self.miss_sent[where] < poll.sent_ns)",
            "newer = missed & (self.miss_sent[where] == NEVER)",
        ),
    ),
    _bug(
        "unprocessed keys taken for misses",
        "measure/strategies.py",
        (
            "return tuple(key.seq for key in self.keys if key.seq not in left)",
            "return tuple(key.seq for key in self.keys)",
        ),
    ),
    _bug(
        "keys beyond LastEvaluatedKey taken for misses",
        "measure/strategies.py",
        ("last = self.last if read.complete_to is None else read.complete_to", "last = self.last"),
    ),
    _bug(
        "the cursor is the last seen, not the lowest outstanding",
        "measure/poller.py",
        (
            "        self.seen.add(seq)\n",
            "        self.seen.add(seq)\n        self.forget([other for other in self._open if other < seq])\n",
        ),
    ),
    _bug(
        "the deadline stored as latency",
        "records/samples.py",
        ("    bounded_above = was_acked & seen\n", "    bounded_above = was_acked\n"),
        ("    hard_upper = hit - sent\n", "    hard_upper = np.where(seen, hit - sent, 10**9)\n"),
    ),
    _bug(
        "negative samples dropped",
        "records/samples.py",
        (
            "    frame = pd.DataFrame(columns, columns=list(COLUMNS))\n",
            "    frame = pd.DataFrame(columns, columns=list(COLUMNS))\n"
            '    frame = frame[~(frame["model_upper_ns"] < 0).fillna(False).astype(bool)]\n',
        ),
    ),
    _bug(
        "the first hit in place of the bracket",
        "records/samples.py",
        (
            "miss, hit = sightings.miss_sent[rows], sightings.hit_received[rows]\n",
            "hit = sightings.hit_received[rows]\n"
            "    miss = np.where(hit != NEVER, hit, sightings.miss_sent[rows])\n",
        ),
    ),
    _bug(
        "acknowledged stamped before the answer",
        "measure/writer.py",
        ('result, acked_ns = "acked", exchange.received_ns', 'result, acked_ns = "acked", exchange.sent_ns'),
    ),
    _bug(
        "a retried write keeps its first attempt's instant",
        "measure/writer.py",
        (
            "from collections.abc import Callable\n",
            "from collections.abc import Callable\nfrom dataclasses import replace\n",
        ),
        (
            "                sent_ns = self._clock.now_ns()\n                put = await self._send(seqs)\n",
            "                put = await self._send(seqs)\n"
            "                put = replace(put, exchange=replace(put.exchange, sent_ns=sent_ns))\n",
        ),
    ),
    _bug(
        "the final look skipped",
        "measure/session.py",
        (
            "        await asyncio.gather(*looks)\n",
            "        for look in looks:\n            look.close()\n",
        ),
    ),
    _bug(
        "a final look without an answer taken for absence",
        "measure/session.py",
        ("present = False if seq in absent else None", "present = False"),
    ),
    _bug(
        "late counted as lost",
        "records/samples.py",
        ("swept = {True: Outcome.LATE.value,", "swept = {True: Outcome.LOST.value,"),
    ),
    _bug(
        "censored rows dropped from the percentiles",
        "analysis/view.py",
        (
            "    known = samples.dropna(subset=[lower])\n",
            "    known = samples.dropna(subset=[lower, upper])\n",
        ),
    ),
    _bug(
        "a gate without evidence counted as a pass",
        "analysis/evidence.py",
        ("return Gate(name, NOT_EVALUATED,", "return Gate(name, PASS,"),
    ),
    _bug(
        "the verdict looks at the first gate only",
        "analysis/gates.py",
        ("any(gate.status == FAIL for gate in gates)", "gates[0].status == FAIL"),
    ),
    _bug(
        "a miss stamped when it was answered",
        "records/sightings.py",
        (
            "self.miss_sent[where] = np.where(newer, poll.sent_ns,",
            "self.miss_sent[where] = np.where(newer, poll.received_ns,",
        ),
    ),
    _bug(
        "a hit stamped when it was asked for",
        "records/sightings.py",
        (
            "        self.hit_received[first] = poll.received_ns\n",
            "        self.hit_received[first] = poll.sent_ns\n",
        ),
    ),
)
