"""`--witness`: waiting for CloudWatch, on a clock of its own; then both verbs end to end against moto's CloudWatch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.ground_truth import read_truth, with_truth
from harness.dynamodb.statement import MINUTE_NS, DataPoint, PairStatement
from harness.errors import TargetUnavailable, UsageError
from harness.records.run_directory import RunDirectory
from harness.records.samples import read_samples
from harness.witness import LOOK_EVERY_NS, PATIENCE_NS, Asking, Witness, complaints, parse_witness
from tests.cloudwatch import CloudWatchServer, cloudwatch
from tests.recorded import WALL_NS, record_run

A, B = "us-west-2", "ap-southeast-2"
FIRST_NS = WALL_NS // MINUTE_NS * MINUTE_NS
SECOND_NS = FIRST_NS + MINUTE_NS
S = 10**9
EXIT_CODES = {"VALID": 0, "INVALID": 3}


class Published:
    """A witness whose data points appear when they are due, on a clock that only pauses move."""

    def __init__(self, appears: dict[int, list[tuple[int, float]]], now_ns: int = FIRST_NS + 30 * S) -> None:
        self.appears = appears
        self.now_ns = now_ns
        self.looks: list[int] = []
        self.said: list[str] = []
        self.interrupt_ns: int | None = None
        self.refused: dict[str, str] = {}

    def points(self, source: str, replica: str, minutes: Sequence[int]) -> tuple[DataPoint, ...]:
        """For each minute the latest (from when on, average) that is there by now."""
        self.looks.append(self.now_ns)
        if replica in self.refused:
            raise TargetUnavailable(self.refused[replica])
        found = []
        for minute in minutes:
            there = [average for due_ns, average in self.appears.get(minute, ()) if due_ns <= self.now_ns]
            found += [DataPoint(minute, there[-1], 1, 1e4, 10)] if there else []
        return tuple(found)

    def pause(self, duration_ns: int) -> None:
        self.now_ns += duration_ns
        if self.interrupt_ns is not None and self.now_ns >= self.interrupt_ns:
            raise KeyboardInterrupt

    def waited(self, *pairs: PairStatement) -> Asking:
        asking = Asking(self.points, list(pairs), self.said.append, lambda: self.now_ns, self.pause)
        asking.wait()
        return asking


def asked(replica: str = B, minutes: tuple[int, ...] = (FIRST_NS,)) -> PairStatement:
    return PairStatement(A, replica, minutes)


def test_it_waits_for_the_last_minute_to_end_and_for_two_looks_that_agree() -> None:
    published = Published({FIRST_NS: [(0, 5.0)]})
    asking = published.waited(asked())
    over_ns = FIRST_NS + MINUTE_NS
    assert published.looks == [FIRST_NS + 30 * S, over_ns, over_ns + LOOK_EVERY_NS]
    assert asking.pairs[0].points[0].average == 5.0
    assert asking.looked_ns == published.now_ns


def test_a_data_point_that_is_still_being_completed_is_looked_at_again() -> None:
    over_ns = FIRST_NS + MINUTE_NS
    published = Published({FIRST_NS: [(0, 5.0), (over_ns + 10 * S, 6.0), (over_ns + 20 * S, 7.0)]})
    assert published.waited(asked()).pairs[0].points[0].average == 7.0


def test_it_waits_for_the_minute_that_is_missing() -> None:
    late_ns = SECOND_NS + 200 * S
    published = Published({FIRST_NS: [(0, 5.0)], SECOND_NS: [(late_ns, 6.0)]})
    asking = published.waited(asked(minutes=(FIRST_NS, SECOND_NS)))
    assert asking.pairs[0].missing == ()
    assert published.now_ns < late_ns + 2 * LOOK_EVERY_NS + S
    assert "  1 of 2 data points are missing" in published.said
    assert "  0 of 2 data points are missing" in published.said


def test_its_patience_ends_some_minutes_after_the_last() -> None:
    published = Published({})
    assert published.waited(asked()).pairs[0].missing == (FIRST_NS,)
    end_ns = FIRST_NS + MINUTE_NS + PATIENCE_NS
    assert end_ns <= published.now_ns < end_ns + LOOK_EVERY_NS


def test_an_old_run_is_waited_for_no_longer_than_a_new_one() -> None:
    published = Published({}, now_ns=FIRST_NS + 3600 * S)
    published.waited(asked())
    assert published.now_ns <= FIRST_NS + 3600 * S + PATIENCE_NS + LOOK_EVERY_NS


def test_a_wall_clock_that_was_set_back_is_not_waited_for() -> None:
    published = Published({}, now_ns=FIRST_NS - 3600 * S)
    published.waited(asked())
    assert published.now_ns <= FIRST_NS - 3600 * S + MINUTE_NS + PATIENCE_NS + LOOK_EVERY_NS


def test_a_signal_ends_the_waiting_and_keeps_what_there_is() -> None:
    published = Published({FIRST_NS: [(0, 5.0)]})
    published.interrupt_ns = SECOND_NS
    asking = published.waited(asked(minutes=(FIRST_NS, SECOND_NS)))
    assert [point.minute_ns for point in asking.pairs[0].points] == [FIRST_NS]
    assert "ended by a signal; the run is kept" in published.said[-1]


def test_a_refusal_is_not_waited_for_and_not_repeated() -> None:
    published = Published({})
    published.refused = {B: "refused"}
    asking = published.waited(asked())
    assert len(published.looks) == 1
    assert asking.pairs[0].problem == "refused"
    assert asking.looked_ns is None


def test_one_pair_refused_leaves_the_others_to_be_asked() -> None:
    published = Published({FIRST_NS: [(0, 5.0)]})
    published.refused = {B: "refused"}
    refused, answered = published.waited(asked(), asked("eu-west-1")).pairs
    assert (refused.problem, refused.points) == ("refused", ())
    assert (answered.problem, len(answered.points)) == (None, 1)


def test_without_a_minute_nobody_is_asked() -> None:
    published = Published({})
    published.waited(asked(minutes=()))
    assert published.looks == published.said == []


def test_what_is_lacking_is_one_sentence_each() -> None:
    pairs = [
        PairStatement(A, B, (FIRST_NS, SECOND_NS)),
        PairStatement(A, "eu-west-1", (FIRST_NS,)),
        PairStatement(B, A, (FIRST_NS,), problem="refused"),
        PairStatement("us-east-1", A, (FIRST_NS,), (DataPoint(FIRST_NS, 1, 1, 1),)),
    ]
    assert complaints(pairs, "ask later") == [
        "refused; the run is kept, and ask later",
        "CloudWatch has no ReplicationLatency of us-west-2 → ap-southeast-2, us-west-2 → eu-west-1 for 2026-11-18 "
        "11:06, 11:07 UTC; the run is kept, and ask later",
    ]
    assert complaints(pairs[3:], "ask later") == []


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("cloudwatch", "local", "the emulator publishes no CloudWatch metrics, and has its own truth"),
        ("cloudwatch", "endpoint", "--endpoint is not AWS"),
        ("grafana", "aws", "'grafana' is neither cloudwatch nor cloudwatch=URL"),
        ("cloudwatch=", "aws", "is neither"),
        ("cloudwatch=localhost:5000", "local", "is neither"),
        ("cloudwatch=http://[::1", "local", "is neither"),
        ("cloudwatch=http://127.0.0.1:99999", "local", "is neither"),
        ("cloudwatch=http://a b/", "local", "is neither"),
        ("cloudwatch=http://-", "local", "is neither"),
        ("cloudwatch=ftp://localhost", "local", "is neither"),
        ("cloudwatch=http://me:secret@127.0.0.1", "local", "holds a user name or password"),
    ],
)
def test_a_witness_that_has_nothing_to_say_is_refused(text: str, kind: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        parse_witness(text, kind)
    assert "secret" not in str(refused.value)


def test_of_a_strongly_consistent_table_nothing_is_published() -> None:
    with pytest.raises(UsageError, match="eventually consistent tables"):
        parse_witness("cloudwatch", "aws", strong=True)
    assert parse_witness(None, "aws", strong=True) is None


def test_a_witness_is_aws_or_the_server_that_is_named() -> None:
    assert parse_witness(None, "local") is None
    assert parse_witness("cloudwatch", "aws") == Witness()
    for url in (
        "http://127.0.0.1:5000",
        "http://[::1]:5000",
        "http://localhost/x",
        "https://vpce-1.monitoring.us-west-2.vpce.amazonaws.com",
    ):
        found = parse_witness(f"cloudwatch={url}", "local")
        assert found == Witness(url)
        assert str(found) == f"cloudwatch={url}"


def harness(verb: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"harness.{verb}", *map(str, arguments)]
    env = os.environ | {"AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)


@pytest.fixture
def server() -> Iterator[CloudWatchServer]:
    with cloudwatch() as running:
        yield running


@pytest.fixture
def recorded(tmp_path: Path) -> RunDirectory:
    return record_run(tmp_path / "run")


def summary_of(run: RunDirectory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.summary.read_bytes())
    return found


def test_a_finished_run_is_asked_about_later_and_shows_both_means(
    recorded: RunDirectory, server: CloudWatchServer
) -> None:
    server.put(A, B, "t", FIRST_NS, (400.0, 700.0, 1000.0))
    done = harness("report", recorded.path, "--witness", f"cloudwatch={server.url}")
    assert done.returncode == EXIT_CODES[summary_of(recorded)["verdict"]], done.stderr
    assert "the run is kept" not in done.stderr
    (stated,) = json.loads(recorded.witness.read_bytes())["pairs"]
    assert stated["points"] == [
        {
            "minute": "2026-11-18T11:06:00Z",
            "average": 700.0,
            "minimum": 400.0,
            "maximum": 1000.0,
            "sample_count": 3.0,
            "unit": "Milliseconds",
        }
    ]
    witness = summary_of(recorded)["pairs"][0]["witness"]
    assert witness["cloudwatch_ms"]["average"] == 700.0
    assert witness["ours_ms"]["n"] == 400
    page = recorded.report.read_text()
    for text in (done.stdout.replace("\n", " "), page.replace("&#39;", "'")):
        assert witness["finding"].split(" (")[0] in text
    assert "its minimum 400 ms (ours" in done.stdout
    assert "Second witness" in page
    assert "means with means" in page


def test_what_was_said_is_rebuilt_without_asking_again(
    recorded: RunDirectory, server: CloudWatchServer
) -> None:
    server.put(A, B, "t", FIRST_NS, (400.0, 700.0))
    harness("report", recorded.path, "--no-plots", "--witness", f"cloudwatch={server.url}")
    first, times = summary_of(recorded), len(server.asked)
    recorded.summary.unlink()
    harness("report", recorded.path, "--no-plots")
    assert summary_of(recorded) == first
    assert len(server.asked) == times


def test_who_asks_nobody_else_reads_of_nobody_else(recorded: RunDirectory) -> None:
    done = harness("report", recorded.path)
    assert not recorded.witness.exists()
    for text in (done.stdout, recorded.report.read_text(), recorded.summary.read_text()):
        assert "witness" not in text.lower()
        assert "CloudWatch" not in text
    assert "witness" not in json.loads(recorded.manifest.read_bytes())


def test_no_data_and_a_refusal_leave_the_run_its_own_exit_code_and_say_one_sentence(
    recorded: RunDirectory, server: CloudWatchServer
) -> None:
    code = harness("report", recorded.path, "--no-plots").returncode
    asking = ("report", recorded.path, "--no-plots", "--witness", f"cloudwatch={server.url}")
    silent = harness(*asking)
    server.denied = frozenset({A})
    refused = harness(*asking)
    for done, says in (
        (silent, "CloudWatch has no ReplicationLatency of us-west-2 → ap-southeast-2 for 2026-11-18 11:06"),
        (refused, "CloudWatch in us-west-2 refused GetMetricStatistics: AccessDenied"),
    ):
        assert done.returncode == code
        (line,) = done.stderr.splitlines()
        assert says in line
        assert "fetches it later" in line
    assert (
        "no data: CloudWatch in us-west-2 refused" in summary_of(recorded)["pairs"][0]["witness"]["finding"]
    )
    assert summary_of(recorded)["pairs"][0]["witness"]["without_data"] == ["2026-11-18T11:06:00Z"]


def test_what_is_known_is_not_lost_by_asking_in_vain(
    recorded: RunDirectory, server: CloudWatchServer
) -> None:
    server.put(A, B, "t", FIRST_NS, (700.0,))
    asking = ("report", recorded.path, "--no-plots", "--witness", f"cloudwatch={server.url}")
    harness(*asking)
    fetched = json.loads(recorded.witness.read_bytes())["fetched_at"]
    server.denied = frozenset({A})
    assert "AccessDenied" in harness(*asking).stderr
    again = json.loads(recorded.witness.read_bytes())
    assert again["pairs"][0]["points"][0]["average"] == 700.0
    assert again["fetched_at"] == fetched


def test_a_damaged_statement_is_one_sentence_until_it_is_fetched_again(
    recorded: RunDirectory, server: CloudWatchServer
) -> None:
    recorded.witness.write_text('{"format_version": 1, "pairs": []}')
    done = harness("report", recorded.path, "--no-plots")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "witness.json cannot be read" in line
    assert harness(
        "report", recorded.path, "--no-plots", "--witness", f"cloudwatch={server.url}"
    ).returncode in (0, 3)
    assert json.loads(recorded.witness.read_bytes())["pairs"][0]["points"] == []


def test_a_simulated_run_is_not_asked_about_at_aws(recorded: RunDirectory) -> None:
    before = sorted(path.name for path in recorded.path.iterdir())
    done = harness("report", recorded.path, "--witness", "cloudwatch")
    assert done.returncode == 2
    assert "the emulator publishes no CloudWatch metrics" in done.stderr
    assert sorted(path.name for path in recorded.path.iterdir()) == before
    assert (
        "the emulator publishes" in harness("run", "--from", A, "--to", B, "--witness", "cloudwatch").stderr
    )


def test_without_credentials_a_run_on_aws_is_kept(tmp_path: Path, server: CloudWatchServer) -> None:
    recorded = record_run(tmp_path / "run", kind="aws")
    nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    env = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"} | nowhere
    command = [sys.executable, "-m", "harness.report", recorded.path, "--no-plots", "--witness"]
    done = subprocess.run(
        [*command, f"cloudwatch={server.url}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=env,
    )
    assert done.returncode == EXIT_CODES[summary_of(recorded)["verdict"]], done.stderr
    (line,) = done.stderr.splitlines()
    assert "no AWS credentials for CloudWatch in us-west-2" in line
    assert server.asked == []


def publish_from_now(server: CloudWatchServer, table: str, minutes: int = 8) -> None:
    """The same data point in every minute that a run begun now may fall into."""
    this_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    for minute in range(minutes):
        server.put(A, B, table, this_ns + minute * MINUTE_NS, (400.0, 600.0))


def run_with(server: CloudWatchServer, results: Path, *arguments: str) -> subprocess.Popen[str]:
    named = ("--from", A, "--to", B, "--lag", "median=250ms,sigma=0.4", "--no-plots", "--table", "seen")
    witness = ("--witness", f"cloudwatch={server.url}", "--results", str(results))
    command = [sys.executable, "-m", "harness.run", *named, *witness, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended_by(process: subprocess.Popen[str], said: Callable[[str], bool]) -> tuple[str, str]:
    """SIGTERM at the first line on stderr that fits; (stdout, stderr from there on)."""
    assert process.stderr is not None
    for line in process.stderr:
        if said(line):
            process.send_signal(signal.SIGTERM)
            break
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return out, err


def only_run(results: Path) -> RunDirectory:
    (found,) = [path for path in results.iterdir() if path.name != "latest"]
    return RunDirectory(found)


def test_a_signal_while_waiting_keeps_the_run_its_results_and_what_was_published(
    tmp_path: Path, server: CloudWatchServer
) -> None:
    publish_from_now(server, "seen")
    few = ("--samples", "60", "--rate", "40/s", "--warmup", "500ms")
    with run_with(server, tmp_path, *few) as process:
        out, err = ended_by(process, lambda line: "0 of " in line and "data points are missing" in line)
    run = only_run(tmp_path)
    assert process.returncode == EXIT_CODES[summary_of(run)["verdict"]], err
    assert "the waiting for CloudWatch was ended by a signal; the run is kept" in err
    assert json.loads(run.manifest.read_bytes())["witness"] == f"cloudwatch={server.url}"
    witness = summary_of(run)["pairs"][0]["witness"]
    assert witness["without_data"] == []
    theirs, ours = witness["cloudwatch_ms"], witness["ours_ms"]
    assert (theirs["average"], theirs["minimum"], theirs["maximum"]) == (500.0, 400.0, 600.0)
    assert ours["n"] == 60
    truth = with_truth(read_samples(run.samples), read_truth(run.truth))["true_ns"].to_numpy(float) / 1e6
    for name, true_ms in (("mean", truth.mean()), ("minimum", truth.min()), ("maximum", truth.max())):
        assert ours["hard"][name]["low"] <= true_ms <= ours["hard"][name]["high"]
    assert "witness     CloudWatch's average" in out
    assert "simulated" in out


@pytest.mark.slow
def test_left_alone_a_run_waits_until_its_last_minute_is_over(
    tmp_path: Path, server: CloudWatchServer
) -> None:
    publish_from_now(server, "seen")
    with run_with(server, tmp_path, "--samples", "60", "--rate", "40/s", "--warmup", "0s") as process:
        _, err = process.communicate(timeout=180)
    run = only_run(tmp_path)
    assert process.returncode == EXIT_CODES[summary_of(run)["verdict"]], err
    stated = json.loads(run.witness.read_bytes())
    assert summary_of(run)["pairs"][0]["witness"]["without_data"] == []
    assert stated["fetched_at"][:16] > max(stated["pairs"][0]["minutes"])[:16]


def test_an_interrupted_run_is_not_asked_about_and_says_how_it_can_be(
    tmp_path: Path, server: CloudWatchServer
) -> None:
    with run_with(server, tmp_path, "--samples", "2000") as process:
        _, err = ended_by(process, lambda line: "visible" in line)
    run = only_run(tmp_path)
    assert process.returncode == 130, err
    assert "CloudWatch was not asked: the run was interrupted by SIGTERM" in err
    assert (
        f"python -m harness.report {run.path.name} --witness cloudwatch={server.url} fetches it later" in err
    )
    assert not run.witness.exists()
    assert "witness" not in summary_of(run)["pairs"][0]
    assert server.asked == []
