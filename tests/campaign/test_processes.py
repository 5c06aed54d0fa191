"""Real runs against an emulator that goes wrong, over real sockets: every kind of fault, alone and two at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from harness.emulator.faults.kinds import KINDS
from tests.campaign.drawn import FULL, SEED
from tests.campaign.hosts import REGIONS, Case
from tests.campaign.processes_crew import Perform, chosen, judge
from tests.campaign.processes_crew import crew as crew
from tests.campaign.report import note

pytestmark = pytest.mark.campaign

SOURCE, REPLICA = REGIONS
LINK = f"{SOURCE}/{REPLICA}"
PAIRS = 30
# One way, or several, to bring each kind about; the window is put behind it.
WAYS: dict[str, tuple[str, ...]] = {
    "throttle": ("throttle:reads", "throttle:writes"),
    "rate-limit": ("rate-limit",),
    "request-limit": ("request-limit",),
    "500": ("500", "500:writes:after"),
    "503": ("503:reads", "503:writes:after"),
    "reset": ("reset", "reset:writes:after"),
    "hang": ("hang:reads", "hang:writes:after:30%"),
    "slow": ("slow:300ms:reads", "slow:300ms:writes"),
    "cut": ("cut",),
    "checksum": ("checksum",),
    "garbage": ("garbage",),
    "unprocessed": ("unprocessed:50%",),
    "expired": ("expired",),
    "unrecognized": ("unrecognized:writes",),
    "skew": ("skew:reads",),
    "flap": ("flap:500ms",),
    "pause": (f"pause:{LINK}",),
    "partition": (f"partition:{REPLICA}",),
    "never": (f"never:{LINK}:30%",),
    "duplicate": (f"duplicate:{LINK}",),
    "reorder": (f"reorder:{LINK}:500ms",),
    "table-deleted": (f"table-deleted:{REPLICA}", f"table-deleted:{SOURCE}"),
    "region-down": (f"region-down:{REPLICA}", f"region-down:{SOURCE}"),
}
# What a run cannot be VALID after, once it struck often enough.
FATAL = frozenset(
    {
        "throttle", "rate-limit", "request-limit", "500", "503", "reset", "hang", "cut", "checksum", "garbage",
        "expired", "unrecognized", "skew", "never",
    }
)  # fmt: skip
FLAGS = {"flap": ("--read", "eventual"), "unprocessed": ("--poll-with", "batch")}
REDUCED = frozenset({"throttle:reads", "reset:writes:after", "cut", f"never:{LINK}:30%"})


def fault_case(ways: tuple[str, ...], seed: int, *, reduced: bool = False) -> Case:
    """A run under these faults, from somewhere in its first half on."""
    rng = random.Random(f"{ways} {seed}")
    kinds = [way.split(":")[0] for way in ways]
    faults = []
    for kind, way in zip(kinds, ways, strict=True):
        start_s = rng.uniform(0.2, 0.6)
        end = "" if kind == "table-deleted" else f"{start_s + rng.uniform(0.4, 0.8):.2f}s"
        faults.append(f"{way}={start_s:.2f}s-{end}")
    flags = tuple(dict.fromkeys(flag for kind in kinds for flag in FLAGS.get(kind, ())))
    verdict = "INVALID" if FATAL & set(kinds) and len(kinds) == 1 else None
    return Case(
        " + ".join(ways), seed, tuple(faults), run=("--no-plots", *flags), verdict=verdict, reduced=reduced
    )


def single_cases() -> Iterator[Case]:
    """Every way of every kind, and the run without a fault."""
    yield Case("no fault", reduced=True)
    yield Case("no fault, embedded", target="embedded", run=())
    for ways in WAYS.values():
        for way in ways:
            yield fault_case((way,), 1, reduced=way in REDUCED)


def paired_cases() -> Iterator[Case]:
    """Two kinds at a time, drawn from the campaign's seed."""
    rng = random.Random(SEED)
    for seed in range(PAIRS):
        first, second = rng.sample(sorted(WAYS), 2)
        yield fault_case((rng.choice(WAYS[first]), rng.choice(WAYS[second])), seed, reduced=seed == 0)


def test_every_kind_of_fault_is_in_the_campaign() -> None:
    of_strong_tables = {"stale"}  # which tests/test_strong.py runs under it
    assert WAYS.keys() == KINDS.keys() - of_strong_tables


@pytest.mark.parametrize("case", chosen(list(single_cases())))
def test_a_fault_of_the_target_is_measured_through_or_said(case: Case, performed: Perform) -> None:
    result = performed(case)
    judge(result)
    assert result.struck or not case.faults or result.verdict == "INVALID"


@pytest.mark.parametrize("case", chosen(list(paired_cases())))
def test_two_faults_at_a_time_are_measured_through_or_said(case: Case, performed: Perform) -> None:
    note(f"pairs of the emulator's faults: CAMPAIGN_SEED={SEED}{'' if FULL else ' (reduced)'}")
    judge(performed(case))
