"""Credentials from helpers, roles and single sign-on; proxies and endpoints: as botocore has them, on both planes."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.dynamodb.access import Access
from harness.dynamodb.global_table import GlobalTable
from harness.measure.events import Poll, Write
from harness.records.journal import read_journal
from harness.target import EMULATOR_KEYS, EmulatorOptions, emulator
from tests.dynamodb.homes import Home, sts
from tests.recording import Recording, recording

REGIONS = ("us-west-2", "eu-west-1")
PAIR = ("--from", "us-west-2", "--to", "eu-west-1")
LEAN = ("--warmup", "0s", "--rate", "20/s", "--timeout", "2s", "--poll-interval", "20ms", "--no-plots")
SSO = """[sso-session corp]
sso_start_url = https://example.invalid/start
sso_region = us-west-2
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = measuring
region = us-west-2
[profile legacy]
sso_start_url = https://example.invalid/start
sso_region = us-west-2
sso_account_id = 123456789012
sso_role_name = measuring"""
ROLE = "arn:aws:iam::123456789012:role/measuring"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Recording]:
    """An emulator behind a proxy that records who asked, with a table in it."""
    with (
        emulator(REGIONS, EmulatorOptions(lag="constant=150ms", extra=("--rtt", "none"))) as target,
        recording(target.endpoints) as seen,
    ):
        access = Access(target.endpoints, keys=EMULATOR_KEYS)
        GlobalTable(access, "mine", REGIONS, poll_ns=50_000_000).create()
        yield seen


@pytest.fixture
def seen(upstream: Recording) -> Recording:
    upstream.requests.clear()
    return upstream


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = tmp_path / "home"
    path.mkdir()
    return Home(path)


def keys_of(seen: Recording, operation: str) -> set[str]:
    """The access key ids that signed an operation."""
    signed = [asked.authorization for asked in seen.requests if asked.operation == operation]
    return {text.partition("Credential=")[2].partition("/")[0] for text in signed}


def only_run(results: Path) -> Path:
    (found,) = [path for path in results.iterdir() if path.is_dir() and path.name != "latest"]
    return found


def wait_for(seen: Recording, operation: str) -> None:
    """Until an operation was asked for."""
    until = time.monotonic() + 60
    while operation not in seen.operations:
        assert time.monotonic() < until
        time.sleep(0.05)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a verb that failed."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr
    return line


def test_credentials_that_expire_in_the_middle_are_renewed_and_no_request_fails(
    seen: Recording, home: Home, tmp_path: Path
) -> None:
    home.helped("helped", "ASIAHELPED", lifetime_s=3)
    results = ("--results", str(tmp_path / "results"))
    done = home.verb(
        "run", *PAIR, *LEAN, "--samples", "100", "--table", "mine", "--profile", "helped", "--json",
        *seen.arguments(), *results,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    assert json.loads(done.stdout)["pairs"][0]["outcomes"]["visible"] == 100
    events = read_journal(only_run(tmp_path / "results") / "journal.jsonl.zst").events
    assert {event.error for event in events if isinstance(event, Write | Poll)} == {None}
    assert len(keys_of(seen, "PutItem")) >= 2  # 100 writes at 20/s outlive the first
    assert home.handed_out * 10 < len(seen.requests)  # and not asked for with each of them


@pytest.mark.parametrize("how", ["locked", "stale"])
def test_credentials_that_cannot_be_renewed_fail_writes_with_the_reason_and_nothing_is_lost(
    seen: Recording, home: Home, tmp_path: Path, how: str
) -> None:
    home.helped("helped", "ASIAHELPED", lifetime_s=2)
    results = ("--results", str(tmp_path / "results"))
    arguments = (*PAIR, *LEAN, "--samples", "100", "--table", "mine", "--profile", "helped", "--json")
    command = [sys.executable, "-m", "harness.run", *arguments, *seen.arguments(), *results]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.environment()
    ) as run:
        wait_for(seen, "PutItem")
        (home.path / how).touch()
        out, err = run.communicate(timeout=120)
    assert run.returncode == 3, err
    why = {"locked": "the vault is locked", "stale": "have expired|are still expired"}[how]
    says = rf"no usable AWS credentials of profile helped: .*({why}); log in again"
    assert len(re.findall(f"^{says}", err, re.MULTILINE)) == 1
    directory = only_run(tmp_path / "results")
    assert re.search(rf"left behind: .*{says}.* python -m harness.table clean {directory}", err)
    assert "Traceback" not in err
    outcomes = json.loads(out)["pairs"][0]["outcomes"]
    assert outcomes["visible"] > 0
    assert outcomes["write_failed"] > 0
    assert outcomes.pop("planned") == sum(outcomes.values()) == 100
    events = read_journal(directory / "journal.jsonl.zst").events
    failed = [event for event in events if isinstance(event, Write) and event.result == "failed"]
    assert all(event.sent_ns is None and re.search(says, event.error or "") for event in failed)
    assert (directory / "summary.json").exists()


@pytest.mark.parametrize("named", ["environment", "configuration", "nowhere but --endpoint of DynamoDB"])
def test_a_role_is_assumed_at_the_sts_that_is_configured_and_signs_on_both_planes(
    seen: Recording, home: Home, tmp_path: Path, named: str
) -> None:
    with sts("ASIAROLE00000001", "secret-of-the-role", "token-of-the-role") as service:
        home.configure(f"[profile measuring]\nrole_arn = {ROLE}\nsource_profile = person\nregion = us-west-2")
        home.configure("[profile person]\naws_access_key_id = AKIAPERSON\naws_secret_access_key = secret")
        environment = {"AWS_ENDPOINT_URL_STS": service.url} if named == "environment" else {}
        if named == "configuration":
            home.configure(
                f"[services here]\nsts =\n  endpoint_url = {service.url}\n[default]\nregion = us-west-2"
            )
            text = (home.path / "config").read_text()
            (home.path / "config").write_text(
                text.replace("[profile person]", "services = here\n[profile person]\nservices = here")
            )
        if named.startswith("nowhere"):  # all of it, and it does not lead DynamoDB astray
            environment = {"AWS_ENDPOINT_URL": service.url}
        results = ("--results", str(tmp_path / "results"))
        done = home.verb(
            "run", *PAIR, *LEAN, "--samples", "10", "--profile", "measuring", *seen.arguments(), *results,
            **environment,
        )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    assert service.actions == ["AssumeRole"]  # for both planes
    assert {asked["RoleArn"] for asked in service.asked} == {ROLE}
    assert all("Credential=AKIAPERSON/" in asked["authorization"] for asked in service.asked)
    assert {asked.token for asked in seen.requests} == {"token-of-the-role"}
    for operation in ("CreateTable", "PutItem", "Query", "DeleteTable"):
        assert keys_of(seen, operation) == {"ASIAROLE00000001"}


def test_a_web_identity_becomes_a_role(seen: Recording, home: Home, tmp_path: Path) -> None:
    (home.path / "token").write_text("signed-by-the-cluster")
    with sts("ASIAWEB000000001", "secret-of-the-role", "token-of-the-role") as service:
        done = home.verb(
            "doctor", *PAIR, "--table", "mine", *seen.arguments(),
            AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(home.path / "token"), AWS_REGION="us-west-2",
            AWS_ENDPOINT_URL_STS=service.url,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(service.actions) == {"AssumeRoleWithWebIdentity"}
    assert service.asked[0]["WebIdentityToken"] == "signed-by-the-cluster"
    assert keys_of(seen, "DescribeTable") == keys_of(seen, "GetItem") == {"ASIAWEB000000001"}


@pytest.mark.parametrize("profile", ["sso", "legacy"])
@pytest.mark.parametrize("signed_in", ["never", "in the past"])
def test_single_sign_on_that_has_ended_is_told_with_its_remedy_before_anything_is_asked(
    home: Home, tmp_path: Path, profile: str, signed_in: str
) -> None:
    home.configure(SSO)
    if signed_in != "never":
        for session in ("corp", "https://example.invalid/start"):
            home.signed_in(session, datetime.now(UTC) - timedelta(hours=1), "token-of-the-person")
    results = tmp_path / "results"
    for target in (("--target", "aws"), endpoints_that_nobody_serves()):
        done = home.verb("run", *PAIR, *target, "--profile", profile, "--results", str(results))
        assert done.returncode == 4, done.stderr
        says = error_of(done)
        assert f"no usable AWS credentials of profile {profile}: " in says
        assert says.endswith(f"; log in with `aws sso login --profile {profile}`")
        assert "token-of-the-person" not in done.stderr
        assert list(results.iterdir()) == []
    checks = json.loads(home.verb("doctor", *PAIR, "--target", "aws", "--json", AWS_PROFILE=profile).stdout)[
        "checks"
    ]
    (check,) = [check for check in checks if check["name"] == "credentials"]
    assert check["status"] == "failed"
    assert check["remedy"] == f"log in with `aws sso login --profile {profile}`"


@pytest.mark.parametrize(
    ("process", "says"),
    [
        ("/no/such/helper", "No such file or directory: '/no/such/helper'"),
        ("echo secret-of-a-helper", "Expecting value"),
        ("echo {}", "Unsupported version"),
    ],
)
def test_a_helper_that_does_not_help_is_one_sentence_without_what_it_said(
    home: Home, tmp_path: Path, process: str, says: str
) -> None:
    home.configure(f"[profile helped]\ncredential_process = {process}")
    done = home.verb("run", *PAIR, "--target", "aws", "--profile", "helped", "--results", str(tmp_path / "r"))
    assert done.returncode == 4, done.stderr
    assert says in error_of(done)
    assert "secret-of-a-helper" not in done.stderr


def test_a_role_that_may_not_be_assumed_is_one_sentence(home: Home, tmp_path: Path) -> None:
    home.configure(f"[profile measuring]\nrole_arn = {ROLE}\nsource_profile = person\nregion = us-west-2")
    home.configure("[profile person]\nregion = us-west-2")
    done = home.verb("table", "status", *PAIR, "--table", "mine", "--target", "aws", "--profile", "measuring")
    assert done.returncode == 4, done.stderr
    assert "no usable AWS credentials of profile measuring: " in error_of(done)


def endpoints_that_nobody_serves() -> tuple[str, ...]:
    """`--endpoint` for each Region, at a port that is not listened on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    return tuple(part for region in REGIONS for part in ("--endpoint", f"{region}={url}"))
