"""What a run records as it happens: flat facts in integer monotonic nanoseconds, in the order they became known.

The journal keeps these and nothing else; samples, gates and summaries are derived from them. Every event is
one JSON object whose `type` names its class here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

UNANSWERED = "no answer when the run ended"
"""The error of a request that was cancelled on its way: no more is known of it than of one that timed out."""


@dataclass(frozen=True, slots=True)
class Write:
    """One planned write, ended: `result` is acked, failed or indeterminate (it may or may not exist).

    `sent_ns` is None where the write never left: failed before sending, or the run was interrupted first, and then
    `attempts` is 0. All attempts but the last were throttled; `failure` is the last one's, as in `Poll`.
    """

    source: str
    seq: int
    due_ns: int
    sent_ns: int | None
    acked_ns: int | None
    result: str
    attempts: int = 1
    error: str | None = None
    new_connection: bool = False
    units: float = 0.0
    failure: str | None = None
    type: str = field(default="write", init=False)


@dataclass(frozen=True, slots=True)
class Poll:
    """One read of a replica and what it proves.

    It covered the sequence numbers `range(first, last + 1, step)`, or `seqs` where that is given. Of these,
    `hits` were seen here for the first time, or for the first time since they had gone missing again, `absent` had
    been seen before and are missing here, and of the rest those never seen before are misses. With `failure` set
    (throttled, server_error, timeout, connection, rejected) it covered nothing: a failed poll is not a miss. Nor are
    the `unprocessed` keys DynamoDB left out of an answer for want of capacity; how many is recorded, and they are not
    covered.
    """

    source: str
    replica: str
    sent_ns: int
    received_ns: int
    first: int = 0
    last: int = -1
    step: int = 1
    seqs: tuple[int, ...] | None = None
    hits: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    failure: str | None = None
    error: str | None = None
    new_connection: bool = False
    units: float = 0.0
    unprocessed: int = 0
    read: str = "strong"
    type: str = field(default="poll", init=False)

    def covered(self) -> range | tuple[int, ...]:
        """The sequence numbers this poll says something about."""
        if self.failure is not None:
            return ()
        return range(self.first, self.last + 1, self.step) if self.seqs is None else self.seqs


@dataclass(frozen=True, slots=True)
class Ticks:
    """Planned poll instants of one poller since its last such event: how many, how many of them not sent in
    their turn, and the worst lateness."""

    source: str
    replica: str
    at_ns: int
    planned: int
    skipped: int
    late_max_ns: int
    read: str = "strong"
    type: str = field(default="ticks", init=False)


@dataclass(frozen=True, slots=True)
class LoopDelay:
    """How late the event loop served a timer, sampled since the last such event."""

    at_ns: int
    delays_ns: tuple[int, ...]
    type: str = field(default="loop_delay", init=False)


@dataclass(frozen=True, slots=True)
class ClockPair:
    """The monotonic and the wall clock read together: a change of their difference is a step of the wall."""

    monotonic_ns: int
    wall_ns: int
    type: str = field(default="clock", init=False)


@dataclass(frozen=True, slots=True)
class Swept:
    """The final strongly consistent look at a write that no poll had seen: was it in `region`?"""

    source: str
    region: str
    seq: int
    present: bool | None
    at_ns: int
    type: str = field(default="swept", init=False)


@dataclass(frozen=True, slots=True)
class Spent:
    """Units used in `region` by requests that are neither writes nor polls: warming, preparing, sweeping."""

    what: str
    region: str
    at_ns: int
    read_units: float = 0.0
    write_units: float = 0.0
    type: str = field(default="spent", init=False)


@dataclass(frozen=True, slots=True)
class Phase:
    """The run entered a phase: connecting, preparing, measuring, draining, sweeping, interrupted, finished, tidying."""

    name: str
    at_ns: int
    detail: str | None = None
    type: str = field(default="phase", init=False)


Event = Write | Poll | Ticks | LoopDelay | ClockPair | Swept | Spent | Phase

_CLASSES: dict[str, Callable[..., Event]] = {
    "write": Write,
    "poll": Poll,
    "ticks": Ticks,
    "loop_delay": LoopDelay,
    "clock": ClockPair,
    "swept": Swept,
    "spent": Spent,
    "phase": Phase,
}
_TUPLES = frozenset({"seqs", "hits", "absent", "delays_ns"})
_JSON_TYPES: dict[str, frozenset[type]] = {
    "int": frozenset({int}),
    "float": frozenset({int, float}),
    "str": frozenset({str}),
    "bool": frozenset({bool}),
    "tuple[int, ...]": frozenset({list}),
    "None": frozenset({type(None)}),
}
_NAMES = {
    name: {
        key: frozenset[type]().union(*(_JSON_TYPES[kind] for kind in str(parameter.annotation).split(" | ")))
        for key, parameter in inspect.signature(cls).parameters.items()
    }
    for name, cls in _CLASSES.items()
}
_INT64 = 2**63


def _fits(value: Any) -> bool:
    """Does a number, or each of a list, fit into 64 bits?"""
    if type(value) is int:
        return -_INT64 < value < _INT64
    return type(value) is not list or all(type(n) is int and -_INT64 < n < _INT64 for n in value)


def to_record(event: Event) -> dict[str, Any]:
    """The event as a JSON object, what equals its default left out."""
    record: dict[str, Any] = {"type": event.type}
    for f in fields(event):
        value = getattr(event, f.name)
        if f.name != "type" and value != f.default:
            record[f.name] = value
    return record


def from_record(record: Mapping[str, Any]) -> Event:
    """The event a JSON object stands for.

    Raises:
        ValueError: unknown type, missing fields, or values of the wrong type; unknown fields are ignored.
    """
    name = record.get("type")
    if name not in _CLASSES:
        raise ValueError(f"unknown event type {name!r}")
    known = _NAMES[name]
    arguments = {key: value for key, value in record.items() if key in known}
    for key, value in arguments.items():
        if type(value) not in known[key] or not _fits(value):
            raise ValueError(f"{key} of a {name} event cannot be {str(value)[:100]!r}")
    for key in _TUPLES & arguments.keys():
        if arguments[key] is not None:
            arguments[key] = tuple(arguments[key])
    try:
        return _CLASSES[name](**arguments)
    except TypeError as error:
        raise ValueError(f"incomplete {name} event: {error}") from None
