"""A verb goes on to its end and its exit code, whoever stops reading what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_VERB = """
import sys
from harness.cli import run_verb, say
from harness.errors import ExitCode

def verb(argv):
    for line in range(20000):
        say(f"progress {line}")
        print(f"result {line}")
    open(argv[0], "w").write("went to its end")
    return ExitCode.INVALID

run_verb(verb)
"""


def shell(redirection: str, path: Path) -> subprocess.CompletedProcess[str]:
    """The verb in a shell with `redirection` behind it; the exit code is the verb's."""
    line = f'set -o pipefail; "$1" -c "$2" "$3" {redirection}'
    command = ["bash", "-c", line, "bash", sys.executable, _VERB, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "redirection", ["| head -1", "2>&1 | head -1", ">&-", "2>&-", ">&- 2>&- <&-", "2>/dev/full"]
)
def test_whoever_does_not_read_changes_neither_the_work_nor_the_exit_code(
    redirection: str, tmp_path: Path
) -> None:
    done = shell(redirection, tmp_path / "file")
    assert done.returncode == 3
    assert (tmp_path / "file").read_text() == "went to its end"
    assert "Traceback" not in done.stderr
    assert "progress" not in done.stdout or "2>&1" in redirection


def test_a_result_that_cannot_be_written_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    done = shell("> /dev/full", tmp_path / "file")
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if not line.startswith("progress")]
    assert error == "error: the result could not be written to stdout: No space left on device"
