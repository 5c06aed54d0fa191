"""What is printed for people: hostile texts stay texts, and the terminal stays as it was."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from rich.table import Table

from harness.analysis.derive import derive_results
from harness.cli import printable, say
from harness.terminal import make_console, print_summary
from tests.recorded import record_run

HOSTILE = "[red]x[/red] :boom: \x1b]0;owned\x07\x1b[2J\x1b[31m\r\u202e\x9b1m\x00"


def test_a_console_shows_markup_and_control_characters_instead_of_obeying_them() -> None:
    file = io.StringIO()
    console = make_console(file)
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    console.print(HOSTILE)
    console.print(table)
    shown = file.getvalue()
    assert shown.replace("\n", "").isprintable()
    assert shown.count("[red]x[/red] :boom:") == 4


def test_a_label_of_a_summary_cannot_turn_the_terminal_around(tmp_path: Path) -> None:
    summary, _ = derive_results(record_run(tmp_path / "run"))
    summary["label"] = HOSTILE
    file = io.StringIO()
    print_summary(make_console(file), summary)
    assert file.getvalue().replace("\n", "").isprintable()
    assert "[red]x[/red] :boom:" in file.getvalue()


def test_progress_and_errors_spell_out_what_would_move_the_cursor() -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        say(f"run {HOSTILE}\nand more")
    first, second = err.getvalue().splitlines()
    assert first.isprintable()
    assert "\\x1b[2J" in first
    assert second == "and more"
    assert printable("a → b, 5 µs") == "a → b, 5 µs"
