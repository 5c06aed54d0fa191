"""The published schema of `summary.json` describes every kind of run, and lets nothing else pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from harness.analysis.summary import summarize_run
from harness.dynamodb.statement import MINUTE_NS, DataPoint, PairStatement, Statement
from harness.measure.events import Event
from harness.measure.plan import Polling, RunConfig, Workload
from harness.measure.session import Session
from harness.records.samples import join_samples
from tests.fakes import MS, FakeStore, FakeWorld, VirtualClock, run_virtually

SCHEMA: dict[str, Any] = json.loads(
    (resources.files("harness") / "data" / "summary.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLES = sorted((Path(__file__).parent.parent / "results").glob("example-*/summary.json"))
A, B, C = "us-west-2", "ap-southeast-2", "eu-west-1"
PAIR = RunConfig((A,), ((B,),), Workload(60, warmup_ns=500 * MS), Polling(20 * MS, timeout_ns=3000 * MS))
BOTH_WAYS = RunConfig(
    (A, B, C), ((B, C), (A,), (A,)), Workload(40, warmup_ns=0), Polling(20 * MS, timeout_ns=3000 * MS)
)
TORN = replace(PAIR, workload=replace(PAIR.workload, together=4))
BOTH_READS = replace(PAIR, polling=replace(PAIR.polling, read="both"))
CONTESTED = RunConfig(
    (A, B), ((B,), (A,)), Workload(40, warmup_ns=0, keys="contested", offset_ns=100 * MS), PAIR.polling
)
CONTROL = RunConfig((A,), ((B,),), Workload(40, warmup_ns=0), Polling(20 * MS, timeout_ns=3000 * MS), True)


def summarized(
    config: RunConfig = PAIR,
    lag_ns: Callable[[int], int | None] = lambda seq: (300 + 37 * seq % 600) * MS,
    fault: Callable[[str, int], str | None] = lambda operation, seq: None,
    stop_after_s: float | None = None,
    kind: str = "local",
    statement: Statement | None = None,
) -> dict[str, Any]:
    """The summary of a session on virtual time, as it is read back from a file."""
    events: list[Event] = []

    async def perform() -> None:
        world = FakeWorld(lag_ns)
        stores = {
            region: FakeStore(world, region, fault=fault, contested=config.workload.contested)
            for region in config.regions
        }
        session = Session("run", config, stores, VirtualClock(), events.append)
        if stop_after_s is not None:
            import asyncio

            asyncio.get_running_loop().call_later(stop_after_s, session.stop, "SIGINT")
        await session.run()

    run_virtually(perform())
    label = {"local": "simulated", "aws": "AWS", "endpoint": "endpoint"}[kind]
    manifest = {"run_id": "run", "target": {"kind": kind, "label": label}, "tags": {"why": "test"}}
    summary = summarize_run(manifest, config, events, join_samples("run", config, events), statement)
    found: dict[str, Any] = orjson.loads(orjson.dumps(summary, option=orjson.OPT_SERIALIZE_NUMPY))
    return found


def stated(average: float | None = None) -> Statement:
    """A witness that was asked about an hour of the virtual clock's, and says the same of each minute or nothing."""
    minutes = tuple((10**18 // MINUTE_NS + at) * MINUTE_NS for at in range(60))
    points = () if average is None else tuple(DataPoint(minute, average, 1.0, 9e3) for minute in minutes)
    return Statement("t", None, 10**18, (PairStatement(A, B, minutes, points),))


def never(_: int) -> None:
    return None


RUNS: dict[str, Callable[[], dict[str, Any]]] = {
    "one pair": summarized,
    "AWS": lambda: summarized(kind="aws"),
    "endpoint": lambda: summarized(kind="endpoint"),
    "several pairs both ways": lambda: summarized(BOTH_WAYS),
    "control": lambda: summarized(CONTROL),
    "losses": lambda: summarized(lag_ns=lambda seq: None if seq % 7 == 0 else 400 * MS),
    "throttled": lambda: summarized(
        fault=lambda operation, seq: "throttled" if seq % 5 == 0 and operation == "put" else None
    ),
    "late": lambda: summarized(lag_ns=lambda seq: 3100 * MS if seq > 60 else 400 * MS),
    "interrupted": lambda: summarized(stop_after_s=1.5),
    "interrupted at once": lambda: summarized(stop_after_s=0.001),
    "nothing visible": lambda: summarized(lag_ns=never),
    "nothing written": lambda: summarized(fault=lambda operation, seq: "rejected"),
    "transactions": lambda: summarized(TORN),
    "both read modes": lambda: summarized(BOTH_READS),
    "contested": lambda: summarized(CONTESTED),
    "below zero": lambda: summarized(lag_ns=lambda seq: -20 * MS),
    "witness": lambda: summarized(statement=stated(700.0)),
    "silent witness": lambda: summarized(statement=stated()),
    "losses and a witness": lambda: summarized(
        lag_ns=lambda seq: None if seq % 7 == 0 else 400 * MS, statement=stated(700.0)
    ),
}


@pytest.fixture(scope="module")
def summaries() -> dict[str, dict[str, Any]]:
    """Every kind of run, summarized once."""
    return {name: make() for name, make in RUNS.items()}


def complaints(summary: dict[str, Any]) -> list[str]:
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(summary)]


def test_the_schema_is_one_of_draft_2020_12_and_describes_every_property() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    undescribed = [
        path
        for path, node in _properties(SCHEMA, "")
        if not (isinstance(node, dict) and (node.get("description") or "$ref" in node))
    ]
    assert undescribed == []


def _properties(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every property that an object declares, those of conditions and combinations left out."""
    if not isinstance(node, dict):
        return
    if node.get("type") == "object" and node.get("additionalProperties") is False:
        for name, value in node.get("properties", {}).items():
            if value is not True:
                yield f"{path}/{name}", value
    for key, value in node.items():
        if key in ("if", "then", "else"):
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            yield from _properties(child, f"{path}/{key}{at if isinstance(value, list) else ''}")


@pytest.mark.parametrize("name", RUNS)
def test_a_summary_fits_the_schema(name: str, summaries: dict[str, dict[str, Any]]) -> None:
    assert complaints(summaries[name]) == []


def test_the_runs_looked_at_are_of_both_verdicts_and_show_what_is_optional(
    summaries: dict[str, dict[str, Any]],
) -> None:
    assert {summary["verdict"] for summary in summaries.values()} == {"VALID", "INVALID"}
    assert summaries["several pairs both ways"]["everywhere"]
    assert summaries["several pairs both ways"]["asymmetry"]
    assert summaries["throttled"]["timeline"]["refused"]
    assert any(pair["control"] for pair in summaries["control"]["pairs"])
    assert summaries["nothing written"]["pairs"][0]["loss_rate"] is None
    assert summaries["losses"]["pairs"][0]["outcomes"]["lost"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_shipped_examples_fit_the_schema_and_are_simulated_and_valid(path: Path) -> None:
    summary = json.loads(path.read_text())
    assert complaints(summary) == []
    assert (summary["simulated"], summary["verdict"]) == (True, "VALID")


@pytest.mark.parametrize(
    "where",
    [
        (),
        ("settings",),
        ("cost",),
        ("pairs", 0),
        ("pairs", 0, "outcomes"),
        ("pairs", 0, "latency_ms"),
        ("pairs", 0, "latency_ms", "p50"),
        ("pairs", 0, "latency_ms", "p99.9"),
        ("pairs", 0, "rtt_ms"),
        ("pairs", 0, "t_visibility", 0),
        ("gates", 0),
        ("everywhere", 0),
        ("asymmetry", 0, "difference_ms", "p50"),
        ("timeline",),
        ("timeline", "round_trips", 0),
    ],
)
def test_a_property_that_the_schema_does_not_know_is_refused_anywhere(
    where: tuple[str | int, ...], summaries: dict[str, dict[str, Any]]
) -> None:
    summary = copy.deepcopy(summaries["several pairs both ways"])
    node: Any = summary
    for step in where:
        node = node[step]
    node["novelty"] = 1
    assert complaints(summary)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.update(verdict="INVALID"), "gates"),
        (lambda s: s["gates"][0].update(status="fail"), "gates/0/status"),
        (lambda s: s.update(simulated=False), "simulated"),
        (lambda s: s["pairs"][0]["latency_ms"]["p50"].update(value=None), "latency_ms/p50"),
        (lambda s: s["pairs"][0]["latency_ms"]["p50"].pop("n"), "latency_ms/p50"),
        (lambda s: s["pairs"][0]["outcomes"].pop("lost"), "outcomes"),
        (lambda s: s["pairs"][0]["loss_rate"].update(value=1.2), "loss_rate"),
        (lambda s: s["timeline"].update(bins=500), "timeline"),
    ],
)
def test_what_contradicts_itself_is_refused(
    change: Callable[[dict[str, Any]], object], says: str, summaries: dict[str, dict[str, Any]]
) -> None:
    summary = copy.deepcopy(summaries["one pair"])
    change(summary)
    assert any(says in complaint for complaint in complaints(summary))


def test_the_kinds_of_run_are_what_they_are_called(summaries: dict[str, dict[str, Any]]) -> None:
    assert summaries["transactions"]["pairs"][0]["torn_window"]["items"] == 4
    assert [pair["read"] for pair in summaries["both read modes"]["pairs"]] == ["strong", "eventual"]
    assert summaries["both read modes"]["pairs"][1]["flaps"]["share"]["n"] == 60
    assert summaries["contested"]["contest"]["second_survives"]["value"] == 1.0
    assert summaries["contested"]["pairs"][0]["outcomes"]["overwritten"] == 40
    assert summaries["witness"]["pairs"][0]["witness"]["ours_ms"]["n"] == 60
    assert summaries["silent witness"]["pairs"][0]["witness"]["cloudwatch_ms"] is None
    assert (
        summaries["losses and a witness"]["pairs"][0]["witness"]["ours_ms"]["model"]["mean"]["high"] is None
    )
    assert "witness" not in summaries["one pair"]["pairs"][0]
