"""Figures in memory, in files and by command: rendered where possible, else refused with a clear message."""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

import embshift
from embshift.cli.main import main
from embshift.cli.parser import build_parser
from embshift.core.errors import FigureError, PlanError, StorageError, UnknownNameError
from embshift.core.registry import Registry
from embshift.show.figures import FIGURES, figure
from embshift.show.figures.material import Material
from embshift.show.figures.render import FORMATS, render_pages, write_figure
from tests.drawn_text import drawn_text, meeting, outside
from tests.synthetic_runs import NINE, PAPER, Wanted, image_id, make_run


def test_a_run_gives_a_figure_with_its_alt_text(nine):
    found = nine.figure("dendrogram")
    assert isinstance(found, Figure)
    assert found.get_figwidth() == 6.9
    assert found.get_label().startswith("Dendrogram of 9 transforms")
    assert nine.figure("dendrogram", width=3.3).get_figwidth() == 3.3


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("dendogram", {}, UnknownNameError, "unknown figure 'dendogram'; did you mean 'dendrogram'?"),
        ("l2_bar", {"width": 1}, PlanError, "width is 1; expected 2.5 to 20 inches, e.g. 3.3 or 6.9"),
        ("l2_bar", {"width": float("nan")}, PlanError, "width is nan; expected"),
        ("attention_grid", {"pictures": 0}, PlanError, "pictures is 0; expected 1 or more"),
        ("l2_bar", {"page": 2}, FigureError, "page is 2, but figure 'l2_bar' has 1; expected 1 to 1"),
        ("l2_bar", {"page": 0}, FigureError, "page is 0"),
    ],
)
def test_options_out_of_range_are_refused(nine, name, options, error, message):
    with pytest.raises(error) as raised:
        nine.figure(name, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("dendrogram", Wanted(transforms=NINE[:1]), "clusters need at least two transforms; the run has 1"),
        ("clustermap", Wanted(transforms=NINE[:1]), "clusters need at least two transforms; the run has 1"),
        ("clustermap", Wanted(missing=NINE[:1]), "noise"),
        ("dendrogram", Wanted(missing=NINE[:1]), "noise"),
        ("clustermap_profiles", Wanted(transforms=NINE[:1]), "holds 1 transform with a value of every"),
        (
            "clustermap_profiles",
            Wanted(undefined=((None, "attention_similarity"),)),
            "holds 0 transforms with a value of every performance metric; clusters of profiles need two",
        ),
        ("calibration", Wanted(images=1), "holds no two images whose embeddings differ; measure"),
        ("calibration", Wanted(images=4, same=True), "holds no two images whose embeddings differ; measure"),
        (
            "l2_bar",
            Wanted(metrics=("cosine",)),
            "not hold the metric l2, only cosine; measure it with --metric l2",
        ),
        ("profiles", Wanted(metrics=("l2",)), "holds no performance metric, only l2; measure one, e.g."),
        ("gallery", Wanted(views=False), "views holds no image with its views; a run writes them when"),
        ("attention_grid", Wanted(maps=False), "holds no attention maps; measure with --metric attention_"),
        ("attention_grid", Wanted(views=False), "views holds no image with its views"),
        ("heatmap", Wanted(images=0), "holds no values; a figure needs at least one measured view"),
        ("heatmap", Wanted(undefined=((None, None),)), "holds no values"),
        (
            "radar",
            Wanted(metrics=("cosine", "l2")),
            "holds 1 performance metric (cosine), and figure 'radar' needs 3; measure more of them",
        ),
    ],
)
def test_a_run_that_lacks_what_a_figure_needs(tmp_path, name, wanted, message):
    run = make_run(tmp_path, replace(wanted, images=min(wanted.images, 4)))
    with pytest.raises(FigureError) as raised:
        run.figure(name)
    assert message in str(raised.value)
    assert not (tmp_path / "figures").exists()


def test_maps_and_views_of_different_images(tmp_path):
    run = make_run(tmp_path, Wanted(images=2, maps=False))
    one = make_run(tmp_path / "other", Wanted(images=3, views=False))
    # Views of rows 0 and 1 here; maps of a listing in which they come with other rows.
    shutil.rmtree(tmp_path / "attention")
    shutil.copytree(one.folder / "attention", tmp_path / "attention")
    run.figure("attention_grid")  # rows 0 and 1 have both
    shutil.rmtree(tmp_path / "views")
    with pytest.raises(FigureError):
        run.figure("attention_grid")


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    run = make_run(tmp_path, Wanted(images=1))
    path = next(iter((tmp_path / "views").glob("*/blur-0.png")))
    path.write_bytes(b"no picture")
    with pytest.raises(FigureError, match=r"blur-0\.png cannot be read as an image: .+ --repair"):
        run.figure("gallery")


def test_pictures_with_all_their_views_come_first_in_a_seeded_order(tmp_path):
    run = make_run(tmp_path, Wanted(images=8))
    first = [picture.row for picture in Material(run=run).choose_images(8)]
    assert sorted(first) == list(range(8))
    assert first != list(range(8))
    path = Material(run=run).choose_images(1)[0].views["blur"]
    path.unlink()
    again = [picture.row for picture in Material(run=run).choose_images(8)]
    assert again == [*first[1:], first[0]]


def test_equal_images_are_shown_once(tmp_path):
    run = make_run(tmp_path, Wanted(images=2, transforms=NINE[:1]))
    assert len(Material(run=run).choose_images(5)) == 2
    (path,) = (tmp_path / "images").glob("*.parquet")
    table = pq.read_table(path)
    same = pa.array([image_id(0)] * 2, table.schema.field("image_id").type)
    pq.write_table(table.set_column(table.schema.get_field_index("image_id"), "image_id", same), path)
    assert len(Material(run=embshift.open_run(tmp_path)).choose_images(5)) == 1


def test_files_are_named_and_further_pages_numbered(material, tmp_path):
    found = write_figure(material, "attention_grid", folder=tmp_path, width=3.3, pictures=6)
    names = [path.name for path in found]
    assert names == [
        "attention_grid.png",
        *(f"attention_grid-{page}.png" for page in range(2, len(names) + 1)),
    ]
    assert len(names) >= 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_pages_of_an_earlier_drawing_do_not_stay(material, tmp_path):
    write_figure(material, "attention_grid", folder=tmp_path, width=3.3, pictures=4)
    (tmp_path / "attention_grid-of-mine.png").write_bytes(b"mine")
    write_figure(material, "attention_grid", folder=tmp_path, pictures=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "attention_grid-of-mine.png",
        "attention_grid.png",
    ]


def test_a_file_that_cannot_be_written(material, tmp_path):
    (tmp_path / "figures").write_text("no folder")
    with pytest.raises(StorageError, match=r"l2_bar\.png cannot be written"):
        write_figure(material, "l2_bar", folder=tmp_path / "figures")


@pytest.mark.parametrize("harm", ["cut", "pipe"])
def test_a_damaged_explanation_costs_only_the_figures_that_need_it(nine, tmp_path, harm, capsys):
    run = shutil.copytree(nine.folder, tmp_path / "run")
    path = run / "explain" / "layers" / "chunk-000000.parquet"
    path.unlink()
    path.write_bytes(b"PAR1") if harm == "cut" else os.mkfifo(path)
    names = ["layer_profile", "l2_bar"]
    assert main(["figures", str(run), "--only", *names, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == [str(tmp_path / "out" / "l2_bar.png")]
    assert re.search(r"error: layer_profile: .*chunk-000000\.parquet is (damaged|a pipe)", told.err)


def test_an_unknown_format(material, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown format 'jpg'"):
        write_figure(material, "l2_bar", folder=tmp_path, formats=("jpg",))


def test_settings_hold_while_a_page_is_drawn_and_not_between_pages(material):
    before = mpl.rcParams["font.size"]
    pages = render_pages(material, "attention_grid", width=3.3, pictures=4)
    next(pages)
    assert mpl.rcParams["font.size"] == before
    next(pages)
    assert mpl.rcParams["font.size"] == before


@pytest.fixture
def documented(monkeypatch):
    """The example figure of the documentation, registered while a test runs."""
    page = (Path(__file__).parents[3] / "docs" / "figures.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "@figure" in block)
    registry = Registry(kind="figure", packages=(), group="embshift.no_figures")
    for name, entry in FIGURES.items():
        registry.add(name, entry)
    monkeypatch.setattr("embshift.show.figures.FIGURES", registry)
    monkeypatch.setattr("embshift.show.figures.render.FIGURES", registry)
    found = {}
    exec(code, found)
    return found["scatter"]


def test_a_figure_of_ones_own_is_drawn_like_the_others(documented, nine, tmp_path):
    found = nine.figure("scatter")
    assert found.get_label() == "Cosine against L2 distance, one point for each image."
    assert len(found.axes[0].lines) == 9
    texts = drawn_text(found)
    assert outside(found, texts) == []
    assert meeting(texts) == []
    write_figure(Material(run=nine), "scatter", folder=tmp_path)
    assert (tmp_path / "scatter.png").is_file()
    with pytest.raises(PlanError, match="'scatter' is already registered"):
        figure(name="scatter", question="Is it taken?", shows="a page", source="here", needs_metrics=())(
            documented
        )


# The command ----------------------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path):
    """A run without kept views."""
    return make_run(tmp_path / "run", Wanted(images=4, transforms=NINE[:3], views=False))


def may_be_skipped(name):
    """Whether a figure states a need beyond the paper's metrics."""
    return bool(FIGURES[name].needs) or not set(FIGURES[name].needs_metrics) <= set(PAPER)


def test_the_command_draws_all_it_can_and_says_what_it_skipped(bare, capsys):
    assert main(["figures", str(bare.folder), "--width", "3.3"]) == 0
    out, err = capsys.readouterr()
    made = {path.name for path in (bare.folder / "figures").iterdir()}
    skipped = re.findall(r"^skipped (\w+): .+; .+", err, flags=re.MULTILINE)
    assert {"attention_grid", "gallery"} <= set(skipped)
    assert all(may_be_skipped(name) for name in skipped)
    assert made == {f"{name}.png" for name in FIGURES if name not in skipped}
    assert sorted(out.splitlines()) == sorted(str(bare.folder / "figures" / name) for name in made)


def test_quiet_says_results_alone(bare, capsys, monkeypatch):
    few = {name: FIGURES[name] for name in ("gallery", "heatmap")}
    monkeypatch.setattr("embshift.show.figures.FIGURES", few)
    assert main(["figures", str(bare.folder), "-q"]) == 0
    assert [path.name for path in (bare.folder / "figures").iterdir()] == ["heatmap.png"]
    assert capsys.readouterr().err == ""


def test_only_some_in_another_format_size_and_place(bare, tmp_path, capsys):
    arguments = ["--only", "l2_bar", "heatmap", "l2_bar", "--format", "svg", "--width", "3.3"]
    assert main(["figures", str(bare.folder), *arguments, "--out", str(tmp_path / "here")]) == 0
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["heatmap.svg", "l2_bar.svg"]
    assert 'width="237.6pt"' in (tmp_path / "here" / "l2_bar.svg").read_text(encoding="utf-8")
    assert not (bare.folder / "figures").exists()


def test_what_was_asked_for_by_name_and_cannot_be_drawn_is_an_error(bare, capsys):
    assert main(["figures", str(bare.folder), "--only", "gallery", "heatmap"]) == 2
    assert [path.name for path in (bare.folder / "figures").iterdir()] == ["heatmap.png"]
    assert "error: gallery: " in capsys.readouterr().err


def test_nothing_drawn_at_all_is_an_error(tmp_path, capsys):
    empty = make_run(tmp_path, Wanted(images=0))
    assert main(["figures", str(empty.folder)]) == 2
    assert "holds no values" in capsys.readouterr().err


def test_an_unknown_name_is_said_before_anything_is_drawn(bare, capsys):
    assert main(["figures", str(bare.folder), "--only", "heatmap", "radr"]) == 2
    assert "unknown figure 'radr'; did you mean 'radar'?" in capsys.readouterr().err
    assert not (bare.folder / "figures").exists()


def test_an_unfinished_run_is_drawn_with_a_note(bare, capsys):
    info = bare.info | {"state": "running"}
    (bare.folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    assert main(["figures", str(bare.folder), "--only", "heatmap"]) == 0
    assert "note: the run is not finished; 4 images are measured so far" in capsys.readouterr().err


def test_a_disk_that_is_full_ends_the_command(bare, capsys):
    (bare.folder / "taken").write_text("no folder")
    assert main(["figures", str(bare.folder), "--out", str(bare.folder / "taken" / "figures")]) == 4


def test_figures_are_listed_with_their_questions(capsys):
    assert main(["list", "figures"]) == 0
    out = capsys.readouterr().out
    for name, entry in FIGURES.items():
        assert re.search(rf"^ ?{name} ", out, flags=re.MULTILINE)
        assert entry.question.split()[0] in out


def test_the_parser_offers_the_formats_there_are():
    for style in FORMATS:
        assert build_parser().parse_args(["figures", "run", "--format", style]).format == [style]
    with pytest.raises(SystemExit):
        build_parser().parse_args(["figures", "run", "--format", "jpg"])


def test_some_figures_are_rendered_from_a_real_run(lite_run, tmp_path):
    names = ["attention_grid", "gallery", "profiles", "recall_bar"]
    arguments = ["--only", *names, "--out", str(tmp_path), "--pictures", "1"]
    assert main(["figures", str(lite_run.folder), *arguments]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == names


@pytest.mark.slow
def test_every_figure_is_rendered_from_a_real_run(lite_run, tmp_path, capsys):
    assert main(["figures", str(lite_run.folder), "--out", str(tmp_path), "--pictures", "1"]) == 0
    skipped = re.findall(r"^skipped (\w+): [^\n]*$", capsys.readouterr().err, flags=re.MULTILINE)
    assert "severity" in skipped, "a run of one strength each has no curve over severities"
    assert all(may_be_skipped(name) for name in skipped)
    assert {"attention_grid", "gallery"}.isdisjoint(skipped)
    assert {path.stem for path in tmp_path.iterdir()} == set(FIGURES) - {*skipped}
