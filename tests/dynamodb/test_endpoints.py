"""FIPS and dual-stack endpoints: what botocore resolves is where both planes ask. Nothing is asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.dynamodb.homes import Home

# The URL of the data plane, and the one an unmodified client would send a request to.
_RESOLVE = """
import asyncio, json, sys, urllib.parse
from harness.cli import run_verb
from harness.dynamodb.access import Access, translated
from harness.errors import ExitCode

async def data_plane(access, region):
    async with access.stores((region,), "mine") as stores:
        return stores[region].http.url

def resolve(argv):
    region, profile, *endpoint = argv
    access = Access(dict.fromkeys((region,), endpoint[0]) if endpoint else {}, profile or None)
    with translated(region):
        control = access.control(region).generate_presigned_url("list_tables").partition("?")[0]
    print(json.dumps([asyncio.run(data_plane(access, region)), control]))
    return ExitCode.OK

run_verb(resolve)
"""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAPERSON", "AWS_SECRET_ACCESS_KEY": "secret"}
FIPS, DUAL = {"AWS_USE_FIPS_ENDPOINT": "true"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def resolve(home: Home, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _RESOLVE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=home.environment(**KEYS, **environment),
    )


@pytest.mark.parametrize(
    ("region", "environment", "host"),
    [
        ("us-west-2", {}, "dynamodb.us-west-2.amazonaws.com"),
        ("us-west-2", FIPS, "dynamodb-fips.us-west-2.amazonaws.com"),
        ("us-west-2", DUAL, "dynamodb.us-west-2.api.aws"),
        ("us-west-2", FIPS | DUAL, "dynamodb-fips.us-west-2.api.aws"),
        ("ap-southeast-2", DUAL, "dynamodb.ap-southeast-2.api.aws"),
        ("us-gov-west-1", FIPS, "dynamodb.us-gov-west-1.amazonaws.com"),  # its endpoints are all of that kind
        ("us-iso-east-1", DUAL, "dynamodb.us-iso-east-1.api.aws.ic.gov"),
        ("cn-north-1", {}, "dynamodb.cn-north-1.amazonaws.com.cn"),
        ("us-west-2", {"AWS_ENDPOINT_URL_DYNAMODB": "http://elsewhere"}, "dynamodb.us-west-2.amazonaws.com"),
    ],
)
def test_both_planes_ask_what_botocore_resolves_from_the_environment(
    home: Home, region: str, environment: dict[str, str], host: str
) -> None:
    assert urls(resolve(home, region, "", **environment)) == [f"https://{host}/"] * 2


@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ("use_fips_endpoint = true", "dynamodb-fips.us-west-2.amazonaws.com"),
        ("use_dualstack_endpoint = true", "dynamodb.us-west-2.api.aws"),
    ],
)
def test_both_planes_ask_what_the_profile_says(home: Home, setting: str, host: str) -> None:
    keys = "\n".join(f"{name.lower()} = {value}" for name, value in KEYS.items())
    home.configure(f"[profile measuring]\n{keys}\n{setting}")
    assert urls(resolve(home, "us-west-2", "measuring")) == [f"https://{host}/"] * 2


def test_an_endpoint_that_was_named_stays(home: Home) -> None:
    url = "http://127.0.0.1:8000/"
    assert urls(resolve(home, "us-west-2", "", url, **FIPS, **DUAL)) == [url] * 2


def test_a_combination_that_does_not_exist_is_one_sentence(home: Home) -> None:
    done = resolve(home, "eu-isoe-west-1", "", **FIPS, **DUAL)
    assert done.returncode == 4, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "error: eu-isoe-west-1 has no dualstack and fips endpoint; unset AWS_USE_DUALSTACK"
    )


def urls(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
