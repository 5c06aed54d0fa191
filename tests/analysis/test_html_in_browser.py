"""The pages as a real browser shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.analysis.conftest import HOSTILE
from tests.chromium import EXECUTABLE, Browser, Page, open_browser

pytestmark = [
    pytest.mark.skipif(
        EXECUTABLE is None, reason="no Chromium on this machine; Debian's package is chromium"
    ),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> Page:
    return await browser.new_page()


async def test_a_page_loads_without_complaint_and_fetches_nothing(page, any_page):
    await page.look(1280)
    await page.load(any_page)
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith("data:")] == [any_page.as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_a_page_fits_a_phone(page, any_page, dark):
    await page.look(390, dark=dark)
    await page.load(any_page)
    assert await page.js("document.scrollingElement.scrollWidth") <= 390


async def test_nothing_in_the_data_is_executed(page, hostile):
    await page.load(hostile.report)
    assert (await page.js("document.title")).startswith("INVALID, simulated")
    assert await page.js("document.images.length") == 0
    assert HOSTILE in await page.js("document.body.innerText")
    assert page.errors == []


FIRST_COLUMN = "[...document.querySelectorAll('.percentiles tbody th')].map(cell => cell.textContent)"
HEADER = "document.querySelectorAll('.percentiles thead th')"


async def test_a_click_on_a_heading_sorts_and_another_sorts_the_other_way(page, valid):
    await page.load(valid.report)
    assert await page.js(FIRST_COLUMN) == ["p50", "p90", "p95", "p99", "p99.9"]
    click = f"{HEADER}[1].querySelector('button').click()"
    await page.js(click)
    assert await page.js(f"{HEADER}[1].getAttribute('aria-sort')") == "ascending"
    assert await page.js(f"{HEADER}[0].getAttribute('aria-sort')") is None
    await page.js(click)
    assert await page.js(f"{HEADER}[1].getAttribute('aria-sort')") == "descending"
    # what has no value is last whichever way the others run
    assert await page.js(FIRST_COLUMN) == ["p99", "p95", "p90", "p50", "p99.9"]


async def test_the_keyboard_sorts_too(page, valid):
    await page.load(valid.report)
    await page.js(f"{HEADER}[0].querySelector('button').focus()")
    await page.press("Enter", 13, "\r")
    assert await page.js(f"{HEADER}[0].getAttribute('aria-sort')") == "descending"
    assert await page.js(FIRST_COLUMN) == ["p99.9", "p99", "p95", "p90", "p50"]


CONTRAST = r"""
(() => {
  const numbers = (text) => text.match(/[\d.]+/g).map(Number);
  const light = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at), colour = numbers(style.backgroundColor);
      if (style.backgroundColor.startsWith("color(")) return numbers(style.backgroundColor).map((c) => 255 * c);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("main *, .strip")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg")) continue;
    const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return poor;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_text_stands_out_from_what_is_behind_it(page, any_page, dark):
    await page.look(1280, dark=dark)
    await page.load(any_page)
    assert await page.js(CONTRAST) == []


async def test_an_invalid_run_shows_its_banner_at_every_scroll_position_and_on_paper(page, invalid):
    await page.load(invalid.report)
    await page.js("window.scrollTo(0, document.body.scrollHeight / 2)")
    assert await page.js("document.querySelector('.strip').getBoundingClientRect().top") == 0
    assert (await page.pdf()).startswith(b"%PDF")
    assert await page.js("getComputedStyle(document.body).page") == "auto"
    await page.call("Emulation.setEmulatedMedia", media="print")
    assert await page.js("getComputedStyle(document.body).page") == "invalid"
