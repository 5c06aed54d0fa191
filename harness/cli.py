"""What the verbs share: arguments, one-sentence errors, exit codes, and where output goes.

stdout is the result, stderr is progress and errors.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from harness.errors import ExitCode, HarnessError, UsageError
from harness.interrupts import done, end_in_order
from harness.streams import steady_streams

T = TypeVar("T")

# What the machine may refuse anywhere, and what helps.
_HOST_FAILS = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room within the quota",
    errno.EROFS: "the file system must be writable",
    errno.EACCES: "see who may write there",
    errno.EPERM: "see who may write there",
    errno.EMFILE: "raise the limit with ulimit -n",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs",
    errno.EIO: "see the state of the disk",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence and name the nearest flag."""

    def __init__(self, verb: str, description: str, examples: Sequence[str]) -> None:
        super().__init__(
            prog=f"python -m harness.{verb}",
            description=description,
            epilog="examples:\n"
            + "\n".join(f"  python -m harness.{verb} {line}".rstrip() for line in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse_args(self, args: Sequence[str]) -> argparse.Namespace:  # type: ignore[override] # argv is always given
        """What the arguments say; `--flag=--`, of which argparse makes an empty list, is no value."""
        for word in args:
            flag, equals, value = word.partition("=")
            if flag.startswith("--") and equals and value == "--":
                raise UsageError(f"{flag} has the value '--', which is none; see {self.prog} --help")
        arguments, unknown = self.parse_known_args(args)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0], flags, 1)
            hint = f"did you mean {near[0]}?" if near else f"see {self.prog} --help"
            raise UsageError(f"unknown argument {unknown[0]!r}; {hint}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        raise UsageError(f"{message}; see {self.prog} --help")


def parsed_by(parse: Callable[[str], T]) -> Callable[[str], T]:
    """An argparse type from a parser of `units`, whose sentence argparse would swallow otherwise."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    convert.__name__ = parse.__name__
    return convert


def whole_number(allowed: range) -> Callable[[str], int]:
    """An argparse type: a whole number of a range."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:  # of thousands of digits as well
            raise UsageError(f"{text!r} is not a whole number") from None
        if number not in allowed:
            raise UsageError(f"{text!r} must lie between {allowed[0]} and {allowed[-1]}")
        return number

    return parsed_by(parse)


def say(line: str) -> None:
    """One line of progress on stderr; whatever it quotes, it leaves the terminal as it was."""
    print("\n".join(map(printable, line.split("\n"))), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text on one line, in which what would move the cursor, colour or turn the line around is spelled out.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def attempt(verb: Callable[[Sequence[str]], ExitCode], argv: Sequence[str]) -> ExitCode:
    """Run a verb's `main`; what it raises on purpose is said in a sentence and becomes its exit code."""
    try:
        return verb(argv)
    except HarnessError as error:
        say(f"error: {_shortened(printable(str(error)))}")
        return error.exit_code
    except OSError as error:
        if error.filename is None:  # the reader of stdout went away, or a defect
            raise
        say(
            f"error: cannot use {printable(str(error.filename))}: {error.strerror}; choose another place or make room"
        )
        return ExitCode.USAGE


def run_verb(verb: Callable[[Sequence[str]], ExitCode]) -> NoReturn:
    """Run a verb's `main` on the command line and leave with its exit code; SIGTERM ends it like Ctrl-C."""
    end_in_order()
    out = steady_streams()
    try:
        code = attempt(verb, sys.argv[1:])
        done()
        sys.stdout.flush()
        if out.lost is not None:
            say(f"error: the result could not be written to stdout: {out.lost.strerror}")
            code = ExitCode.USAGE
    except KeyboardInterrupt:
        say("interrupted")
        sys.stdout.flush()
        # Not sys.exit: where the interrupt passed through an exec() on its way here, as a lazy import may have it,
        # CPython would end with SIGINT in place of the exit code.
        os._exit(ExitCode.INTERRUPTED)
    except OSError as error:
        if error.errno not in _HOST_FAILS:
            raise
        say(f"error: this machine refuses: {error.strerror}; {_HOST_FAILS[error.errno]}")
        code = ExitCode.USAGE
    sys.exit(int(code))


def _shortened(sentence: str) -> str:
    """Without the middle where somebody quoted a book."""
    return sentence if len(sentence) <= 1200 else f"{sentence[:600]} … {sentence[-400:]}"
