"""The moments of a run at which something can be done to it, seen from outside."""

from __future__ import annotations

import signal
from collections.abc import Callable

from harness.errors import DamagedRun
from harness.measure.events import Phase
from harness.records.journal import read_journal
from harness.records.run_directory import LATEST
from tests.campaign.hosts import Scene

Moment = Callable[[Scene], bool]


def begun(scene: Scene) -> bool:
    """The run has its directory."""
    return scene.directory is not None


def says(text: str) -> Moment:
    """The harness has said this on stderr."""
    return lambda scene: text in scene.said()


def connecting(scene: Scene) -> bool:
    """The journal was created: connections are being opened."""
    return scene.directory is not None and scene.directory.journal.exists()


def phase(name: str) -> Moment:
    """The journal on disk tells of a phase."""

    def reached(scene: Scene) -> bool:
        if scene.directory is None or not scene.directory.journal.exists():
            return False
        try:
            events = read_journal(scene.directory.journal).events
        except DamagedRun:
            return False
        return any(isinstance(event, Phase) and event.name == name for event in events)

    return reached


def over(scene: Scene) -> bool:
    """Measuring is over and `latest` leads to the run: its results are being derived."""
    return (scene.results / LATEST).is_symlink()


def has(pattern: str) -> Moment:
    """A file of this name, or glob, lies in the run's directory."""
    return lambda scene: scene.directory is not None and any(scene.directory.path.glob(pattern))


def signals(
    number: signal.Signals, moment: Moment, within_s: float, times: int = 1
) -> Callable[[Scene], None]:
    """Send a signal at a random time after a moment, and again after another such while."""

    def act(scene: Scene) -> None:
        if scene.reaches(moment):
            for _ in range(times):
                scene.wait_up_to(within_s)
                scene.signal(number)

    return act
