"""What a file may ask for, and what is refused with which words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.experiments.settings import Fault
from harness.experiments.spec import Experiment, load_experiment, parse_experiment
from harness.measure.plan import Polling, Workload
from harness.units import FOREVER_NS

SHIPPED = sorted((Path(__file__).parents[2] / "experiments").glob("*.toml"))
SECOND = 1_000_000_000
ABOUT = '[experiment]\nname = "try"\nquestion = "Does it?"\n'
PAIR = '[regions]\npairs = [["us-west-2", "eu-west-1"]]\n'
FIVE = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")


def parsed(text: str, regions: str = PAIR) -> Experiment:
    return parse_experiment(tomllib.loads(ABOUT + regions + text))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_experiment_loads_and_says_first_what_it_asks_and_how_long_it_takes(path: Path) -> None:
    assert load_experiment(path).name == path.stem
    comment = path.read_text().split("\n\n")[0]
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert "?" in comment
    assert "minute" in comment


def test_the_promised_experiments_are_shipped() -> None:
    assert {path.stem for path in SHIPPED} >= {
        "one-pair", "both-ways", "region-matrix", "item-size", "write-rate", "poll-spacing", "read-consistency",
        "soak", "replication-pause", "throttled-replica",
    }  # fmt: skip


def test_without_settings_an_experiment_is_one_run_with_the_harness_defaults() -> None:
    experiment = parsed("")
    (condition,) = experiment.conditions
    assert condition.label == ""
    assert condition.settings.workload == Workload()
    assert condition.settings.polling == Polling()
    assert experiment.groups == ((("us-west-2", "eu-west-1"),),)
    assert experiment.repetitions == 1
    assert experiment.seed is None


def test_every_setting_reaches_the_run() -> None:
    text = """
        [workload]
        rate = "50/s"
        arrivals = "bursts"
        item_size = "4KB"
        keys = "new"
        duration = "3s"
        warmup = "1s"
        shards = 2
        seed = 7
        [polling]
        interval = "20ms"
        strategy = "batch"
        schedule = "fixed"
        read = "eventual"
        timeout = "10s"
        control = true
        [emulator]
        lag = "fast"
        rtt = "none"
        eventual_lag = "none"
        pause = "1s-2s"
        throttle = "eu-west-1:reads=2s-3s"
        fault = "reset:5%=1s- 500:after:writes=1s-2s"
        [run]
        repetitions = 3
    """
    experiment = parsed(text)
    settings = experiment.conditions[0].settings
    assert settings.workload == Workload(150, 50.0, "bursts", SECOND, 4096, Workload().seed, 2)
    assert settings.polling == Polling(20_000_000, "batch", "fixed", "eventual", 10 * SECOND)
    assert settings.control
    assert settings.emulator.lag == "fast"
    assert settings.emulator.pause == Fault("", SECOND, 2 * SECOND)
    assert settings.emulator.throttle == Fault("eu-west-1:reads", 2 * SECOND, 3 * SECOND)
    assert settings.emulator.arguments() == (
        "--rtt", "none", "--eventual-lag", "none", "--pause", "1000000000ns-2000000000ns",
        "--throttle", "eu-west-1:reads=2000000000ns-3000000000ns",
        "--fault", "reset:5%=1000000000ns-", "--fault", "500:after:writes=1000000000ns-2000000000ns",
    )  # fmt: skip
    assert (experiment.seed, experiment.repetitions) == (7, 3)


def test_lists_are_axes_and_conditions_their_product() -> None:
    text = '[workload]\nrate = ["5/s", "20/s"]\nduration = "10s"\n[polling]\nread = ["strong", "eventual"]\n'
    conditions = parsed(text).conditions
    assert [condition.label for condition in conditions] == [
        "rate=5/s, read=strong",
        "rate=5/s, read=eventual",
        "rate=20/s, read=strong",
        "rate=20/s, read=eventual",
    ]
    assert [condition.settings.workload.samples for condition in conditions] == [50, 50, 200, 200]


@pytest.mark.parametrize(("together", "runs"), [("source", 5), ("all", 1), ("pair", 20)])
def test_all_ordered_pairs_of_a_list_are_measured_by_source_at_once_or_one_by_one(
    together: str, runs: int
) -> None:
    groups = parsed("", f'[regions]\nall = {list(FIVE)}\ntogether = "{together}"\n').groups
    assert len(groups) == runs
    pairs = [pair for group in groups for pair in group]
    assert len(pairs) == len(set(pairs)) == 20
    if together == "source":
        assert all(len({source for source, _ in group}) == 1 for group in groups)


def test_a_scaled_experiment_keeps_its_shape() -> None:
    text = '[workload]\nduration = "40s"\nwarmup = "4s"\n[emulator]\npause = "10s-20s"\nfault = "cut=10s-"\n'
    for scaled in (parsed(text).scaled(None, 0.1), parsed(text).scaled(80, 1.0)):
        settings = scaled.conditions[0].settings
        assert settings.workload.samples == 80
        assert settings.workload.warmup_ns == 0.4 * SECOND
        assert settings.emulator.pause == Fault("", SECOND, 2 * SECOND)
        assert settings.emulator.fault == (Fault("cut", SECOND, FOREVER_NS),)


def test_scaling_to_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no write"):
        parsed("").scaled(None, 0.0001)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[workload]\nitme_size = '4KB'\n", r"\[workload\] itme_size is not known; did you mean item_size\?"),
        ("[polling]\nspacing = '5ms'\n", r"\[polling\] spacing is not known; there are control, interval"),
        ("[wokload]\n", r"section \[wokload\] is not known; did you mean \[workload\]\?"),
        ("[run]\nrepetition = 2\n", "did you mean repetitions"),
        ("[workload]\nkeys = 'any'\n", "not one of new, update, delete, contested"),
        ("[workload]\nrate = 20\n", r"\[workload\] rate: 20 is not a string in quotes"),
        ("[workload]\nrate = '20 per second'\n", r"\[workload\] rate"),
        ("[workload]\nsamples = 0\n", "0 is not a whole number from 1"),
        ("[workload]\nsamples = true\n", "True is not a whole number"),
        ("[workload]\nsamples = 5\nduration = '1s'\n", "both samples and duration"),
        ("[workload]\nduration = '1ms'\n", "no write"),
        ("[workload]\nitem_size = '1MB'\n", "item_size"),
        ("[workload]\nitem_size = '500KB'\n", "between 100B and 400KB"),
        ("[workload]\nrate = []\n", "empty list"),
        ("[workload]\nrate = ['5/s', '5/s']\n", "names a value twice"),
        ("[workload]\nseed = [1, 2]\n", "seed"),
        ("[polling]\nread = 'fast'\n", "not one of strong, eventual"),
        ("[polling]\ncontrol = 'yes'\n", "not true or false"),
        ("[emulator]\npause = '8s'\n", r"\[emulator\] pause"),
        ("[emulator]\nfault = 'reset'\n", r"\[emulator\] fault"),
        ("[emulator]\nfault = '1s-2s'\n", r"\[emulator\] fault: .*KIND"),
        ("[run]\nrepetitions = 0\n", "repetitions"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_way_out(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parsed(text)


@pytest.mark.parametrize(
    ("regions", "says"),
    [
        ("", "needs either pairs"),
        ('[regions]\npairs = [["a", "b"]]\nall = ["a", "b"]\n', "needs either pairs"),
        ("[regions]\npairs = []\n", "is not a list"),
        ('[regions]\npairs = [["a"]]\n', "FROM"),
        ('[regions]\npairs = [["a", "a"]]\n', "leads nowhere"),
        ('[regions]\npairs = [["a", "b"], ["a", "b"]]\n', "named twice"),
        ('[regions]\nall = ["a"]\n', "two Regions or more"),
        ('[regions]\nall = ["a", "a"]\n', "names a Region twice"),
        ('[regions]\nall = ["a", "b"]\ntogether = "pairs"\n', "not one of source, all, pair"),
    ],
)
def test_regions_that_make_no_pairs_are_refused(regions: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parsed("", regions)


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"question": "Does it?"}, "has no name"),
        ({"name": "Not A Name", "question": "Does it?"}, "not a name of small letters"),
        ({"name": "x"}, "has no question"),
        ({"name": "x", "question": " "}, "not a sentence"),
        ({"name": "x", "question": "Does it?", "expected_to_fail": "throttles"}, "not a list of names"),
    ],
)
def test_an_experiment_has_a_name_and_a_question(about: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_experiment({"experiment": about, "regions": {"pairs": [["a", "b"]]}})


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none\.toml"):
        load_experiment(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[experiment")
    with pytest.raises(UsageError, match=r"bad\.toml is not TOML"):
        load_experiment(tmp_path / "bad.toml")
    (tmp_path / "wrong.toml").write_text(ABOUT + PAIR + "[workload]\nrat = '5/s'\n")
    with pytest.raises(UsageError, match=r"wrong\.toml: \[workload\] rat is not known; did you mean rate"):
        load_experiment(tmp_path / "wrong.toml")
