"""`manifest.json`: what a run was asked to do, with what, where and when; written before the first request."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from harness.errors import DamagedRun
from harness.measure.clock import CLOCK_NAME, now_ns, wall_ns
from harness.measure.config_json import config_from_json
from harness.measure.plan import RunConfig
from harness.records.whole import written_whole

FORMAT_VERSION = 1
LABELS = ("simulated", "AWS", "endpoint")  # of a target, the word that every output carries
_PACKAGES = ("aioboto3", "aiohttp", "boto3", "botocore", "numpy", "pandas", "pyarrow")


def describe_run(
    run_id: str,
    config: RunConfig,
    argv: list[str],
    target: dict[str, Any],
    tags: dict[str, str],
    witness: str | None = None,
) -> dict[str, Any]:
    """The manifest of a run about to start. `target` says what is measured: kind, endpoints, table, emulator.

    `witness` is the second witness that is to be asked afterwards, as --witness has it.
    """
    return {
        "format_version": FORMAT_VERSION,
        "run_id": run_id,
        "started": {"wall_ns": wall_ns(), "monotonic_ns": now_ns()},
        "config": config.to_json(),
        "argv": argv,
        "target": target,
        "tags": tags,
        "clock": CLOCK_NAME,
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in _PACKAGES},
        "git_revision": _git_revision(),
        "host": {"platform": platform.platform(), "implementation": sys.implementation.name},
        **({} if witness is None else {"witness": witness}),
    }


def read_manifest(path: Path) -> tuple[dict[str, Any], RunConfig]:
    """The manifest of a run, and what the run was asked to do; the parts that results repeat are looked at as well.

    Raises:
        DamagedRun: as for `read_json`, or a run cannot be rebuilt from what it holds.
    """
    manifest = read_json(path)
    missing = [key for key in ("run_id", "config", "target") if key not in manifest]
    if missing:
        raise DamagedRun(f"{path} lacks {', '.join(missing)}: the run cannot be rebuilt from it")
    target, tags = manifest["target"], manifest.get("tags", {})
    objects = (target, tags, target.get("emulator", {})) if isinstance(target, dict) else (None,)
    good = all(isinstance(part, dict) for part in objects) and target.get("label") in LABELS
    if good:
        words = (manifest["run_id"], target.get("kind"), *tags.values())
        good = all(isinstance(word, str) for word in words)
    if not good:
        raise DamagedRun(f"{path} holds other things than texts as run_id, target or tags; restore it")
    try:
        return manifest, config_from_json(manifest["config"])
    except DamagedRun as error:
        raise DamagedRun(f"{path}: {error}") from None


def write_json(path: Path, value: object) -> None:
    """Write a JSON file so that it is there whole or not at all."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
    with written_whole(path) as temporary:
        temporary.write_bytes(text + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the run directory, of the format version this code knows.

    Raises:
        DamagedRun: missing, not JSON, or of another format version.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DamagedRun(f"cannot read {path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise DamagedRun(f"{path} is not JSON: {error}") from None
    version = value.get("format_version") if isinstance(value, dict) else None
    if version != FORMAT_VERSION:
        raise DamagedRun(
            f"{path} has format version {version!r}; this harness reads version {FORMAT_VERSION}"
        )
    return value  # type: ignore[no-any-return] # checked above


def _git_revision() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
