"""Faults on a schedule: what is held up, until when, and who is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.faults.grammar import parse_faults
from harness.emulator.faults.kinds import KINDS
from harness.emulator.faults.request import Strike, strike_at
from harness.errors import UsageError
from harness.measure.clock import now_ns
from tests.emulator.processes import boto_client, create_global_table, emulator
from tests.emulator.worlds import IRELAND, MS, OREGON, SYDNEY, Client, S, global_table

REGIONS = (OREGON, SYDNEY, IRELAND)
FIRST = 100 * S


def faulty(*faults: str, lag: str = "constant=1s", **more: Any) -> Client:
    """A global table of three Regions in which these go wrong."""
    return global_table(*REGIONS, lag=lag, faults=parse_faults(faults, REGIONS), **more)


def struck(client: Client, region: str, operation: str, at_s: float) -> Strike | None:
    """What a request so long after the first write meets."""
    return strike_at(client.world.faults, region, operation, FIRST + int(at_s * S))


def test_throttling_counts_from_the_first_write_and_only_there_and_only_that() -> None:
    client = faulty(f"throttle:{SYDNEY}:reads=1s-2s", f"throttle:{IRELAND}=3s-4s")
    assert not struck(client, SYDNEY, "GetItem", 1)
    client.put(OREGON, FIRST, "x")
    assert struck(client, SYDNEY, "Query", 1)
    assert not struck(client, SYDNEY, "Query", 0.9)
    assert not struck(client, SYDNEY, "Query", 2)
    assert not struck(client, SYDNEY, "PutItem", 1)
    assert not struck(client, OREGON, "Query", 1)
    assert struck(client, IRELAND, "PutItem", 3)
    assert struck(client, IRELAND, "BatchGetItem", 3)
    assert not struck(client, IRELAND, "DescribeTable", 3)


def test_a_share_is_drawn_from_the_seed() -> None:
    def draws(seed: int) -> list[bool]:
        client = faulty("reset:30%=0s-", seed=seed)
        client.put(OREGON, FIRST, "x")
        return [struck(client, OREGON, "GetItem", n) is not None for n in range(1000)]

    assert draws(1) == draws(1) != draws(2)
    assert 250 < sum(draws(1)) < 350


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pause=8s-16s", "every link paused from 8.00 s to 16.0 s after the first write"),
        (f"pause:{OREGON}/{SYDNEY}=8s-", f"{OREGON} → {SYDNEY} paused from 8.00 s after the first write on"),
        (
            f"throttle:30%:reads:{SYDNEY}=2s-4s",
            f"{SYDNEY} throttles 30 % of reads from 2.00 s to 4.00 s after the first write",
        ),
        (
            "500:after:PutItem=0s-1s",
            "every Region answers PutItem with 500, having performed them, from 0 s to 1.00 s after the first write",
        ),
        (
            f"slow:200ms:{OREGON}:{SYDNEY}:0.5=0s-1s",
            f"each of {OREGON} and {SYDNEY} answers 50 % of requests 200 ms late from 0 s to 1.00 s after the "
            "first write",
        ),
        (
            "unprocessed:0.5:reads=0s-1s",
            "every Region leaves 50 % of keys of batch reads unprocessed from 0 s to 1.00 s after the first write",
        ),
        (
            "reorder:20%:70ms=0s-",
            "every link carries 20 % of writes out of order, up to 70.0 ms later, from 0 s after the first write on",
        ),
        (
            f"flap:{OREGON}=0s-",
            f"{OREGON} goes back by up to 1.00 s in eventually consistent reads from 0 s after the first write on",
        ),
        (
            f"partition:{SYDNEY}=0s-1s",
            f"{SYDNEY} is cut off from the replication of the others from 0 s to 1.00 s after the "
            "first write",
        ),
    ],
)
def test_a_fault_is_told_in_words(text: str, words: str) -> None:
    (fault,) = parse_faults([text], REGIONS)
    assert fault.describe() == words


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_can_be_written_with_all_it_takes(name: str) -> None:
    kind = KINDS[name]
    written = {
        "region": SYDNEY,
        "operation": "reads",
        "link": f"{OREGON}/{SYDNEY}",
        "share": "12.5%",
        "time": "70ms",
        "after": "after",
    }
    text = ":".join((name, *(written[option] for option in sorted(kind.takes)))) + "=1s-"
    (fault,) = parse_faults([text], REGIONS)
    assert fault.share == (0.125 if "share" in kind.takes else 1.0)
    assert fault.time_ns == (70 * MS if "time" in kind.takes else 0)
    assert fault.describe().endswith("from 1.00 s after the first write on")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pause", "KIND"),
        ("pause=8s", "8s-16s"),
        ("pause=4s-2s", "must end after"),
        (f"pause:{OREGON}=1s-2s", "pause takes no Region; it takes a link FROM/TO"),
        (f"pause:{OREGON}/mars-1=1s-2s", "mars-1"),
        (f"pause:{OREGON}/{OREGON}=1s-2s", "between two Regions"),
        (f"throttle:{OREGON}:deletes=1s-2s", "'deletes' is nothing that throttle takes"),
        ("throttle:mars-1=1s-2s", "emulated Regions are us-west-2"),
        ("throttle:0=1s-2s", "not a share"),
        ("throttle:130%=1s-2s", "not a share"),
        ("throttle:30%:0.3=1s-2s", "twice"),
        ("throttle:after=1s-2s", "throttle takes no before or after"),
        ("slow=1s-2s", "slow needs a duration"),
        ("slow:0s=1s-2s", "above zero"),
        ("partition=1s-2s", "partition needs a Region"),
        ("region-down=1s-2s", "needs a Region"),
        (f"table-deleted:{OREGON}=1s-2s", "does not come back"),
        ("resett=1s-2s", "did you mean reset"),
        ("=1s-2s", "kinds are throttle"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as refusal:
        parse_faults([text], REGIONS)
    assert "\n" not in str(refusal.value)


_PIECES = st.sampled_from(
    [
        *KINDS,
        *REGIONS,
        "reads",
        "PutItem",
        "after",
        "30%",
        "0",
        "1.",
        "200ms",
        "9h",
        "mars/1",
        f"{OREGON}/{SYDNEY}",
        "",
    ]
)


@given(
    st.one_of(
        st.text(max_size=30),
        st.builds(
            "{}={}".format,
            st.lists(_PIECES, max_size=5).map(":".join),
            st.text("0123456789-smh.", max_size=9),
        ),
    )
)
def test_any_text_is_a_fault_or_refused_in_one_line(text: str) -> None:
    said = ""
    try:
        faults = parse_faults([text], REGIONS)
    except UsageError as refusal:
        faults, said = (), str(refusal)
    assert len(said.splitlines()) <= 1
    assert all(fault.start_ns < fault.end_ns and fault.describe() for fault in faults)


def test_bad_faults_end_the_process_with_a_sentence() -> None:
    command = [sys.executable, "-m", "harness.emulator", "--regions", OREGON, "--fault", "resett=1s-2s"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: fault 'resett=1s-2s': there is no kind 'resett'; did you mean reset?\n"


def test_the_older_flags_are_spellings_of_faults() -> None:
    flags = ("--pause", "1h-2h", "--throttle", f"{SYDNEY}:reads=0s-1h", "--fault", "cut:writes=1h-2h")
    with emulator(*flags) as process:
        create_global_table(process)
        assert process.ready["faults"] == [
            "every link paused from 60 min 0 s to 2.0 h after the first write",
            f"{SYDNEY} throttles reads from 0 s to 60 min 0 s after the first write",
            "every Region sends half of its answers to writes from 60 min 0 s to 2.0 h after the first write",
        ]
        key = {"pk": {"S": "x"}}
        with (
            boto_client(process.url(OREGON), OREGON) as here,
            boto_client(process.url(SYDNEY), SYDNEY) as there,
        ):
            here.put_item(TableName="items", Item=key)
            with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
                there.get_item(TableName="items", Key=key)
            there.put_item(TableName="items", Item=key)
            assert here.get_item(TableName="items", Key=key)["Item"] == key


def test_a_pause_is_kept_by_the_process() -> None:
    with emulator("--lag", "constant=1ms", "--fault", "pause=0s-700ms") as process:
        create_global_table(process)
        with (
            boto_client(process.url(OREGON), OREGON) as here,
            boto_client(process.url(SYDNEY), SYDNEY) as there,
        ):
            sent_ns = now_ns()
            here.put_item(TableName="items", Item={"pk": {"S": "x"}})
            while "Item" not in there.get_item(
                TableName="items", Key={"pk": {"S": "x"}}, ConsistentRead=True
            ):
                pass
    assert now_ns() - sent_ns >= 700 * MS
