"""What gets installed is what was looked at: every package of the locks is pinned, and has hashes that pip checks."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCKS = {"requirements.lock": (), "requirements-test.lock": ("test",)}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def entries(lock: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each requirement of a lock with its further words, which are hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *options = re.split(r"\s+(?=--)", line)
        yield Requirement(requirement.strip()), [option.strip() for option in options]


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_to_one_version_and_to_hashes(lock: str) -> None:
    found = list(entries(lock))
    assert len(found) > 20
    for requirement, options in found:
        (pin,) = requirement.specifier
        assert pin.operator == "==", requirement
        assert "*" not in pin.version, requirement
        assert requirement.url is None, requirement
        assert options, requirement
        assert all(HASH.fullmatch(option) for option in options), requirement


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_the_lock_satisfies_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    locked: dict[str, list[Requirement]] = {}
    for requirement, _ in entries(lock):
        locked.setdefault(normalized(requirement.name), []).append(requirement)
    wanted = [*PROJECT["dependencies"]]
    for extra in extras:
        wanted += PROJECT["optional-dependencies"][extra]
    for wish in map(Requirement, wanted):
        pins = [
            next(iter(found.specifier)).version
            for found in locked[normalized(wish.name)]
            if found.marker is None or found.marker.evaluate(default_environment())
        ]
        assert len(pins) == 1, wish
        assert wish.specifier.contains(pins[0]), (wish, pins)


def test_the_test_lock_holds_the_other_one() -> None:
    def pinned(lock: str) -> dict[tuple[str, str], list[str]]:
        return {(found.name, str(found.specifier)): hashes for found, hashes in entries(lock)}

    test = pinned("requirements-test.lock")
    for pin, hashes in pinned("requirements.lock").items():
        assert test[pin] == hashes, pin


@pytest.mark.parametrize("tampering", ["no hash", "another hash"])
def test_pip_refuses_a_package_whose_hash_is_missing_or_another(tampering: str, tmp_path: Path) -> None:
    """Against a package that is made here: no index is asked."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _write_wheel(wheels / "harmless-1.0-py3-none-any.whl")
    wrong = f"harmless==1.0 --hash=sha256:{'0' * 64}\n"
    lines = {"another hash": wrong, "no hash": f"harmless==1.0\nother==1.0 --hash=sha256:{'0' * 64}\n"}[
        tampering
    ]
    (tmp_path / "lock").write_text(lines)
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(wheels)]
    command += [
        "--dry-run",
        "--disable-pip-version-check",
        "--target",
        str(tmp_path / "to"),
        "-r",
        str(tmp_path / "lock"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "HASH" in done.stderr.upper()


def test_ci_installs_from_the_lock_alone_and_with_its_hashes_required() -> None:
    installs = [
        line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines() if "pip install" in line
    ]
    assert installs == [".venv/bin/pip install -q --require-hashes -r requirements-test.lock"]


def _write_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("harmless.py", "")
        wheel.writestr(
            "harmless-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n"
        )
        wheel.writestr(
            "harmless-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("harmless-1.0.dist-info/RECORD", "")
