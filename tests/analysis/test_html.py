"""The pages as text: readable, self-contained, and honest about their run."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from harness.analysis.derive import derive_results
from harness.analysis.html import run_page, write_report
from harness.analysis.html.render import format_share
from harness.analysis.html.tables import Cell, estimate_cell
from harness.analysis.load import load_run
from harness.records.run_directory import RunDirectory
from tests.analysis.conftest import written_matrix


def text_of(run: RunDirectory) -> str:
    return run.report.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_sentence_a_person_came_for_is_the_first_heading(valid):
    (heading,) = re.findall(r"<h1>(.*?)</h1>", text_of(valid))
    words = re.sub(r"<.*?>", "", heading)
    assert re.fullmatch(
        r"99\s% of writes were visible in ap-southeast-2 within [\d.]+ s \[[\d.]+, [\d.]+\]", words
    )


def test_without_the_samples_for_a_p99_the_sentence_uses_the_highest_percentile_there_is(both_ways):
    text = re.sub(r"<.*?>", "", text_of(both_ways))
    assert re.search(r"90\s% of writes were visible in eu-west-1 within", text)
    assert "99\u00a0% of writes were" not in text


def test_a_run_says_whether_it_is_simulated_or_aws_and_its_verdict_in_the_title_and_on_top(valid, both_ways):
    for run, label in ((valid, "simulated"), (both_ways, "AWS")):
        text = text_of(run)
        assert f"<title>VALID, {label}" in text
        header = text[text.index("<header>") : text.index("</header>")]
        assert "<strong>VALID</strong>" in header
        assert label in header
    assert "Nothing here is a measurement of AWS" in text_of(valid)
    assert "Nothing here is a measurement of AWS" not in text_of(both_ways)


def test_an_invalid_run_says_so_and_why_before_any_number(invalid):
    text = text_of(invalid)
    header = text[text.index("<header>") : text.index("</header>")]
    assert text.index("INVALID</strong>") < text.index("<h1>")
    assert "3 lost" in header
    assert "ended without finishing" in header
    assert "Not to be used:" in re.findall(r"<h1>(.*?)</h1>", text)[0]
    assert 'class="badge good"' not in text
    assert text.count("(INVALID)</th>") >= 4


def test_several_pairs_have_a_section_each_and_what_concerns_them_together(both_ways):
    text = text_of(both_ways)
    assert [f'id="pair-{n}"' in text for n in (1, 2, 3, 4)] == [True, True, True, False]
    for heading in ("All Region pairs", "Visible everywhere", "One direction against the other", "Control"):
        assert heading in text


def test_a_difference_too_few_samples_can_tell_says_what_it_needs(both_ways):
    text = text_of(both_ways)
    section = text[text.index("One direction against the other") : text.index('id="pair-1"')]
    assert '<td class="number">n/a <small></small><small>needs 368 samples, has 40</small></td>' in section
    assert "not seen by the deadline" not in section


def test_equal_runs_give_equal_bytes(valid):
    before = text_of(valid)
    summary, samples = derive_results(valid)
    write_report(valid, summary, samples)
    assert text_of(valid) == before


def test_the_command_to_measure_again_names_the_seed(valid):
    assert "<code>python -m harness.run --seed 1</code>" in text_of(valid)


def test_nothing_outside_the_run_directory_is_referred_to(any_page):
    text = any_page.read_text()
    for tag, attributes in Elements(text).found:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
            target = attributes.get(name)
            if target is not None:
                assert re.match(r"#|data:,|\./|x/report\.html", target), (tag, name, target)
    assert set(re.findall(r"url\((?!#)", text)) == set()
    assert "@import" not in text


def test_ids_are_unique_and_references_to_them_lead_somewhere(any_page):
    elements = Elements(any_page.read_text()).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        for name, value in attributes.items():
            if name == "href" and str(value).startswith("#"):
                assert str(value)[1:] in ids
            elif name == "aria-labelledby":
                assert set(str(value).split()) <= set(ids)
            elif found := re.findall(r"url\(#(.*?)\)", value or ""):
                assert set(found) <= set(ids)


def test_headings_are_in_order_and_figures_have_names(any_page):
    elements = Elements(any_page.read_text()).found
    levels = [int(tag[1]) for tag, _ in elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    figures = [attributes for tag, attributes in elements if tag == "svg"]
    assert all(attributes["role"] == "img" and attributes["aria-labelledby"] for attributes in figures)


def test_whatever_the_data_contain_is_text(hostile):
    text = text_of(hostile)
    assert "<img" not in text
    assert text.count("<script>") == 1
    assert "&lt;script&gt;document.title=" in text
    assert "{{ 7*7 }}" in text
    assert "interrupted: &lt;script&gt;" in text


@pytest.mark.parametrize(
    ("estimate", "cell"),
    [
        ({"value": 1710.0, "low": 1620.0, "high": 1840.0, "n": 400}, Cell("1.71 s", "[1.62, 1.84]", 1710.0)),
        ({"needs": 3688, "n": 400}, Cell("n/a", "needs 3,688")),
        (
            {"value": None, "low": 30_000.0, "high": None, "n": 9},
            Cell("over 30.0 s", "not seen by the deadline"),
        ),
        ({"value": 5.0, "low": None, "high": None, "n": 9}, Cell("5.00 ms", "no interval", 5.0)),
        (None, Cell("–")),
    ],
)
def test_a_cell_shows_its_interval_or_what_it_lacks(estimate, cell):
    assert estimate_cell(estimate) == cell


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (3.7e-6, "0.0004 %"),
        (0.0092, "0.92 %"),
        (0.798, "79.8 %"),
        (0.9986, "99.86 %"),
        (0.99996, "99.996 %"),
        (1.0, "100 %"),
        (None, "–"),
    ],
)
def test_a_share_is_told_from_none_and_from_all(share, text):
    assert format_share(share) == text


SHARE = {"value": 0.05, "low": 0.01, "high": 0.2, "n": 40}


def test_reads_of_a_second_mode_have_a_section_without_figures_and_say_what_flapped(valid):
    run = load_run(valid.path)
    (strong,) = run.summary["pairs"]
    flaps = {"count": 3, "samples": 2, "share": SHARE}
    eventual = strong | {"read": "eventual", "headline": False, "flaps": flaps}
    eventual["stable_latency_ms"] = strong["latency_ms"]
    text = run_page(run.manifest, {**run.summary, "pairs": [strong, eventual]}, run.samples, "r")
    first, second = text.split('<h2 id="pair-2">')
    assert "eventual reads" in second
    assert '<th scope="col" class="number">stable visible' in second
    assert "2 of 40 writes were missing again after they had been seen" in second
    assert second.count("<figure") < first.count("<figure")
    assert "<dt>Flaps</dt>" not in text_of(valid)


def test_contests_and_torn_transactions_are_told_with_their_intervals(valid):
    run = load_run(valid.path)
    (pair,) = run.summary["pairs"]
    window = {"items": 4, "certainly_torn": SHARE, "window_ms": pair["latency_ms"]}
    names = ("first_survives", "second_survives", "lost_updates")
    contest = dict.fromkeys(names, SHARE) | {
        "first": "us-west-2",
        "second": "eu-west-1",
        "n": 40,
        "unsettled": 1,
    }
    contest |= {"offset_ms": -30.0, "agreement_ms": pair["latency_ms"]}
    summary = run.summary | {"pairs": [pair | {"torn_window": window}], "contest": contest}
    text = run_page(run.manifest, summary, run.samples, "r")
    assert "of 40 transactions of 4 items were visible in part" in text
    assert "30.0 ms earlier (median) in eu-west-1" in text
    assert "of 1 the survivor is not known" in text
    assert "5.0 % <small>[1.0 %, 20.0 %], n = 40</small>" in text


def test_a_matrix_leads_from_each_cell_to_the_report_of_its_run(tmp_path, valid):
    text = written_matrix(tmp_path, [valid]).read_text()
    assert re.search(r'<td class="value" style="--heat:[\d.]+%"><a href="x/report.html"', text)


def test_a_matrix_cell_of_several_runs_leads_to_their_list(tmp_path, valid, both_ways):
    text = written_matrix(tmp_path, [valid, both_ways]).read_text()
    assert 'href="#runs-us-west-2-ap-southeast-2"' in text
    assert '<tr id="runs-us-west-2-ap-southeast-2">' in text


def test_a_matrix_with_an_invalid_run_marks_its_cell_and_leaves_it_out_of_the_heading(tmp_path, invalid):
    text = written_matrix(tmp_path, [invalid]).read_text()
    assert "<h1>No cell of this matrix can be used</h1>" in text
    assert 'class="value invalid"' in text
    assert "<title>INVALID" in text
