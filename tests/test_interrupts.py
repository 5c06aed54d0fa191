"""Signals end a verb in order, wherever they arrive."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from harness.interrupts import handled_by, put_off

_IN_A_FINALIZER = """
import signal, sys, time
from harness.cli import run_verb

class Fragile:
    def __del__(self):
        signal.raise_signal(signal.Signals(int(sys.argv[1])))

def verb(argv):
    fragile = Fragile()
    del fragile
    time.sleep(30)

run_verb(verb)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_in_a_finalizer_is_not_lost(number: signal.Signals) -> None:
    command = [sys.executable, "-c", _IN_A_FINALIZER, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=25, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_handler_gets_the_signals_name_and_what_was_before_comes_back(number: signal.Signals) -> None:
    seen: list[str] = []
    before = signal.getsignal(number)
    with handled_by(seen.append):
        signal.raise_signal(number)
    assert seen == [number.name]
    assert signal.getsignal(number) is before


def test_the_first_signal_waits_for_work_that_must_not_be_left_half_done() -> None:
    done: list[str] = []

    def remove() -> None:
        with put_off():
            signal.raise_signal(signal.SIGTERM)
            done.append("removed")
        done.append("went on")

    with pytest.raises(KeyboardInterrupt):
        remove()
    assert done == ["removed"]


def test_the_second_signal_does_not_wait() -> None:
    done: list[str] = []

    def remove() -> None:
        with put_off():
            signal.raise_signal(signal.SIGINT)
            done.append("begun")
            signal.raise_signal(signal.SIGINT)
            done.append("removed")

    with pytest.raises(KeyboardInterrupt):
        remove()
    assert done == ["begun"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_when_all_is_done_is_ignored(number: int) -> None:
    """CPython gives its handlers up while it ends, and a signal would kill it then."""
    program = (
        "import atexit, os, signal\n"
        "from harness.cli import run_verb\n"
        "from harness.errors import ExitCode\n"
        f"at_the_end = lambda: os._exit(10 + (signal.getsignal({int(number)}) is signal.SIG_IGN))\n"
        "atexit.register(at_the_end)\n"
        "run_verb(lambda argv: ExitCode.OK)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert ended.returncode == 11
