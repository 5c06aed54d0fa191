"""Every notebook runs to its end on the example shipped in results/, and is kept without outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTE = "from nbclient.cli import main; main()"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_on_the_shipped_example(path: Path, tmp_path: Path) -> None:
    for example in (ROOT / "results").glob("example-*"):
        shutil.copytree(example, tmp_path / "results" / example.name)
    (tmp_path / "notebooks").mkdir()
    copy = tmp_path / "notebooks" / path.name
    shutil.copy(path, copy)
    command = [sys.executable, "-c", EXECUTE, str(copy), "--inplace"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    cells = json.loads(copy.read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert {"image/png", "text/html"} <= {kind for output in outputs for kind in output.get("data", {})}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert "simulated" in json.dumps(outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_is_kept_without_outputs_and_computes_nothing(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    source = "\n".join("".join(cell["source"]) for cell in cells)
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert imports == ["import harness"]
