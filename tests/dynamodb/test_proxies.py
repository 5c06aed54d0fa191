"""Proxies of the environment lead both planes, to plain and to encrypted servers, and never show their password."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.target import EmulatorOptions, emulator
from tests.dynamodb.homes import Home
from tests.dynamodb.proxying import Proxy, proxying

REGIONS = ("us-west-2", "eu-west-1")
PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
LEAN = ("--samples", "10", "--warmup", "0s", "--poll-interval", "20ms", "--timeout", "5s", "--no-plots")
NAMES = {region: f"{region}.dynamo.invalid" for region in REGIONS}
USER, PASSWORD = "somebody", "hunter2-of-the-proxy"
ASK_ONCE = """
import asyncio, sys
from harness.dynamodb.access import Access
from harness.dynamodb.store import Key

async def ask(url):
    access = Access({"us-west-2": url}, keys=("AKIA", "secret"))
    async with access.stores(("us-west-2",), "mine") as stores:
        exchange = (await stores["us-west-2"].get(Key("x", 0), consistent=True)).exchange
        print(exchange.failure, exchange.error)

for url in sys.argv[1:]:
    asyncio.run(ask(url))
"""
BASIC = "Basic c29tZWJvZHk6aHVudGVyMi1vZi10aGUtcHJveHk="


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Path]]:
    scratch = tmp_path_factory.mktemp("proxy")
    with emulator(REGIONS, EmulatorOptions(lag="constant=150ms", extra=("--rtt", "none"))) as target:
        upstream = {NAMES[region]: url for region, url in target.endpoints.items()}
        with proxying(upstream, scratch) as found:
            yield found


@pytest.fixture
def proxy(running: tuple[Proxy, Path]) -> Proxy:
    running[0].asked.clear()
    running[0].refusing = False
    return running[0]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = tmp_path / "home"
    path.mkdir()
    return Home(path)


def endpoints(scheme: str) -> tuple[str, ...]:
    return tuple(part for r, name in NAMES.items() for part in ("--endpoint", f"{r}={scheme}://{name}"))


@pytest.mark.parametrize(("scheme", "method"), [("https", "CONNECT"), ("http", "POST")])
def test_a_whole_run_goes_through_the_proxy_on_both_planes(
    running: tuple[Proxy, Path], proxy: Proxy, home: Home, tmp_path: Path, scheme: str, method: str
) -> None:
    variable = {f"{scheme}_proxy": proxy.url(f"{USER}:{PASSWORD}"), "AWS_CA_BUNDLE": str(running[1])}
    results = tmp_path / "results"
    done = home.verb("run", *PAIR, *LEAN, "--json", *endpoints(scheme), "--results", str(results), **variable)
    assert done.returncode in (0, 3), done.stderr
    assert json.loads(done.stdout)["pairs"][0]["outcomes"]["visible"] == 10
    assert {asked.method for asked in proxy.asked} == {method}
    assert {asked.host for asked in proxy.asked} == set(NAMES.values())
    assert {asked.authorization for asked in proxy.asked} == {BASIC}
    if scheme == "http":  # botocore names itself, the data plane does not
        assert {bool(asked.client) for asked in proxy.asked} == {True, False}
    kept = [path.read_bytes().decode("latin-1") for path in results.rglob("*.json*")]
    for text in (done.stdout, done.stderr, *kept):
        assert PASSWORD not in text
        assert BASIC not in text


def test_no_proxy_is_asked_for_what_is_exempt_or_on_this_host(
    proxy: Proxy, home: Home, tmp_path: Path
) -> None:
    everything = {"http_proxy": proxy.url(), "https_proxy": proxy.url()}
    local = home.verb("run", *PAIR, *LEAN, "--results", str(tmp_path / "results"), **everything)
    assert local.returncode in (0, 3), local.stderr
    exempt = home.verb(
        "table",
        "status",
        *PAIR,
        "--table",
        "mine",
        *endpoints("http"),
        **everything,
        NO_PROXY="dynamo.invalid",
    )
    assert exempt.returncode == 4
    assert "cannot reach" in exempt.stderr
    assert proxy.asked == []


@pytest.mark.parametrize("how", ["refuses", "is not there"])
@pytest.mark.parametrize("verb", ["run", "doctor"])
def test_a_proxy_that_lets_nobody_through_never_shows_its_password(
    proxy: Proxy, home: Home, tmp_path: Path, how: str, verb: str
) -> None:
    proxy.refusing = True
    url = proxy.url(f"{USER}:{PASSWORD}")
    if how == "is not there":
        url = url.replace(str(proxy.port), str(closed_port()))
    results = ("--results", str(tmp_path / "results")) if verb == "run" else ()
    for target in (("--target", "aws"), endpoints("http")):
        keys = {"AWS_ACCESS_KEY_ID": "AKIAPERSON", "AWS_SECRET_ACCESS_KEY": "secret"}
        done = home.verb(verb, *PAIR, *target, *results, **keys, https_proxy=url, http_proxy=url)
        assert done.returncode == 4, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        assert BASIC not in done.stdout + done.stderr
        assert "proxy" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("how", ["refuses", "is not there"])
def test_the_data_plane_says_that_the_way_is_closed_without_the_password(
    proxy: Proxy, home: Home, how: str
) -> None:
    proxy.refusing = True
    url = proxy.url(f"{USER}:{PASSWORD}")
    if how == "is not there":
        url = url.replace(str(proxy.port), str(closed_port()))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            ASK_ONCE,
            *(f"{scheme}://{NAMES['us-west-2']}" for scheme in ("https", "http")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=home.environment(https_proxy=url, http_proxy=url),
    )
    assert done.returncode == 0, done.stderr
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == (
        ["connection", "server_error"] if how == "refuses" else ["connection", "connection"]
    )
    assert PASSWORD not in done.stdout
    assert BASIC not in done.stdout


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
