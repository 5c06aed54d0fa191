"""What a host must be like to measure, and that no secret of its environment is shown."""

from __future__ import annotations

from harness.measure.plan import RunConfig
from harness.preflight.check import Status
from harness.preflight.host import (
    judge_connections,
    judge_cpu,
    judge_environment,
    judge_loop,
    judge_round_trips,
)
from harness.units import NS_PER_MS

CONFIG = RunConfig(("us-west-2",), (("eu-west-1",),))


def test_steady_round_trips_are_ok_and_a_wide_tail_is_a_warning() -> None:
    steady = judge_round_trips("eu-west-1", [140 * NS_PER_MS + i for i in range(100)], [], CONFIG)
    assert steady.status is Status.OK
    assert steady.detail == "min 140 ms, p50 140 ms, p99 140 ms (n = 100)"
    tail = judge_round_trips("eu-west-1", [140 * NS_PER_MS] * 95 + [900 * NS_PER_MS] * 5, [], CONFIG)
    assert tail.status is Status.WARNING
    assert "p99 900 ms" in tail.detail


def test_no_answer_at_all_fails_and_some_missing_ones_are_a_warning() -> None:
    assert judge_round_trips("eu-west-1", [], ["TimeoutError"] * 3, CONFIG).status is Status.FAILED
    assert judge_round_trips("eu-west-1", [NS_PER_MS] * 9, ["TimeoutError"], CONFIG).status is Status.WARNING


def test_a_late_event_loop_is_a_warning_at_the_limit_of_the_gate() -> None:
    assert judge_loop([NS_PER_MS] * 100, CONFIG).status is Status.OK
    assert judge_loop([11 * NS_PER_MS] * 100, CONFIG).status is Status.WARNING


def test_polls_that_take_more_than_half_a_core_are_a_warning() -> None:
    assert judge_cpu(0.3 * NS_PER_MS, 220).status is Status.OK
    check = judge_cpu(3 * NS_PER_MS, 220)
    assert check.status is Status.WARNING
    assert "66% of a core" in check.detail


def test_too_few_connections_or_files_fail() -> None:
    assert judge_connections({"a": 28, "b": 0.4}, 512, 1024).status is Status.OK
    assert judge_connections({"a": 600}, 512, 1024).status is Status.FAILED
    check = judge_connections({"a": 400, "b": 300}, 512, 256)
    assert check.status is Status.FAILED
    assert "ulimit -n 764" in check.remedy


def test_a_clean_environment_is_ok() -> None:
    assert [check.status for check in judge_environment({"PATH": "/bin"}, {})] == [Status.OK]


def test_an_endpoint_variable_is_named_with_its_host() -> None:
    (check,) = judge_environment({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4566"}, {})
    assert check.status is Status.WARNING
    assert "AWS_ENDPOINT_URL_DYNAMODB is http://127.0.0.1:4566" in check.detail


def test_a_proxy_is_a_warning_unless_exempt_and_its_password_is_not_shown() -> None:
    proxy = {"https_proxy": "http://user:hunter2@proxy.corp:3128"}
    (check,) = judge_environment(proxy, {})
    assert check.status is Status.WARNING
    assert "http://proxy.corp:3128" in check.detail
    assert "hunter2" not in check.detail + check.remedy
    (exempt,) = judge_environment(proxy | {"NO_PROXY": "localhost,.amazonaws.com"}, {})
    assert exempt.status is Status.OK


def test_a_proxy_for_other_schemes_or_for_this_host_is_no_warning() -> None:
    plain = {"http_proxy": "http://proxy.corp:3128"}
    (check,) = judge_environment(plain, {})
    assert check.status is Status.OK
    assert "no proxy for these endpoints" in check.detail
    (local,) = judge_environment(plain, {"us-west-2": "http://127.0.0.1:8000"})
    assert local.status is Status.OK
    assert "not for what is on this host" in local.detail
    (other,) = judge_environment(plain, {"us-west-2": "http://dynamo.corp:8000"})
    assert other.status is Status.WARNING
    assert "every request goes through it" in other.detail
