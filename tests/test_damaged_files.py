"""Damaged files: whatever stands in a file that is read, the answer is one sentence, or nothing has changed."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import load_calibration, load_run
from harness.analysis.derive import derive_results
from harness.analysis.ground_truth import read_truth
from harness.errors import HarnessError
from harness.experiments.plan import plan_from_json
from harness.experiments.spec import load_experiment
from harness.measure.plan import Polling, RunConfig, Workload
from harness.records.journal import read_journal
from harness.records.ledger import Ledger
from harness.records.run_directory import RunDirectory
from tests.recorded import PAIR, record_run

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "results"
SMALL = RunConfig(PAIR[:1], (PAIR[1:],), Workload(samples=40, rate_per_s=100, warmup_ns=0), Polling())
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**18, 2**63, 10**30, 1e300, "", "x", "\u202e\x1b[2J", [], [None], [[1]], {}, {"a": {}},
)  # fmt: skip
FUZZ = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = record_run(tmp_path_factory.mktemp("whole") / "run", SMALL, tags={"variant": "a"})
    derive_results(run)
    return run


@contextlib.contextmanager
def copy_of(run: RunDirectory, tmp: Path) -> Iterator[RunDirectory]:
    mine = RunDirectory(tmp / "copy")
    shutil.copytree(run.path, mine.path)
    try:
        yield mine
    finally:
        shutil.rmtree(mine.path)


def refusal(path: Path, read: Callable[[], object]) -> str | None:
    """What reading says; None where it finds nothing wrong. Anything but a sentence that names the file fails."""
    told = None
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            read()
    except HarnessError as error:
        told = error
    if told is None:
        return None
    assert told.exit_code == 2
    assert str(path) in str(told)
    return str(told)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*at, key)
        yield from places(value[key], (*at, key))


def changed(value: Any, data: st.DataObject) -> Any:
    """The value with some part of it removed, or replaced by something strange."""
    mutant = copy.deepcopy(value)
    *way, last = data.draw(st.sampled_from(list(places(value))))
    parent = mutant
    for key in way:
        parent = parent[key]
    if data.draw(st.booleans()):
        del parent[last]
    else:
        parent[last] = data.draw(st.sampled_from(STRANGE))
    return mutant


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def lines_of(journal: Path) -> list[dict[str, Any]]:
    with zstandard.open(journal, "rb") as file:
        return [json.loads(line) for line in file.read().splitlines()]


def frames_of(lines: list[Any], size: int = 50) -> list[bytes]:
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    parts = (lines[at : at + size] for at in range(0, len(lines), size))
    return [compressor.compress(b"".join(json_bytes(line) + b"\n" for line in part)) for part in parts]


@FUZZ
@given(data=st.data())
def test_a_changed_byte_of_a_journal_is_refused(
    data: st.DataObject, whole: RunDirectory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl.zst"
    good = b"".join(frames_of(lines_of(whole.journal)))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bad)
    told = refusal(path, lambda: read_journal(path))
    if told is None:  # a torn end, which is counted, or a byte that means nothing
        contents, before = read_journal(path), read_journal(whole.journal)
        assert contents.torn_bytes or contents.events == before.events
        assert contents.events == before.events[: len(contents.events)]


@FUZZ
@given(data=st.data())
def test_foreign_or_edited_lines_of_a_journal_are_refused_or_change_nothing_that_is_counted(
    data: st.DataObject, whole: RunDirectory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with copy_of(whole, tmp_path_factory.mktemp("lines")) as run:
        lines: list[Any] = lines_of(run.journal)
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(
            st.sampled_from((*STRANGE, {"type": "write"}, {"type": "x"}, changed(lines[at], data)))
        )
        run.journal.write_bytes(b"".join(frames_of(lines)))
        if refusal(run.journal, lambda: derive_results(run)) is None:
            summary = json.loads(run.summary.read_bytes())
            (pair,) = summary["pairs"]
            counts = dict(pair["outcomes"])
            assert counts.pop("planned") == 40 == sum(counts.values())


def test_frames_out_of_order_are_refused(whole: RunDirectory, tmp_path: Path) -> None:
    with copy_of(whole, tmp_path) as run:
        lines = lines_of(run.journal)
        run.journal.write_bytes(b"".join(reversed(frames_of(lines, len(lines) // 2 + 1))))
        assert "cannot be of this run" in (refusal(run.journal, lambda: derive_results(run)) or "")


@FUZZ
@given(data=st.data())
def test_a_changed_manifest_is_refused_or_rebuilt_from(
    data: st.DataObject, whole: RunDirectory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with copy_of(whole, tmp_path_factory.mktemp("manifest")) as run:
        manifest = json.loads(run.manifest.read_bytes())
        run.manifest.write_bytes(json_bytes(changed(manifest, data)))
        refusal(run.path, lambda: derive_results(run))


@FUZZ
@given(data=st.data())
def test_a_changed_summary_is_refused_or_shown(
    data: st.DataObject, whole: RunDirectory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with copy_of(whole, tmp_path_factory.mktemp("summary")) as run:
        summary = json.loads(run.summary.read_bytes())
        run.summary.write_bytes(json_bytes(changed(summary, data)))
        told = refusal(run.path, lambda: load_run(run.path))
        if told is None:
            loaded = load_run(run.path)
            loaded.percentile_table()
            loaded.gate_table()
        else:
            assert run.summary.name in told


def check_flips(whole: RunDirectory, tmp_path: Path, flips: int) -> None:
    good, rng = load_run(whole.path).samples, random.Random(7)
    with copy_of(whole, tmp_path) as run:
        data = run.samples.read_bytes()
        for _ in range(flips):
            bad = bytearray(data)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            run.samples.write_bytes(bad)
            if refusal(run.samples, lambda: load_run(run.path)) is None:
                assert load_run(run.path).samples.equals(good)


def test_changed_bytes_of_the_samples_are_refused_or_change_no_number(
    whole: RunDirectory, tmp_path: Path
) -> None:
    check_flips(whole, tmp_path, 150)


@pytest.mark.parametrize("name", ["manifest.json", "summary.json", "samples.parquet", "journal.jsonl.zst"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"\xff\xfe{}", b"[" * 5000, b"NaN", b"[1]", b'{"format_version": 1}']
)
def test_a_file_of_something_else_is_refused(
    name: str, content: bytes, whole: RunDirectory, tmp_path: Path
) -> None:
    with copy_of(whole, tmp_path) as run:
        path = run.path / name
        path.write_bytes(content)
        read = (
            derive_results
            if name in ("manifest.json", "journal.jsonl.zst")
            else lambda run: load_run(run.path)
        )
        assert refusal(path, lambda: read(run))
        path.unlink()
        path.mkdir()
        assert refusal(path, lambda: read(run))


def fuzz_lines(path: Path, good: list[Any], read: Callable[[Path], object], data: st.DataObject) -> None:
    lines = list(good)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.sampled_from((*STRANGE, changed(lines[at], data))))
    path.write_bytes(b"".join(json_bytes(line) + b"\n" for line in lines))
    refusal(path, lambda: read(path))


@FUZZ
@given(data=st.data())
def test_lines_of_the_truth_and_of_the_ledger_are_refused_or_read(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp = tmp_path_factory.mktemp("lines")
    truth = [
        {"from": "a", "to": "b", "table": "t", "key": str(n), "commit_ns": n, "visible_ns": n}
        for n in range(3)
    ]
    ledger = [{"add": f"t{n}", "region": "us-west-2", "wall_ns": n} for n in range(3)]
    fuzz_lines(tmp / "truth.jsonl", truth, read_truth, data)
    fuzz_lines(tmp / "tables.jsonl", ledger, lambda path: Ledger(path).entries(), data)


@FUZZ
@given(data=st.data())
def test_a_changed_calibration_or_plan_is_refused_or_read(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (example,) = EXAMPLES.glob("example-*-calibration-*/calibration.json")
    path = tmp_path_factory.mktemp("calibration") / "calibration.json"
    value = orjson.loads(example.read_bytes())
    path.write_bytes(json_bytes(changed({**value, "cells": value["cells"][:2]}, data)))
    refusal(path, lambda: load_calibration(path))
    plan = next(EXAMPLES.glob("example-experiments-*/one-pair/plan.json"))
    with contextlib.suppress(HarnessError):
        plan_from_json(changed(orjson.loads(plan.read_bytes()), data))


TOML = [path.read_text() for path in sorted((ROOT / "experiments").glob("*.toml"))]
VALUES = (
    "0", "-1", "1" + "0" * 30, "nan", "inf", "-inf", "1e-300", "true", '""', '"x"', '"\\u0000"', "[]", "[[]]", "{}",
    "1979-05-27", '"0/s"', '"99999999999999/s"', '"1e9h"', '["5/s", "5/s"]', "[1, 'a']", "[" * 300 + "]" * 300,
)  # fmt: skip


@FUZZ
@given(data=st.data())
def test_a_changed_experiment_file_is_refused_with_its_name_or_read(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("toml") / "experiment.toml"
    lines = data.draw(st.sampled_from(TOML)).splitlines()
    settable = [at for at, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    at = data.draw(st.sampled_from(settable))
    key, _, value = lines[at].partition(" = ")
    lines[at] = data.draw(
        st.sampled_from(
            [f"{key} = {bad}" for bad in VALUES]
            + [f"{key}x = {value}", "", f"[{key}]", f"{key} = {value}"] * 3
        )
    )
    if data.draw(st.booleans()):
        lines.insert(
            at,
            data.draw(
                st.sampled_from(["[experiment]", "= 1", "\x00", "[emulator.x]", 'unknown = "x"', "[[run]]"])
            ),
        )
    path.write_text("\n".join(lines))
    refusal(path, lambda: load_experiment(path))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"\0", b"[" * 5000, b"a = " + b"[" * 5000, b"a = 1" + b"0" * 5000]
)
def test_a_file_that_is_no_experiment_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_bytes(content)
    assert refusal(path, lambda: load_experiment(path))
    assert refusal(tmp_path, lambda: load_experiment(tmp_path))
