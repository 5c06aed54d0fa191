"""What the verbs share: arguments, one-sentence errors, exit codes, and where output goes.

stdout is the result, stderr is progress and errors.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn, TypeVar

from harness.errors import ExitCode, HarnessError, UsageError

T = TypeVar("T")


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

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        unknown = message.removeprefix("unrecognized arguments: ").split()
        if message.startswith("unrecognized arguments"):
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0], flags, 1)
            hint = f"did you mean {near[0]}?" if near else f"see {self.prog} --help"
            raise UsageError(f"unknown argument {unknown[0]!r}; {hint}")
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


def say(line: str) -> None:
    """One line of progress on stderr."""
    print(line, file=sys.stderr, flush=True)


def run_verb(verb: Callable[[Sequence[str]], ExitCode]) -> NoReturn:
    """Run a verb's `main` on the command line and leave with its exit code; SIGTERM ends it like Ctrl-C."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = verb(sys.argv[1:])
        sys.stdout.flush()
    except HarnessError as error:
        say(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        say("interrupted")
        sys.stdout.flush()
        # Not sys.exit: where the interrupt passed through an exec() on its way here, as a lazy import may have it,
        # CPython would end with SIGINT in place of the exit code.
        os._exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader of stdout went away, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    sys.exit(int(code))


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
