"""Flags that verbs share, and what they mean: the target, and where results go."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cli import parsed_by
from harness.errors import UsageError
from harness.measure.plan import CONSISTENCIES
from harness.regions import complete_quorum


def add_target_flags(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Where the Regions are; returns the group, for flags that belong there too."""
    group = parser.add_argument_group("target")
    add = group.add_argument
    add(
        "--target", choices=("local", "aws"), help="local: the embedded emulator (default); aws: real, billed"
    )
    add(
        "--endpoint",
        action="append",
        default=[],
        metavar="REGION=URL",
        help="any DynamoDB API; once per Region",
    )
    add("--profile", metavar="NAME", help="AWS profile")
    add(
        "--create-per-region",
        action="store_true",
        help="create the table in each Region by itself (--endpoint)",
    )
    add(
        "--max-usd",
        type=parsed_by(_usd),
        metavar="X",
        help="refuse to start when the estimate is above X US dollars",
    )
    return group


def add_results_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup, what: str) -> None:
    """Where directories go."""
    default = Path("results")
    parser.add_argument("--results", type=Path, default=default, metavar="DIR", help=f"{what} (results)")


def add_consistency_flags(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """How far a table is consistent across its Regions."""
    of_table = "of the table: MREC or MRSC (eventual)"
    parser.add_argument("--consistency", choices=CONSISTENCIES, default="eventual", help=of_table)
    third = "the third Region of a strong table, which holds no items (the nearest, where two are named)"
    parser.add_argument("--quorum-witness", metavar="REGION", help=third)


def choose_quorum_witness(arguments: argparse.Namespace, regions: Sequence[str]) -> str | None:
    """The Region that completes a strongly consistent table without holding items; None where all hold some.

    Raises:
        UsageError: it is named for another table, or these Regions cannot be strongly consistent with each other.
    """
    if arguments.consistency == "strong":
        return complete_quorum(regions, arguments.quorum_witness)
    if arguments.quorum_witness:
        raise UsageError("--quorum-witness is for --consistency strong")
    return None


def table_name(text: str) -> str:
    """A name that DynamoDB allows for a table.

    Raises:
        UsageError: it is none.
    """
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", text):
        raise UsageError(f"{text!r} is no table's name: 3 to 255 letters, digits and _ . -")
    return text


def _usd(text: str) -> float:
    try:
        usd = float(text)
    except ValueError:
        usd = math.nan
    if not 0 <= usd < math.inf:  # to a cap that is not a number no estimate would be above
        raise UsageError(f"{text!r} is not a sum of US dollars from 0 on")
    return usd


def choose_target(arguments: argparse.Namespace, regions: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The kind of target (local, aws, endpoint) that the flags mean, and its endpoints by Region.

    Raises:
        UsageError: flags that exclude each other, an unknown Region, or one without an endpoint.
    """
    from harness import target

    kind, endpoints = target.choose_target(arguments.target, arguments.endpoint, list(regions))
    if arguments.create_per_region and kind != "endpoint":
        raise UsageError("--create-per-region is for --endpoint: a global table is created once")
    return kind, endpoints
