"""Real runs while the machine fails them: signals, disks, descriptors, suspended and killed processes, lost readers."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.campaign import moments
from tests.campaign.hosts import Case, Scene
from tests.campaign.places import (
    a_directory_that_can_be_closed,
    a_disk_of,
    a_read_only_disk,
    close,
    fill,
)
from tests.campaign.processes_crew import Perform, chosen, judge
from tests.campaign.processes_crew import crew as crew

pytestmark = pytest.mark.campaign

LOSING = ("never:us-west-2/ap-southeast-2:30%=0s-1.2s",)  # a run that drains and sweeps for seconds
PLOTS: tuple[str, ...] = ()
# (name, the moment, how long after it at most, what is measured, the emulator's faults, flags of the run)
MOMENTS = (
    ("beginning", moments.begun, 0.5, "embedded", (), ("--no-plots",)),
    ("creating a table", moments.says("creating table"), 0.3, "separate", (), ("--no-plots",)),
    ("adding a replica", moments.says("adding a replica"), 0.3, "separate", (), ("--no-plots",)),
    ("connecting", moments.connecting, 0.3, "embedded", (), ("--no-plots",)),
    ("measuring", moments.phase("measuring"), 1.5, "table", (), ("--no-plots",)),
    ("draining", moments.phase("draining"), 1.0, "table", LOSING, ("--no-plots",)),
    ("sweeping", moments.phase("sweeping"), 1.0, "table", LOSING, ("--no-plots",)),
    ("removing a table", moments.says("removing"), 1.0, "separate", (), ("--no-plots",)),
    ("deriving", moments.over, 1.5, "embedded", (), ("--no-plots",)),
    ("drawing", moments.has("summary.json"), 2.0, "embedded", (), PLOTS),
)
REDUCED = {
    ("SIGINT", "creating a table"),
    ("SIGTERM", "measuring"),
    ("SIGKILL", "measuring"),
    ("SIGTERM", "deriving"),
}


def signal_cases() -> Iterator[Case]:
    """Every signal at every moment, and one that comes twice; then at moments that only the seed knows."""
    for name in ("SIGINT", "SIGTERM", "SIGKILL", "SIGINT twice"):
        number, times = signal.Signals[name.split()[0]], 2 if name.endswith("twice") else 1
        for what, moment, within_s, target, faults, run in MOMENTS:
            act = moments.signals(number, moment, within_s, times)
            # A second signal while a table is being removed leaves it, listed: it is torn down like a killed run's.
            yield Case(
                f"{name} while {what}",
                1,
                faults,
                act,
                target=target,
                run=run,
                reduced=(name, what) in REDUCED,
            )
        for seed in (1, 2, 3):
            act = moments.signals(number, moments.begun, 6.0, times)
            yield Case(f"{name} at any moment", seed, act=act, target="embedded", run=PLOTS)


def suspend_the_harness(scene: Scene) -> None:
    """Stop the harness for up to three seconds while it measures, and let it go on."""
    if scene.reaches(moments.phase("measuring")):
        scene.signal(signal.SIGSTOP)
        scene.wait_up_to(3)
        scene.signal(signal.SIGCONT)


def suspend_the_emulator(scene: Scene) -> None:
    """The same with the emulator: no answer comes, and no connection ends."""
    if scene.reaches(moments.phase("measuring")):
        process = scene.emulator_process()
        process.suspend()
        scene.wait_up_to(3)
        process.resume()


def kill_the_emulator(scene: Scene) -> None:
    """Kill what is measured."""
    if scene.reaches(moments.phase("measuring")):
        scene.wait_up_to(1)
        scene.emulator_process().kill()


def hog_the_processors(scene: Scene) -> None:
    """Keep both processors busy, at a higher priority than the harness where that is allowed."""
    if scene.reaches(moments.begun):
        hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
        try:
            scene.run.wait()
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()


def remove_the_results(scene: Scene) -> None:
    """Remove the directory of results under a run that measures."""
    if scene.reaches(moments.phase("measuring")):
        scene.wait_up_to(1)
        shutil.rmtree(scene.results)


def close_the_results(scene: Scene) -> None:
    """Make results and journal read-only under a run that measures."""
    if scene.reaches(moments.phase("measuring")):
        scene.wait_up_to(1)
        close(scene.results)


def fill_the_disk(scene: Scene) -> None:
    """Fill the disk under a run that measures."""
    if scene.reaches(moments.phase("measuring")):
        scene.wait_up_to(1)
        fill(scene.results)


def stall_the_loop(scene: Scene) -> None:
    """Stop the harness again and again for a tenth of a second."""
    if scene.reaches(moments.phase("measuring")):
        for _ in range(8):
            scene.signal(signal.SIGSTOP)
            time.sleep(0.1)
            scene.signal(signal.SIGCONT)
            scene.wait_up_to(0.1)


def shell(line: str) -> tuple[str, ...]:
    """A wrapper that runs the harness as "$@" in a shell line, and leaves with its exit code."""
    return ("bash", "-c", f"set -o pipefail; {line}", "bash")


def host_cases() -> Iterator[Case]:
    """The machine's other faults."""
    for seed in (1, 2):
        yield Case("harness suspended", seed, act=suspend_the_harness, reduced=seed == 1)
        yield Case("event loop stalled", seed, act=stall_the_loop)
        yield Case("emulator suspended", seed, act=suspend_the_emulator)
        yield Case(
            "emulator killed",
            seed,
            act=kill_the_emulator,
            target="embedded",
            reduced=seed == 1,
        )
        yield Case(
            "emulator killed, its table with it",
            seed,
            act=kill_the_emulator,
            target="separate",
        )
        yield Case("results removed", seed, act=remove_the_results, target="embedded", reduced=seed == 1)
        yield Case(
            "results closed",
            seed,
            act=close_the_results,
            place=a_directory_that_can_be_closed,
            reduced=seed == 1,
        )
        yield Case("disk filled", seed, act=fill_the_disk, place=a_disk_of(1024), reduced=seed == 1)
    yield Case("processors busy", act=hog_the_processors)
    yield Case("results on a read-only disk", place=a_read_only_disk, verdict="none")
    for kilobytes in (4, 12, 16, 24, 48, 64, 256):
        for target in ("embedded", "table"):
            yield Case(
                f"disk of {kilobytes} KB",
                place=a_disk_of(kilobytes),
                target=target,
                run=PLOTS,
            )
    for descriptors in (12, 16, 24, 32, 48):
        wrapper = ("prlimit", f"--nofile={descriptors}")
        yield Case(f"{descriptors} file descriptors", wrapper=wrapper, reduced=descriptors == 24)
    yield Case("reader of stdout gone", wrapper=shell('"$@" | head -1'), reduced=True)
    yield Case("reader of stderr gone", wrapper=shell('"$@" 2> >(head -1 >&2)'))
    yield Case("stdout closed", wrapper=shell('"$@" >&-'))
    yield Case("stderr closed", wrapper=shell('"$@" 2>&-'), target="embedded", reduced=True)
    yield Case("all streams closed", wrapper=shell('"$@" <&- >&- 2>&-'))
    yield Case("stdout on a full disk", wrapper=shell('"$@" >/dev/full'))
    yield Case("stderr on a full disk", wrapper=shell('"$@" 2>/dev/full'))


@pytest.mark.parametrize("case", chosen(list(signal_cases())))
def test_a_signal_at_any_moment_loses_nothing_and_leaves_nothing(case: Case, performed: Perform) -> None:
    judge(performed(case))


@pytest.mark.parametrize("case", chosen(list(host_cases())))
def test_a_failing_machine_is_measured_through_or_said(case: Case, performed: Perform) -> None:
    judge(performed(case))
