"""`--witness`: who else says how long replication took, asked once the run is over, and waited for.

CloudWatch publishes a minute some minutes after it. The run is measured and kept by then: whatever happens here, a
signal included, costs it nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.cli import say
from harness.dynamodb.statement import MINUTE_NS, PairStatement, Statement, minutes_text
from harness.errors import DamagedRun, HarnessError, UsageError
from harness.measure import clock
from harness.target import EMULATOR_KEYS, is_url, refuse_secrets, remote_access
from harness.units import NS_PER_S, format_duration

if TYPE_CHECKING:
    from harness.dynamodb.access import Access
    from harness.dynamodb.statement import DataPoint
    from harness.records.run_directory import RunDirectory

PATIENCE_NS = 300 * NS_PER_S  # after the last minute is over
LOOK_EVERY_NS = 15 * NS_PER_S
_LATER = "python -m harness.report {run} --witness {witness} fetches it later"


@dataclass(frozen=True, slots=True)
class Witness:
    """CloudWatch, at `url` where it is not asked at AWS's own endpoints."""

    url: str | None = None

    def __str__(self) -> str:
        """As --witness has it."""
        return "cloudwatch" if self.url is None else f"cloudwatch={self.url}"


def parse_witness(text: str | None, kind: str, *, strong: bool = False) -> Witness | None:
    """The witness that --witness names for a target of this kind; None where it names none.

    With `strong` the table is to be multi-Region strongly consistent.

    Raises:
        UsageError: no such witness, or it has nothing to say of such a target.
    """
    if text is None:
        return None
    name, equals, url = text.partition("=")
    if name != "cloudwatch" or (equals and not is_url(url)):
        raise UsageError(f"--witness {text!r} is neither cloudwatch nor cloudwatch=URL")
    if strong:
        raise UsageError(
            "--witness cloudwatch: ReplicationLatency is published for eventually consistent tables (MREC) only; leave "
            "out --witness or --consistency strong"
        )
    if equals:
        refuse_secrets(url, "--witness cloudwatch=…")
        return Witness(url)
    if kind == "local":
        raise UsageError(
            "--witness cloudwatch: the emulator publishes no CloudWatch metrics, and has its own truth (truth.jsonl in "
            "the run directory); measure with --target aws, or name a server with --witness cloudwatch=URL"
        )
    if kind == "endpoint":
        raise UsageError(
            "--witness cloudwatch asks AWS, and --endpoint is not AWS; name its server with --witness cloudwatch=URL"
        )
    return Witness()


def _access(kind: str, profile: str | None) -> Access:
    """Who asks about a run against this kind of target: the emulator's made-up keys stay with its runs."""
    from harness.dynamodb.access import Access

    return Access(keys=EMULATOR_KEYS) if kind == "local" else remote_access(kind, {}, profile)


def ask_witness(
    directory: RunDirectory, witness: Witness, profile: str | None = None, *, wait: bool = True
) -> None:
    """Ask about every Region pair of a run, and keep what is said as `witness.json`.

    With `wait`, until each minute in which writes were measured has its data point, at most `PATIENCE_NS` after the
    last; SIGINT and SIGTERM end that. What is missing, refused or unreachable is said in a sentence, and is no error.

    Raises:
        UsageError: there is no such profile.
        DamagedRun: manifest or journal cannot be read.
    """
    from harness.analysis.witness import measured_minutes
    from harness.dynamodb.witness import CloudWatch
    from harness.records.journal import read_journal
    from harness.records.manifest import read_manifest, write_json

    manifest, config = read_manifest(directory.manifest)
    table = str(manifest["target"].get("table"))
    minutes = measured_minutes(manifest["run_id"], config, read_journal(directory.journal).events)
    known = _known(directory, table)
    source = CloudWatch(_access(manifest["target"]["kind"], profile), table, witness.url)
    pairs = [PairStatement(*pair, minutes[pair[0]], known.points(*pair)) for pair in config.pairs]
    asking = Asking(source.points, pairs)
    if wait:
        asking.wait()
    else:
        asking.look()
    statement = Statement(table, witness.url, asking.looked_ns or known.fetched_ns, tuple(asking.pairs))
    write_json(directory.witness, statement.to_json())
    later = _LATER.format(run=directory.path.name, witness=witness)
    for line in complaints(statement.pairs, later):
        say(line)


def ask_later(directory: RunDirectory, text: str, profile: str | None) -> None:
    """Ask once about a run that is over, as its --witness `text` says.

    Raises:
        UsageError: as for `parse_witness` and `ask_witness`.
        DamagedRun: as for `ask_witness`.
    """
    from harness.records.manifest import read_manifest

    manifest, _ = read_manifest(directory.manifest)
    witness = parse_witness(text, manifest["target"]["kind"])
    if witness is not None:
        ask_witness(directory, witness, profile, wait=False)


def _known(directory: RunDirectory, table: str) -> Statement:
    """What was fetched before: CloudWatch forgets minutes after 15 days, and may not be reached now."""
    from harness.analysis.derive import read_statement

    nothing = Statement(table, None, None)
    try:
        found = read_statement(directory) or nothing
    except DamagedRun:  # it is fetched again
        return nothing
    return found if found.table == table else nothing


def ask_after_run(
    directory: RunDirectory, witness: Witness, profile: str | None, interrupted: str | None
) -> None:
    """Ask about a run that has just ended, unless it was interrupted; whatever happens, its results come next."""
    why = f"the run was interrupted by {interrupted}"
    try:
        if interrupted is None:
            ask_witness(directory, witness, profile)
            return
    except KeyboardInterrupt:
        why = "a signal came"
    except (HarnessError, OSError) as error:
        why = str(error)
    say(f"CloudWatch was not asked: {why}; {_LATER.format(run=directory.path.name, witness=witness)}")


@dataclass(slots=True)
class Asking:
    """Looks at what CloudWatch has of `pairs`, which change as it has more.

    `points(source, replica, minutes)` asks. `looked_ns` is the last look that was answered, on the wall clock that
    `now_ns` reads. A pair that cannot be asked about is asked about once.
    """

    points: Callable[[str, str, Sequence[int]], tuple[DataPoint, ...]]
    pairs: list[PairStatement]
    say: Callable[[str], None] = say
    now_ns: Callable[[], int] = clock.wall_ns
    pause: Callable[[int], None] = clock.pause
    looked_ns: int | None = None

    def look(self) -> None:
        """Ask about each pair once."""
        for at, pair in enumerate(self.pairs):
            if pair.minutes and pair.problem is None:
                self.pairs[at] = self._asked(pair)

    def wait(self) -> None:
        """Look until two looks after the last minute say the same and lack nothing; a signal ends it quietly.

        CloudWatch puts a minute together from several publishers: what it said first may be a part.
        """
        minutes = sorted({minute for pair in self.pairs for minute in pair.minutes})
        if not minutes:
            return
        # A run that has just ended ended in its last minute, whatever has become of the wall clock since.
        over_ns = min(minutes[-1] + MINUTE_NS, self.now_ns() + MINUTE_NS)
        until_ns = max(over_ns, self.now_ns()) + PATIENCE_NS
        self.say(
            f"asking CloudWatch about {minutes_text(tuple(minutes))}; it publishes with a delay, so this may take "
            f"{format_duration(until_ns - self.now_ns())}; Ctrl-C ends the waiting, the run is kept"
        )
        try:
            self._look_until(over_ns, until_ns)
        except KeyboardInterrupt:
            self.say("the waiting for CloudWatch was ended by a signal; the run is kept")

    def _look_until(self, over_ns: int, until_ns: int) -> None:
        before: list[PairStatement] | None = None
        told = -1
        while True:
            looked_ns = self.now_ns()
            self.look()
            asked = [pair for pair in self.pairs if pair.problem is None]
            missing = sum(len(pair.missing) for pair in asked)
            if not asked or (before == self.pairs and not missing) or looked_ns >= until_ns:
                return
            before = list(self.pairs) if looked_ns >= over_ns else None
            if missing != told:
                told = missing
                self.say(f"  {missing} of {sum(len(pair.minutes) for pair in asked)} data points are missing")
            self.pause(max(LOOK_EVERY_NS, over_ns - looked_ns))

    def _asked(self, pair: PairStatement) -> PairStatement:
        try:
            points = self.points(pair.source, pair.replica, pair.minutes)
        except HarnessError as error:
            return replace(pair, problem=str(error))
        self.looked_ns = self.now_ns()
        by_minute = {point.minute_ns: point for point in (*pair.points, *points)}
        return replace(pair, points=tuple(by_minute[minute] for minute in sorted(by_minute)))


def complaints(pairs: Sequence[PairStatement], later: str) -> list[str]:
    """A sentence for each thing that kept answers back, and one for all that is not published."""
    lines = list(dict.fromkeys(pair.problem for pair in pairs if pair.problem is not None))
    silent = [pair for pair in pairs if pair.problem is None and pair.missing]
    if silent:
        missing = tuple(sorted({minute for pair in silent for minute in pair.missing}))
        names = ", ".join(f"{pair.source} → {pair.replica}" for pair in silent)
        lines.append(f"CloudWatch has no ReplicationLatency of {names} for {minutes_text(missing)}")
    return [f"{line}; the run is kept, and {later}" for line in lines]
