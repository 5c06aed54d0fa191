"""Is this host fit to measure: its round trips, its event loop, its connections, its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from harness.analysis.gates import stall_limit_ns, trip_excess_limit_ns
from harness.dynamodb.routes import is_loopback
from harness.measure.plan import RunConfig
from harness.preflight.check import Check, Status
from harness.units import NS_PER_S, format_count, format_duration

CORE_SHARE_MAX = 0.5  # of one core, for polls: the event loop has other things to do
SPARE_FILES = 64

_REDIRECTS = re.compile(r"AWS_ENDPOINT_URL(_DYNAMODB|_STS)?")
_PROXIES = {"HTTPS_PROXY": "https", "HTTP_PROXY": "http"}  # of what scheme's requests


def percentile(sorted_values: Sequence[int], p: float) -> int:
    """The p-th percentile of a few sorted values: one of them."""
    return sorted_values[min(len(sorted_values) - 1, int(p / 100 * len(sorted_values)))]


def judge_round_trips(
    region: str, trips_ns: Sequence[int], errors: Sequence[str], config: RunConfig
) -> Check:
    """Round trips of warmed requests to one Region, and how steady they are."""
    if not trips_ns:
        detail = f"no answer to any of {format_count(len(errors))} requests: {errors[0] if errors else 'none was sent'}"
        return Check("round_trip", Status.FAILED, detail, region, "check the network, proxies and firewalls")
    trips = sorted(trips_ns)
    shown = ", ".join(
        f"{name} {format_duration(percentile(trips, p))}" for name, p in (("p50", 50), ("p99", 99))
    )
    detail = f"min {format_duration(trips[0])}, {shown} (n = {format_count(len(trips))})"
    if errors:
        detail += f"; {format_count(len(errors))} without an answer: {errors[0]}"
        return Check("round_trip", Status.WARNING, detail, region, "look into the failures before measuring")
    limit_ns = trip_excess_limit_ns(config)
    if percentile(trips, 99) - trips[0] > limit_ns:
        detail += f"; p99 is more than {format_duration(limit_ns)} above the minimum"
        remedy = "a run like this comes out INVALID: use a steadier network or a larger --poll-interval"
        return Check("round_trip", Status.WARNING, detail, region, remedy)
    return Check("round_trip", Status.OK, detail, region)


def judge_loop(delays_ns: Sequence[int], config: RunConfig) -> Check:
    """How late the event loop serves timers on this host, now."""
    late_ns, limit_ns = percentile(sorted(delays_ns), 99), stall_limit_ns(config)
    detail = f"timers are late by p99 {format_duration(late_ns)} (n = {format_count(len(delays_ns))}, "
    detail += f"limit {format_duration(limit_ns)})"
    if late_ns > limit_ns:
        remedy = "free this host of other work, or use a larger one"
        return Check("event_loop", Status.WARNING, detail, "", remedy)
    return Check("event_loop", Status.OK, detail)


def judge_cpu(cpu_per_poll_ns: float, polls_per_s: float) -> Check:
    """What the polls of a run will take of one core."""
    share = cpu_per_poll_ns * polls_per_s / NS_PER_S
    detail = (
        f"{format_duration(cpu_per_poll_ns)} CPU per poll: {format_count(polls_per_s)} polls a second take "
    )
    detail += f"{share:.0%} of a core"
    if share > CORE_SHARE_MAX:
        remedy = "raise --poll-interval, watch fewer Regions in one run, or use a faster host"
        return Check("cpu", Status.WARNING, detail, "", remedy)
    return Check("cpu", Status.OK, detail)


def judge_connections(in_flight: Mapping[str, float], pool: int, files_limit: int | None) -> Check:
    """Will requests wait for a connection? `in_flight` is what each Region needs at once, by Little's law."""
    need, files = max(in_flight.values()), sum(in_flight.values()) + SPARE_FILES
    detail = f"{format_count(need)} in flight to one Region of {format_count(pool)} connections"
    if need > pool:
        remedy = (
            "lower --rate or raise --poll-interval: polls would wait in this process and pass for latency"
        )
        return Check("connections", Status.FAILED, detail, "", remedy)
    if files_limit is not None and files > files_limit:
        detail += f"; {format_count(files)} open files needed, {format_count(files_limit)} allowed"
        return Check("connections", Status.FAILED, detail, "", f"raise the limit: ulimit -n {round(files)}")
    return Check("connections", Status.OK, detail)


def judge_environment(environment: Mapping[str, str], endpoints: Mapping[str, str]) -> list[Check]:
    """Variables that send requests elsewhere than one thinks. Values are shown without user names and passwords."""
    urls = [urlsplit(url) for url in endpoints.values() or ("https://amazonaws.com",)]
    hosts = {
        scheme: {url.hostname or "" for url in urls if url.scheme == scheme} for scheme in _PROXIES.values()
    }
    exempt = environment.get("NO_PROXY", environment.get("no_proxy", ""))
    set_ = {name.upper(): value for name, value in environment.items() if value}
    redirects = [_redirect(name, set_[name]) for name in sorted(set_) if _REDIRECTS.fullmatch(name)]
    proxies = [
        _proxy(name, set_[name], hosts[scheme], exempt)
        for name, scheme in _PROXIES.items()
        if name in set_ and hosts[scheme]
    ]
    none = Check("environment", Status.OK, "no AWS_ENDPOINT_URL and no proxy for these endpoints is set")
    return [*redirects, *proxies] or [none]


def _redirect(name: str, value: str) -> Check:
    but = "does not" if name.endswith("DYNAMODB") else "goes there only to assume a role"
    detail = f"{name} is {_place(value)}: the AWS CLI goes there, the harness {but}"
    return Check(
        "environment",
        Status.WARNING,
        detail,
        "",
        f"unset {name}, or say --endpoint REGION=URL if it is meant",
    )


def _proxy(name: str, value: str, hosts: set[str], exempt: str) -> Check:
    named = ", ".join(sorted(hosts))
    if all(is_loopback(host) for host in hosts):
        return Check("environment", Status.OK, f"{name} is {_place(value)}, and not for what is on this host")
    if all(_is_exempt(host, exempt) for host in hosts):
        return Check("environment", Status.OK, f"{name} is {_place(value)}, and NO_PROXY exempts {named}")
    detail = f"{name} is {_place(value)}: every request goes through it, and its delay widens every bracket"
    remedy = f"if there is another way out, add {named} to NO_PROXY"
    return Check("environment", Status.WARNING, detail, "", remedy)


def _is_exempt(host: str, exempt: str) -> bool:
    names = [name.strip().lstrip(".") for name in exempt.split(",") if name.strip()]
    return any(name == "*" or host == name or host.endswith("." + name) for name in names)


def _place(url: str) -> str:
    """Scheme, host and port of a URL: what else it holds may be secret."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme + '://' if parts.scheme else ''}{parts.hostname or '?'}{port}"
