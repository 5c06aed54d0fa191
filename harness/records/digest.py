"""What a table holds, in a few letters."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def digest_of(table: Any) -> bytes:
    """SHA-256 of an Arrow table's integers and texts, their nulls, and what pandas notes of their types; in hex."""
    digest = hashlib.sha256((table.schema.metadata or {}).get(b"pandas", b""))
    for name in table.column_names:
        column = table[name]
        digest.update(name.encode())
        digest.update(column.is_null().to_numpy().tobytes())
        if pa.types.is_integer(column.type):
            digest.update(pc.fill_null(column, 0).to_numpy().tobytes())
        else:
            texts = pc.fill_null(column.cast(pa.large_string()), "")
            digest.update(pc.binary_length(texts).to_numpy().tobytes())
            digest.update("".join(texts.to_pylist()).encode())
    return digest.hexdigest().encode()
