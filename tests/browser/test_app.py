"""The app in a browser: its own server on this machine, no other network, with mouse and keyboard."""

import math
from urllib.parse import unquote

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.app_page import App
from tests.browser.conftest import serve
from tests.browser.test_hostile import TEXTS, UNMARKED
from tests.synthetic_runs import Wanted, make_run

PAGES = ("/look", "/gallery", "/map", "/two")
BODY = "return [...document.querySelectorAll('.neighbours li')].map((one) => one.className)"

_DROP = """const [name, content, kind] = arguments;
const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
const carried = new DataTransfer();
carried.items.add(new File([bytes], name, { type: "image/png" }));
const event = kind === "paste"
  ? new ClipboardEvent("paste", { clipboardData: carried, bubbles: true })
  : new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
document.body.dispatchEvent(event);"""

_RED = """const canvas = new OffscreenCanvas(40, 30);
const context = canvas.getContext("2d");
context.fillStyle = "red";
context.fillRect(0, 0, 40, 30);
return canvas.convertToBlob().then(async (blob) =>
  btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer()))));"""

_COUNT = """window.sent = [];
window.flying = 0;
window.most = 0;
const real = window.fetch;
window.fetch = async (path, options) => {
  if (path !== "/api/view") return real(path, options);
  window.sent.push(JSON.parse(options.body));
  window.flying += 1;
  window.most = Math.max(window.most, window.flying);
  const answer = await real(path, options);
  await new Promise((done) => setTimeout(done, 120));
  window.flying -= 1;
  return answer;
};"""


@pytest.fixture
def app(local_driver, served):
    made = App(local_driver, served)
    yield made
    made.check()


def relative_shift(app):
    return float(app.text("#page-look .bar-words").split()[2])


def pixels(app, selector):
    """Return the sum of a canvas's pixels."""
    script = """const canvas = document.querySelector(arguments[0]);
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.reduce((sum, one, at) => (sum * 31 + one) % 1000003, 0)"""
    return app.run(script, selector)


def test_the_most_shifted_image_opens_and_the_token_leaves_the_address(app):
    app.go()
    assert "token" not in app.driver.current_url
    assert "token" not in " ".join(app.run("return window.hashes"))
    assert app.place()[:1] == ["look"]
    assert app.text("#look-place").startswith("1 of 6")
    assert len(app.all("#page-look .neighbours li")) == 6
    assert "of the distance to another image" in app.text("#page-look .sentence") or "times" in app.text(
        "#page-look .sentence"
    )
    app.driver.refresh()
    app.rest()
    assert app.text("#look-place").startswith("1 of 6")


@pytest.mark.parametrize("fragment", ["", "#token=wrong"])
def test_a_page_without_its_token_says_what_to_do(app, fragment):
    app.go()
    app.run("sessionStorage.clear()")
    app.driver.get("about:blank")
    app.driver.get(f"{app.base}/{fragment}")
    app.until(lambda: "embshift serve" in app.text("#message"))
    assert "#token=TOKEN" in app.text("#message-code")
    assert app.all(".page:not([hidden])") == []
    app.driver.get(f"{app.base}/#{app.token}")  # the printed link, pasted into the same tab
    app.until(lambda: app.all("#page-look:not([hidden])"))
    app.rest()


def test_dragging_shows_the_neighbour_that_overtakes(app):
    app.go("/look").press("t")
    name = app.place()[2]
    app.slide(0)
    app.rest()
    assert app.run(BODY)[0] == "original"
    near, seen = relative_shift(app), pixels(app, "#page-look figure:nth-of-type(2) canvas")
    app.slide(1000)
    app.rest()
    assert relative_shift(app) > near
    assert pixels(app, "#page-look figure:nth-of-type(2) canvas") != seen
    assert app.place()[2:] == [name, app.run("return String(Number(location.hash.split('/')[3]))")]
    app.one(".strength-head button").click()
    app.rest()
    assert len(app.place()) == 3


def test_the_slider_sends_only_the_newest_position(app):
    app.go("/look")
    app.run(_COUNT)
    app.slide(*range(100, 900, 50))
    app.rest()
    sent = app.run("return window.sent")
    assert app.run("return window.most") == 1
    # The first position, the newest when its answer came, and the details of that one.
    assert [one["detail"] for one in sent] == [False, False, True]
    assert sent[1]["strength"] == sent[2]["strength"] != sent[0]["strength"]
    assert math.isclose(float(app.place()[3]), sent[2]["strength"], rel_tol=1e-3)


def test_keys_walk_through_what_there_is(app):
    app.go("/look")
    image, transform = app.place()[1:3]
    app.press("j")
    assert app.place()[1] != image
    assert app.text("#look-place").startswith("2 of 6")
    app.press("k")
    assert app.place()[1] == image
    app.press("t")
    assert app.place()[2] != transform
    app.press("T")
    assert app.place()[2] == transform
    app.press("d")
    assert app.place()[3:] == ["draw1"]
    app.press(Keys.ARROW_LEFT)
    assert float(app.place()[3]) > 0
    before = pixels(app, "#page-look canvas")
    app.press("o")
    assert pixels(app, "#page-look canvas") != before
    app.press("?")
    assert app.one("#help").is_displayed()
    app.one("#letters").click()
    app.press(Keys.ESCAPE)
    assert not app.one("#help").is_displayed()
    place = app.place()
    app.press("t")
    assert app.place() == place


def test_tab_reaches_every_control_and_shows_where_it_is(app):
    app.go("/look")
    app.run("document.activeElement.blur()")
    seen = []
    script = """const at = document.activeElement;
        const outline = getComputedStyle(at.matches(".choice input") ? at.nextSibling : at);
        return [at.id || at.className || at.name || at.tagName, outline.outlineStyle]"""
    for _ in range(40):
        app.driver.switch_to.active_element.send_keys(Keys.TAB)
        name, outline = app.run(script)
        if name == "BODY":
            break
        assert outline != "none", name
        seen.append(name)
    assert seen[0] == "skip"
    assert {"open", "theme", "help-open", "previous", "next", "transform", "strength", "save"} <= set(seen)
    assert seen.count("tile") == 6
    assert seen.count("head") <= 1  # one stop; arrow keys go on from there


def test_a_deep_link_opens_the_same_view(app):
    app.go("/look").press("t")
    app.slide(300)
    app.rest()
    place, sentence, shown = app.place(), app.text("#page-look .sentence"), pixels(app, "#page-look canvas")
    app.go("/gallery").go("/" + "/".join(place))
    assert app.place() == place
    assert app.text("#page-look .sentence") == sentence
    assert pixels(app, "#page-look canvas") == shown
    app.run("history.pushState(null, '', '#map'); history.back()")
    app.rest()
    assert app.place() == place


def test_a_head_shows_where_it_looks_and_has_an_address(app):
    app.go("/look")
    app.one("#page-look .head").click()
    app.rest()
    chosen = app.place()[-1]
    assert chosen.startswith("layer")
    assert app.all("#page-look .head[aria-pressed=true]")
    assert "head 0" in app.text("#page-look figcaption")
    app.go("/" + "/".join(app.place()))
    assert app.place()[-1] == chosen
    app.press(Keys.TAB)


def test_the_source_of_the_shift_is_shown_where_it_is_known(app):
    app.go("/look")
    plain = pixels(app, "#page-look figure:nth-of-type(2) canvas")
    app.press("o")
    assert "the source of the shift" in app.texts("#page-look figcaption")[1]
    assert pixels(app, "#page-look figure:nth-of-type(2) canvas") != plain


def test_the_gallery_holds_only_what_is_near_and_filters(app):
    app.go("/gallery")
    assert "18 views under 3 transforms" in app.text("#gallery-count")
    assert app.texts("#gallery-list .transform")[0] == "noise"
    app.one("#gallery-transform option:last-child").click()
    app.until(lambda: "6 views under grey" in app.text("#gallery-count"))
    app.until(lambda: set(app.texts("#gallery-list .transform")) == {"grey"})
    most = app.texts("#gallery-list .value")
    app.one("#gallery-order option:last-child").click()
    app.until(lambda: app.texts("#gallery-list .value") == most[::-1])
    app.until(lambda: app.run("return document.querySelector('.card img').naturalWidth"))
    app.one("#gallery-list a").send_keys(Keys.ENTER)
    app.rest()
    assert app.place()[0] == "look"
    assert app.place()[2] == "grey"


def test_the_map_goes_from_image_to_image_and_opens_one(app):
    app.go("/map")
    words, name = app.text("#map-text"), app.text("#map-card h2")
    app.press("j")
    assert app.text("#map-card h2") != name
    assert "of the move" in app.text("#map-card .sentence")
    app.one("#map-controls input[value=own]").click()
    app.until(lambda: app.text("#map-text") != words)
    assert app.place()[2] == "own"
    chosen = app.text("#map-card h2")
    app.one("#map-plane .over").send_keys(Keys.ENTER)
    app.rest()
    assert app.text("#look-title") == chosen


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_an_image_from_outside_is_taken(app, kind):
    app.go("/gallery")
    app.run(_DROP, "red.png", app.run(_RED), kind)
    app.until(lambda: app.place()[:2] == ["look", "dropped"])
    app.rest()
    assert app.text("#look-title") == "dropped image"
    assert len(app.all("#page-look .neighbours li")) == 7
    assert not app.one("#look-command").is_displayed()


def test_what_is_no_image_is_refused_in_words(app):
    app.go("/look")
    place = app.place()
    app.run(_DROP, "no.png", "bm8gaW1hZ2U=", "drop")
    app.until(lambda: "was not taken" in app.text("#notes"))
    assert app.place() == place


def test_errors_stand_beside_what_they_concern(app):
    app.go("/look")
    app.run("window.real = window.fetch; window.fetch = () => Promise.reject(new TypeError('gone'))")
    app.slide(100)
    app.until(lambda: "still running" in app.text("#strength-problem"))
    app.run("window.fetch = window.real")
    app.slide(200)
    app.rest()
    assert not app.one("#strength-problem").is_displayed()
    app.go("/look/" + "0" * 32 + "/noise")
    assert app.text("#look-place")


def test_two_encoders_stand_side_by_side(app):
    app.go("/two")
    assert len(app.all("#page-two .column")) == 2
    assert len(set(app.texts("#page-two .bar-words"))) == 2
    assert "cosine" not in " ".join(app.texts("#page-two .column")).lower()
    app.slide(200)
    app.rest()
    assert app.place()[0] == "two"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_wider_than_a_telephone(app, page):
    size = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    app.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        app.go(page)
        assert app.widest() <= 0
    finally:
        app.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_colours_follow_the_system_until_the_button_is_pressed(app):
    background = "return getComputedStyle(document.body).backgroundColor"
    found = {}
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        app.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        found[scheme] = app.run(background) if app.go("/look") else None
    assert len(set(found.values())) == 2
    app.one("#theme").click()
    assert app.run(background) == found["light"]
    app.driver.refresh()
    app.rest()
    assert app.run(background) == found["light"]
    app.run("sessionStorage.removeItem('embshift-theme')")
    app.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_is_seen_is_saved_as_png(app, tmp_path):
    wanted = {"behavior": "allow", "downloadPath": str(tmp_path)}
    app.driver.execute_cdp_cmd("Browser.setDownloadBehavior", wanted)
    for page, button in (("/look", "#save"), ("/map", "#map-controls .buttons button:last-child")):
        app.go(page)
        app.one(button).click()
        app.until(lambda page=page: "Saved as" in app.text(f"#page-{page[1:]}"))
    app.until(lambda: len(list(tmp_path.glob("*.png"))) == 2)
    for file in tmp_path.glob("*.png"):
        content = file.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(content[16:20]) == 1200
        assert len(content) > 20_000


@pytest.fixture(scope="module")
def hostile_address(tmp_path_factory):
    """A run whose image, transform, encoder and folder names are all hostile."""
    wanted = Wanted(
        images=len(TEXTS),
        members=tuple(f"{text}/picture.jpg" for text in TEXTS),
        transforms=TEXTS,
        encoder=" ".join(TEXTS),
        map_name=TEXTS[2],
        views=False,
    )
    folder = make_run(tmp_path_factory.mktemp("served") / "<img src=x onerror=window.pwned=7>", wanted).folder
    with serve(folder) as printed:
        yield printed


@pytest.fixture
def hostile(local_driver, hostile_address):
    made = App(local_driver, hostile_address)
    yield made
    assert made.run("return window.pwned") is None
    made.check()


def test_hostile_names_are_text_on_every_page(hostile):
    hostile.go("/look")
    names = hostile.texts("#transform option")
    assert [text for text in UNMARKED if text in names] == UNMARKED
    assert not hostile.one("#pages a[data-page=two]").is_displayed()
    for name in range(len(names)):
        hostile.press("t")
        assert unquote(hostile.place()[2]), name
    hostile.go("/gallery")
    assert "<img src=x onerror=window.pwned=3>" in " ".join(hostile.texts("#gallery-list"))
    hostile.go("/map")
    hostile.press("j")
    assert "picture.jpg" in hostile.text("#map-card h2")
    assert hostile.all("main img[onerror], main script") == []


def test_a_run_that_is_not_live_shows_what_was_recorded_and_says_why(local_driver, tmp_path):
    run = make_run(tmp_path / "run", Wanted(images=5))
    with serve(run.folder) as printed:
        dead = App(local_driver, printed).go("/look")
        assert not dead.one("#strength").is_enabled()
        assert dead.text("#strength-problem")
        assert dead.text("#page-look .sentence")
        assert pixels(dead, "#page-look canvas")
        dead.check()
