"""When to take a step, when to take it again, and when to give up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from harness.dynamodb.table_calls import Answer
from harness.dynamodb.table_steps import Act, Seen, Step
from harness.errors import TargetUnavailable
from harness.units import NS_PER_S, format_duration

READY_TIMEOUT_NS = 1200 * NS_PER_S
LOOKS = 3
"""DescribeTable is eventually consistent: what cannot be undone is done after so many looks that say the same."""
TRIES = 5
"""How often a change that does not stick is asked for."""

_SAY_EVERY_NS, _SAY_CHANGES_NS = 30 * NS_PER_S, 2 * NS_PER_S


class Patience:
    """How often the same was seen, for how long, and what was asked for in vain."""

    def __init__(self, table: str, say: Callable[[str], None]) -> None:
        self._table = table
        self._say = say
        self._step: Step | None = None
        self._looks = 0
        self._since_ns = self._said_ns = 0
        self._said = ""
        self._asked: Counter[Step] = Counter()

    def enough(self, step: Step, seen: Seen, now_ns: int) -> bool:
        """Has this step been seen to be due often enough to take it, for the first time or again?"""
        if step != self._step:
            self._step, self._looks, self._since_ns, self._said_ns = step, 0, now_ns, now_ns
        self._looks += 1
        waited = format_duration(now_ns - self._since_ns)
        if now_ns - self._since_ns > READY_TIMEOUT_NS:
            raise TargetUnavailable(
                f"gave up on table {self._table} after {waited}: {seen.describe()}; repeat to continue"
            )
        self._tell(seen.describe(), waited, now_ns)
        if step.act in (Act.GONE, Act.DISOWN):
            return self._looks >= LOOKS
        due = step.act is not Act.WAIT and self._looks % LOOKS == 1
        if due and self._asked[step]:
            self._say("  that had no effect; asking again")
        return due

    def _tell(self, statuses: str, waited: str, now_ns: int) -> None:
        """Say what is seen when it has changed, but not every moment, and now and then in any case."""
        quiet_ns = now_ns - self._said_ns
        if quiet_ns > _SAY_EVERY_NS or (statuses != self._said and quiet_ns > _SAY_CHANGES_NS):
            self._said, self._said_ns = statuses, now_ns
            self._say(f"  {statuses} (for {waited})")

    def asked(self, step: Step, answer: Answer) -> None:
        """A step was taken. Raises TargetUnavailable where it was, and without effect, too often."""
        self._asked[step] += answer is Answer.DONE
        if self._asked[step] > TRIES:
            raise TargetUnavailable(
                f"{step.region} accepted the same change of table {self._table} {TRIES} times without effect; "
                "look at the table there, then repeat to continue"
            )
