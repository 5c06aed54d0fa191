"""Faults of requests: what becomes of one that is struck, and of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any
from zlib import crc32

from harness.emulator.errors import WireError
from harness.emulator.faults.standing import Standing, StandingFaults

Request = dict[str, Any]

_BROKEN = frozenset({"reset", "hang", "cut", "checksum", "garbage"})
_CRC = re.compile(rb"x-amz-crc32: \d+")
_GARBAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>\n"
_REFUSALS: dict[str, tuple[str, str, int]] = {
    "throttle": (
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. "
        "Consider increasing your provisioning level with the UpdateTable API.",
        400,
    ),
    "rate-limit": (
        "ThrottlingException",
        "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table "
        "or index so please try again shortly. If exceptions persist, check if you have a hot key: "
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
        400,
    ),
    "request-limit": (
        "RequestLimitExceeded",
        "Throughput exceeds the current throughput limit for your account. Please contact AWS Support at "
        "https://aws.amazon.com/support request a limit increase",
        400,
    ),
    "500": ("InternalServerError", "Internal server error", 500),
    "503": ("ServiceUnavailable", "The service is temporarily unavailable; please retry", 503),
    "expired": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "unrecognized": (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        400,
    ),
    "skew": (
        "InvalidSignatureException",
        "Signature expired: the time of the request is more than 5 minutes from the time of the service",
        400,
    ),
}


class Strike:
    """What the faults in force make of one request.

    `refusal` stands in place of its answer, and the operation takes effect beforehand only if `performed`. `delay_ns`
    is by how much the answer is later; `broken` says how it is sent, or not: reset, hang, cut, checksum, garbage.
    """

    __slots__ = ("broken", "delay_ns", "performed", "refusal", "withheld")

    def __init__(self, struck: list[Standing]) -> None:
        self.refusal: WireError | None = None
        self.performed = True
        self.delay_ns = 0
        self.broken: str | None = None
        self.withheld: list[Standing] = []
        for standing in struck:
            self._add(standing)

    def _add(self, standing: Standing) -> None:
        name, fault = standing.name, standing.fault
        if name == "slow":
            self.delay_ns += fault.time_ns
        elif name == "unprocessed":
            self.withheld.append(standing)
        elif name in _BROKEN:
            self.broken = self.broken or name
            self.performed &= fault.after or name not in ("reset", "hang")
        else:
            self.refusal = self.refusal or WireError(*_REFUSALS[name])
            self.performed &= fault.after

    def perform(self, operation: Callable[[Request], Request], request: Request) -> Request:
        """Do what is left of an operation.

        Raises:
            WireError: the operation's, or the one in place of its answer.
        """
        answer: Request = {}
        if self.performed:
            try:
                answer = _partly(operation, request, self.withheld) if self.withheld else operation(request)
            except WireError:
                if self.refusal is None:
                    raise
        if self.refusal is not None:
            raise self.refusal
        return answer


def strike_at(faults: StandingFaults, region: str, operation: str, now_ns: int) -> Strike | None:
    """What strikes a request at its nominal instant; None for nothing."""
    struck = [
        standing
        for standing in faults.requests
        if operation in standing.affected
        and standing.fault.concerns(region)
        and (standing.active(now_ns) if standing.name == "unprocessed" else standing.strikes(now_ns))
    ]
    return Strike(struck) if struck else None


def damaged(answer: bytes, how: str) -> bytes:
    """An answer's bytes, cut short or with another checksum or body; a body keeps its length."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if how == "cut":
        return answer[: len(answer) - len(body) + len(body) // 2]
    checksum = ~crc32(body) & 0xFFFFFFFF
    if how == "garbage":
        body = (_GARBAGE * (len(body) // len(_GARBAGE) + 1))[: len(body)]
        checksum = crc32(body)
    return b"\r\n\r\n".join((_CRC.sub(b"x-amz-crc32: %d" % checksum, head), body))


def _partly(operation: Callable[[Request], Request], request: Request, faults: list[Standing]) -> Request:
    """Perform a batch without the keys that are to stay unprocessed, and hand these back."""
    asked = request.get("RequestItems")
    if not isinstance(asked, dict):
        return operation(request)
    member = (
        "UnprocessedKeys" if all(isinstance(wish, dict) for wish in asked.values()) else "UnprocessedItems"
    )
    rest, held = dict[str, Any](), dict[str, Any]()
    for name, wish in asked.items():
        entries = wish.get("Keys") if isinstance(wish, dict) else wish
        if not isinstance(entries, list):
            return operation(request)
        kept, left = _split(entries, faults)
        for part, into in ((kept, rest), (left, held)):
            if part or (into is rest and not entries):
                into[name] = {**wish, "Keys": part} if isinstance(wish, dict) else part
    if rest:
        answer = operation({**request, "RequestItems": rest})
    else:
        answer = {"Responses": {name: [] for name in asked}} if member == "UnprocessedKeys" else {}
    return {**answer, member: _joined(answer.get(member, {}), held)}


def _joined(left: Request, held: Request) -> Request:
    """What the operation itself left over, and what was kept from it, by table."""
    joined = {**left, **held}
    for name in left.keys() & held.keys():
        if isinstance(held[name], dict):
            joined[name] = {**held[name], "Keys": [*left[name]["Keys"], *held[name]["Keys"]]}
        else:
            joined[name] = [*left[name], *held[name]]
    return joined


def _split(entries: list[Any], faults: list[Standing]) -> tuple[list[Any], list[Any]]:
    """(entries processed, entries left) by the faults' draws."""
    kept: list[Any] = []
    left: list[Any] = []
    for entry in entries:
        withheld = [standing for standing in faults if _draws(standing.rng, standing.fault.share)]
        for standing in withheld[:1]:
            standing.struck += 1
        (left if withheld else kept).append(entry)
    return kept, left


def _draws(rng: Random, share: float) -> bool:
    return share == 1.0 or rng.random() < share
