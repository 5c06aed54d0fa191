"""What a store makes of answers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from harness.dynamodb.signed_http import Exchange, SignedHttp
from harness.dynamodb.store import DynamoStore, Key

KEYS = [Key("s", seq) for seq in range(3)]


class Http:
    """The edge, giving one answer to everything."""

    region = "us-west-2"

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    async def call(self, operation: str, body: bytes) -> Exchange:
        return Exchange(1, 2, self._answer)


def store(answer: dict[str, Any]) -> DynamoStore:
    return DynamoStore(cast(SignedHttp, Http(answer)), "items")


@pytest.mark.parametrize("answer", [{}, {"message": "please log in"}])
async def test_json_that_is_no_answer_to_the_operation_is_a_failure_and_no_miss(
    answer: dict[str, Any],
) -> None:
    for read in (
        await store(answer).batch_get(KEYS, consistent=True),
        await store(answer).query("s", range(3), consistent=True),
        await store(answer).prepared(KEYS),
    ):
        assert read.exchange.failure == "server_error"
        assert read.found == ()


async def test_an_answer_without_items_is_a_miss() -> None:
    batch = await store({"Responses": {"items": []}, "UnprocessedKeys": {}}).batch_get(KEYS, consistent=True)
    assert (batch.exchange.failure, batch.found, batch.unprocessed) == (None, (), ())
    query = await store({"Items": [], "Count": 0}).query("s", range(3), consistent=True)
    assert (query.exchange.failure, query.found, query.complete_to) == (None, (), None)
