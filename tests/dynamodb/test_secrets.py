"""With all there is to give away, and botocore logging at DEBUG, which does, nothing secret is printed or kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.target import EmulatorOptions, emulator
from tests.dynamodb.homes import Home
from tests.dynamodb.proxying import proxying
from tests.dynamodb.test_policy import text_of

REGIONS = ("us-west-2", "eu-west-1")
PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
LEAN = ("--samples", "10", "--warmup", "0s", "--poll-interval", "20ms", "--timeout", "5s")
PASSWORD = "hunter2-of-the-proxy"
SECRETS = ("ASIAHELPED", "secret-of-ASIAHELPED", "token-of-ASIAHELPED", PASSWORD)
# A verb with every logger at DEBUG, into a file of its own.
_LOGGED = """
import logging, sys
logging.basicConfig(filename=sys.argv.pop(1), level=logging.DEBUG)
from harness.cli import run_verb
from harness.run import main
run_verb(main)
"""


def test_secrets_of_helpers_and_proxies_stay_out_of_output_run_directory_and_ledger(tmp_path: Path) -> None:
    home, results, log = Home(tmp_path / "home"), tmp_path / "results", tmp_path / "log"
    home.path.mkdir()
    home.helped("helped", "ASIAHELPED", lifetime_s=3600)
    with emulator(REGIONS, EmulatorOptions(lag="constant=150ms", extra=("--rtt", "none"))) as target:
        upstream = {f"{region}.dynamo.invalid": url for region, url in target.endpoints.items()}
        with proxying(upstream, tmp_path) as (proxy, _):
            endpoints = [part for r in REGIONS for part in ("--endpoint", f"{r}=http://{r}.dynamo.invalid")]
            arguments = (*PAIR, *LEAN, *endpoints, "--profile", "helped", "--results", str(results))
            done = subprocess.run(
                [sys.executable, "-c", _LOGGED, str(log), *arguments],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env=home.environment(http_proxy=proxy.url(f"somebody:{PASSWORD}")),
            )
    assert done.returncode in (0, 3), done.stderr
    assert len(proxy.asked) > 20
    assert "token-of-ASIAHELPED" in log.read_text()  # as botocore has it: this run had something to give away
    files = [path for path in results.rglob("*") if path.is_file()]
    assert {"manifest.json", "journal.jsonl.zst", "summary.json", "report.html", "tables.jsonl"} <= {
        path.name for path in files
    }
    for text in (done.stdout, done.stderr, *(text_of(path) for path in files)):
        for secret in SECRETS:
            assert secret not in text
