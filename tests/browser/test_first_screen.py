"""The first screen of a report in a browser: at every width, in print, and in two themes."""

import base64

import pytest

from embshift.measurement.studies.sweep import measure_sweep
from tests.browser.axe import find_faults, load_axe
from tests.browser.test_report import content
from tests.synthetic_runs import NINE, THIRTY, Wanted, make_run


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    return make_run(folder / "run", Wanted(images=14)).report(folder / "report.html")


@pytest.fixture
def page(browser, report):
    browser.open(report)
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == []


def drawn_rows(browser):
    return browser.texts("#first-rows .row-name .name")


def ends_of_bars(browser):
    """Return the width of each bar as a share of its track."""
    script = """return [...document.querySelectorAll('#first-rows .mark')].map((one) =>
        one.getBoundingClientRect().width / one.ownerSVGElement.getBoundingClientRect().width)"""
    return browser.run(script)


def test_the_headline_is_the_title_of_the_page(page):
    first = content(page)["first"]
    assert page.texts("h1") == [first["headline"].replace(" %", "\u00a0%")]
    assert page.run("return document.querySelector('h1').getBoundingClientRect().bottom") < 300


def test_every_transform_has_a_bar_of_its_length_and_a_view(page):
    chart = content(page)["first"]["chart"]
    rows = chart["groups"][0]["rows"]
    assert drawn_rows(page) == [row["name"] for row in rows]
    assert ends_of_bars(page) == pytest.approx(
        [row["shift"]["value"] / chart["top"] for row in rows], abs=0.01
    )
    assert len(page.all("#first-rows img")) == 2 * len(NINE)


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (420, 800)])
def test_headline_caveats_and_chart_are_on_the_first_screen(page, width, height):
    with page.resized(width):
        place = "return document.querySelector('#first-rows li:nth-child(%d)').getBoundingClientRect().bottom"
        assert page.run(place % (len(NINE) + 1 if width > 1000 else 7)) <= height
        assert page.run("return document.documentElement.scrollWidth") <= width


def test_a_row_leads_to_its_images(page):
    row = content(page)["first"]["chart"]["groups"][0]["rows"][2]
    page.all("#first-rows a.row")[2].click()
    assert page.run("return location.hash") == f"#shift-{row['transform'] + 1}-1"
    assert page.one("#behind-text").text.startswith(f"{row['name']} by ")


def test_bars_follow_the_theme_and_stay_in_print(page):
    fill = "return getComputedStyle(document.querySelector('#first-rows .mark')).fill"
    before = page.run(fill)
    page.one("#theme").click()
    assert page.run(fill) != before
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert page.run(fill) == before
    assert len(ends_of_bars(page)) == len(NINE)
    page.run("window.dispatchEvent(new Event('afterprint'))")
    page.one("#theme").click()


def test_contents_name_the_sections_that_are_there(page):
    hashes = page.run("return [...document.querySelectorAll('nav a')].map((one) => one.hash.slice(1))")
    shown = "return arguments[0].every((id) => document.getElementById(id).getClientRects().length)"
    assert page.run(shown, hashes)
    assert hashes[0] == "findings"
    assert "paper" not in hashes
    assert page.texts("nav a[aria-current]") == ["Findings"]


def test_thirty_transforms_stand_in_two_columns(browser, tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=4, transforms=THIRTY, views=False, maps=False))
    browser.open(run.report())
    assert len(drawn_rows(browser)) == len(THIRTY)
    with browser.resized(1400):
        assert len(browser.all("#first-rows .halves > .rows")) == 2
        bottom = "return document.querySelector('#first-rows').getBoundingClientRect().bottom"
        assert browser.run(bottom) <= 900
        assert browser.run("return document.documentElement.scrollWidth") <= 1400


def test_a_sweep_shows_where_originals_are_lost(browser, photos, tmp_path):
    run = measure_sweep(
        photos,
        transforms=["noise", "jpeg"],
        severities=[1, 5],
        encoder="lite",
        image_size=64,
        out=tmp_path / "run",
    )
    browser.open(run.report())
    rows = content(browser)["first"]["chart"]["groups"][0]["rows"]
    shown = browser.texts("#first-rows .cell strong")
    assert shown == [cell["found"]["text"] for row in rows for cell in row["cells"]]
    broken = sum(cell["broken"] for row in rows for cell in row["cells"])
    assert len(browser.all("#first-rows .cell.broken")) == broken
    assert browser.complaints() == []


def test_the_command_beside_an_opened_image_can_be_copied(page):
    page.run("document.querySelector('details.image summary').click()")
    item = content(page)["shown"]["items"][0]
    details = page.one("details.image[open]")
    assert details.find_element("css selector", ".copy code").text == item["serve"]
    assert item["serve"].startswith(f"embshift serve run --at {item['row']}/")
    details.find_element("css selector", ".copy button").click()
    page.run("return new Promise((done) => setTimeout(done, 200))")
    assert details.find_element("css selector", ".copy button").text in ("Copied", "Selected")


def test_print_fits_the_paper(page):
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")


@pytest.fixture(scope="module")
def axe():
    return load_axe()


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation(browser, report, axe, dark):
    browser.driver.set_script_timeout(60)
    browser.open(report)
    if dark:
        browser.one("#theme").click()
    browser.run("document.querySelector('details.image summary').click()")
    assert find_faults(browser, axe) == []
