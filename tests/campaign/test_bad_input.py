"""Bad input in the sizes of the campaign: the properties of tests/test_bad_input.py and tests/test_damaged_files.py."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.__main__ import VERBS
from harness.analysis.derive import derive_results
from harness.records.run_directory import RunDirectory
from tests import test_bad_input, test_damaged_files
from tests.campaign.drawn import FULL
from tests.recorded import record_run

pytestmark = pytest.mark.campaign

EXAMPLES = int(os.environ.get("BAD_INPUT_EXAMPLES", "200" if FULL else "10"))
SIZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
PROPERTIES = {
    name.removeprefix("test_"): test.hypothesis.inner_test
    for name, test in vars(test_damaged_files).items()
    if hasattr(test, "hypothesis")
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = record_run(
        tmp_path_factory.mktemp("whole") / "run", test_damaged_files.SMALL, tags={"variant": "a"}
    )
    derive_results(run)
    return run


@pytest.mark.parametrize("verb", VERBS)
def test_flags_in_any_number_and_order(verb: str) -> None:
    @SIZED
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        test_bad_input.fuzz_flags(verb, data)

    check()


@pytest.mark.parametrize("name", PROPERTIES)
def test_files_of_any_content(
    name: str, whole: RunDirectory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there: dict[str, Any] = {"whole": whole, "tmp_path_factory": tmp_path_factory}
    wanted = inspect.signature(PROPERTIES[name]).parameters.keys() & there.keys()

    @SIZED
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        PROPERTIES[name](data=data, **{key: there[key] for key in wanted})

    check()


def test_bits_of_the_samples(whole: RunDirectory, tmp_path: Path) -> None:
    test_damaged_files.check_flips(whole, tmp_path, 10 * EXAMPLES)
