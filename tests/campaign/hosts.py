"""One real run under a fault: emulator and harness as processes of their own, and what can be done to them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.records.run_directory import LATEST, RunDirectory
from harness.target import EMULATOR_KEYS
from harness.units import NS_PER_MS
from tests.campaign.places import Place, an_ordinary_directory

REGIONS = ("us-west-2", "ap-southeast-2")
LAG = "median=250ms,sigma=0.4"
TABLE = "campaign"
PATIENCE_S = 180.0  # generous: a run that has not ended by then hangs
_STEP_S = 0.02
_MARK = "HARNESS_CAMPAIGN"
_RUN = (
    "-m", "harness.run", "--from", REGIONS[0], "--to", REGIONS[1], "--samples", "40", "--rate", "40/s",
    "--warmup", "200ms", "--poll-interval", "20ms", "--timeout", "3s", "--seed", "1",
)  # fmt: skip
_EMULATOR = ("-m", "harness.emulator", "--regions", ",".join(REGIONS), "--json", "--rtt", "5ms", "--lag", LAG)


def nothing(_: Scene) -> None:
    """Leave the run alone."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault and how it is brought about.

    `faults` are the emulator's own; `act` does something to the processes while they run; `place` is where results go;
    `wrapper` is put before the harness's command. `target` is what is measured: an emulator "embedded" in the run or
    "separate", with a "table" that was there before. `verdict` is the one a run must end with, if not either.
    """

    fault: str
    seed: int = 1
    faults: tuple[str, ...] = ()
    act: Callable[[Scene], None] = nothing
    place: Place = an_ordinary_directory
    wrapper: tuple[str, ...] = ()
    target: str = "table"
    run: tuple[str, ...] = ("--no-plots",)
    verdict: str | None = None
    reduced: bool = False

    @property
    def id(self) -> str:
        """The case's name among tests."""
        return f"{self.fault}, seed {self.seed}"


@dataclass(slots=True)
class Scene:
    """A case that is going on: `results` is where the run writes, `ready` what a separate emulator says of itself."""

    case: Case
    root: Path
    results: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    emulator: subprocess.Popen[bytes] | None = None
    ready: Mapping[str, Any] = field(default_factory=dict)
    killed: bool = False
    signals: int = 0
    rng: random.Random = field(init=False)
    run: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.case.fault} {self.case.seed}")

    @property
    def directory(self) -> RunDirectory | None:
        """The run's directory, as soon as there is one."""
        found = run_directories(self.results)
        return RunDirectory(found[0]) if found else None

    def said(self) -> str:
        """What the harness has written to stderr so far."""
        return (self.root / "stderr").read_text(errors="replace")

    def printed(self) -> str:
        """What the harness has written to stdout so far."""
        return (self.root / "stdout").read_text(errors="replace")

    def reaches(self, moment: Callable[[Scene], bool]) -> bool:
        """Wait until the moment has come; False where the run ended before it."""
        deadline = time.monotonic() + PATIENCE_S
        while self.run.poll() is None and time.monotonic() < deadline:
            if moment(self):
                return True
            time.sleep(_STEP_S)
        return False

    def wait_up_to(self, most_s: float) -> None:
        """Wait a random while, drawn from the case's seed."""
        time.sleep(self.rng.uniform(0, most_s))

    def signal(self, number: signal.Signals) -> None:
        """Send the harness a signal, if it still runs."""
        self.killed |= number == signal.SIGKILL and self.run.poll() is None
        self.signals += number in (signal.SIGINT, signal.SIGTERM)
        self.run.send_signal(number)

    @property
    def impatient(self) -> bool:
        """Was the run told to end more than once? A table that is being removed then stays, listed in the ledger."""
        return self.signals > 1

    def emulator_process(self) -> psutil.Process:
        """The process that serves the Regions."""
        return next(p for p in marked(self.mark) if "harness.emulator" in p.cmdline())

    def access(self) -> Access:
        """A way to the Regions of a separate emulator."""
        return Access(self.ready["regions"], keys=EMULATOR_KEYS)

    def ask_faults(self, method: str = "GET") -> list[dict[str, Any]]:
        """The emulator's faults and how often each has struck; DELETE forgets them."""
        request = urllib.request.Request(f"{self.ready['combined'].rstrip('/')}/_admin/faults", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            faults: list[dict[str, Any]] = orjson.loads(answer.read())["faults"]
        return faults


@contextmanager
def staged(case: Case, root: Path, results: Path) -> Iterator[Scene]:
    """The case's processes, started; whatever of them is still there in the end is killed."""
    scene = Scene(case, root, results)
    try:
        if case.target != "embedded":
            _start_emulator(scene)
        if case.target == "table":
            GlobalTable(scene.access(), TABLE, REGIONS, poll_ns=20 * NS_PER_MS).create()
        _start_run(scene)
        yield scene
    finally:
        for process in marked(scene.mark):
            process.kill()
        if scene.emulator is not None:
            _close(scene.emulator)


def run_directories(results: Path) -> list[Path]:
    """The directories of runs there are, oldest first."""
    if not results.is_dir():
        return []
    return sorted(path for path in results.iterdir() if path.is_dir() and path.name != LATEST)


def marked(mark: str) -> list[psutil.Process]:
    """The processes alive that descend from a case's, whoever has adopted them."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(_MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def _start_emulator(scene: Scene) -> None:
    command = [sys.executable, *_EMULATOR, "--die-with-parent", "--seed", str(scene.case.seed)]
    command += ["--truth", str(scene.root / "truth.jsonl")]
    for fault in scene.case.faults:
        command += ["--fault", fault]
    with (scene.root / "emulator.log").open("wb") as log:
        scene.emulator = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_environment(scene)
        )
    assert scene.emulator.stdout is not None
    line = scene.emulator.stdout.readline()
    assert line, (scene.root / "emulator.log").read_text()
    scene.ready = orjson.loads(line)


def _start_run(scene: Scene) -> None:
    case = scene.case
    command = [*case.wrapper, sys.executable, *_RUN, *case.run, "--results", str(scene.results)]
    command += ["--lag", LAG] if case.target == "embedded" else []
    command += ["--table", TABLE] if case.target == "table" else []
    for region, url in scene.ready.get("regions", {}).items():
        command += ["--endpoint", f"{region}={url}"]
    with (scene.root / "stdout").open("wb") as out, (scene.root / "stderr").open("wb") as err:
        scene.run = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=_environment(scene),
            start_new_session=True,
        )


def _environment(scene: Scene) -> dict[str, str]:
    return os.environ | {_MARK: scene.mark}


def _close(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
