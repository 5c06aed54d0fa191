"""stdin, stdout and stderr as a verb needs them: there, and never the end of it when their other end goes away."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class Stream(io.FileIO):
    """A file descriptor to write to; what it does not take is dropped, and `failure` says why."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or note the failure and drop it."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = self.failure or error
            return len(data)

    @property
    def lost(self) -> OSError | None:
        """What kept output from a reader who is still there; one who left, as in `| head`, misses nothing."""
        return None if isinstance(self.failure, BrokenPipeError) else self.failure


def steady_streams() -> Stream:
    """Put such streams in the place of Python's, closed ones to nowhere; returns that of stdout."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file opened, a journal say, would take its number and its text
            os.open(os.devnull, os.O_RDWR)
    out, err = Stream(1, "wb", closefd=False), Stream(2, "wb", closefd=False)
    sys.stdout = _text(out, sys.stdout, line_buffering=out.isatty())
    sys.stderr = _text(err, sys.stderr, line_buffering=True)
    return out


def _text(stream: Stream, old: Any, *, line_buffering: bool) -> io.TextIOWrapper:
    encoding = "utf-8" if old is None else old.encoding
    # A path need not be text.
    return io.TextIOWrapper(
        io.BufferedWriter(stream), encoding, "backslashreplace", line_buffering=line_buffering
    )
