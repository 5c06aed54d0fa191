"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError


class NotWritten(HarnessError):
    """A result cannot be written: the disk is full, or the directory went away or was closed to us."""


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to: it takes the place of `path` if all goes well, else it is removed.

    Raises:
        NotWritten: the file system refuses; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise NotWritten(f"cannot write {path}: {reason}; what is there already is as it was") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
