"""Hostile texts from outside, in every place of a report: shown literally, never executed."""

import dataclasses

import pytest

from embshift.show.text.words import make_visible
from tests.browser.conftest import Browser
from tests.synthetic_runs import Wanted, make_run

TEXTS = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script><!--",
    "<img src=x onerror=window.pwned=3>",
    "javascript:window.pwned=4",
    '"\' onmouseover="window.pwned=5" x=\'',
    "\u202egpj.nuf\u202c\u2066evil",
    "nul\x00 and \x1b[31m and \x07 and\r\nline",
    "{{data}} {{policy}} {{7*7}} ${window.pwned=6} <%= 7 %>",
    "&lt;b&gt; &amp; &#60;script&#62; &quot;",
    "l" * 4000 + "ong",
    "line\u2028separator\u2029and\ufeffmore",
    '=HYPERLINK("http://example.org","x")+cmd|\' /C calc\'!A0',
)
UNMARKED = [text for text in TEXTS if make_visible(text) == text]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run whose file names, folders, transforms, encoder and errors are all hostile."""
    members = tuple(f"{text}/picture.jpg" for text in TEXTS) + tuple(f"folder/{text}" for text in TEXTS)
    wanted = Wanted(
        images=len(members),
        members=members,
        transforms=TEXTS,
        encoder=" ".join(TEXTS),
        map_name=TEXTS[2],
        views=False,
        explained=True,
    )
    # A folder's name can be no longer than 255 bytes, and holds neither "/" nor NUL.
    name = "<img src=x onerror=window.pwned=7>${7}{{data}}&lt;\u202e'\""
    run = make_run(tmp_path_factory.mktemp("hostile") / name, wanted)
    failures = [{"member": text, "status": "damaged", "error": text} for text in TEXTS]
    return dataclasses.replace(run, info=run.info | {"failures": failures}), name


@pytest.fixture(scope="module")
def written(hostile):
    (hostile[0].folder / "plan.toml").touch()
    return hostile[0].report()


@pytest.fixture
def page(browser, written):
    browser.open(written)
    yield browser
    assert browser.run("return window.pwned") is None
    assert browser.complaints() == []
    assert browser.requests() == []


SELECTORS = {
    "table": "#table tbody th .name",
    "first": "#first-rows .row-name .name",
    "choice": "#choose-transforms .name",
    "options": "#behind-transform option",
    "network": "#network-tables tbody th .name",
    "images": "#images-list summary span",
    "terms": "#methods-list dt",
    "facts": "#methods-list dd",
    "subtitle": "#subtitle",
    "title": "#title",
    "commands": "#methods-command code",
}


@pytest.fixture(scope="module")
def texts(driver, written):
    """Return the texts that the page shows, by place."""
    page = Browser(driver)
    page.open(written)
    found = {place: page.texts(selector) for place, selector in SELECTORS.items()}
    assert page.run("return window.pwned") is None
    assert page.complaints() == []
    assert page.requests() == []
    return found


def test_some_texts_are_marked_and_most_are_not():
    assert len(TEXTS) == 12
    assert len(UNMARKED) == 9


@pytest.mark.parametrize("at", range(len(TEXTS)))
def test_a_transform_is_shown_literally(texts, at):
    for place in ("table", "first", "choice", "options", "network"):
        assert make_visible(TEXTS[at]) in texts[place]


@pytest.mark.parametrize("at", range(len(TEXTS)))
def test_a_file_and_a_folder_are_shown_literally(texts, at):
    assert f"{make_visible(TEXTS[at])}/picture.jpg" in texts["images"]
    assert f"folder/{make_visible(TEXTS[at])}" in texts["images"]


@pytest.mark.parametrize("at", range(len(TEXTS)))
def test_an_error_is_shown_literally(texts, at):
    assert f"damaged: {make_visible(TEXTS[at])}" in texts["facts"]
    assert make_visible(TEXTS[at]) in texts["terms"]


@pytest.mark.parametrize("at", range(len(TEXTS)))
def test_an_encoder_is_shown_literally(texts, at):
    assert make_visible(TEXTS[at]) in texts["subtitle"][0]


def test_the_run_folder_is_shown_literally(texts, hostile):
    assert texts["title"] == [make_visible(hostile[1])]
    assert "<img src=x onerror=window.pwned=7>${7}{{data}}&lt;⟨U+202E⟩" in texts["commands"][0]


def test_no_element_came_from_a_text(page):
    assert (
        page.all("#findings img, #table img, #images-list img, b, main script, [onerror], [onmouseover]")
        == []
    )
    assert len(page.all("script")) == 3


def test_hovering_and_opening_run_nothing(page):
    page.run("""for (const one of document.querySelectorAll('#table td button')) {
        one.dispatchEvent(new MouseEvent('mousemove', { clientX: 5, clientY: 5 })); }
        document.querySelector('#table td button').click();
        for (const one of document.querySelectorAll('details')) one.open = true""")
    assert any("<script>" in label for label in page.texts("#means svg text"))
    assert page.run("return document.querySelectorAll('#tip *').length") == 0


@pytest.mark.parametrize("width", [1280, 400])
def test_long_names_widen_nothing(page, width):
    with page.resized(width):
        assert page.run("return document.documentElement.scrollWidth") <= width
