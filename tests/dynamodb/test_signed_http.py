"""The lean client where no request can even be sent."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.dynamodb.signed_http import SignedHttp


class Expired:
    """Credentials that cannot be refreshed."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def get_frozen_credentials(self) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired: SECRET"),
        ClientError({"Error": {"Code": "ExpiredToken", "Message": "SECRET"}}, "AssumeRole"),
    ],
)
async def test_credentials_that_cannot_be_refreshed_reject_the_request_without_telling_them(
    error: Exception,
) -> None:
    http = SignedHttp("us-west-2", "http://127.0.0.1:1", Expired(error), 1, 10**9)
    http.open()
    exchange = await http.call("PutItem", b"{}")
    await http.close()
    assert (exchange.failure, exchange.sent_ns) == ("rejected", None)
    assert exchange.error == f"credentials could not be refreshed ({type(error).__name__}); log in again"
