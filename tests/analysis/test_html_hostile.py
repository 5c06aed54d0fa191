"""Hostile Regions, labels, tables and errors in the pages of runs, matrices and experiments: text, nothing else."""

from __future__ import annotations

import copy
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.derive import derive_results
from harness.analysis.html import RunLink, matrix_page, write_page, write_report
from harness.analysis.html.experiment_page import experiment_page
from harness.analysis.load import load_run
from harness.analysis.matrix import MatrixCell, region_matrix
from harness.analysis.plots.text import drawable
from harness.experiments.words import outcome_lines
from tests.analysis.conftest import HOSTILE
from tests.chromium import EXECUTABLE, open_browser
from tests.recorded import record_run

ROOT = Path(__file__).parent.parent.parent
LONG = HOSTILE + "</script></style></title></svg>\u202e\u2066{% raw %}{{ 7*7 }}\nx\r\n" + "w" * 10_000
PARTS = ("experiment", "conditions", "runs", "everywhere", "asymmetry", "comparisons", "matrix")


WIDE = """[...document.querySelectorAll("main *")].filter(e => !e.closest(".scroll, figure") &&
    e.getBoundingClientRect().right > innerWidth).map(e => e.tagName + "." + e.className).slice(0, 9)"""


class Harmful(HTMLParser):
    """What could be executed or fetched: scripts, handlers, and addresses that leave the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts, self.found = 0, list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag in ("img", "iframe", "object", "embed", "base", "form"):
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (value or "").strip().lower().startswith(
                ("javascript:", "data:text")
            ):
                self.found.append(f"{tag} {name}")


def hostile_run(folder: Path) -> Path:
    run = record_run(
        folder / "run",
        tags={LONG: LONG},
        target={"table": LONG, "emulator": {"lag": LONG}},
        argv=["python", LONG],
        interrupted=LONG,
    )
    summary, samples = derive_results(run)
    write_report(run, summary, samples)
    return run.report


def hostile_matrix(folder: Path) -> Path:
    run = record_run(folder / "for-matrix")
    derive_results(run)
    (cell,) = region_matrix([load_run(run.path)])
    cells = [
        MatrixCell(a, b, cell.n, cell.estimates, verdict)
        for a, b, verdict in ((LONG, "us-west-2", "VALID"), ("us-west-2", LONG, "INVALID"))
    ]
    links = [RunLink(c.source, c.replica, LONG, c.verdict, "x/report.html") for c in cells]
    return write_page(folder / "matrix.html", matrix_page(cells, [LONG], links))


def hostile_experiment(folder: Path) -> Path:
    outcome = json.loads(next(ROOT.glob("results/example-experiments-*/one-pair/outcome.json")).read_bytes())
    outcome = {**outcome, **{name: poisoned(outcome[name]) for name in PARTS}, "label": LONG}
    outcome["runs"] = [{**run, "reasons": [LONG], "error": LONG} for run in outcome["runs"]]
    remarks = [*outcome_lines(outcome), LONG]
    page = experiment_page(
        outcome, remarks, [], {run["directory"]: "x/report.html" for run in outcome["runs"]}
    )
    return write_page(folder / "experiment.html", page)


def poisoned(value: Any) -> Any:
    """Every text of it is hostile."""
    value = copy.copy(value)
    if isinstance(value, dict):
        return {key: poisoned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part) for part in value]
    return LONG if isinstance(value, str) and value not in ("VALID", "INVALID") else value


PAGES = {"run": hostile_run, "matrix": hostile_matrix, "experiment": hostile_experiment}


@pytest.fixture(scope="module", params=PAGES)
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGES[request.param](tmp_path_factory.mktemp("hostile"))


def test_hostile_texts_are_escaped_wherever_they_stand(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    harmful = Harmful(text)
    assert harmful.found == []
    assert harmful.scripts <= 1
    assert "&lt;script&gt;" in text
    assert "{{ 7*7 }}" in text


@pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine; Debian's package is chromium")
async def test_nothing_is_executed_and_the_layout_survives(page_file: Path) -> None:
    async with open_browser() as browser:
        page = await browser.new_page()
        for width in (390, 1280):
            await page.look(width)
            await page.load(page_file)
            wide = await page.js(WIDE)
            assert await page.js("document.scrollingElement.scrollWidth") <= width, wide
        assert "pwned" not in (await page.js("document.title")).split("<script>")[0]
        assert await page.js("document.images.length") == 0
        assert page.errors == []
        assert [url for url in page.requests if not url.startswith("data:")] == [page_file.as_uri()] * 2


def test_figures_keep_what_the_font_has_and_mark_the_rest() -> None:
    assert drawable("95\u00a0% → µs “x”") == "95\u00a0% → µs “x”"
    assert drawable("a\r\u202e漢b") == "a\ufffd\ufffd\ufffdb"
    assert len(drawable("w" * 10_000)) < 100
