"""`python -m harness.demo`: the AWS demo this project grew from, step by step, with measured times."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import Parser, parsed_by, run_verb, say, whole_number
from harness.errors import ExitCode, TargetUnavailable, UsageError
from harness.flags import table_name
from harness.interrupts import put_off
from harness.measure.plan import SEEDS
from harness.units import NS_PER_MS, NS_PER_S, format_duration

if TYPE_CHECKING:
    from harness.dynamodb.access import Access
    from harness.measure.watch import Bracket
    from harness.target import Target

TABLE = "cloudacademy-courses"
COURSES = Path(__file__).parent / "data" / "courses.json"
_RESULTS = Path("results")
_EXAMPLES = (
    "",
    "--from eu-west-1 --to us-east-1 --lag fast",
    "--keep-table --target aws --profile sandbox  # creates, and bills, real tables",
)


@dataclass(frozen=True, slots=True)
class Propagation:
    """One course written in one Region, and when it was seen in the other."""

    source: str
    replica: str
    course: str
    bracket: Bracket

    def to_json(self) -> dict[str, Any]:
        """For --json; `lower_ms` is null where no read missed the course."""
        lower_ns = self.bracket.lower_ns
        return {
            "from": self.source,
            "to": self.replica,
            "courseid": self.course,
            "lower_ms": None if lower_ns is None else lower_ns / NS_PER_MS,
            "upper_ms": self.bracket.upper_ns / NS_PER_MS,
        }


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "demo",
        "The AWS demo this project grew from, in seven steps: a global table in two Regions, courses written in "
        "either, and how long each took to be seen in the other. Without --target it uses an embedded emulator.",
        _EXAMPLES,
    )
    add = parser.add_argument
    add("--from", dest="source", default="us-west-2", metavar="REGION", help="the first Region (us-west-2)")
    add("--to", dest="replica", default="ap-southeast-2", metavar="REGION", help="the other (ap-southeast-2)")
    add("--target", choices=("local", "aws"), default="local", help="local: emulator; aws: real, billed")
    add("--profile", metavar="NAME", help="AWS profile")
    add(
        "--table",
        type=parsed_by(table_name),
        default=TABLE,
        metavar="NAME",
        help=f"table to create ({TABLE})",
    )
    add("--keep-table", action="store_true", help="leave the table in place")
    add(
        "--lag", default="typical", metavar="MODEL", help="emulator only: a preset, or median=400ms,sigma=0.3"
    )
    add("--seed", type=whole_number(SEEDS), default=1, metavar="N", help="seed of the emulator's lag (1)")
    add("--json", action="store_true", help="print the result as one object on stdout, the story on stderr")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, tell the story, print the result."""
    arguments = make_parser().parse_args(argv)
    if arguments.source == arguments.replica:
        raise UsageError(f"--from and --to are both {arguments.source}; the demo needs two Regions")
    tell: Callable[[str], None] = say if arguments.json else _print
    with _target(arguments) as (target, access):
        _announce(arguments, target, tell)
        result = _Demo(arguments, target, access, tell).play()
    if arguments.json:
        print(json.dumps(result))
    return ExitCode.OK


@contextlib.contextmanager
def _target(arguments: Any) -> Iterator[tuple[Target, Access]]:
    from harness.dynamodb.access import Access, aws_regions  # heavy: not for --help
    from harness.regions import matrix_regions
    from harness.target import EMULATOR_KEYS, EmulatorOptions, Target, check_regions, emulator

    regions = (arguments.source, arguments.replica)
    if arguments.target == "aws":
        check_regions(regions, aws_regions())
        yield Target("aws"), Access({}, arguments.profile)
        return
    check_regions(regions, matrix_regions())
    with emulator(regions, EmulatorOptions(lag=arguments.lag, seed=arguments.seed)) as target:
        yield target, Access(target.endpoints, keys=EMULATOR_KEYS)


def _announce(arguments: Any, target: Target, tell: Callable[[str], None]) -> None:
    tell("Replication of a DynamoDB global table, step by step")
    if target.simulated:
        tell(f"Target: simulated, an emulator of both Regions on this machine (lag model: {arguments.lag}).")
        return
    fate = "kept" if arguments.keep_table else "removed"
    tell(
        f"Target: AWS. This creates the on-demand table {arguments.table} in {arguments.source} and a replica in "
        f"{arguments.replica}, writes nine small items, and is billed, well under one US dollar.\n"
        f"At the end the table is {fate}. AWS takes about ten minutes to replicate a table that holds items."
    )


class _Demo:
    """The seven steps on one target."""

    def __init__(self, arguments: Any, target: Target, access: Access, tell: Callable[[str], None]) -> None:
        from harness.dynamodb.courses import KEY, Courses
        from harness.dynamodb.creations import Noted
        from harness.dynamodb.global_table import GlobalTable
        from harness.measure.watch import watch  # here, since an interrupt while it loads loses the exit code
        from harness.records.ledger import LEDGER, Ledger

        self.source: str = arguments.source
        self.replica: str = arguments.replica
        self.keep: bool = arguments.keep_table
        self.target = target
        self.tell = tell
        poll_ns = 50 * NS_PER_MS if target.simulated else 5 * NS_PER_S
        regions, keys = (self.source, self.replica), ((KEY, "S"),)
        self.ledger = Noted() if target.simulated else Ledger(_RESULTS / LEDGER)
        self.table = GlobalTable(
            access, arguments.table, regions, keys, say=say, poll_ns=poll_ns, ledger=self.ledger
        )
        self.home = GlobalTable(
            access, arguments.table, regions[:1], keys, poll_ns=poll_ns, ledger=self.ledger
        )
        self._watch = watch
        self.courses = Courses(access, arguments.table)
        self.batches: list[list[dict[str, Any]]] = json.loads(COURSES.read_text())

    def play(self) -> dict[str, Any]:
        """All steps; the table is removed whatever happens, unless it is to be kept."""
        try:
            self._create()
            first, second, third = self.batches
            self._step(2, f"three courses in {self.source}")
            self._write(self.source, first)
            self._add_replica()
            self._wait_until_active()
            self._step(
                5, f"three more in {self.source}, watched in {self.replica} every 50 ms with strong reads"
            )
            rows = self._propagate(self.source, self.replica, second)
            self._step(6, f"the same in reverse: written in {self.replica}, watched in {self.source}")
            rows += self._propagate(self.replica, self.source, third)
            equal = self._compare()
            self._report(rows)
        finally:
            self._clean_up()
        return {
            "target": self.target.kind,
            "simulated": self.target.simulated,
            "table": self.table.name,
            "equal_items": equal,
            "propagation": [row.to_json() for row in rows],
        }

    def _step(self, number: int, what: str) -> None:
        self.tell(f"\nStep {number}: {what}")

    def _create(self) -> None:
        self._step(1, f"the table {self.table.name} in {self.source}, hash key courseid, on demand")
        for region in self.table.regions:
            if self.table.status(region) is not None:
                raise TargetUnavailable(
                    f"table {self.table.name} already exists in {region}; choose another with --table, or remove it"
                )
        taken = _stopwatch()
        self.home.create()
        self.tell(f"  ACTIVE after {taken()}")

    def _write(self, region: str, courses: Sequence[dict[str, Any]]) -> None:
        left = self.courses.write(region, courses)
        if left:
            raise TargetUnavailable(f"{region} left {left} courses unprocessed; try again later")
        self.tell("  written; UnprocessedItems is empty")

    def _add_replica(self) -> None:
        self._step(3, f"a replica in {self.replica}")
        self.ledger.add(self.table.name, self.replica)
        status = self.courses.add_replica(self.source, self.replica)
        self.tell(f"  the answer says the table in {self.source} is {status}")

    def _wait_until_active(self) -> None:
        from harness.measure.clock import pause

        self._step(4, f"describe the table in {self.replica} until it is ACTIVE")
        taken, shown = _stopwatch(), "nothing"
        while not all(self.table.complete(region) for region in self.table.regions):
            status = self.table.status(self.replica) or "not there yet"
            if status != shown:
                self.tell(f"  after {taken()}: {status}")
                shown = status
            pause(self.table.poll_ns)
        self.tell(f"  after {taken()}: ACTIVE, and both Regions say so of each other")

    def _propagate(self, source: str, replica: str, courses: Sequence[dict[str, Any]]) -> list[Propagation]:
        ids = [course["courseid"]["S"] for course in courses]
        seen = self._watch(
            ids,
            lambda: self._write(source, courses),
            lambda: self.courses.look(replica, ids),
            lambda course, age_ns: self.tell(f"  {format_duration(age_ns):>8}  {course} is there"),
            120 * NS_PER_S,
        )
        if seen.missing:
            lost = ", ".join(sorted(seen.missing))
            raise TargetUnavailable(f"{lost} written in {source} did not arrive in {replica} within 2 min")
        return [Propagation(source, replica, course, seen.bracket(course)) for course in ids]

    def _compare(self) -> int:
        """The number of courses, which must be the nine that were written, equal in both Regions."""
        self._step(7, "both Regions, item by item")
        written = {course["courseid"]["S"]: course for batch in self.batches for course in batch}
        here, there = self.courses.all(self.source), self.courses.all(self.replica)
        for course in sorted(written.keys() | here.keys() | there.keys()):
            if not here.get(course) == there.get(course) == written.get(course):
                raise TargetUnavailable(f"{course} is not the same in {self.source} and {self.replica}")
            self.tell(f"  =  {course:<20} {written[course]['title']['S']}")
        self.tell(f"  {len(written)} of {len(written)} items are equal in both Regions")
        return len(written)

    def _report(self, rows: Sequence[Propagation]) -> None:
        self.tell(f"\nHow long each took to be seen ({self.target.label}), last miss … first hit:")
        for row in rows:
            lower_ns = row.bracket.lower_ns
            lower = "at once" if lower_ns is None else format_duration(lower_ns)
            upper = format_duration(row.bracket.upper_ns)
            self.tell(f"  {row.source} → {row.replica}  {row.course:<20} {lower:>8} … {upper}")

    def _clean_up(self) -> None:
        if not self.home.created:
            return
        if self.keep:
            self.tell(f"\nThe table {self.table.name} stays in {self.source} and {self.replica}.")
            return
        with put_off():
            self.table.delete()
        self.tell(f"\nThe table {self.table.name} is removed from both Regions.")


def _print(line: str) -> None:
    print(line, flush=True)


def _stopwatch() -> Callable[[], str]:
    """A function that says how much time has passed since now."""
    from harness.measure.clock import now_ns

    start_ns = now_ns()
    return lambda: format_duration(now_ns() - start_ns)


if __name__ == "__main__":
    run_verb(main)
