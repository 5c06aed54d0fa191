"""The rooms keep their doors: imports go one way, time is read in one place, and printing is for the verbs."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.__main__ import VERBS

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "harness").rglob("*.py"))
BASE = ("errors", "units", "regions", "interrupts", "measure.clock")
PLAN = (*BASE, "measure.plan", "measure.config_json", "measure.sample", "measure.events", "measure.schedules")
# Which parts of the harness each room may import, besides itself; the verbs, at the top, may import all.
MAY_IMPORT = {
    "errors": (),
    "units": ("errors",),
    "regions": ("errors",),
    "interrupts": (),
    "streams": (),
    "measure": (*PLAN, "dynamodb"),
    "dynamodb": PLAN,
    "records": (*PLAN, "dynamodb"),
    "result_lines": ("units",),
    "terminal": ("units", "cli", "result_lines"),
    "analysis": (*PLAN, "measure.strategies", "dynamodb", "records", "result_lines", "terminal", "cli"),
    "preflight": (*PLAN, "measure", "dynamodb", "analysis.gates"),
    "experiments": (
        *PLAN,
        "measure.forecast",
        "dynamodb",
        "records",
        "analysis",
        "runner",
        "target",
        "result_lines",
        "terminal",
        "cli",
    ),
    "emulator": ("errors", "units", "regions", "streams", "measure.clock", "cli"),
}
SPEAKING = (VERBS.keys() - {"emulator"}) | {"cli", "__main__"}  # the emulator speaks by its own __main__
ONLY_IN = {
    "boto3": "dynamodb",
    "botocore": "dynamodb",
    "aiobotocore": "dynamodb",
    "aioboto3": "dynamodb",
    "aiohttp": "dynamodb",
    "httptools": "emulator",
    "lark": "emulator",
    "sortedcontainers": "emulator",
    "moto": "nowhere",
    "lifelines": "nowhere",
    "scipy": "nowhere",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "harness").with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = name_of(path).split(".")[0]
    if room not in MAY_IMPORT:
        return
    for imported in imports(path):
        if not imported.startswith("harness."):
            continue
        target = imported.removeprefix("harness.")
        if importlib.util.find_spec(imported.rpartition(".")[0] or imported) is None:
            continue
        allowed = (room, *MAY_IMPORT[room])
        part_of = any(target == part or target.startswith(part + ".") for part in allowed)
        leads_to = any(
            part.startswith(target + ".") for part in allowed
        )  # `from harness.measure import clock`
        assert part_of or leads_to, f"{name_of(path)} must not import {imported}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_library_is_used_only_in_its_room(path: Path) -> None:
    room = name_of(path).split(".")[0]
    for imported in imports(path):
        owner = ONLY_IN.get(imported.split(".")[0])
        assert owner in (None, room), f"{name_of(path)} must not import {imported}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_time_is_read_only_in_the_clock_and_print_is_for_verbs(path: Path) -> None:
    name = name_of(path)
    if name != "measure.clock":
        assert "time" not in set(imports(path)), f"{name} reads time by itself"
    if name not in SPEAKING and name != "emulator.__main__":
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not any(isinstance(call, ast.Name) and call.id == "print" for call in calls), f"{name} prints"


def test_only_verbs_start_the_emulator_and_nothing_imports_it() -> None:
    for path in FILES:
        if not name_of(path).startswith("emulator"):
            assert not any(imported.startswith("harness.emulator") for imported in imports(path)), name_of(
                path
            )


def test_nothing_a_run_needs_before_its_first_sample_loads_the_analysis_libraries() -> None:
    code = (
        "import sys, harness.run, harness.runner;"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'pyarrow'} & set(sys.modules);"
        "print(heavy); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout
