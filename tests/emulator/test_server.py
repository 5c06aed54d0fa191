"""The emulator as a process, over sockets, with clients as they are."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import aioboto3
import orjson
import pytest
from botocore.exceptions import ClientError

from harness.measure.clock import now_ns, pause
from tests.emulator.processes import (
    CREDENTIALS,
    Emulator,
    Http,
    boto_client,
    create_global_table,
    emulator,
    signed,
)
from tests.emulator.worlds import MS

OREGON, SYDNEY = "us-west-2", "ap-southeast-2"


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    """One emulator with a global table `items` and a constant lag of 200 ms, for tests that add their own items."""
    with emulator("--lag", "constant=200ms") as process:
        create_global_table(process)
        yield process


def until_seen(client: Any, pk: str) -> tuple[int, int]:
    """(last miss sent, first hit received) of strongly consistent reads, one after the other."""
    last_miss_ns = 0
    while True:
        sent_ns = now_ns()
        answer = client.get_item(TableName="items", Key={"pk": {"S": pk}}, ConsistentRead=True)
        if "Item" in answer:
            return last_miss_ns, now_ns()
        last_miss_ns = sent_ns


def test_boto3_writes_in_one_region_and_sees_it_in_the_other_after_the_lag(running: Emulator) -> None:
    with boto_client(running.url(OREGON), OREGON) as here, boto_client(running.url(SYDNEY), SYDNEY) as there:
        sent_ns = now_ns()
        here.put_item(TableName="items", Item={"pk": {"S": "boto3"}})
        acked_ns = now_ns()
        last_miss_ns, first_hit_ns = until_seen(there, "boto3")
    assert last_miss_ns < acked_ns + 200 * MS
    assert first_hit_ns > sent_ns + 200 * MS


async def test_aioboto3_works_unmodified(running: Emulator) -> None:
    session = aioboto3.Session(**CREDENTIALS)
    async with session.client("dynamodb", region_name=SYDNEY, endpoint_url=running.url()) as client:
        await client.put_item(TableName="items", Item={"pk": {"S": "aio"}, "n": {"N": "1.50"}})
        answer = await client.get_item(TableName="items", Key={"pk": {"S": "aio"}}, ConsistentRead=True)
        assert answer["Item"]["n"] == {"N": "1.5"}
        with pytest.raises(ClientError, match="Requested resource not found"):
            await client.get_item(TableName="nothing", Key={"pk": {"S": "aio"}})


def test_the_combined_port_takes_the_region_from_the_signature(running: Emulator) -> None:
    with boto_client(running.url(), OREGON) as here, boto_client(running.url(), SYDNEY) as there:
        here_arn = here.describe_table(TableName="items")["Table"]["TableArn"]
        there_arn = there.describe_table(TableName="items")["Table"]["TableArn"]
    assert (OREGON in here_arn, SYDNEY in there_arn) == (True, True)
    with Http(running.url()) as http:
        status, body, _ = http.post(headers=signed("eu-west-1"))
        assert (status, "eu-west-1" in body["message"]) == (400, True)
        assert body["__type"].endswith("#UnrecognizedClientException")
        assert http.post(headers={**signed(), "Authorization": "Basic eA=="})[0] == 400


def test_errors_look_as_dynamodbs_do(running: Emulator) -> None:
    with Http(running.url(OREGON)) as http:
        status, body, headers = http.post(b'{"TableName":"nothing"}', signed(operation="DescribeTable"))
        assert status == 400
        assert body == {
            "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "message": "Requested resource not found: Table: nothing not found",
        }
        assert headers["content-type"] == "application/x-amz-json-1.0"
        assert int(headers["x-amz-crc32"]) == crc32(orjson.dumps(body))
        assert headers["x-amzn-requestid"]
        for request, kind in (
            (
                (b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
                "#MissingAuthenticationTokenException",
            ),
            ((b"{}", signed(operation="Nonsense")), "#UnknownOperationException"),
            ((b"{}", {"Authorization": "x"}), "#UnknownOperationException"),
            ((b"{", signed()), "#SerializationException"),
            ((b"[]", signed()), "#SerializationException"),
            ((b"{}", signed(operation="CreateGlobalTable")), "coral.validate#ValidationException"),
            ((b"{}", signed(operation="TransactGetItems")), "coral.validate#ValidationException"),
        ):
            status, body, _ = http.post(*request)
            assert (status, body["__type"].endswith(kind)) == (400, True), body


def test_a_body_beyond_16_mb_is_refused_and_the_connection_lives_on(running: Emulator) -> None:
    with Http(running.url(OREGON)) as http:
        assert http.post(b" " * (16 << 20) + b"{}")[0] == 413
        assert http.post()[0] == 200


def test_pipelined_and_fragmented_requests_are_answered_in_order(running: Emulator) -> None:
    def request(n: int) -> bytes:
        body = orjson.dumps({"TableName": "items", "Item": {"pk": {"S": f"pipe{n}"}}})
        if n % 2:
            body = orjson.dumps({"TableName": "items", "Key": {"pk": {"S": f"pipe{n - 1}"}}})
        head = signed(operation="GetItem" if n % 2 else "PutItem") | {"Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body

    count = 100
    stream = b"".join(request(n) for n in range(count))
    host, port = str(urlsplit(running.url(OREGON)).netloc).split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for start in range(0, len(stream), 997):
            connection.sendall(stream[start : start + 997])
        connection.shutdown(socket.SHUT_WR)
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < count or not answers.endswith(b"}"):
            chunk = connection.recv(1 << 20)
            if not chunk:
                break
            answers += chunk
    bodies = [part.split(b"\r\n\r\n", 1)[1] for part in answers.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert len(bodies) == count
    assert all((b"pipe%d" % (n - 1) in body) if n % 2 else body == b"{}" for n, body in enumerate(bodies))


def test_a_client_that_has_sent_its_last_byte_still_gets_its_answer() -> None:
    with emulator("--rtt", f"{OREGON}=50ms") as process:
        host, port = str(urlsplit(process.url(OREGON)).netloc).split(":")
        head = "".join(f"{name}: {value}\r\n" for name, value in signed().items())
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"POST / HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}".encode())
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
            assert connection.recv(1000) == b""


def test_rubbish_is_refused_and_leaves_the_server_running(running: Emulator) -> None:
    host, port = str(urlsplit(running.url()).netloc).split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"\x00\x01rubbish\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
        assert connection.recv(1000) == b""
    with Http(running.url()) as http:
        assert http.post()[0] == 200


def test_injected_round_trips_are_met_within_half_a_millisecond_and_never_early() -> None:
    with emulator("--rtt", "none", "--rtt", f"{SYDNEY}=40ms") as process:
        create_global_table(process)
        body = b'{"TableName":"items","Key":{"pk":{"S":"x"}},"ConsistentRead":true}'
        with Http(process.url(SYDNEY)) as http, Http(process.url(OREGON)) as near:
            trips: dict[str, list[float]] = {"far": [], "near": []}
            for _ in range(40):
                for name, connection in (("far", http), ("near", near)):
                    sent_ns = now_ns()
                    assert connection.post(body, signed(operation="GetItem"))[0] == 200
                    trips[name].append((now_ns() - sent_ns) / MS)
    # The quickest of each: what else the machine does lengthens the others.
    assert min(trips["far"]) >= 40
    assert min(trips["far"]) - min(trips["near"]) < 40.5


def test_requests_that_cross_on_the_way_take_effect_in_order_of_their_nominal_instants(
    tmp_path: Path,
) -> None:
    with emulator("--rtt", "60ms", "--lag", "constant=0s") as process:
        create_global_table(process)
        get = b'{"TableName":"items","Key":{"pk":{"S":"x"}},"ConsistentRead":true}'
        put = b'{"TableName":"items","Item":{"pk":{"S":"x"}}}'
        with (
            Http(process.url(OREGON)) as near,
            Http(process.url(SYDNEY)) as far,
            ThreadPoolExecutor(1) as pool,
        ):
            read = pool.submit(far.post, get, signed(operation="GetItem"))  # is performed 30 ms from now
            pause(10 * MS)
            assert near.post(put, signed(operation="PutItem"))[0] == 200  # performed at once
            assert "Item" in read.result()[1]


def test_the_truth_journal_is_what_reads_show(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with emulator("--lag", "median=60ms,sigma=0.5", "--truth", str(path)) as process:
        create_global_table(process)
        seen = {}
        with (
            boto_client(process.url(OREGON), OREGON) as here,
            boto_client(process.url(SYDNEY), SYDNEY) as there,
        ):
            for n in range(12):
                sent_ns = now_ns()
                here.put_item(TableName="items", Item={"pk": {"S": f"k{n}"}})
                seen[f"k{n}"] = (sent_ns, now_ns(), *until_seen(there, f"k{n}"))
        pause(600 * MS)
        flushed = path.read_text().splitlines()
    lines = [orjson.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len(flushed) == 12
    for line in lines:
        assert list(line) == ["from", "to", "table", "key", "commit_ns", "visible_ns"]
        assert (line["from"], line["to"], line["table"]) == (OREGON, SYDNEY, "items")
        sent_ns, acked_ns, last_miss_ns, first_hit_ns = seen[line["key"]]
        assert sent_ns <= line["commit_ns"] <= acked_ns
        assert last_miss_ns <= line["visible_ns"] <= first_hit_ns


def test_a_paused_link_is_resumed_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with emulator("--lag", "paused", "--truth", str(path)) as process:
        create_global_table(process)
        with (
            boto_client(process.url(OREGON), OREGON) as here,
            boto_client(process.url(SYDNEY), SYDNEY) as there,
        ):
            here.put_item(TableName="items", Item={"pk": {"S": "x"}})
            assert "Item" not in there.get_item(TableName="items", Key={"pk": {"S": "x"}})
            resumed_ns = now_ns()
            with Http(process.url()) as http:
                assert http.post(headers={}, path="/_admin/resume")[0] == 200
                assert http.post(headers={}, path="/_admin/nothing")[0] == 404
            until_seen(there, "x")
    before, after = (orjson.loads(line)["visible_ns"] for line in path.read_text().splitlines())
    assert before is None
    assert after > resumed_ns


def test_sigterm_flushes_the_truth_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    with emulator("--lag", "slow", "--truth", str(path)) as process:
        create_global_table(process)
        with boto_client(process.url(), OREGON) as client:
            client.put_item(TableName="items", Item={"pk": {"S": "x"}})
            process.process.send_signal(signal.SIGTERM)
            assert process.process.wait(5) == 0
    assert len(path.read_text().splitlines()) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(process.url().rsplit(":", 1)[1])))


def test_it_dies_with_its_parent() -> None:
    with emulator("--die-with-parent") as process:
        assert process.process.stdin is not None
        process.process.stdin.close()
        assert process.process.wait(5) == 0


def test_ready_is_one_line_of_json() -> None:
    with emulator("--lag", "slow", regions="us-west-2,eu-west-1") as process:
        members = {"combined", "regions", "pid", "lag", "faults", "control_plane", "rtt_ms", "seed"}
        assert set(process.ready) == members
        assert process.ready["pid"] == process.process.pid
        assert process.ready["lag"].startswith("slow: ")
        assert process.ready["rtt_ms"] == {"us-west-2": 0, "eu-west-1": 0}
        assert process.ready["seed"] == 1


def test_an_emulator_whose_parent_is_gone_before_it_is_ready_ends_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.emulator", "--regions", "us-west-2", "--json", "--die-with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""


def command(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """The emulator's command line, for what ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "harness.emulator", *arguments],
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--regions", "us-west-2,eu-west-99"], "'eu-west-99' is not a Region"),
        (["--regions", "us-west-2,us-west-2"], "twice"),
        (["--regions", "us-west-2", "--client", "nowhere"], "'nowhere' is not a Region"),
        (["--regions", "us-west-2", "--lag", "tipical"], "typical, bursty, slow"),
        (["--regions", "us-west-2", "--rtt", "soon"], "matrix, none, 70ms"),
        (["--regions", "us-west-2", "--table-delay", "5"], "no known unit"),
        (["--regions", "us-west-2", "--truth", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--regions", "us-west-2", "--port", "70000"], "not a port"),
        (["--regions", "us-west-2", "--port", "65535"], "beyond 65535"),
        (["--regions", "us-west-2", "--die-with-parent", "--rtt", "none"], "needs a pipe"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments: list[str], text: str) -> None:
    result = command(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = command("--regions", "us-west-2", "--port", str(port))
    assert result.returncode == 2
    assert f"port {port} on 127.0.0.1 is already in use; choose another --port" in result.stderr


def test_a_truth_journal_that_cannot_be_written_ends_the_emulator_with_a_sentence() -> None:
    options = "--regions us-west-2,ap-southeast-2 --json --rtt none --table-delay 0s --replica-delay 0s"
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.emulator", *options.split(), "--truth", "/dev/full"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    running = Emulator(process, orjson.loads(process.stdout.readline()))
    create_global_table(running)
    with boto_client(running.url(), OREGON) as client:
        client.put_item(TableName="items", Item={"pk": {"S": "x"}})
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 4
    assert "cannot write the truth journal /dev/full: No space left on device" in errors
    assert errors.count("\n") == 1


def test_the_help_shows_examples() -> None:
    result = command("--help")
    assert result.returncode == 0
    assert "python -m harness.emulator --regions us-west-2,ap-southeast-2" in result.stdout


def test_the_aws_command_line_works(running: Emulator) -> None:
    aws = Path(sys.executable).parent / "aws"
    result = subprocess.run(
        [
            aws,
            *f"dynamodb list-tables --region {SYDNEY} --endpoint-url {running.url()} --output json".split(),
        ],
        env={"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert orjson.loads(result.stdout) == {"TableNames": ["items"]}
