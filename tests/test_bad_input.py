"""Bad input: whatever a person types, or a file holds, the answer is one sentence and the exit code for it."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.__main__ import VERBS
from harness.cli import Parser, attempt
from harness.errors import ExitCode

ROOT = Path(__file__).parent.parent
HUGE = "9" * 5000
VALUES = (
    "", " ", "x", "-", "--", "-1", "0", "00", "1e-300", "0x10", "nan", "inf", "-inf", "1" + "0" * 30,
    "1" + "0" * 400, HUGE, "a" * 5000, "é", "a\nb", "\x1b[31m", "\u202e", "[red]", "{{7*7}}", "%s", "{}", "\udcff",
    "=", "a=", "=b", ",", ",,", "us-west-2,us-west-2", "us-west-2=http://[", "us-west-2=http://x:99999", "=http://x",
    "us-west-2=ftp://x", "us-west-2=http://u:p@x", "p99>", "p99>1e5s", f"p99>{HUGE}s", "p1>3s", "1/0", "0/s", "0.0/s",
    "99999999999/s", "0.00000001/s", "-5ms", "0s", "1ns", "999999999h", HUGE + "h", "401KB", HUGE + "KB", "median=",
    "median=1ms,sigma=nan", "constant=-1ms", "8s-4s", "4s-8s-9s", "us-west-2/us-west-2=1s-2s", "2:100ms", "aws/0",
    "/dev/null/x", "../..", "*", "[", "results/[", "None",
)  # fmt: skip
# What keeps each verb from measuring: a plan is only printed, or there is something else that must be refused.
HARMLESS = {
    "run": ("--from", "us-west-2", "--to", "eu-west-1", "--dry-run"),
    "compare": ("/nowhere/a", "/nowhere/b"),
    "experiment": (str(ROOT / "experiments" / "one-pair.toml"), "--dry-run"),
    "report": ("/nowhere/a",),
    "check": ("/nowhere/a",),
    "doctor": ("--from", "us-west-2", "--to", "us-west-2"),
    "table": ("--from", "us-west-2", "--to", "eu-west-1", "--iam-policy"),
    "demo": ("--from", "us-west-2", "--to", "us-west-2"),
    "calibrate": ("--poll-with", "telepathy"),
    "emulator": ("--regions", "atlantis"),
}
MEASURES = {"run": "--dry-run", "experiment": "--dry-run", "table": "--iam-policy"}
SLOW = (
    "--samples",
    "--scale",
    "--duration",
    "--rate",
    "--shards",
    "--versions",
    "--together",
    "--poll-interval",
)


def parser_of(verb: str) -> Parser:
    parser: Parser = module_of(verb).make_parser()
    return parser


def module_of(verb: str):
    return importlib.import_module("harness.emulator.__main__" if verb == "emulator" else f"harness.{verb}")


def flags_of(verb: str) -> list[argparse.Action]:
    """Every flag of a verb's own parser, so that a new one is among them without being named here."""
    return [action for action in parser_of(verb)._actions if action.option_strings and action.dest != "help"]


def said(verb: str, argv: Sequence[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a verb, as its command line gives them."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = attempt(module_of(verb).main, argv)
    return int(code), out.getvalue(), err.getvalue()


def with_flag(verb: str, action: argparse.Action, value: str | None) -> list[str]:
    """The harmless command line of a verb with one flag of it set, in place of the value it has there."""
    flag, words = action.option_strings[-1], list(HARMLESS[verb])
    if flag in words and action.nargs != 0 and flag not in MEASURES.values():
        at = words.index(flag)
        del words[at : at + 2]
    return [*words, flag if value is None else f"{flag}={value}"]


def check_sentence(code: int, out: str, err: str) -> None:
    """Fine, or refused in exactly one line that leaves the terminal as it was."""
    assert code in (0, 2, 4), err
    if code:
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err[:-1].isprintable(), err
        assert len(err) < 1300


def names(err: str, flag: str, value: str) -> bool:
    """Does the sentence say which flag, or quote the value, or a part of it?"""
    parts = [repr(part)[1:-1] for part in (value, *value.replace("=", ",").split(","))]
    return (
        flag in err
        or any(repr(quoted) in err for quoted in (value, value.strip(" ,")))
        or any(part[:300] in err for part in parts if part.strip())
    )


def test_the_verbs_of_this_table_are_all_verbs() -> None:
    assert HARMLESS.keys() == VERBS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_answers_a_value_that_makes_no_sense_in_a_sentence_that_names_it(verb: str) -> None:
    without = said(verb, HARMLESS[verb])[2]
    for action in flags_of(verb):
        flag = action.option_strings[-1]
        for value in VALUES if action.nargs != 0 else (None,):
            code, out, err = said(verb, with_flag(verb, action, value))
            check_sentence(code, out, err)
            if code and value is not None and err != without:
                assert names(err, flag, value), (flag, value, err)


@pytest.mark.parametrize("verb", VERBS)
def test_a_flag_that_is_misspelt_is_answered_with_the_nearest(verb: str) -> None:
    for action in flags_of(verb):
        flag = action.option_strings[-1]
        code, _, err = said(verb, [*HARMLESS[verb], flag + "x"])
        assert code == 2
        assert f"'{flag}x'; did you mean --" in err


WORDS = st.one_of(
    st.sampled_from(VALUES),
    st.text(st.characters(exclude_characters="\0"), max_size=30),
    st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,5})?(ns|us|ms|s|m|h|/s|/m|KB|B)?", fullmatch=True),
)


def fuzz_flags(verb: str, data: st.DataObject) -> None:
    """Some flags, several times and together, with anything for values."""
    actions = flags_of(verb)
    if verb in MEASURES:  # each number that makes sense makes another forecast, which takes seconds
        actions = [action for action in actions if action.option_strings[-1] not in SLOW]
    chosen = data.draw(st.lists(st.sampled_from(actions), max_size=5))
    words = [
        flag if action.nargs == 0 else f"{flag}={data.draw(WORDS)}"
        for action in chosen
        for flag in action.option_strings[-1:]
        if flag not in HARMLESS[verb]
    ]
    extra = data.draw(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=10), max_size=1))
    check_sentence(*said(verb, [*HARMLESS[verb], *words, *(word for word in extra if word != "-h")]))


@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_flags_repeated_and_combined_never_end_in_a_traceback(verb: str, data: st.DataObject) -> None:
    fuzz_flags(verb, data)


def test_a_place_that_cannot_be_written_is_named_whoever_tried(tmp_path: Path) -> None:
    def verb(argv: Sequence[str]) -> ExitCode:
        Path(argv[0]).mkdir(parents=True)
        return ExitCode.OK

    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        assert attempt(verb, [str(tmp_path / "new")]) == ExitCode.OK
        assert attempt(verb, ["/dev/null/x"]) == ExitCode.USAGE
    check_sentence(2, "", err.getvalue())
    assert "cannot use /dev/null/x: Not a directory" in err.getvalue()


@pytest.mark.parametrize(
    ("verb", "words", "says"),
    [
        ("run", ("--from", "us-west-2", "--to", "eu-west-1", "--lag", "never"), "lag 'never'"),
        ("run", ("--from", "us-west-2", "--to", "eu-west-1", "--results", "/dev/null/x"), "/dev/null/x"),
        ("demo", ("--lag", "median=0s"), "'0s'"),
        ("emulator", ("--regions", "us-west-2", "--truth", "/dev/null/x"), "/dev/null/x"),
        ("emulator", ("--regions", "us-west-2", "--port", "99999"), "--port 99999"),
        ("compare", ("/nowhere\udcff",), "/nowhere"),
        ("report", ("--results", b"\xff\xfe", "x"), "no run at x"),
    ],
)
def test_a_process_says_the_same(verb: str, words: Sequence[str | bytes], says: str) -> None:
    command = [sys.executable, "-m", f"harness.{verb}", *words]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=ROOT, env=os.environ)
    check_sentence(done.returncode, "", done.stderr.decode())
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert done.stdout == b""
