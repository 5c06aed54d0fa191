"""The emulator's ports, and the one queue that puts all requests of all Regions in order.

1. A request is stamped when it arrives, and its two delays are drawn: d1 there, d2 back.
2. It takes effect at its nominal instant N = arrival + d1, and its answer leaves at N + d2.
3. All requests are performed in order of their nominal instants, from one heap, and evaluated as of N, however late
   the event loop really is. A late loop delays answers, never the truth.

Why the order holds: the agenda performs a request only once the clock has reached its N. Whatever arrives later is
stamped later than that, so its own N' ≥ arrival' ≥ N. Nothing may therefore be performed ahead of its N, and no
arrival may be stamped with an instant before it was seen.
"""

from __future__ import annotations

import gc

from harness.emulator.admin import PREFIX, administer
from harness.emulator.agenda import Agenda
from harness.emulator.dispatch import answer_request
from harness.emulator.errors import WireError
from harness.emulator.faults.request import Strike, damaged
from harness.emulator.faults.standing import Standing
from harness.emulator.ports import HOST, Ports
from harness.emulator.replication import World
from harness.emulator.rtt import DelayStream, PairRtt
from harness.emulator.truth import Truth
from harness.emulator.wire import Arrived, Connection, region_of, response
from harness.measure.clock import now_ns
from harness.units import FOREVER_NS, NS_PER_MS

_COLLECT_AFTER = 200
_FLUSH_AFTER_NS = 400 * NS_PER_MS


class Server:
    """The emulator on its ports. Belongs to the running event loop; `close()` it before the loop ends."""

    def __init__(self, world: World, rtt: dict[str, PairRtt], truth: Truth | None = None) -> None:
        self.world = world
        self._ports = Ports(self)
        self._delays = {
            region: DelayStream(pair, world.stream(f"rtt/{region}")) for region, pair in rtt.items()
        }
        self._agenda = Agenda()
        self._truth = truth
        self._lost = 0
        self._answers = 0
        world.faults.on_change.append(self._expect)
        if truth is not None:
            truth.on_first = self._flush_soon

    async def listen(self, port: int = 0) -> None:
        """Open the combined port and one per Region: consecutive ones from `port` on, or any that are free.

        Raises:
            UsageError: a port is taken.
        """
        await self._ports.listen(self.world.regions, port)

    def url(self, region: str | None = None) -> str:
        """The endpoint of a Region, or of the combined port."""
        return f"http://{HOST}:{self._ports.numbers[region]}"

    async def close(self) -> None:
        """Close every port and connection, and flush the truth."""
        await self._ports.close()
        self._agenda.close()
        if self._truth is not None:
            self._truth.close()

    def opened(self, connection: Connection) -> None:
        """A client has connected."""
        self._ports.connections.add(connection)

    def lost(self, connection: Connection) -> None:
        """A client has gone. asyncio leaves a reference cycle of 1 KB behind; collected when a pause harms nobody."""
        self._ports.connections.discard(connection)
        self._lost += 1
        if not self._ports.connections and self._lost >= _COLLECT_AFTER:
            self._lost = 0
            gc.collect(0)

    def arrived(self, connection: Connection, request: Arrived) -> None:
        """Give a request its nominal instant and the instant its answer leaves."""
        region = connection.region
        nominal_ns = leave_ns = request.arrival_ns
        if request.authorization:
            try:
                region = region or region_of(request.authorization, self.world.regions)
            except WireError as error:
                self._agenda.at(nominal_ns, self._refuse, connection, request, error)
                return
            there_ns, back_ns = self._delays[region].draw_ns()
            nominal_ns += there_ns
            leave_ns = nominal_ns + back_ns
        # Performed as of its nominal instant, but no earlier than something wakes the loop: its answer at the latest.
        self._agenda.at(
            nominal_ns, self._perform, connection, request, region, nominal_ns, leave_ns, by_ns=leave_ns
        )

    def _perform(
        self, connection: Connection, request: Arrived, region: str | None, nominal_ns: int, leave_ns: int
    ) -> None:
        strike = None
        if request.path.startswith(PREFIX):
            status, body = administer(self.world, request, nominal_ns)
        elif region in self._ports.down:
            connection.reset()
            return
        else:
            status, body, strike = answer_request(self.world, str(region), request, nominal_ns)
        self._answers += 1
        leave_ns += self.world.quorum.settle()
        answer = response(status, body, self._answers, request.keep_alive)
        if strike is None:
            self._agenda.at(leave_ns, connection.answer, answer, request.keep_alive)
        else:
            self._agenda.at(leave_ns + strike.delay_ns, _send, connection, answer, request.keep_alive, strike)

    def _refuse(self, connection: Connection, request: Arrived, error: WireError) -> None:
        self._answers += 1
        answer = response(error.status, error.body(), self._answers, request.keep_alive)
        connection.answer(answer, request.keep_alive)

    def _expect(self, standing: Standing, now_ns: int) -> None:
        """A fault of whole Regions: put its instants on the agenda, among the requests."""
        if standing.name == "region-down":
            for instant_ns in {max(standing.start_ns, now_ns), standing.end_ns} - {FOREVER_NS}:
                self._agenda.at(instant_ns, self._open_and_shut, instant_ns)
        elif standing.name == "table-deleted":
            instant_ns = max(standing.start_ns, now_ns)
            self._agenda.at(instant_ns, self._delete_tables, standing, instant_ns)

    def _open_and_shut(self, now_ns: int) -> None:
        """Take down the Regions that should be away by now, and bring the others back."""
        away = [s for s in self.world.faults.listed if s.name == "region-down" and s.active(now_ns)]
        for region in self.world.regions:
            causes = [standing for standing in away if standing.fault.concerns(region)]
            if causes and region not in self._ports.down:
                causes[0].struck += 1
                self._ports.take_down(region)
            elif not causes and region in self._ports.down:
                self._ports.bring_back(region)

    def _delete_tables(self, standing: Standing, now_ns: int) -> None:
        if standing.strikes(now_ns):
            for region in self.world.regions:
                if standing.fault.concerns(region):
                    self.world.delete_tables(region, now_ns)

    def _flush_soon(self) -> None:
        self._agenda.at(now_ns() + _FLUSH_AFTER_NS, self._flush)

    def _flush(self) -> None:
        if self._truth is not None:
            self._truth.flush()


def _send(connection: Connection, answer: bytes, keep_alive: bool, strike: Strike) -> None:
    """Send what is left of a struck answer."""
    if strike.broken == "reset":
        connection.reset()
    elif strike.broken == "cut":
        connection.answer(damaged(answer, "cut"), keep_alive=False)
    elif strike.broken in ("checksum", "garbage"):
        connection.answer(damaged(answer, strike.broken), keep_alive)
    elif strike.broken is None:
        connection.answer(answer, keep_alive)
