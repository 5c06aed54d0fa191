"""Scenarios drawn at random by hypothesis: which run, and what goes wrong in it."""

from __future__ import annotations

import os
import random
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st

from harness.measure.plan import Polling, RunConfig, Workload
from tests.campaign.faults import FAULTS, STALE_READS, Fault
from tests.campaign.scenario import Scenario
from tests.fakes import MS

SOURCE, REPLICA, THIRD = "us-west-2", "ap-southeast-2", "eu-west-1"
REDUCED_RUNS = 165
RUNS = int(os.environ.get("CAMPAIGN_RUNS", REDUCED_RUNS))
FULL = "CAMPAIGN_RUNS" in os.environ
SEED = int(os.environ.get("CAMPAIGN_SEED", random.SystemRandom().randrange(2**32) if FULL else 1))
KINDS = (
    "one pair",
    "one pair",
    "one pair",
    "two replicas",
    "both ways",
    "contested",
    "control",
    "versions",
    "together",
    "update",
    "delete",
    "eventual",
    "read both",
)
SHARES = (0.3, 1.0, 0.1, 0.02)  # of what a fault may befall
BEFALLS: dict[str | None, str] = {"keys unprocessed": "batch", "page ends early": "query"}
WARMING_TRIPS = 6  # round trips before a run measures


def drawn_settings(runs: int, stream: str, *phases: Phase) -> Any:
    """Hypothesis' settings for so many runs of one stream of the seed; nothing is remembered from one campaign to the
    next."""
    chosen = settings(
        max_examples=runs,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=phases or (Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        print_blob=False,
    )
    return lambda test: seed(f"{SEED} {stream}")(chosen(test))


@st.composite
def configs(draw: st.DrawFn, first: str | None) -> RunConfig:
    """What is measured, small enough to take a fraction of a second; by a strategy that the first fault can befall."""
    kind = draw(
        st.sampled_from([kind for kind in KINDS if kind != "versions" or first != "keys unprocessed"])
    )
    strategy = BEFALLS.get(first) or draw(st.sampled_from(("auto", "query", "batch", "get")))
    if kind == "versions":
        strategy = "query"
    large = strategy != "get" and kind == "one pair" and draw(st.integers(0, 19)) == 19
    samples = 400 if large else draw(st.sampled_from((8, 16) if strategy == "get" else (8, 16, 24, 40)))
    workload = Workload(
        samples=samples,
        rate_per_s=250.0 if large else draw(st.sampled_from((20.0, 40.0, 80.0))),
        arrivals=draw(st.sampled_from(("constant", "poisson", "bursts"))),
        warmup_ns=draw(st.sampled_from((0, 200 * MS))),
        seed=draw(st.integers(1, 1000)),
        shards=1 if kind == "versions" else draw(st.sampled_from((1, 1, 1, 3))),
        together=4 if kind == "together" else 1,
        versions=3 if kind == "versions" else 1,
        keys=kind if kind in ("update", "delete", "contested") else "new",
        offset_ns=draw(st.sampled_from((0, 100 * MS))) if kind == "contested" else 0,
    )
    polling = Polling(
        interval_ns=draw(st.sampled_from((5, 10, 20))) * MS,
        strategy=strategy,
        schedule=draw(st.sampled_from(("adaptive", "fixed", "geometric"))),
        read={"eventual": "eventual", "read both": "both"}.get(kind, "strong"),
        timeout_ns=draw(st.sampled_from((1000, 2500))) * MS,
    )
    if kind in ("both ways", "contested"):
        return RunConfig((SOURCE, REPLICA), ((REPLICA,), (SOURCE,)), workload, polling)
    replicas = (REPLICA, THIRD) if kind == "two replicas" else (REPLICA,)
    return RunConfig((SOURCE,), (replicas,), workload, polling, control=kind == "control")


@st.composite
def faults(draw: st.DrawFn, name: str, begin_s: float, end_s: float) -> Fault:
    """When and how often a fault strikes: mostly while the run measures."""
    share_of_run = (draw(st.integers(0, 100)) + 50) % 101 / 100  # the simplest case is in the middle
    from_s = max(0.0, begin_s - 0.2 + share_of_run * (end_s - begin_s + 0.2))
    lasts_s = draw(st.sampled_from((2.0, 0.5, 0.1, 1e9)))
    share = draw(st.sampled_from(SHARES))
    size_s = draw(st.sampled_from((0.4, 0.1, 0.03, 1.2)))
    region = draw(st.sampled_from((None, None, 0, 1, 2)))
    return Fault(name, from_s, from_s + lasts_s, share, size_s, region)


@st.composite
def scenarios(draw: st.DrawFn, first: str | None = None) -> Scenario:
    """A run, and up to three faults that befall it, the `first` given or drawn."""
    config = draw(configs(first))
    rtt_ms = (draw(st.sampled_from((40.0, 2.0))), draw(st.sampled_from((10.0, 80.0, 140.0))), 60.0)
    lag_median_ms = draw(st.sampled_from((20.0, 300.0, 500.0)))
    begin_s = WARMING_TRIPS * max(rtt_ms[: len(config.regions)]) / 1e3
    end_s = begin_s + config.workload.samples / config.workload.rate_per_s + 2 * lag_median_ms / 1e3
    names = draw(st.lists(st.sampled_from(FAULTS), max_size=3 if first is None else 2))
    struck = [draw(faults(name, begin_s, end_s)) for name in ([first] if first else []) + names]
    if config.polling.read != "strong":
        struck.append(Fault(STALE_READS, share=0.2, size_s=0.1))
    return Scenario(
        config,
        tuple(struck),
        lag_median_ms=lag_median_ms,
        lag_sigma=draw(st.sampled_from((0.2, 0.6))),
        rtt_ms=rtt_ms,
        there=draw(st.sampled_from((0.5, 0.5, 0.05, 0.95))),
        noise_ms=draw(st.sampled_from((0.5, 3.0))),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
