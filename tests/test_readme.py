"""The README tells the truth: its commands run, its pictures exist, and every verb's help ends in examples."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.__main__ import VERBS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.strip() for block in BLOCKS for line in block.splitlines() if line.strip().startswith("python -m")
]
TESTED_ELSEWHERE = ("harness.emulator", "harness.calibrate")
QUICK_RUN = ("--samples", "40", "--warmup", "0s", "--no-plots", "--timeout", "5s")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", module, *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=180, check=False, cwd=ROOT)


def shortened(module: str, arguments: list[str], tmp_path: Path) -> list[str]:
    """The same command for a small run, or on a copy of the shipped example, with its results in `tmp_path`."""
    if module == "harness.run":
        for size in ("--duration", "--samples"):
            if size in arguments:
                del arguments[arguments.index(size) : arguments.index(size) + 2]
        return [*arguments, *QUICK_RUN, "--results", str(tmp_path)]
    if module == "harness.experiment":
        return [*arguments, "--samples", "10", "--no-plots", "--results", str(tmp_path)]
    if module in ("harness.report", "harness.compare", "harness.check"):
        example = max((ROOT / "results").glob("example-*/manifest.json")).parent
        shutil.copytree(example, tmp_path / "results" / "latest")
        return [*arguments, "--results", str(tmp_path / "results")]
    return arguments


def test_the_quick_start_is_exactly_two_lines() -> None:
    section = README.split("## Quick start")[1].split("## ")[0]
    lines = [
        line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()
    ]
    assert len(lines) == 2
    assert lines[0].endswith("-m harness.run --from us-west-2 --to ap-southeast-2")
    assert lines[1].endswith("-m pytest -n 3 --dist loadfile")


@pytest.mark.parametrize(
    "command", [line for line in COMMANDS if not any(verb in line for verb in TESTED_ELSEWHERE)]
)
def test_a_command_of_the_readme_runs(command: str, tmp_path: Path) -> None:
    module, *arguments = shlex.split(command)[2:]
    done = run(module, *shortened(module, arguments, tmp_path))
    # 3: a busy machine may make a short run INVALID, and says so
    assert done.returncode in (0, 3), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("picture", re.findall(r"!\[.*?\]\((.*?)\)", README))
def test_a_picture_of_the_readme_exists(picture: str) -> None:
    assert (ROOT / picture).exists()


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_in_examples(verb: str) -> None:
    done = run(f"harness.{verb}", "--help")
    assert done.returncode == 0
    assert f"python -m harness.{verb}" in done.stdout.lower().split("example")[-1]
