"""Where results go: ordinary directories, disks that are full or soon will be, places that may not be written to.

What needs root, or a file system that can do it, raises `Unable` elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

Place = Callable[[Path], AbstractContextManager[Path]]


class Unable(Exception):
    """This machine cannot bring the fault about."""


@contextmanager
def an_ordinary_directory(root: Path) -> Iterator[Path]:
    """A directory that the run makes itself."""
    yield root / "results"


def a_disk_of(kilobytes: int) -> Place:
    """A file system of its own, of this size."""

    @contextmanager
    def mounted(root: Path) -> Iterator[Path]:
        with _mounted(root, f"size={kilobytes}k") as disk:
            yield disk / "results"

    return mounted


@contextmanager
def a_read_only_disk(root: Path) -> Iterator[Path]:
    """A file system that is mounted read-only."""
    with _mounted(root, "size=1m,ro") as disk:
        yield disk / "results"


@contextmanager
def a_directory_that_can_be_closed(root: Path) -> Iterator[Path]:
    """A directory on a file system that knows the immutable attribute."""
    results = root / "results"
    results.mkdir()
    close(results)
    _chattr("-i", [results])
    try:
        yield results
    finally:
        _chattr("-i", [results, *results.rglob("*")])


def close(directory: Path) -> None:
    """Let nobody, not even root, write to a directory and to what is in it."""
    _chattr("+i", [*directory.rglob("*"), directory])


def fill(directory: Path) -> None:
    """Leave no byte free on the file system of a directory."""
    with (directory / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@contextmanager
def _mounted(root: Path, options: str) -> Iterator[Path]:
    disk = root / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise Unable("mounting a small disk needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "campaign", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unable(f"mounting a small disk is refused here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _chattr(change: str, paths: list[Path]) -> None:
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        raise Unable("closing a directory to root needs root and chattr")
    files = [str(path) for path in paths if not path.is_symlink() and path.exists()]
    done = subprocess.run(["chattr", change, *files], capture_output=True, text=True, check=False)
    if done.returncode and change == "+i":
        raise Unable(f"this file system knows no immutable files: {done.stderr.strip()}")
