"""Promises of every registered figure; a new figure is tested without any change here."""

import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from embshift.core.errors import FigureError
from embshift.metrics import METRICS
from embshift.show.figures import FIGURES
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.style import SIZES
from embshift.show.figures.material import Material
from embshift.show.figures.render import COLUMN, FORMATS, FULL, render_pages, write_figure
from tests.drawn_text import drawn_text, meeting, on_curves, outside
from tests.synthetic_runs import NINE, PAPER, THIRTY, Wanted, make_run

WAYS = ("", "right", "up", "left", "down", "inward", "dark", "red", "lower cosine")
WAYS += ("circle and diamond left, square right",)

STATED = (metric for entry in FIGURES.values() for metric in entry.needs_metrics)
METRICS_OF_RUNS = tuple(dict.fromkeys([*PAPER, *STATED]))
"""Metrics of the synthetic runs: those of the paper, and what the figures state that they need."""

PERFORMANCE = tuple(name for name in PAPER if METRICS[name].spec.performance)


SIXTY = tuple(f"{name}_s{at}" for name in (*NINE, "jpeg", "rotate", "crop") for at in range(1, 6))


def wanted(**options):
    return Wanted(**{"metrics": METRICS_OF_RUNS, "explained": True} | options)


CASES = {
    "nine": wanted(),
    "thirty": wanted(transforms=THIRTY, images=6),
    "sixty": wanted(transforms=SIXTY, images=4),
    "two_images": wanted(images=2, transforms=NINE[:4]),
    "undefined": wanted(undefined=(("blur", None), ("noise", "detail_similarity")), constant_map="blur"),
    "wide_images": wanted(size=(20, 90), images=5, transforms=NINE[:4]),
    "tall_images": wanted(size=(90, 20), images=5, transforms=NINE[:4]),
    "draws": wanted(draws=3, images=5, transforms=NINE[:4]),
    "swept": wanted(transforms=tuple(f"blur_s{at}" for at in range(1, 6)), swept="blur", images=20),
    "strange_names": wanted(
        images=3,
        encoder="/some/where/$weird_{x}$ \u6d4b\u8bd5 encoder with a rather long name of its own-patch32",
        members=("folder/$a$_\u6f22\u5b57.jpg", "b\n\x07.jpg", "c" * 200 + ".jpg"),
    ),
}
"""Runs that every figure renders."""

SPARSE = {
    "one_image": wanted(images=1),
    "one_transform": wanted(transforms=("blur",)),
    "one_of_either": wanted(transforms=("blur",), images=1),
    "equal_images": wanted(same=True, images=4, transforms=NINE[:4]),
    "undefined_metric": wanted(undefined=((None, "attention_similarity"),)),
    "missing_transform": wanted(missing=("elastic",)),
}
"""Runs that only a figure that states its `needs` may refuse."""

NAMES = list(FIGURES)
SOME = [pytest.param(name, marks=() if at % 9 == 0 else pytest.mark.slow) for at, name in enumerate(FIGURES)]
"""All figures; most of them only with the slow tests."""

FEW = [
    pytest.param(name, marks=() if at % 9 == 0 else pytest.mark.slow) for at, name in enumerate(NAMES[::3])
]
"""A third of the figures, where the figure itself matters little."""

FILES = [
    pytest.param(name, style, marks=() if at % 9 == 0 and style == "svg" else pytest.mark.slow)
    for at, name in enumerate(FIGURES)
    for style in (FORMATS if at % 9 == 0 else ["svg"])
]
"""Every figure as SVG, and a few in every format."""

FAST = {("undefined", COLUMN), ("one_of_either", COLUMN)}
WIDE = ("nine", "thirty")
"""Cases that are rendered at full width too, where the content of the others matters less."""

LAYOUTS = [
    pytest.param(case, width, marks=() if (case, width) in FAST else pytest.mark.slow)
    for case, width in [*((case, COLUMN) for case in (*CASES, *SPARSE)), *((case, FULL) for case in WIDE)]
]


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    """A run of every content, made when it is first asked for."""
    made = {}

    def material(content):
        if content not in made:
            made[content] = Material(run=make_run(tmp_path_factory.mktemp("run"), content))
        return made[content]

    return material


@pytest.fixture(scope="module")
def nine(materials):
    return materials(CASES["nine"])


@pytest.fixture(scope="module")
def render(materials):
    """The pages of a figure of a run, or why the run is refused; pages that several tests use are kept."""
    kept, shared = {}, {(CASES["nine"], FULL), (CASES["undefined"], COLUMN)}

    def pages(name, content, *, width):
        if (name, content, width) in kept:
            return kept[name, content, width]
        try:
            found = list(render_pages(materials(content), name, width=width, pictures=2))
        except FigureError as error:
            return str(error)
        return kept.setdefault((name, content, width), found) if (content, width) in shared else found

    return pages


@pytest.fixture(scope="module")
def first_page(render):
    """The first page of a figure of nine transforms at full width."""
    return lambda name: render(name, CASES["nine"], width=FULL)[0]


@pytest.fixture(scope="module")
def files(nine, tmp_path_factory):
    """The files of a figure in one format, written when they are first asked for."""
    folder, written = tmp_path_factory.mktemp("files"), {}

    def write(name, style):
        if (name, style) not in written:
            written[name, style] = write_figure(nine, name, folder=folder, formats=(style,), pictures=2)
        return written[name, style]

    return write


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_states_itself(name):
    entry = FIGURES[name]
    assert entry.name == name
    assert re.fullmatch(r"[A-Z].*\?", entry.question)
    assert entry.shows
    assert not entry.shows.endswith(".")
    assert entry.source
    # One polarity: distances grow to the right and upward, similarities fall to the left and downward.
    assert entry.more_shift in WAYS
    assert set(entry.needs_metrics) <= set(METRICS)
    assert 0 <= entry.needs_performance <= len(PERFORMANCE)
    assert (entry.render.__doc__ or "").strip()


def check_layout(page, *, width):
    """Check that texts neither overlap, lie on a curve, nor leave the page; return them."""
    texts = drawn_text(page.figure)
    assert outside(page.figure, texts) == []
    assert meeting(texts) == []
    assert on_curves(page.figure, texts) == []
    assert min(text.get_fontsize() for text, _ in texts) >= SIZES.small
    assert page.figure.get_figwidth() == width
    assert page.figure.get_figheight() <= 9.5
    return [text for text, _ in texts]


def test_a_label_on_a_curve_is_found(materials):
    page = next(render_pages(materials(wanted(images=5, transforms=NINE[:2])), "l2_density"))
    check_layout(page, width=FULL)
    curve = max(page.figure.axes[0].lines, key=lambda line: len(line.get_xdata()))
    x, y = curve.get_xydata()[np.argmax(curve.get_ydata())]
    page.figure.axes[0].texts[0].set(position=(x, y), transform=page.figure.axes[0].transData, va="center")
    with pytest.raises(AssertionError, match=r"blur|noise"):
        check_layout(page, width=FULL)


def check_alt(pages, transforms):
    """Check that the alt texts name every transform and hold numbers."""
    alt = " ".join(page.alt for page in pages)
    assert [name for name in transforms if format_name(name) not in alt] == []
    assert len(re.findall(r"\d", alt)) >= len(transforms)
    assert "nan" not in alt


@pytest.mark.parametrize(("case", "width"), LAYOUTS)
@pytest.mark.parametrize("name", NAMES)
def test_text_fits_the_page_and_alt_text_names_every_transform(name, case, width, render):
    found = render(name, (CASES | SPARSE)[case], width=width)
    if isinstance(found, str):
        assert case in SPARSE
        assert FIGURES[name].needs
        assert re.search(r"; .|need", found)
        return
    assert found
    for page in found:
        check_layout(page, width=width)
    if case in CASES and not CASES[case].swept:  # a figure may name the swept transform instead
        check_alt(found, CASES[case].transforms)


def metrics_for(entry):
    """The fewest metrics with which a figure can be rendered; a run needs one in any case."""
    others = [name for name in PERFORMANCE if name not in entry.needs_metrics]
    stated = sum(METRICS[name].spec.performance for name in entry.needs_metrics)
    enough = others[: max(entry.needs_performance - stated, 0)]
    return (*entry.needs_metrics, *enough) or ("l2",)


@pytest.mark.parametrize("name", NAMES)
def test_the_metrics_that_a_figure_states_are_enough(name, materials):
    entry = FIGURES[name]
    explained = entry.needs_explanation or "embshift explain" in entry.needs
    content = Wanted(metrics=metrics_for(entry), images=5, transforms=NINE[:4], explained=explained)
    assert next(render_pages(materials(content), name, width=COLUMN, pictures=1)).alt


NEEDED = [(name, metric) for name, entry in FIGURES.items() for metric in entry.needs_metrics]


@pytest.mark.parametrize(("name", "metric"), NEEDED)
def test_a_run_without_a_stated_metric_is_refused(name, metric, materials):
    others = tuple(each for each in METRICS_OF_RUNS if each != metric)
    material = materials(Wanted(metrics=others, images=2, views=False, maps=False))
    with pytest.raises(FigureError, match=rf"the metric {metric}, .*; .* --metric {metric}$"):
        next(render_pages(material, name))


@pytest.mark.parametrize("name", [name for name, entry in FIGURES.items() if entry.needs_performance])
def test_a_run_with_too_few_performance_metrics_is_refused(name, materials):
    few = PERFORMANCE[: FIGURES[name].needs_performance - 1]
    stated = [each for each in FIGURES[name].needs_metrics if not METRICS[each].spec.performance]
    metrics = tuple(dict.fromkeys(["l2", *stated, *few]))
    material = materials(Wanted(metrics=metrics, images=2, views=False, maps=False))
    with pytest.raises(FigureError, match=r"performance metric.*; .* --metric"):
        next(render_pages(material, name))


@pytest.mark.parametrize("name", [name for name, entry in FIGURES.items() if entry.needs_explanation])
def test_a_run_that_is_not_explained_is_refused(name, materials):
    material = materials(Wanted(images=2, views=False, maps=False))
    with pytest.raises(FigureError, match=r"holds no explanation; make one with: embshift explain "):
        next(render_pages(material, name))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_its_question_the_number_of_images_and_the_encoder(name, first_page):
    texts = check_layout(first_page(name), width=FULL)
    title = max(texts, key=lambda text: text.get_fontsize())
    assert " ".join(title.get_text().split()) == FIGURES[name].question
    written = " ".join(" ".join(text.get_text().split()) for text in texts)
    assert "encoder synthetic" in written
    assert ("more shift: " in written) == bool(FIGURES[name].more_shift)
    assert f"more shift: {FIGURES[name].more_shift}" in written or not FIGURES[name].more_shift
    assert re.search(r"\b12 (of 12 )?images|image \d+", written)


@pytest.mark.parametrize("name", SOME)
def test_alt_text_follows_the_numbers(name, render):
    one, other = (render(name, wanted(seed=seed), width=FULL)[0] for seed in (0, 1))
    assert one.alt != other.alt


@pytest.mark.parametrize(("name", "style"), FILES)
def test_files_are_the_same_every_time_whatever_the_users_settings(name, style, nine, files, tmp_path):
    first = files(name, style)
    with mpl.rc_context(
        {
            "font.size": 30,
            "svg.hashsalt": None,
            "axes.facecolor": "red",
            "savefig.dpi": 40,
            "lines.linewidth": 9,
        }
    ):
        before = dict(mpl.rcParams)
        second = write_figure(nine, name, folder=tmp_path, formats=(style,), pictures=2)
        assert dict(mpl.rcParams) == before
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("name", NAMES)
def test_the_label_of_a_page_is_its_alt_text(name, first_page):
    assert first_page(name).figure.get_label() == first_page(name).alt


@pytest.mark.parametrize("name", SOME)
def test_svg_holds_alt_text_title_and_text_as_text(name, first_page, files):
    alt = first_page(name).alt.replace("&", "&amp;")
    text = files(name, "svg")[0].read_text(encoding="utf-8")
    assert f"<dc:description>{alt}</dc:description>" in text
    assert f"<title>{FIGURES[name].question}</title>" in text
    assert "<dc:date>" not in text
    assert not re.search(r'id="DejaVuSans-[0-9a-f]+"', text), "text drawn as curves"
    for word in ("encoder", "noise", "perspective"):
        assert re.search(rf"<t(ext|span)[^>]*>[^<]*\b{word}", text), word


@pytest.mark.parametrize("name", FEW)
def test_png_holds_alt_text_and_title(name, first_page, files):
    with Image.open(files(name, "png")[0]) as image:
        assert image.info["Description"] == first_page(name).alt
        assert image.info["Title"] == FIGURES[name].question


@pytest.mark.parametrize("name", FEW)
def test_pdf_holds_alt_text_and_type_42_fonts(name, first_page, files):
    alt, content = first_page(name).alt, files(name, "pdf")[0].read_bytes()
    assert alt.encode("utf-16-be")[:40] in content or alt[:20].encode() in content
    assert b"CreationDate" not in content
    assert b"/Type3" not in content
    assert b"/FontFile2" in content


def test_rendering_needs_neither_pyplot_nor_torch(tmp_path):
    make_run(tmp_path, wanted(images=3, transforms=NINE[:2]))
    code = (
        "import sys, embshift\n"
        "from embshift.show.figures import FIGURES\n"
        f"run = embshift.open_run({str(tmp_path)!r})\n"
        "for name in FIGURES: run.figure(name)\n"
        "heavy = {'torch', 'transformers', 'albumentations', 'matplotlib.pyplot'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", SOME)
def test_a_transform_keeps_its_colour(name, first_page, render):
    """The colour of the last transform is on the page where the run has it, and only there."""
    fewer = wanted(transforms=NINE[:8])
    last = np.array([0xAA, 0x44, 0x99], np.uint8)
    assert has_colour(first_page(name), last)
    assert not has_colour(render(name, fewer, width=FULL)[0], last)


def has_colour(page, colour):
    page.figure.set_dpi(200)
    page.figure.canvas.draw()
    pixels = np.asarray(page.figure.canvas.buffer_rgba())[:, :, :3]
    # Radar charts fill with the colour in part, over white.
    light = np.round(0.45 * colour + 0.55 * 255)
    return any(
        (np.abs(pixels.astype(int) - one.astype(int)).max(axis=2) <= 2).sum() >= 5 for one in (colour, light)
    )
