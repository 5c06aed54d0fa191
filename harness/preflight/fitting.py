"""What a run has to do otherwise, because the table it was told to use is as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.dynamodb.schema import Schema
from harness.dynamodb.table_steps import Seen
from harness.errors import UsageError
from harness.measure.plan import RunConfig


def fitting(config: RunConfig, existing: Mapping[str, Any], schema: Schema, table: str) -> RunConfig:
    """The configuration for a table that exists, as DescribeTable tells of it: without a sort key there is nothing to
    query.

    Raises:
        UsageError: the run is told to do what this table cannot.
    """
    seen = Seen({"": existing})
    if seen.strong("") != config.strong:
        has, flag = ("strong", "strong") if seen.strong("") else ("eventual", "eventual, or nothing")
        raise UsageError(f"table {table} has {has} consistency across its Regions; say --consistency {flag}")
    config = replace(config, quorum_witness=seen.witness(""))
    if schema.range_name is not None:
        return config
    if config.polling.strategy == "query":
        raise UsageError(
            f"--poll-with query needs a sort key, and table {table} has none; say --poll-with batch or get"
        )
    strategy = "batch" if config.polling.strategy == "auto" else config.polling.strategy
    return replace(config, polling=replace(config.polling, strategy=strategy))
