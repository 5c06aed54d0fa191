"""The table a run writes to: created in the source Region, replicated, waited for in every Region, removed.

1. Look: what does every Region say of the table?
2. Decide the one next step from that alone (`table_steps`): create, add or remove a replica, delete, or wait.
3. List in the ledger what the step may create, then make the call, and look again.

An answer is never believed, only what is seen afterwards: AWS answers 200 to changes that do not stick. Replicas are
added before any data is loaded (it takes AWS ten minutes more once the table holds an item), one per call, and are
removed leaves first. Whatever is not listed in the ledger is never removed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.dynamodb.creations import Creations, Noted
from harness.dynamodb.patience import Patience
from harness.dynamodb.store import HASH_NAME, RANGE_NAME
from harness.dynamodb.table_calls import Answer, Clients, TableCalls
from harness.dynamodb.table_steps import Act, Seen, Step, Wanted, step_of_setup, step_of_teardown
from harness.errors import TargetUnavailable
from harness.interrupts import put_off
from harness.measure import clock
from harness.units import NS_PER_S

PROBE_KEYS = ((HASH_NAME, "S"), (RANGE_NAME, "N"))


@dataclass(slots=True)
class GlobalTable:
    """One table name in several Regions.

    `keys` are (name, type) of the partition key and, where there is one, the sort key. With `per_region` the table is
    created in each Region by itself, for servers that know no global tables. `strong` asks for multi-Region strong
    consistency: three `regions`, or two and a `witness`. `say` gets a line at each step. `poll_ns` is how often a
    status is asked for; `created` turns true with the first call that may create something. `now_ns` and `pause` are
    the clock.
    """

    access: Clients
    name: str
    regions: Sequence[str]
    keys: Sequence[tuple[str, str]] = PROBE_KEYS
    per_region: bool = False
    say: Callable[[str], None] = lambda _: None
    poll_ns: int = NS_PER_S
    created: bool = False
    ledger: Creations = field(default_factory=Noted)
    strong: bool = False
    witness: str | None = None
    now_ns: Callable[[], int] = clock.now_ns
    pause: Callable[[int], None] = clock.pause
    _calls: TableCalls = field(init=False)

    def __post_init__(self) -> None:
        self._calls = TableCalls(self.access, self.name)

    def create(self) -> None:
        """Create the table everywhere and wait until every Region serves it; continues what was begun before.

        Raises:
            TargetUnavailable: a Region cannot be reached, refuses, or has a table of this name that is not listed in
                the ledger as ours.
        """
        wanted, refused = self._wanted(self.regions), self._refuse_foreign

        def decide(seen: Seen) -> Step:
            refused(seen)
            return step_of_setup(seen, wanted)

        self._go(self.regions, decide)
        self.check()

    def check(self) -> None:
        """Make sure that the table exists, ready and replicated, without changing anything.

        Raises:
            TargetUnavailable: it is missing somewhere, not ready, or not a replica of the others.
        """
        for region in self.regions:
            description = self.describe(region)
            if description is None:
                raise TargetUnavailable(
                    f"table {self.name} does not exist in {region}; create it, or add --create-per-region"
                )
            if description["TableStatus"] != "ACTIVE":
                status = description["TableStatus"]
                raise TargetUnavailable(f"table {self.name} in {region} is {status}; wait until it is ACTIVE")
            schema = {k["KeyType"]: k["AttributeName"] for k in description["KeySchema"]}
            kinds = dict(zip(("HASH", "RANGE"), (name for name, _ in self.keys), strict=False))
            if schema != kinds:
                wanted = " and ".join(f"{name} ({kind})" for name, kind in self.keys)
                raise TargetUnavailable(f"table {self.name} in {region} has other keys than {wanted}")

    def delete(self) -> None:
        """Remove the table from every Region the ledger lists it in, leaves first, and see that nothing is left.

        What is already gone is fine; a table that is not listed stays.

        Raises:
            TargetUnavailable: a Region cannot be reached or refuses; repeating continues.
        """
        sources: set[str] = set()
        mine = self._mine()

        def decide(seen: Seen) -> Step:
            return step_of_teardown(seen, self._wanted(self._mine()), sources)

        if mine:
            self._go(mine, decide, sources)
        for region in mine:
            self.ledger.discard(self.name, region)

    def describe(self, region: str) -> Mapping[str, Any] | None:
        """DescribeTable's description, None where there is no such table."""
        return self._calls.describe(region)

    def status(self, region: str) -> str | None:
        """The table's status there, None where it does not exist."""
        description = self.describe(region)
        return None if description is None else str(description["TableStatus"])

    def complete(self, region: str) -> bool:
        """Does this Region say that it and every other replica is ACTIVE?"""
        others = [other for other in self.regions if other != region]
        return Seen({region: self.describe(region)}).complete(region, others)

    def _wanted(self, regions: Sequence[str]) -> Wanted:
        return Wanted(self.name, tuple(regions), self.per_region, self.strong, self.witness)

    def _mine(self) -> list[str]:
        return [region for region in self.regions if self.ledger.holds(self.name, region)]

    def _refuse_foreign(self, seen: Seen) -> None:
        for region in self.regions:
            if seen.status(region) is not None and not self.ledger.holds(self.name, region):
                raise TargetUnavailable(
                    f"table {self.name} already exists in {region}; choose another with --table, or remove it"
                )

    def _go(
        self, regions: Sequence[str], decide: Callable[[Seen], Step], sources: set[str] | None = None
    ) -> None:
        """Look, decide, act, until there is nothing to do or a single step takes too long."""
        patience = Patience(self.name, self.say)
        while True:
            seen = self._look(regions)
            step = decide(seen)
            if patience.enough(step, seen, self.now_ns()):
                if step.act in (Act.DONE, Act.GONE):
                    return
                patience.asked(step, self._act(step, sources))
            self.pause(self.poll_ns)

    def _look(self, regions: Sequence[str]) -> Seen:
        for region in regions:
            self._calls.client(region)  # making clients is not for threads
        with ThreadPoolExecutor(len(regions)) as pool:
            return Seen(dict(zip(regions, pool.map(self._calls.describe, regions), strict=True)))

    def _act(self, step: Step, sources: set[str] | None) -> Answer:
        if step.act is Act.CREATE:
            return self._create_in(step.region)
        if step.act is Act.CHANGE:
            return self._change(step, sources)
        if step.act is Act.DELETE:
            self.say(f"removing table {self.name} from {step.region}")
            return self._calls.delete(step.region)
        self.say(f"table {self.name} in {step.region} is not a replica of ours; it is left alone")
        self.ledger.discard(self.name, step.region)
        return Answer.DONE

    def _create_in(self, region: str) -> Answer:
        known = self.ledger.holds(self.name, region)
        self.say(f"creating table {self.name} in {region}")
        self.created = True
        self.ledger.add(self.name, region)
        answer = self._calls.create(region, self.keys)
        if answer is Answer.TAKEN and not known:
            self.ledger.discard(self.name, region)
        return answer

    def _change(self, step: Step, sources: set[str] | None) -> Answer:
        adding = any(action == "Create" for action, _ in step.changes)
        where = ", ".join(region for _, region in step.changes)
        self.say(f"adding a replica in {where}" if adding else f"removing the replica in {where}")
        for action, region in step.changes:
            if action == "Create":
                self.created = True
                self.ledger.add(self.name, region)
        answer = self._calls.change(step, self.strong and adding)
        if sources is not None and answer is Answer.SOURCE:
            sources.add(step.changes[0][1])
        elif sources is not None and answer is Answer.DONE:
            sources.clear()
        return answer


@contextlib.contextmanager
def temporary_table(table: GlobalTable, *, keep: bool) -> Iterator[GlobalTable]:
    """The table for as long as the context lasts; removed afterwards whatever happened, unless `keep`.

    A signal that comes while it is being removed waits for that; a second one leaves the table, which stays listed.

    Raises:
        TargetUnavailable: as `create` and `delete`; where the context itself fails, that is raised and this only said.
    """
    try:
        table.create()
        yield table
    except BaseException:
        try:
            _let_go(table, keep)
        except TargetUnavailable as error:
            table.say(f"could not remove table {table.name}: {error}")
        raise
    _let_go(table, keep)


def _let_go(table: GlobalTable, keep: bool) -> None:
    if keep and table.created:
        table.say(f"keeping table {table.name} in {', '.join(table.regions)}")
    elif table.created:
        try:
            with put_off():
                table.delete()
        except KeyboardInterrupt:
            left = [region for region in table.regions if table.ledger.holds(table.name, region)]
            if left:
                where = ", ".join(left)
                table.say(
                    f"table {table.name} is left in {where}; python -m harness.table teardown removes it"
                )
            raise
