"""The page of a comparison, as somebody reads it."""

import pytest

from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.pages.comparison import comparison_page
from intergreen.agents.evaluation.pages.write import sections_to_show

HORIZON_S = 1200


@pytest.fixture(scope="module")
def sections():
    cells = comparison_cells(["grid4x4", "single"], ["fixed-time", "max-pressure"], protocol_name="us-mutcd-5")
    results = run_cells(cells, seeds=[0, 1], horizon_s=HORIZON_S)
    return sections_to_show(cells, results, horizon_s=HORIZON_S)


@pytest.fixture
def path(sections, tmp_path):
    path = tmp_path / "out.html"
    path.write_text(comparison_page(sections), encoding="utf-8")
    return path


def opened(open_page, path, **options):
    page = open_page(path, **options)
    page.wait_for_function("() => window.timings && window.timings.length === 2")
    return page


def test_timing_bars_show_the_signal_and_the_minutes_that_are_chosen(open_page, path, sections):
    page = opened(open_page, path)
    bars = page.locator(".timing").first
    for signal, begin in ((0, 0), (7, 600), (15, 300)):
        bars.locator("select").select_option(str(signal))
        bars.locator("input").fill(str(begin))
        for row, near in enumerate(sections[0].near):
            events = near.seen.signals.interventions()
            inside = (events.of == signal) & (events.time_s >= begin) & (events.time_s <= begin + 600)
            assert bars.locator(".bar").nth(row).locator(".mark").count() == inside.sum()
    assert bars.locator("output").inner_text() == "0:05:00 to 0:15:00"


def test_buttons_lead_to_the_sections(open_page, path):
    page = opened(open_page, path)
    page.locator("nav button").nth(1).click()
    page.wait_for_function("() => document.getElementById('s1').getBoundingClientRect().top < 300")


def test_colours_follow_the_button(open_page, path):
    page = opened(open_page, path, color_scheme="dark")
    line = "() => getComputedStyle(document.querySelector('.line')).stroke"
    dark = page.evaluate(line)
    page.click("#theme")
    assert page.evaluate(line) != dark


def test_charts_stay_inside_a_narrow_screen(open_page, path):
    page = opened(open_page, path, viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_words_of_the_charts_do_not_run_out_of_them(open_page, path):
    page = opened(open_page, path)
    cut = page.evaluate("""() => [...document.querySelectorAll('main svg')].flatMap((svg) => {
        const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter((text) => {
          const b = text.getBoundingClientRect();
          return b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 2 || b.bottom > box.bottom + 2;
        }).map((text) => text.textContent);
      })""")
    assert cut == []
