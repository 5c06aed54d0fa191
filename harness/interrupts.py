"""What SIGINT and SIGTERM do to a verb: they end it in order, once, wherever they arrive.

Outside of what is said here they are a `KeyboardInterrupt` in the main thread.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM)
_AGAIN_S = 0.05


def end_in_order() -> None:
    """Make SIGTERM the same as Ctrl-C, and neither of them lost where Python cannot raise: in a finalizer."""
    for number in ENDING:
        signal.signal(number, _interrupt)
    sys.unraisablehook = _raise_again


def done() -> None:
    """From here on there is nothing left to end: what still arrived would kill CPython while it tidies itself up."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def handled_by(handler: Callable[[str], object]) -> Iterator[None]:
    """Meanwhile a signal calls `handler` with its name, in the main thread; elsewhere than there this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        handler(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in ENDING}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def put_off() -> Iterator[None]:
    """For work that must not be left half done: the first signal waits until it is done, the second does not."""
    noted: list[str] = []

    def note(name: str) -> None:
        noted.append(name)
        if len(noted) > 1:
            raise KeyboardInterrupt

    with handled_by(note):
        yield
    if noted:
        raise KeyboardInterrupt


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


def _raise_again(unraisable: Any) -> None:
    """An interrupt that came in a finalizer comes again a moment later; all else is told as ever."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        (number,) = unraisable.exc_value.args or (signal.SIGINT,)
        # Sent at once, it would be raised in this hook.
        again = threading.Timer(_AGAIN_S, functools.partial(os.kill, os.getpid(), number))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)
