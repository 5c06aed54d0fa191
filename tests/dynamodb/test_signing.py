"""Signatures against botocore's own, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from harness.dynamodb.signing import Signer

KEYS = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
TEMPORARY = ReadOnlyCredentials("ASIAEXAMPLE", "secret", "token/with+odd==characters")
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
URLS = (
    "https://dynamodb.us-west-2.amazonaws.com/",
    "http://127.0.0.1:8000/",
    "http://[::1]:8000/",
    "https://host.example:443/",
    "http://proxy.example/dynamo//db/../x/",
)


def by_botocore(region, url, operation, body, credentials, at):
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810." + operation,
    }
    request = AWSRequest("POST", url, headers=headers, data=body)
    # What add_auth does, at an instant of our choice.
    auth = SigV4Auth(credentials, "dynamodb", region)
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return {name.lower(): value for name, value in request.headers.items()}


def by_us(signer, operation, body, credentials, at):
    headers = signer.headers(operation, body, credentials, int(at.timestamp()) * 10**9 + 999_999_999)
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("credentials", [KEYS, TEMPORARY], ids=["lasting", "temporary"])
@pytest.mark.parametrize("url", URLS)
def test_headers_are_botocores(url, credentials):
    signer = Signer("ap-southeast-2", url)
    for body in (b"{}", b'{"TableName":"\xc3\xa9"}'):
        expected = by_botocore("ap-southeast-2", url, "GetItem", body, credentials, NOON)
        assert by_us(signer, "GetItem", body, credentials, NOON) == expected


def test_one_signer_stays_exact_across_operations_seconds_midnight_and_refreshed_credentials():
    signer = Signer("us-west-2", URLS[0])
    for step in (0, 1, 1, 43_199, 43_200, 43_201, 90_000):
        at = NOON + timedelta(seconds=step)
        for credentials in (KEYS, TEMPORARY):
            for operation in ("Query", "PutItem"):
                body = f"{operation} {step}".encode()
                expected = by_botocore("us-west-2", URLS[0], operation, body, credentials, at)
                assert by_us(signer, operation, body, credentials, at) == expected


@given(st.binary(min_size=1, max_size=300), st.text(min_size=1), st.integers(10**9, 4 * 10**9))
def test_any_body_secret_and_time(body, secret, second):
    at = datetime.fromtimestamp(second, UTC)
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", secret, None)
    expected = by_botocore("eu-west-1", URLS[1], "Query", body, credentials, at)
    assert by_us(Signer("eu-west-1", URLS[1]), "Query", body, credentials, at) == expected
