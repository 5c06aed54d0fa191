"""What must hold after every case, whatever was done to it: from what is on disk, and from what is left running."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.analysis.audit import audit_run, violations
from harness.analysis.derive import derive_results
from harness.analysis.ground_truth import read_truth, with_truth
from harness.dynamodb.schema import FOREIGN_PREFIX
from harness.errors import ExitCode, HarnessError
from harness.records.manifest import read_json
from harness.records.run_directory import RunDirectory
from harness.records.samples import read_samples
from harness.units import NS_PER_MS
from tests.campaign.hosts import PATIENCE_S, REGIONS, TABLE, Case, Scene, marked, run_directories, staged
from tests.campaign.judge import PERCENTILES, misses
from tests.campaign.places import Unable

ENOUGH_STRIKES = 10  # more than there are writes before those that count
_GRACE_S = 20.0
LEFT = "left behind: "  # begins what the harness says of what it could not remove
# What the harness says while it works; besides these it may say one sentence.
_PROGRESS = re.compile(
    r"creating table |adding a replica |removing (the replica|table) |keeping table |no AWS credentials found|"
    r"(connecting|preparing|measuring|draining|sweeping|tidying|finished|interrupted) |table \S+ in |"
    r"table \S+ is left in |could not remove |left behind: |  "
)
_INSIDES = ("Traceback", "Exception ignored", "never retrieved", "Unclosed", "never awaited", "Fatal Python")
_SENTENCE = re.compile(r"error: |interrupted|\S+: dropped the last")


@dataclass(slots=True)
class Result:
    """How a case ended: the verdict ("none" without a summary), the writes planned and accounted for, how often the
    emulator's faults struck, and the promises that were broken."""

    case: Case
    verdict: str = "none"
    planned: int = 0
    accounted: int = 0
    code: int | None = None
    struck: int = 0
    broken: list[str] = field(default_factory=list)
    unable: str = ""

    def require(self, holds: bool, otherwise: str) -> None:
        """Note a broken promise."""
        if not holds:
            self.broken.append(otherwise)


def perform(case: Case, root: Path) -> Result:
    """Run the case to its end and judge it."""
    result = Result(case)
    try:
        with case.place(root) as results, staged(case, root, results) as scene:
            case.act(scene)
            result.code = scene.run.wait(PATIENCE_S)
            _judge(result, scene)
    except Unable as reason:
        result.unable = str(reason)
    except subprocess.TimeoutExpired:
        result.broken.append(f"the run has not ended after {PATIENCE_S:g} s")
    return result


def _judge(result: Result, scene: Scene) -> None:
    _judge_processes(result, scene)
    if scene.emulator is not None and scene.emulator.poll() is None:
        result.struck = sum(fault["struck"] for fault in scene.ask_faults())
        scene.ask_faults("DELETE")
        _judge_tables(result, scene)
        scene.emulator.terminate()
        scene.emulator.wait(_GRACE_S)
    for log in (*scene.root.glob("emulator.log"), *scene.results.glob("*/emulator.log")):
        text = log.read_text(errors="replace")
        result.require(not any(inside in text for inside in _INSIDES), f"the emulator says {_tail(text)}")
    for path in run_directories(scene.results):
        _judge_directory(result, scene, RunDirectory(path))
    _judge_words(result, scene)
    _judge_code(result, scene)


def _judge_processes(result: Result, scene: Scene) -> None:
    """None is left but the separate emulator, and nothing listens that the run opened."""
    own = None if scene.emulator is None else scene.emulator.pid
    deadline = time.monotonic() + _GRACE_S
    while (left := [p for p in marked(scene.mark) if p.pid != own]) and time.monotonic() < deadline:
        time.sleep(0.05)
    result.require(not left, f"left running: {left}")


def _judge_tables(result: Result, scene: Scene) -> None:
    """No table of the run's own, no item in one that was there before; what could not be removed is told, and a table
    of the run's own is in the ledger."""
    told = result.code == ExitCode.UNAVAILABLE or LEFT in scene.said()
    if scene.killed or scene.impatient or told:
        _tear_down(result, scene)
    for region in REGIONS:
        client = scene.access().control(region)
        names = client.list_tables()["TableNames"]
        result.require(set(names) <= {TABLE}, f"left in {region}: tables {names}")
        if TABLE in names and not scene.killed and not told:
            count = client.scan(TableName=TABLE, Select="COUNT", ConsistentRead=True)["Count"]
            result.require(count == 0, f"left in {region}: {count} items")


def _tear_down(result: Result, scene: Scene) -> None:
    """The tables that the verb for it removes, since the ledger lists them."""
    access = scene.access()
    names = {name for region in REGIONS for name in access.control(region).list_tables()["TableNames"]}
    for name in names - {TABLE}:
        command = [sys.executable, "-m", "harness.table", "teardown", "--table", name, "--yes"]
        command += ["--from", REGIONS[0], "--to", REGIONS[1], "--results", str(scene.results)]
        for region, url in scene.ready["regions"].items():
            command += ["--endpoint", f"{region}={url}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        result.require(done.returncode == 0, f"teardown: exit {done.returncode}: {_tail(done.stderr)}")


def _judge_directory(result: Result, scene: Scene, run: RunDirectory) -> None:
    names = [path.name for path in run.path.iterdir()]
    parts = [name for name in names if name.endswith(".part")]
    result.require(scene.killed or not parts, f"half-written: {parts}")
    result.require(scene.killed or run.journal.exists(), f"nothing was measured, and {names} is kept")
    if not run.manifest.exists() or not run.journal.exists():
        return
    kept = _copy(scene, run)
    if kept.summary.exists():
        result.verdict = read_json(kept.summary)["verdict"]
    try:
        for finding in violations(audit_run(kept)):
            result.broken.append(f"{finding.name}: {finding.detail}")
        if kept.journal.stat().st_size:
            _judge_accounts(result, kept)
    except HarnessError as error:
        result.broken.append(f"cannot be rebuilt: {error}")


def _judge_accounts(result: Result, kept: RunDirectory) -> None:
    """What the journal alone says, once more: each planned write ended as exactly one outcome."""
    kept.summary.unlink(missing_ok=True)
    summary, _ = derive_results(kept)
    outcomes = [dict(pair["outcomes"]) for pair in summary["pairs"]]
    result.planned = sum(pair.pop("planned") for pair in outcomes)
    result.accounted = sum(sum(pair.values()) for pair in outcomes)
    result.require(
        result.planned == result.accounted, f"{result.accounted} of {result.planned} accounted for"
    )
    result.require(result.verdict in ("none", summary["verdict"]), f"rebuilt as {summary['verdict']}")
    if summary["verdict"] == "VALID":
        _judge_percentiles(result, kept, summary)


def _judge_percentiles(result: Result, kept: RunDirectory, summary: dict[str, Any]) -> None:
    """A run that calls itself VALID knows its percentiles: the interval that assumes nothing holds the truth's."""
    for pair in summary["pairs"]:
        if pair["read"] == "eventual":
            continue
        truth = with_truth(read_samples(kept.samples), read_truth(kept.truth))
        truths_ms = sorted((truth["true_ns"].dropna() / NS_PER_MS).tolist())
        missing = pair["outcomes"]["write_failed"] + pair["outcomes"]["write_indeterminate"]
        for name, share in PERCENTILES.items():
            wrong = misses(pair["hard_latency_ms"][name], truths_ms, share, missing, 0.0)
            result.require(not wrong, f"VALID, and {name} {wrong}")


def _copy(scene: Scene, run: RunDirectory) -> RunDirectory:
    """What a run left, with the truth of a separate emulator put to it, at a place that can be written to.

    In a table that was there before, the run's keys begin with a prefix that its samples do not have.
    """
    kept = RunDirectory(scene.root / f"kept-{run.path.name}")
    shutil.copytree(run.path, kept.path)
    if scene.case.target != "embedded":
        truth = (scene.root / "truth.jsonl").read_bytes()
        kept.truth.write_bytes(truth.replace(f'"key":"{FOREIGN_PREFIX}'.encode(), b'"key":"'))
    return kept


def _judge_words(result: Result, scene: Scene) -> None:
    """Progress, and at most one sentence besides; never the insides of a failure."""
    for text in (scene.said(), scene.printed()):
        result.require(not any(inside in text for inside in _INSIDES), _tail(text))
    others = [line for line in scene.said().splitlines() if line.strip() and not _PROGRESS.match(line)]
    result.require(len(others) <= 1, f"more than one sentence: {others[:5]}")
    result.require(all(_SENTENCE.match(line) for line in others), f"what is this: {others[:5]}")


def _judge_code(result: Result, scene: Scene) -> None:
    """A documented exit code that says the same as the verdict."""
    code, verdict = result.code, result.verdict
    documented = {int(code) for code in ExitCode} | ({-signal.SIGKILL} if scene.killed else set())
    result.require(code in documented, f"exit {code}: {_tail(scene.said())}")
    result.require((code == 0) <= (verdict == "VALID"), f"exit 0, and the verdict is {verdict}")
    result.require((code == 3) <= (verdict == "INVALID"), f"exit 3, and the verdict is {verdict}")
    wanted = scene.case.verdict
    if scene.case.faults and result.struck < ENOUGH_STRIKES:
        wanted = None  # it had ended, or had hardly begun
    result.require(
        wanted in (None, verdict), f"{verdict}, not {wanted}: {_tail(scene.said() + scene.printed())}"
    )


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
