"""Measures how long a write in one AWS Region takes to become visible in another (DynamoDB global tables).

import harness
run = harness.load_run("latest")
run.percentile_table()
run.figure("ecdf")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.analysis.load import Run, load_run

__all__ = ["Run", "load_run"]


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used: they need numpy, pandas and matplotlib."""
    if name in __all__:
        from harness.analysis import load

        return getattr(load, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
