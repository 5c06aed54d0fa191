"""What the answers to harmless requests say about Region, credentials and permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.dynamodb.permissions import Attempt, Identity
from harness.preflight.check import Check, Status
from harness.units import NS_PER_S, format_count, format_duration

# What a run with default settings needs on a table that exists; the rest is for other settings, or to make a table.
NEEDED = frozenset({"DescribeTable", "GetItem", "BatchGetItem", "Query", "PutItem"})
MAKING = frozenset({"CreateTable", "UpdateTable", "DeleteTable"})
SIGNATURE_LIMIT_NS = 300 * NS_PER_S  # SigV4 refuses a request that is older or younger
SKEW_WARNING_NS = 60 * NS_PER_S

_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
_PROVEN = frozenset({None, "ResourceNotFoundException", "ConditionalCheckFailedException"})
_UNKNOWN_IDENTITY = {
    "UnrecognizedClientException": "enable the Region for the account, or check that the credentials are current",
    "InvalidClientTokenId": "enable the Region for the account, or check that the credentials are current",
    "InvalidSignatureException": "check the secret access key and this host's clock",
    "SignatureDoesNotMatch": "check the secret access key and this host's clock",
    "ExpiredTokenException": "log in again",
    "ExpiredToken": "log in again",
    "MissingAuthenticationTokenException": "log in, or name a profile with --profile",
    "IncompleteSignatureException": "log in, or name a profile with --profile",
}


def is_granted(attempt: Attempt) -> bool | None:
    """Is the request permitted? None where its answer does not say."""
    if attempt.code in _DENIED:
        return False
    return True if attempt.code in _PROVEN else None


def judge_identity(found: Identity) -> Check:
    """Credentials that STS knows."""
    detail = f"{found.arn} of account {found.account}, found by {found.method}"
    return Check("credentials", Status.OK, detail)


def judge_region(region: str, first: Attempt) -> Check:
    """Does the Region answer these credentials at all?"""
    if first.code in _UNKNOWN_IDENTITY:
        detail = f"refuses these credentials: {first.code}: {first.text}"
        return Check("region", Status.FAILED, detail, region, _UNKNOWN_IDENTITY[first.code])
    return Check("region", Status.OK, "answers these credentials", region)


def judge_permissions(region: str, attempts: Sequence[Attempt], needed: frozenset[str], policy: str) -> Check:
    """One line for all requests of a Region; `needed` are those a run cannot do without, `policy` prints a policy."""
    granted = {attempt.operation: is_granted(attempt) for attempt in attempts}
    denied = [name for name, grant in granted.items() if grant is False]
    proven = [name for name, grant in granted.items() if grant]
    unknown = [name for name, grant in granted.items() if grant is None]
    parts = [f"denied: {', '.join(denied)}"] if denied else []
    parts += [f"granted: {', '.join(proven)}"] if proven else []
    parts += [f"cannot be told without changing something: {', '.join(unknown)}"] if unknown else []
    if denied:
        status = Status.FAILED if needed & set(denied) else Status.WARNING
    else:
        status = Status.OK if proven else Status.NOT_APPLICABLE
    remedy = f"attach what `{policy}` prints" if denied else ""
    return Check("permissions", status, "; ".join(parts), region, remedy)


def judge_skew(region: str, skews_ns: Sequence[int]) -> Check:
    """This host's clock against the `Date` of answers, which has whole seconds; the best of several is the middle."""
    if not skews_ns:
        return Check("clock_skew", Status.NOT_APPLICABLE, "answers carry no Date header", region)
    skew_ns = sorted(skews_ns)[len(skews_ns) // 2]
    limit = f"requests are refused beyond {format_duration(SIGNATURE_LIMIT_NS)}"
    if abs(skew_ns) <= NS_PER_S:
        return Check("clock_skew", Status.OK, f"within 1 s of the Region's clock; {limit}", region)
    side = "behind" if skew_ns > 0 else "ahead of"
    detail = f"this host's clock is {format_duration(abs(skew_ns))} {side} the Region's; {limit}"
    remedy = "synchronise this host's clock (chrony, or your system's time settings)"
    if abs(skew_ns) > SIGNATURE_LIMIT_NS:
        return Check("clock_skew", Status.FAILED, detail, region, remedy)
    if abs(skew_ns) > SKEW_WARNING_NS:
        return Check("clock_skew", Status.WARNING, detail, region, remedy)
    return Check("clock_skew", Status.OK, detail, region)


def judge_limits(region: str, attempt: Attempt, answer: Mapping[str, Any], writes_per_s: float) -> Check:
    """Does the account let one table take the writes?"""
    limit = answer.get("TableMaxWriteCapacityUnits")
    if attempt.code is not None or limit is None:
        why = "may not be asked" if attempt.code in _DENIED else "are not told"
        return Check("limits", Status.NOT_APPLICABLE, f"the account's limits {why} here", region)
    detail = f"one table may take {format_count(limit)} write units a second"
    if limit < writes_per_s:
        remedy = "lower --rate, or have the quota raised"
        return Check(
            "limits", Status.FAILED, f"{detail}, the run needs {format_count(writes_per_s)}", region, remedy
        )
    return Check("limits", Status.OK, detail, region)


def judge_leftovers(region: str, attempt: Attempt, names: Sequence[str]) -> Check:
    """Tables of earlier runs: they cost little, and nobody wants them."""
    if attempt.code is not None:
        why = "may not be listed" if attempt.code in _DENIED else f"cannot be listed: {attempt.code}"
        return Check("leftovers", Status.NOT_APPLICABLE, f"tables {why} here", region)
    if not names:
        return Check("leftovers", Status.OK, "no table of an earlier run", region)
    listed = ", ".join(names[:5]) + ("" if len(names) <= 5 else f" and {len(names) - 5} more")
    remedy = "unless a run is under way: `python -m harness.table teardown --table NAME` with its Regions"
    return Check("leftovers", Status.WARNING, f"tables of earlier runs: {listed}", region, remedy)
