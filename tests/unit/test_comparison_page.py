"""The figures and the page of a comparison: what they say, that it fits, and what they refuse."""

import base64
import hashlib
import re
import shutil
from html import unescape
from unittest.mock import patch

import pytest
from matplotlib import pyplot as plt

import embshift
from embshift.core.errors import FigureError, UnknownNameError, UsageError
from embshift.show.comparison.figures import COMPARISON_FIGURES
from embshift.show.comparison.page import build_comparison_page
from embshift.show.comparison.points import set_scale
from embshift.show.comparison.render import render_comparison
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.style import assign_looks
from embshift.show.text.compared import compared_cells, overview_cells
from embshift.show.text.numbers import spell_number
from tests.drawn_text import drawn_text, meeting, outside, words
from tests.synthetic_runs import NINE, THIRTY, Wanted, make_run

HOSTILE = '<img src=x onerror=alert(1)> & "Co"'


def compare(folder, *, count, transforms, images=12, names=None, missing=()):
    made = []
    for at in range(count):
        wanted = Wanted(
            transforms=transforms,
            images=images,
            seed=at,
            views=False,
            maps=False,
            metrics=("cosine",),
            encoder=names[at] if names else f"encoder {at}",
            missing=missing,
        )
        made.append(make_run(folder / f"run{at}", wanted))
    return embshift.compare(*made, resamples=200)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return compare(tmp_path_factory.mktemp("two"), count=2, transforms=NINE, names=["plain", HOSTILE])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return compare(folder, count=7, transforms=THIRTY[:14], missing=("blur",))


@pytest.mark.parametrize("width", [3.3, 6.9])
@pytest.mark.parametrize("name", COMPARISON_FIGURES)
@pytest.mark.parametrize("which", ["two", "many"])
def test_text_stays_on_the_page_and_apart(which, name, width, request):
    compared = request.getfixturevalue(which)
    for page in render_comparison(compared.found, name, width=width):
        texts = drawn_text(page.figure)
        assert outside(page.figure, texts) == []
        assert meeting(texts) == []
        assert page.figure.get_figwidth() == width


def test_a_point_and_its_lines_are_the_numbers(two):
    found = two.found
    (page,) = render_comparison(found, "differences")
    axes = page.figure.axes[0]
    at = found.statistics.index(found.by)
    dots = [line for line in axes.get_lines() if line.get_markersize() == 4.0]
    drawn = [(float(line.get_xdata()[0]), line.get_markerfacecolor() != "white") for line in dots]
    (pair,) = found.pairs
    wanted = zip(pair.differences.mean[:, at], pair.adjusted <= 0.05, strict=True)
    assert drawn == [(float(mean), bool(sure)) for mean, sure in wanted]
    bars = [tuple(line.get_xdata()) for line in axes.get_lines() if line.get_linewidth() == 2.0]
    assert bars == list(zip(pair.differences.low[:, at], pair.differences.high[:, at], strict=True))


def test_a_transform_has_the_colour_of_the_figures_of_its_run(two):
    (page,) = render_comparison(two.found, "differences")
    marks = [line for line in page.figure.axes[0].get_lines() if line.get_markersize() == 3.8]
    assert [line.get_color() for line in marks] == [look.colour for look in assign_looks(NINE).values()]
    assert "more shift: right" in words(page.figure)


def test_figures_are_written_plain_in_a_style_and_in_several_formats(two, tmp_path):
    plain = {"formats": ("svg", "png"), "width": 3.3, "plain": True}
    files = two.figures(tmp_path, style="ggplot", **plain)
    assert [path.suffix for path in files] == [".svg", ".png"] * len(COMPARISON_FIGURES)
    written = files[0].read_text(encoding="utf-8")
    assert COMPARISON_FIGURES["differences"].question not in written.partition("</metadata>")[2]
    assert files[0].read_bytes() != two.figures(tmp_path / "own", **plain)[0].read_bytes()
    with pytest.raises(UnknownNameError, match="did you mean 'ggplot'"):
        two.figure("differences", style="gplot")


def test_alt_texts_say_every_number(many):
    found = many.found
    alt = " ".join(page.alt for page in render_comparison(found, "differences"))
    for pair in found.pairs:
        for at, transform in enumerate(found.transforms):
            mean = float(pair.differences.mean[at, found.statistics.index(found.by)])
            assert f"{format_name(transform)} {spell_number(mean)}" in alt
    alt = " ".join(page.alt for page in render_comparison(found, "encoders", width=3.3))
    for name, each in zip(found.overview.runs, found.overview.estimates, strict=True):
        assert f"{name}: relative shift {spell_number(float(each.mean[0, 0]))}" in alt


def test_what_is_undefined_is_said_so(many):
    (page, *_) = render_comparison(many.found, "differences")
    assert "undefined" in words(page.figure)


def read(compared, path):
    return compared.report(path).read_text(encoding="utf-8")


def test_the_page_holds_answers_and_all_cells(many, tmp_path):
    page = read(many, tmp_path / "page.html").replace("</small>", "")
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    flat = re.sub(r"\s+", " ", text)
    for answer in many.answers():
        assert answer in flat
    for header, rows in (compared_cells(many.found), overview_cells(many.found)):
        for cell in (*header, *(cell for row in rows for cell in row)):
            assert cell.strip() in flat
    for note in many.found.notes:
        assert note in flat


@pytest.mark.parametrize("count", [1, 2, 5, 6, 31])
def test_the_first_answer_is_the_headline_and_many_are_folded(two, count):
    numbers = "(greatest cosine shift of an image 0.001, overlap@10 of neighbours 0.99)"
    answers = tuple(f"answer {at} <b>: re-index {numbers}." for at in range(count))
    with patch("embshift.show.comparison.page.list_answers", lambda _: answers):
        text = build_comparison_page(two.found)
    (lead,) = re.findall(r'<p class="lead">(.*)</p>', text)
    assert lead == f"answer 0 &lt;b&gt;: re-index <small>{numbers}</small>."
    main = text[text.index("<main>") : text.index("<section")]
    items = re.findall(r"<li>answer (\d+) ", main)
    assert items == [str(at) for at in range(1, count)]
    folded = main.partition("<details>")[2]
    assert re.findall(r"<li>answer (\d+) ", folded) == [str(at) for at in range(5, count)]
    assert (f"<summary>{count - 5} more answer" in main) == (count > 5)


def test_the_page_runs_and_loads_nothing(two, tmp_path):
    text = read(two, tmp_path / "page.html")
    assert "<script" not in text
    assert HOSTILE not in text
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &quot;Co&quot;" in text
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:" in text
    assert set(re.findall(r'(?:src|href)="([^:"]*):', text)) == {"data"}


def test_only_an_earlier_comparison_is_replaced(two, tmp_path):
    path = tmp_path / "page.html"
    assert two.report(path) == path
    before = path.read_bytes()
    assert two.report(path).read_bytes() == before
    path.write_text("<!doctype html><title>someone's</title>")
    with pytest.raises(UsageError, match="no comparison of embshift, and is not replaced"):
        two.report(path)


def test_figures_are_written_and_given(two, tmp_path):
    written = two.figures(tmp_path / "figures", formats=("png", "svg"))
    names = [f"{name}.{kind}" for name in COMPARISON_FIGURES for kind in ("png", "svg")]
    assert [path.name for path in written] == names
    assert (
        two.figure("differences", width=3.3).get_label().startswith("Differences in relative shift to plain")
    )
    with pytest.raises(FigureError, match="page is 2, but figure 'encoders' has 1"):
        two.figure("encoders", page=2)
    with pytest.raises(UnknownNameError, match="did you mean 'encoders'"):
        two.figure("encoder")
    with pytest.raises(UnknownNameError, match="unknown format 'gif'"):
        two.figures(tmp_path / "figures", formats=("gif",))


@pytest.mark.parametrize("scale", [(-1.0, 1.0), (0.0, 1.0), (-0.02, 0.3), (0.0, 0.104)])
def test_numbers_of_a_scale_stay_within_their_panel(scale):
    figure, axes = plt.subplots(figsize=(0.8, 1.0))
    set_scale(axes, scale, zero=False)
    texts = drawn_text(figure)
    panel = axes.get_window_extent()
    numbers = [box for text, box in texts if text in axes.get_xticklabels()]
    assert numbers
    assert all(panel.x0 - 1 <= box.x0 and box.x1 <= panel.x1 + 1 for box in numbers)
    plt.close(figure)


def test_the_page_says_how_to_make_it_again(two, tmp_path):
    folders = [tmp_path / "a run", tmp_path / "other"]
    for run, folder in zip(two.found.runs, folders, strict=True):
        shutil.copytree(run.folder, folder)
    again = embshift.compare(*folders, by="recall_at_1", margin=0.25)
    text = unescape(again.report(tmp_path / "page.html").read_text(encoding="utf-8"))
    assert f"embshift compare '{folders[0]}' {folders[1]} --by recall_at_1 --margin 0.25" in text
