"""What the answers to harmless requests prove, and what they do not."""

from __future__ import annotations

import pytest

from harness.dynamodb.permissions import Attempt
from harness.preflight.check import Status
from harness.preflight.rights import (
    NEEDED,
    is_granted,
    judge_leftovers,
    judge_limits,
    judge_permissions,
    judge_region,
    judge_skew,
)
from harness.units import NS_PER_MS, NS_PER_S

REGION, POLICY = "eu-west-1", "python -m harness.table --iam-policy"


@pytest.mark.parametrize(
    ("code", "granted"),
    [
        (None, True),
        ("ResourceNotFoundException", True),
        ("ConditionalCheckFailedException", True),
        ("AccessDeniedException", False),
        ("ValidationException", None),
        ("ThrottlingException", None),
    ],
)
def test_only_an_answer_from_behind_the_permission_check_proves_a_permission(
    code: str | None, granted: bool | None
) -> None:
    assert is_granted(Attempt("PutItem", code)) is granted


def test_a_needed_permission_that_is_denied_fails_and_says_where_the_policy_is() -> None:
    check = judge_permissions(
        REGION, [Attempt("GetItem"), Attempt("PutItem", "AccessDeniedException")], NEEDED, POLICY
    )
    assert check.status is Status.FAILED
    assert "denied: PutItem; granted: GetItem" in check.detail
    assert POLICY in check.remedy


def test_a_permission_for_other_settings_that_is_denied_is_a_warning() -> None:
    denied = [Attempt("GetItem"), Attempt("DeleteItem", "AccessDeniedException")]
    assert judge_permissions(REGION, denied, NEEDED, POLICY).status is Status.WARNING


def test_what_cannot_be_told_never_counts_as_granted() -> None:
    check = judge_permissions(REGION, [Attempt("CreateTable", "ValidationException")], NEEDED, POLICY)
    assert check.status is Status.NOT_APPLICABLE
    assert "granted" not in check.detail


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("UnrecognizedClientException", "enable the Region"),
        ("ExpiredTokenException", "log in again"),
        ("InvalidSignatureException", "clock"),
    ],
)
def test_a_region_that_does_not_know_the_credentials_fails_with_its_remedy(code: str, remedy: str) -> None:
    check = judge_region(REGION, Attempt("DescribeTable", code, "no"))
    assert check.status is Status.FAILED
    assert remedy in check.remedy


def test_a_region_that_denies_a_request_knows_who_asks() -> None:
    assert judge_region(REGION, Attempt("DescribeTable", "AccessDeniedException")).status is Status.OK


@pytest.mark.parametrize(
    ("skew_ns", "status", "says"),
    [
        (400 * NS_PER_MS, Status.OK, "within 1 s"),
        (-20 * NS_PER_S, Status.OK, "20.0 s ahead of"),
        (90 * NS_PER_S, Status.WARNING, "90.0 s behind"),
        (-400 * NS_PER_S, Status.FAILED, "ahead of"),
    ],
)
def test_the_clock_is_judged_against_what_a_signature_allows(skew_ns: int, status: Status, says: str) -> None:
    check = judge_skew(REGION, [skew_ns, skew_ns, 0])
    assert check.status is status
    assert says in check.detail


def test_without_a_date_the_skew_is_not_applicable() -> None:
    assert judge_skew(REGION, []).status is Status.NOT_APPLICABLE


def test_limits_below_the_rate_fail_and_unknown_ones_do_not_pass() -> None:
    told, denied = Attempt("DescribeLimits"), Attempt("DescribeLimits", "AccessDeniedException")
    assert judge_limits(REGION, told, {"TableMaxWriteCapacityUnits": 40_000}, 20).status is Status.OK
    assert judge_limits(REGION, told, {"TableMaxWriteCapacityUnits": 10}, 20).status is Status.FAILED
    assert judge_limits(REGION, denied, {}, 20).status is Status.NOT_APPLICABLE


def test_tables_left_behind_are_named() -> None:
    check = judge_leftovers(REGION, Attempt("ListTables"), ["replication-latency-1f"])
    assert check.status is Status.WARNING
    assert "replication-latency-1f" in check.detail
    assert judge_leftovers(REGION, Attempt("ListTables"), []).status is Status.OK
    assert (
        judge_leftovers(REGION, Attempt("ListTables", "AccessDeniedException"), []).status
        is Status.NOT_APPLICABLE
    )
