"""The kinds of faults: what each does, in words, and which options it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.units import NS_PER_S

READS = frozenset({"BatchGetItem", "GetItem", "Query", "Scan"})
WRITES = frozenset({"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"})
TABLES = frozenset({"CreateTable", "DeleteTable", "DescribeTable", "ListTables", "UpdateTable"})
BATCHES = frozenset({"BatchGetItem", "BatchWriteItem"})
GROUPS: Mapping[str, frozenset[str]] = {"reads": READS, "writes": WRITES, "tables": TABLES}
OPERATIONS = READS | WRITES | TABLES

_REQUEST = frozenset({"region", "operation", "share"})
_LINK = frozenset({"link", "share"})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    `words` say what a place does to {what}, and {time} is the duration of its options; `what` says it with {} for the
    operations. `help` is its line in a table. `takes` are the options it has, `needs` those it cannot do without;
    `operations` are the requests it concerns unless told otherwise, none for faults of links and Regions.
    """

    name: str
    words: str
    help: str
    takes: frozenset[str] = _REQUEST
    needs: frozenset[str] = frozenset()
    operations: frozenset[str] = READS | WRITES
    time_ns: int = 0
    what: str = "{}"


def _of_link(name: str, words: str, help_: str, takes: frozenset[str] = _LINK, time_ns: int = 0) -> Kind:
    return Kind(name, words, help_, takes, operations=frozenset(), time_ns=time_ns, what="writes")


_REGION, _TIME, _AFTER = frozenset({"region"}), frozenset({"time"}), frozenset({"after"})
_ALL = (
    Kind("throttle", "throttles {what}", "ProvisionedThroughputExceededException"),
    Kind("rate-limit", "answers {what} with ThrottlingException", "ThrottlingException"),
    Kind("request-limit", "answers {what} with RequestLimitExceeded", "RequestLimitExceeded"),
    Kind("500", "answers {what} with 500", "InternalServerError", _REQUEST | _AFTER),
    Kind("503", "answers {what} with 503", "ServiceUnavailable", _REQUEST | _AFTER),
    Kind("reset", "resets the connection of {what}", "connection reset (RST)", _REQUEST | _AFTER),
    Kind("hang", "never answers {what}", "no answer ever", _REQUEST | _AFTER),
    Kind("slow", "answers {what} {time} late", "the answer so much later", _REQUEST | _TIME, _TIME),
    Kind("cut", "sends half of its answers to {what}", "half the answer, then the connection closed"),
    Kind("checksum", "answers {what} with a wrong x-amz-crc32", "a wrong x-amz-crc32"),
    Kind("garbage", "answers {what} with garbage", "a body that is not JSON"),
    Kind(
        "unprocessed",
        "leaves {what} unprocessed",
        "UnprocessedKeys and UnprocessedItems; the share is of the keys",
        operations=BATCHES,
        what="keys of batch {}",
    ),
    Kind(
        "expired", "answers {what} with ExpiredTokenException", "credentials expired", operations=OPERATIONS
    ),
    Kind(
        "unrecognized",
        "answers {what} with UnrecognizedClientException",
        "credentials unknown",
        operations=OPERATIONS,
    ),
    Kind(
        "skew",
        "answers {what} with InvalidSignatureException",
        "the client's clock is said to be wrong",
        operations=OPERATIONS,
    ),
    Kind(
        "flap",
        "goes back by up to {time} in {what}",
        "eventually consistent reads up to so much older (1s)",
        frozenset({"region", "share", "time"}),
        operations=frozenset(),
        time_ns=NS_PER_S,
        what="eventually consistent reads",
    ),
    Kind(
        "stale",
        "breaks strong consistency: goes back in time by up to {time} in strongly consistent reads of strong tables",
        "the same of strongly consistent reads, which AWS promises never (1s)",
        frozenset({"region", "share", "time"}),
        operations=frozenset(),
        time_ns=NS_PER_S,
    ),
    _of_link(
        "pause", "paused", "nothing arrives; afterwards everything, its own lag later", frozenset({"link"})
    ),
    Kind(
        "partition",
        "is cut off from the replication of the others",
        "the same in both directions of a Region, which still answers",
        _REGION,
        _REGION,
        frozenset(),
    ),
    _of_link("never", "loses {what}", "a write that never replicates"),
    _of_link("duplicate", "carries {what} twice", "a write sent twice, with different lags"),
    _of_link(
        "reorder",
        "carries {what} out of order, up to {time} later,",
        "a write up to so much later (1s), overtaken by others of its item",
        _LINK | _TIME,
        NS_PER_S,
    ),
    Kind(
        "table-deleted",
        "has lost its tables",
        "tables deleted, for good (WINDOW is 2s-)",
        _REGION,
        operations=frozenset(),
    ),
    Kind(
        "region-down",
        "is away: its port refuses connections",
        "its port refuses connections, open ones are reset",
        _REGION,
        _REGION,
        frozenset(),
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}


_OPTIONS = {
    "region": ("REGION", "us-west-2; several may be named; every Region without"),
    "link": ("LINK", "us-west-2/eu-west-1, from and to; every link without"),
    "operation": ("OPS", "reads, writes, tables or an operation such as PutItem; all of items without"),
    "share": ("SHARE", "30% or 0.3 of the requests, writes or keys; all without"),
    "time": ("TIME", "200ms"),
    "after": ("after", "once the operation has taken effect, in place of before"),
}


def help_table() -> str:
    """Each kind with its options and what it does, and what the options are, a line each."""
    kinds = (f"  {_usage(kind):<39} {kind.help}" for kind in _ALL)
    return "\n".join((*kinds, *(f"  {name:<6} {meaning}" for name, meaning in _OPTIONS.values())))


def _usage(kind: Kind) -> str:
    taken = ((option, shown) for option, (shown, _) in _OPTIONS.items() if option in kind.takes)
    return kind.name + "".join(
        f":{shown}" if option in kind.needs else f"[:{shown}]" for option, shown in taken
    )
