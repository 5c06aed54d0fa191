"""What one run of an experiment does, and the keys of `[workload]`, `[polling]` and `[emulator]` that decide it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError
from harness.measure.plan import (
    ARRIVALS,
    CONSISTENCIES,
    ITEM_BYTES,
    KEYS,
    READ_MODES,
    SAMPLES,
    SHARDS,
    SPACINGS_NS,
    STRATEGIES,
    TOGETHER,
    VERSIONS,
    Polling,
    Workload,
)
from harness.measure.schedules import SCHEDULES
from harness.units import (
    FOREVER_NS,
    NS_PER_S,
    format_count,
    parse_duration_ns,
    parse_offset_ns,
    parse_positive_duration_ns,
    parse_rate_per_s,
    parse_size_bytes,
    parse_window_ns,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the emulator does wrong between two instants, nanoseconds after the first write.

    `where` is what its command line has before the window: a Region or link ("" for every link), or KIND[:OPTION…].
    """

    where: str
    start_ns: int
    end_ns: int

    def argument(self) -> str:
        """The fault as the emulator's command line has it."""
        window = f"{self.start_ns}ns-" + (f"{self.end_ns}ns" if self.end_ns != FOREVER_NS else "")
        return f"{self.where}={window}" if self.where else window


def parse_fault(given: str) -> Fault:
    """Read "8s-16s" or "WHERE=8s-16s"; whether there is such a place the emulator knows.

    Raises:
        UsageError: the window makes no sense.
    """
    where, _, window = given.rpartition("=")
    return Fault(where, *parse_window_ns(window))


def parse_faults(given: str) -> tuple[Fault, ...]:
    """Read "KIND[:OPTION…]=WINDOW", several of them separated by blanks, or none.

    Raises:
        UsageError: one has no kind, or its window makes no sense.
    """
    faults = tuple(parse_fault(one) for one in given.split())
    for fault in faults:
        if not fault.where:
            raise UsageError(
                f"{given!r} is not KIND[:OPTION…]=WINDOW, such as throttle:us-west-2:reads=2s-4s"
            )
    return faults


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How the emulator is set, in the words of its command line; None leaves it at its default."""

    lag: str = "typical"
    rtt: str | None = None
    eventual_lag: str | None = None
    pause: Fault | None = None
    throttle: Fault | None = None
    fault: tuple[Fault, ...] = ()

    def arguments(self) -> tuple[str, ...]:
        """Everything but the lag as arguments."""
        given = (
            ("--rtt", self.rtt),
            ("--eventual-lag", self.eventual_lag),
            ("--pause", self.pause and self.pause.argument()),
            ("--throttle", self.throttle and self.throttle.argument()),
            *(("--fault", fault.argument()) for fault in self.fault),
        )
        return tuple(word for flag, value in given if value for word in (flag, value))


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run does, whatever its Regions. `duration_ns` stands in place of `workload.samples` where given."""

    workload: Workload = field(default_factory=Workload)
    duration_ns: int | None = None
    polling: Polling = field(default_factory=Polling)
    control: bool = False
    consistency: str = "eventual"
    emulator: EmulatorSettings = field(default_factory=EmulatorSettings)

    def scaled(self, samples: int | None, scale: float) -> Settings:
        """The same over `samples` writes, or over `scale` times as long, with faults at the same share of it.

        Raises:
            UsageError: no write is left.
        """
        workload = self.workload
        if self.duration_ns is not None:
            workload = dataclasses.replace(
                workload, samples=int(self.duration_ns / NS_PER_S * workload.rate_per_s)
            )
        wanted = round(workload.samples * scale) if samples is None else samples
        if wanted not in SAMPLES:
            raise UsageError(
                f"{workload.samples} samples at {workload.rate_per_s:g}/s, scaled by {scale:g}, is "
                f"{wanted or 'no'} writes; {SAMPLES[0]} to {format_count(SAMPLES[-1])} can be measured"
            )
        share = wanted / max(1, workload.samples)
        workload = dataclasses.replace(workload, samples=wanted, warmup_ns=round(workload.warmup_ns * share))
        pause, throttle = (
            fault and _scaled(fault, share) for fault in (self.emulator.pause, self.emulator.throttle)
        )
        faults = tuple(_scaled(fault, share) for fault in self.emulator.fault)
        emulator = dataclasses.replace(self.emulator, pause=pause, throttle=throttle, fault=faults)
        return dataclasses.replace(self, workload=workload, duration_ns=None, emulator=emulator)


def _scaled(fault: Fault, share: float) -> Fault:
    end_ns = fault.end_ns if fault.end_ns == FOREVER_NS else round(fault.end_ns * share)
    return dataclasses.replace(fault, start_ns=round(fault.start_ns * share), end_ns=end_ns)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a TOML section: which attribute it sets (a path in `Settings`, () for none), how its value is read."""

    path: tuple[str, ...]
    parse: Callable[[Any], Any]

    def apply(self, settings: Settings, value: object) -> Settings:
        """The settings with this one read from `value`.

        Raises:
            UsageError: the value makes no sense.
        """
        parsed = self.parse(value)
        if not self.path:
            return settings
        *parent, name = self.path
        if not parent:
            return dataclasses.replace(settings, **{name: parsed})
        part = dataclasses.replace(getattr(settings, parent[0]), **{name: parsed})
        return dataclasses.replace(settings, **{parent[0]: part})


def text(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A reader of strings that `parse` understands."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise UsageError(f"{value!r} is not a string in quotes")
        return parse(value)

    return read


def whole(allowed: range) -> Callable[[Any], int]:
    """A reader of whole numbers."""

    def read(value: Any) -> int:
        if type(value) is not int or value not in allowed:
            raise UsageError(f"{value!r} is not a whole number from {allowed[0]} to {allowed[-1]}")
        return value

    return read


def one_of(allowed: Sequence[str]) -> Callable[[Any], str]:
    """A reader of one of several words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise UsageError(f"{value!r} is not one of {', '.join(allowed)}")
        return str(value)

    return read


def yes_or_no(value: Any) -> bool:
    """A reader of true and false."""
    if not isinstance(value, bool):
        raise UsageError(f"{value!r} is not true or false")
    return value


def _item_bytes(given: str) -> int:
    size = parse_size_bytes(given)
    if size not in ITEM_BYTES:
        raise UsageError(f"{given!r} must lie between 100B and 400KB, DynamoDB's limit")
    return size


def _spacing_ns(given: str) -> int:
    spacing_ns = parse_duration_ns(given)
    if spacing_ns not in SPACINGS_NS:
        raise UsageError(f"{given!r} must lie between 1ms and 1h")
    return spacing_ns


SECTIONS: Mapping[str, Mapping[str, Setting]] = {
    "workload": {
        "rate": Setting(("workload", "rate_per_s"), text(parse_rate_per_s)),
        "arrivals": Setting(("workload", "arrivals"), one_of(ARRIVALS)),
        "item_size": Setting(("workload", "item_bytes"), text(_item_bytes)),
        "keys": Setting(("workload", "keys"), one_of(KEYS)),
        "offset": Setting(("workload", "offset_ns"), text(parse_offset_ns)),
        "transaction": Setting(("workload", "together"), whole(TOGETHER)),
        "versions": Setting(("workload", "versions"), whole(VERSIONS)),
        "samples": Setting(("workload", "samples"), whole(SAMPLES)),
        "duration": Setting(("duration_ns",), text(parse_positive_duration_ns)),
        "warmup": Setting(("workload", "warmup_ns"), text(parse_duration_ns)),
        "shards": Setting(("workload", "shards"), whole(SHARDS)),
        "consistency": Setting(("consistency",), one_of(CONSISTENCIES)),
    },
    "polling": {
        "interval": Setting(("polling", "interval_ns"), text(_spacing_ns)),
        "strategy": Setting(("polling", "strategy"), one_of(STRATEGIES)),
        "schedule": Setting(("polling", "schedule"), one_of(SCHEDULES)),
        "read": Setting(("polling", "read"), one_of(READ_MODES)),
        "timeout": Setting(("polling", "timeout_ns"), text(parse_positive_duration_ns)),
        "control": Setting(("control",), yes_or_no),
    },
    "emulator": {
        "lag": Setting(("emulator", "lag"), text(str)),
        "rtt": Setting(("emulator", "rtt"), text(str)),
        "eventual_lag": Setting(("emulator", "eventual_lag"), text(str)),
        "pause": Setting(("emulator", "pause"), text(parse_fault)),
        "throttle": Setting(("emulator", "throttle"), text(parse_fault)),
        "fault": Setting(("emulator", "fault"), text(parse_faults)),
    },
}
