"""The report in a browser: opened from disk, without a network, with mouse and keyboard."""

import json
import shutil

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from embshift.measurement.studies.sweep import measure_sweep
from tests.synthetic_runs import NINE, Wanted, image_id, make_run


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Write a report and delete its run folder."""
    folder = tmp_path_factory.mktemp("report")
    path = make_run(folder / "run", Wanted(images=14)).report(folder / "report.html")
    shutil.rmtree(folder / "run")
    return path


@pytest.fixture
def page(browser, report):
    browser.open(report)
    yield browser
    assert browser.complaints() == []
    assert browser.requests() == []


def content(browser):
    return json.loads(browser.run("return document.getElementById('data').textContent"))


def rows(browser):
    return browser.texts("#table tbody th .name")


def column(browser, metric):
    cells = content(browser)["cells"]
    names = [one["name"] for one in content(browser)["transforms"]]
    return [cells[names.index(name)][metric]["mean"] for name in rows(browser)]


def marks(browser, chart):
    """Count shapes in the colour of a transform."""
    colours = [one["colour"]["light"] for one in content(browser)["transforms"]]
    script = """return [...document.querySelectorAll(`#${arguments[0]} svg path`)]
        .filter((one) => arguments[1].includes(one.getAttribute("fill"))).length"""
    return browser.run(script, chart, colours)


def aimed(browser):
    """Return the address after the hash."""
    return browser.run("return location.hash")


def test_curves_and_tables_of_a_sweep_are_drawn(browser, photos, tmp_path):
    run = measure_sweep(
        photos,
        transforms=["blur", "jpeg"],
        severities=[1, 3, 5],
        encoder="lite",
        image_size=64,
        out=tmp_path / "run",
    )
    browser.open(run.report())
    found = content(browser)
    assert browser.texts("#context h3") == ["Mean shift by level", *(one["title"] for one in found["tables"])]
    assert browser.texts("#context table tbody th .name")[:2] == ["blur", "jpeg"]
    drawn = browser.run("return document.querySelector('#curves svg').textContent")
    assert all(name in drawn for name in ("blur", "jpeg", "severity (1 to 5)"))
    colour = found["curves"]["lines"][0]["colour"]["light"]
    assert browser.all(f"#curves svg path[stroke='{colour}']")
    assert browser.complaints() == []


def test_everything_is_drawn(page):
    assert page.all("#curves") == []
    assert page.texts("#context h3") == [
        "How large are the shifts, and are originals still found?",
        "Is the shift consistent, and is the geometry preserved?",
        "Which cosine means the same image?",
    ]
    # At the window's width every column is in sight.
    frames = "[...document.querySelectorAll('#context .scroll')]"
    assert page.run(f"return {frames}.every((one) => one.scrollWidth <= one.clientWidth)")
    assert len(rows(page)) == len(NINE)
    assert marks(page, "means") == marks(page, "spread") == len(NINE)
    assert len(page.all("#findings-list li")) > 4
    assert page.one("#title").text == "run"


def test_images_and_maps_have_pixels(page):
    page.run("document.getElementById('behind').scrollIntoView()")
    sizes = page.run(
        "return [...document.querySelectorAll('#behind-cards img')].map((one) => one.naturalWidth)"
    )
    assert len(sizes) == 16
    assert set(sizes) == {40}
    drawn = """return [...document.querySelectorAll('#behind-cards canvas')].map((one) =>
        new Set(one.getContext('2d').getImageData(0, 0, one.width, one.height).data).size)"""
    assert min(page.run(drawn)) > 20


def test_a_heading_sorts_and_sorts_back(page):
    before = rows(page)
    page.one('#table thead button[data-key="1"]').click()
    rising, names = column(page, 1), rows(page)
    assert rising == sorted(rising)
    assert names != before
    assert page.one('#table th[aria-sort="ascending"]').text.startswith("l2")
    page.one('#table thead button[data-key="1"]').click()
    assert rows(page) == names[::-1]
    assert page.run("return document.activeElement.dataset.key") == "1"
    labels = page.texts("#means svg text")
    assert [text for text in labels if text in NINE] == names[::-1]


def test_undefined_stands_last_whichever_way_is_sorted(browser, tmp_path):
    wanted = Wanted(images=4, undefined=(("blur", "cosine"),), views=False)
    browser.open(make_run(tmp_path / "run", wanted).report())
    for _ in range(2):
        browser.one('#table thead button[data-key="0"]').click()
        assert rows(browser)[-1] == "blur"
    assert marks(browser, "means") == len(NINE) - 1
    assert "1 transform has no defined value and no mark" in browser.one("#means figcaption").text


def test_a_filter_leaves_its_rows_and_their_marks(page):
    page.one("#filter").send_keys("COLOR")
    assert rows(page) == ["color_jitter"]
    assert marks(page, "means") == marks(page, "spread") == 1
    assert page.one("#shown").text == "1 of 9 transforms and 6 of 6 metrics shown"
    page.one("#filter").send_keys("zzz")
    assert rows(page) == []
    assert marks(page, "means") == 0


def test_transforms_and_metrics_can_be_left_out(page):
    page.all("#choose-transforms input")[0].click()
    page.all("#choose-metrics input")[1].click()
    assert NINE[0] not in rows(page)
    heads = page.texts("#table thead button")[1:3]
    assert heads == ["cosine (lower is further)", "attention (lower is further)"]
    assert marks(page, "means") == len(NINE) - 1
    page.all("#choose-transforms button")[1].click()
    assert rows(page) == []


def test_the_charts_follow_the_metric(page):
    before = page.texts("#means h3")
    page.run("""const one = document.getElementById('metric'); one.value = '1';
        one.dispatchEvent(new Event('change'))""")
    assert page.texts("#means h3") != before
    assert page.texts("#means h3") == ["Mean l2 by transform"]


@pytest.mark.parametrize(("transform", "metric"), [(0, 0), (4, 1), (8, 5)])
def test_a_cell_shows_the_images_of_that_very_cell(page, transform, metric):
    data = content(page)
    page.one(f'#table tr[data-transform="{transform}"] td[data-metric="{metric}"] button').click()
    ends = data["extremes"][transform][metric]
    assert page.run("return document.activeElement.id") == "behind"
    shown = [int(one.get_attribute("data-row")) for one in page.all("#behind-cards .card")]
    assert shown == ends["most"] + ends["least"]
    items = {one["row"]: one for one in data["shown"]["items"]}
    thumbnail = page.all("#behind-cards .card")[0].find_elements("css selector", "img")[1]
    view = next(one for one in items[shown[0]]["views"] if one["transform"] == transform)
    assert thumbnail.get_attribute("src") == view["image"]
    assert page.one("#behind-text").text.startswith(f"{NINE[transform]} by ")
    assert aimed(page) == f"#shift-{transform + 1}-{metric + 1}"


def clicked(browser, chart, name):
    """Point at the mark next to a label, in a chart whose marks start at the left."""
    script = """const [chart, name] = arguments;
        const place = document.querySelector(`#${chart} .chart`);
        place.scrollIntoView({ block: 'center' });
        const label = [...place.querySelectorAll('text')].find((one) => one.textContent === name);
        const [box, whole] = [label.getBoundingClientRect(), place.getBoundingClientRect()];
        return [Math.round(box.right + 12 - whole.left - whole.width / 2),
            Math.round(box.top + box.height / 2 - whole.top - whole.height / 2)]"""
    x, y = browser.run(script, chart, name)
    return ActionChains(browser.driver).move_to_element_with_offset(browser.one(f"#{chart} .chart"), x, y)


@pytest.mark.parametrize("chart", ["means", "heat"])
def test_a_mark_shows_its_values_and_its_images(page, chart):
    name = rows(page)[3]
    clicked(page, chart, name).perform()
    assert page.one("#tip").text.splitlines()[0] == f"{name}, cosine"
    assert "95 % interval" in page.one("#tip").text
    clicked(page, chart, name).click().perform()
    assert page.one("#behind-text").text.startswith(f"{name} by cosine:")
    assert not page.one("#tip").is_displayed()


@pytest.mark.parametrize(("metric", "furthest"), [("cosine", min), ("l2", max)])
def test_the_darkest_cell_of_a_metric_is_the_furthest_from_the_original(page, metric, furthest):
    found = content(page)
    metrics = [one["name"] for one in found["metrics"]]
    means = column(page, metrics.index(metric))
    script = """return [...document.querySelectorAll("#heat svg path")]
        .map((one) => one.getAttribute("fill")).filter((one) => arguments[0].includes(one))"""
    fills = page.run(script, [one["fill"] for one in found["heatColours"]])
    assert len(fills) == len(means) * len(metrics)
    darkest = fills[metrics.index(metric) :: len(metrics)].index(found["heatColours"][0]["fill"])
    assert means[darkest] == furthest(means)


def test_a_distribution_says_how_many_images(page):
    name = rows(page)[2]
    clicked(page, "spread", name).perform()
    assert page.one("#tip").text.startswith(name)
    assert "median" in page.one("#tip").text


def test_a_click_on_a_name_opens_that_image(page):
    card = page.all("#behind-cards .card")[2]
    row = int(card.get_attribute("data-row"))
    card.find_element("css selector", "a").click()
    opened = page.one("details.image[open]")
    assert opened.get_attribute("data-row") == str(row)
    assert opened.get_attribute("id") == f"image-{image_id(row)}"
    assert aimed(page) == f"#image-{image_id(row)}"
    assert len(opened.find_elements("css selector", ".views img")) == 1 + len(NINE)
    values = [cell.text for cell in opened.find_elements("css selector", "tbody tr:first-child td")]
    assert len(values) == 6


def test_a_link_to_a_image_opens_it(browser, report):
    browser.open(report, f"#image-{image_id(5)}")
    opened = browser.all("details.image[open]")
    assert [one.get_attribute("data-row") for one in opened] == ["5"]
    assert (
        browser.run("return document.querySelector('details.image[open]').getBoundingClientRect().top") < 300
    )


def test_a_link_to_a_shift_shows_its_images(browser, report):
    browser.open(report, "#shift-3-2")
    assert browser.one("#behind-text").text.startswith("color_jitter by l2")


@pytest.mark.parametrize(
    "fragment", ["#image-nothing", "#shift-99-1", "#shift-0-0", "#%E0%A4", "#data", "#<b>"]
)
def test_a_link_to_nothing_opens_nothing(browser, report, fragment):
    browser.open(report, fragment)
    assert browser.all("details.image[open]") == []
    assert browser.complaints() == []


def test_the_keyboard_is_enough(page):
    page.run("document.querySelector('#table tbody td button').focus()")
    here = page.run("return document.activeElement.textContent")
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    assert page.run("return document.activeElement.id") == "behind"
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    assert page.run("return document.activeElement.textContent") == here
    ActionChains(page.driver).send_keys(Keys.TAB).perform()
    assert page.one("#tip").is_displayed()
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    assert not page.one("#tip").is_displayed()


def test_escape_closes_a_image(page):
    page.run("document.querySelector('details.image summary').focus()")
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    assert len(page.all("details.image[open]")) == 1
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    assert page.all("details.image[open]") == []
    assert page.run("return document.activeElement.localName") == "summary"


def test_the_first_stop_skips_to_the_findings(page):
    ActionChains(page.driver).send_keys(Keys.TAB).perform()
    assert page.run("return document.activeElement.className") == "skip"


def test_every_control_has_a_name(page):
    nameless = """return [...document.querySelectorAll('button, select, input, [role=img], [role=region]')]
        .filter((one) => !(one.getAttribute('aria-label') || one.getAttribute('aria-labelledby')
            || one.textContent.trim() || (one.labels && one.labels.length))).map((one) => one.outerHTML)"""
    assert page.run(nameless) == []


def test_no_id_stands_twice(page):
    twice = """const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
        return ids.filter((id, at) => ids.indexOf(id) !== at)"""
    assert page.run(twice) == []


def test_light_and_dark_change_the_page_and_its_marks(page):
    before = page.run("return getComputedStyle(document.body).backgroundColor")
    colours = page.run(
        "return [...document.querySelectorAll('#means svg path')].map((one) => one.getAttribute('fill'))"
    )
    page.one("#theme").click()
    assert page.run("return getComputedStyle(document.body).backgroundColor") != before
    again = page.run(
        "return [...document.querySelectorAll('#means svg path')].map((one) => one.getAttribute('fill'))"
    )
    assert again != colours
    page.one("#theme").click()


def test_print_is_white_and_no_wider_than_the_paper(page):
    page.one("#theme").click()
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert page.run("return document.documentElement.dataset.theme") == "light"
    widths = page.run(
        "return [...document.querySelectorAll('.chart svg')].map((one) => +one.getAttribute('width'))"
    )
    assert max(widths) <= 690
    assert page.run("return [...document.querySelectorAll('details.methods')].every((one) => one.open)")
    page.run("window.dispatchEvent(new Event('afterprint'))")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    assert page.run("return document.querySelector('#heat svg').getAttribute('width')") != "680"
    page.one("#theme").click()


def test_the_policy_stops_what_is_not_inlined(browser, report):
    browser.open(report)
    browser.run("""const one = document.createElement('script'); one.textContent = 'window.pwned = 1';
        document.body.append(one); const image = new Image(); image.src = 'https://example.org/x.png';
        document.body.append(image)""")
    assert browser.run("return window.pwned") is None
    assert len(browser.complaints()) >= 2


def test_an_explained_run_says_where_in_the_network(browser, tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=14, views=False, maps=False, explained=True))
    browser.open(run.report())
    found = content(browser)["network"]
    assert browser.texts("#network-list li") == [one["text"] for one in found["findings"]]
    assert browser.texts("#network h3") == [one["title"] for one in found["tables"]]
    names = browser.texts("#network-tables tbody th .name")
    assert names[: len(NINE)] == [one["name"] for one in content(browser)["transforms"]]
    script = "return [...document.querySelectorAll('#network img')].map((one) => [one.alt, one.naturalWidth])"
    assert browser.run(script) == [[one["alt"], 1380] for one in found["figures"]]
    for width in (1400, 420):
        with browser.resized(width):
            assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.all("nav a[href='#network']")
    assert "embshift explain" not in " ".join(browser.texts("#methods-command code"))
    assert browser.complaints() == []
    assert browser.requests() == []


def test_a_run_without_an_explanation_names_the_command(page):
    assert page.all("#network") == page.all("nav a[href='#network']") == []
    assert page.texts("#methods-command code")[-1] == "embshift explain run"


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(page, width):
    with page.resized(width):
        assert page.run("return document.documentElement.scrollWidth") <= width
