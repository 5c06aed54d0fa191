"""How far this host's wall clock may be off, as its own time service tells."""

from __future__ import annotations

import struct

from harness.preflight.check import Check, Status
from harness.units import NS_PER_MS, NS_PER_S, format_duration

CLOCKBOUND_PATH = "/var/run/clockbound/shm0"
ERROR_MAX_NS = 100 * NS_PER_MS
ONE_PROCESS = "a run measures with one monotonic clock and does not need this"

# ClockBound's shared memory, protocol version 2: magic, size, version, generation, as of (s, ns), void after (s, ns),
# bound ns, disruption marker, drift ppb, status. The instants are of CLOCK_MONOTONIC.
_SEGMENT = struct.Struct("=IIIHHqqqqqQIi")
_MAGIC, _VERSION, _SYNCHRONISED = (0x414D5A4E, 0x43420200), 2, 1
_PPB = 1e-9


def judge_clock(segment: bytes | None, chrony: str | None, timedatectl: str | None, now_ns: int) -> Check:
    """From ClockBound's shared memory, else `chronyc -c tracking`, else `timedatectl show`; None where absent.

    `now_ns` is the instant of the monotonic clock at which the segment was read.
    """
    bounds = (
        ("ClockBound", None if segment is None else clockbound_error_ns(segment, now_ns)),
        ("chrony", None if chrony is None else chrony_error_ns(chrony)),
    )
    for name, error_ns in bounds:
        if error_ns is not None:
            detail = f"{name}: off by at most {format_duration(error_ns)}; {ONE_PROCESS}"
            if error_ns <= ERROR_MAX_NS:
                return Check("clock", Status.OK, detail)
            return Check("clock", Status.WARNING, detail, "", "look at its sources: chronyc sources -v")
    said = timedatectl or ""
    if "NTPSynchronized=yes" in said:
        return Check("clock", Status.OK, f"the system says that its clock is synchronised; {ONE_PROCESS}")
    if "NTPSynchronized=no" in said:
        remedy = "start a time service: signatures fail once the clock is five minutes off"
        return Check("clock", Status.WARNING, f"the clock is not synchronised; {ONE_PROCESS}", "", remedy)
    detail = f"no ClockBound, chronyc or timedatectl answers; {ONE_PROCESS}"
    return Check("clock", Status.NOT_APPLICABLE, detail)


def clockbound_error_ns(segment: bytes, now_ns: int) -> float | None:
    """The bound now, grown by the drift since it was written; None where it is void, unknown or being written."""
    if len(segment) < _SEGMENT.size:
        return None
    first, second, _, version, generation, as_of_s, as_of_ns, void_s, void_ns, bound_ns, _, drift, status = (
        _SEGMENT.unpack_from(segment)
    )
    whole = (first, second) == _MAGIC and version == _VERSION and generation and generation % 2 == 0
    if not whole or status != _SYNCHRONISED or now_ns > void_s * NS_PER_S + void_ns:
        return None
    age_ns = max(0, now_ns - as_of_s * NS_PER_S - as_of_ns)
    return float(bound_ns + age_ns * drift * _PPB)


def chrony_error_ns(text: str) -> float | None:
    """|offset| + root dispersion + root delay / 2 of `chronyc -c tracking`; None where it is not synchronised."""
    fields = text.strip().split(",")
    try:
        offset, delay, dispersion = abs(float(fields[4])), float(fields[10]), float(fields[11])
        synchronised = fields[13] != "Not synchronised"
    except (IndexError, ValueError):
        return None
    return (offset + dispersion + delay / 2) * NS_PER_S if synchronised else None
