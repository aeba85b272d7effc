"""What every registered figure promises; a new figure is held to it by being there."""

import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from embshift.core.errors import FigureError
from embshift.show.figures import FIGURES
from embshift.show.figures.layout.labels import shown
from embshift.show.figures.layout.style import SIZES
from embshift.show.figures.material import Material
from embshift.show.figures.render import COLUMN, FORMATS, FULL, draw, write_figure
from tests.drawn_text import drawn_text, meeting, outside, words
from tests.synthetic_runs import NINE, THIRTY, Wanted, make_run

CASES = {
    "nine": Wanted(),
    "thirty": Wanted(transforms=THIRTY, images=40),
    "one_image": Wanted(images=1),
    "one_transform": Wanted(transforms=("blur",)),
    "one_of_either": Wanted(transforms=("blur",), images=1),
    "two_images": Wanted(images=2, transforms=NINE[:4]),
    "equal_images": Wanted(same=True, images=4),
    "undefined": Wanted(undefined=(("blur", None), ("noise", "detail_similarity")), constant_map="blur"),
    "undefined_metric": Wanted(undefined=((None, "attention_similarity"),)),
    "missing_transform": Wanted(missing=("elastic",)),
    "wide_pictures": Wanted(size=(20, 90), images=5),
    "tall_pictures": Wanted(size=(90, 20), images=5),
    "uneven": Wanted(uneven=True),
    "draws": Wanted(draws=3, images=5),
    "swept": Wanted(transforms=tuple(f"blur_s{at}" for at in range(1, 6)), swept="blur", images=20),
    "one_metric": Wanted(metrics=("cosine",), maps=False),
    "no_performance_metric": Wanted(metrics=("l2",), maps=False),
    "strange_names": Wanted(
        images=3,
        encoder="/some/where/$weird_{x}$ \u6d4b\u8bd5 encoder with a rather long name of its own-patch32",
        members=("folder/$a$_\u6f22\u5b57.jpg", "b\n\x07.jpg", "c" * 200 + ".jpg"),
    ),
}

ALWAYS = {
    "calibration": {"one_image", "one_of_either", "equal_images"},
    "clustermap": {"one_transform", "one_of_either", "missing_transform"},
    "clustermap_profiles": {"one_transform", "one_of_either", "undefined_metric"},
    "dendrogram": {"one_transform", "one_of_either", "missing_transform"},
    "radar": {"one_metric"},
    "attention_grid": {"one_metric", "no_performance_metric"},
}
"""Cases in which a figure must be refused, since what it shows is not there. All others it must draw."""
NEEDS = {
    "no_performance_metric": {
        "clustermap",
        "clustermap_profiles",
        "comparison",
        "cosine_distribution",
        "heatmap",
        "profiles",
        "radar",
        "sample_heatmap",
    },
    "one_metric": {"l2_bar", "l2_density"},
}


def refused(name, case):
    return case in ALWAYS.get(name, ()) or name in NEEDS.get(case, ())


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    """A run of every case, made when it is first asked for."""
    made = {}

    def material(case):
        if case not in made:
            made[case] = Material(run=make_run(tmp_path_factory.mktemp(case), CASES[case]))
        return made[case]

    return material


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_figure_states_itself(name):
    entry = FIGURES[name]
    assert entry.name == name
    assert re.fullmatch(r"[A-Z].*\?", entry.question)
    assert entry.shows
    assert not entry.shows.endswith(".")
    assert entry.source
    assert (entry.draw.__doc__ or "").strip()


WIDE = ("nine", "thirty", "one_of_either", "undefined", "strange_names")
"""Cases that are drawn over the whole width too; what the others hold matters less there."""


@pytest.mark.parametrize(
    ("case", "width"), [(case, COLUMN) for case in CASES] + [(case, FULL) for case in WIDE]
)
@pytest.mark.parametrize("name", list(FIGURES))
def test_text_neither_overlaps_nor_leaves_the_page(name, case, width, materials):
    if refused(name, case):
        with pytest.raises(FigureError, match=r"; .|need"):
            list(draw(materials(case), name, width=width))
        return
    pages = list(draw(materials(case), name, width=width, pictures=2))
    assert pages
    for page in pages:
        texts = drawn_text(page.figure)
        assert outside(page.figure, texts) == []
        assert meeting(texts) == []
        assert min(text.get_fontsize() for text, _ in texts) >= SIZES.small
        assert page.figure.get_figwidth() == width
        assert page.figure.get_figheight() <= 10.5


@pytest.mark.parametrize("name", list(FIGURES))
def test_the_question_is_the_title(name, materials):
    page = next(draw(materials("nine"), name))
    texts = [text for text, _ in drawn_text(page.figure)]
    title = max(texts, key=lambda text: text.get_fontsize())
    assert " ".join(title.get_text().split()) == FIGURES[name].question


@pytest.mark.parametrize("case", ["nine", "thirty"])
@pytest.mark.parametrize("name", list(FIGURES))
def test_alt_text_names_every_transform_and_has_numbers(name, case, materials):
    material = materials(case)
    told = " ".join(page.alt for page in draw(material, name, pictures=1))
    assert [one for one in material.run.transforms if shown(one) not in told] == []
    assert len(re.findall(r"\d", told)) >= len(material.run.transforms)
    assert "nan" not in told


@pytest.mark.parametrize("name", list(FIGURES))
def test_alt_text_follows_the_numbers(name, materials, tmp_path):
    other = Material(run=make_run(tmp_path, Wanted(seed=1)))
    assert next(draw(materials("nine"), name)).alt != next(draw(other, name)).alt


@pytest.mark.parametrize("name", list(FIGURES))
def test_how_many_images_and_which_encoder_stand_on_the_page(name, materials):
    written = words(next(draw(materials("nine"), name)).figure)
    assert "encoder synthetic" in written
    assert re.search(r"\b12 (of 12 )?images|image \d+", written)


@pytest.mark.parametrize("name", list(FIGURES))
@pytest.mark.parametrize("style", FORMATS)
def test_files_are_the_same_every_time_whatever_the_users_settings(name, style, materials, tmp_path):
    first = write_figure(materials("nine"), name, folder=tmp_path / "a", style=style, pictures=1)
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
        second = write_figure(materials("nine"), name, folder=tmp_path / "b", style=style, pictures=1)
        assert dict(mpl.rcParams) == before
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("name", list(FIGURES))
def test_alt_text_is_in_every_format(name, materials, tmp_path):
    page = next(draw(materials("nine"), name, pictures=1))
    assert page.figure.get_label() == page.alt
    paths = {
        style: write_figure(materials("nine"), name, folder=tmp_path, style=style, pictures=1)[0]
        for style in FORMATS
    }
    with Image.open(paths["png"]) as picture:
        assert picture.info["Description"] == page.alt
        assert picture.info["Title"] == FIGURES[name].question
    svg = paths["svg"].read_text(encoding="utf-8")
    assert f"<dc:description>{page.alt.replace('&', '&amp;')}</dc:description>" in svg
    assert f"<title>{FIGURES[name].question}</title>" in svg
    assert "<dc:date>" not in svg
    pdf = paths["pdf"].read_bytes()
    assert page.alt.encode("utf-16-be")[:40] in pdf or page.alt[:20].encode() in pdf
    assert b"CreationDate" not in pdf


@pytest.mark.parametrize("name", list(FIGURES))
def test_vector_files_hold_text_and_type_42_fonts(name, materials, tmp_path):
    svg = write_figure(materials("nine"), name, folder=tmp_path, style="svg", pictures=1)[0]
    text = svg.read_text(encoding="utf-8")
    assert not re.search(r'id="DejaVuSans-[0-9a-f]+"', text), "text drawn as curves"
    for word in ("encoder", "noise", "perspective"):
        assert re.search(rf"<t(ext|span)[^>]*>[^<]*\b{word}", text), word
    assert "noise" in re.sub(r"<metadata>.*</metadata>", "", text, flags=re.DOTALL)
    pdf = write_figure(materials("nine"), name, folder=tmp_path, style="pdf", pictures=1)[0].read_bytes()
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf


def test_drawing_needs_neither_pyplot_nor_torch(tmp_path):
    make_run(tmp_path, Wanted(images=3))
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


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_transform_keeps_its_colour(name, materials, tmp_path):
    """The colour of the last transform is drawn where it is there, and not where it is not."""
    fewer = Material(run=make_run(tmp_path, Wanted(transforms=NINE[:8])))
    last = np.array([0xAA, 0x44, 0x99], np.uint8)
    assert coloured(next(draw(materials("nine"), name)), last)
    assert not coloured(next(draw(fewer, name)), last)


def coloured(page, colour):
    page.figure.set_dpi(200)
    page.figure.canvas.draw()
    pixels = np.asarray(page.figure.canvas.buffer_rgba())[:, :, :3]
    # Radar charts fill with the colour in part, over white.
    light = np.round(0.45 * colour + 0.55 * 255)
    return any(
        (np.abs(pixels.astype(int) - one.astype(int)).max(axis=2) <= 2).sum() >= 5 for one in (colour, light)
    )
