"""Comparisons of run folders: relations, tests, margins, refusals, and a collapsed encoder."""

import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import embshift
from embshift.cli.main import main
from embshift.core.errors import BaselineError, PlanError, RunError, UnknownNameError
from embshift.show.text.compared import compared_cells
from tests.synthetic_runs import Wanted, make_run

THREE = ("noise", "blur", "jpeg_1")
FEW = {"resamples": 300}


def _make(folder, **options):
    wanted = {"transforms": THREE, "images": 24, "views": False, "maps": False}
    return make_run(folder, Wanted(**(wanted | options)))


def _change(run, folder, change, **encoder):
    """Copy a run with other embeddings: a function of an embedding and of its row."""
    shutil.copytree(run.folder, folder)
    path = next((folder / "embeddings").glob("*.parquet"))
    table = pq.read_table(path)
    made = [
        change(np.array(vector), row)
        for vector, row in zip(table["embedding"].to_pylist(), table["row"].to_pylist(), strict=True)
    ]
    at = table.schema.get_field_index("embedding")
    column = pa.array(made, table.schema.field("embedding").type)
    pq.write_table(table.set_column(at, table.schema.field("embedding"), column), path)
    info = json.loads((folder / "run.json").read_text())
    info["encoder"] |= encoder
    (folder / "run.json").write_text(json.dumps(info))
    return embshift.open_run(folder)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return _make(tmp_path_factory.mktemp("compared") / "first")


def test_a_run_that_only_lies_elsewhere_differs_in_nothing(first, tmp_path):
    moved = _change(first, tmp_path / "moved", lambda vector, _: 2 * vector)
    found = embshift.compare(first, moved, margin=0.01, **FEW).found
    (pair,) = found.pairs
    assert pair.relation == "one space"
    assert pair.space.old_index_recall == 1
    assert pair.space.same_image_shift < 1e-12
    assert not pair.differences.mean.any()
    assert all(pair.verdicts.holds(at) for at in range(3))


def test_it_says_whether_to_index_again(first, tmp_path):
    moved = _change(first, tmp_path / "moved", lambda vector, _: 2 * vector)
    said = embshift.compare(first, moved, **FEW).answers()[0]
    assert "no need to re-index (" in said
    assert "Every image has the same relative shift in both" in said
    other = _make(tmp_path / "other", seed=5)
    (pair,) = (compared := embshift.compare(first, other, **FEW)).found.pairs
    assert 0.05 < pair.adjusted.min() < 1
    assert "No transform is shown to differ in relative shift" in compared.answers()[0]
    rng = np.random.default_rng(0)
    noisy = _change(first, tmp_path / "noisy", lambda vector, _: vector + 0.5 * rng.normal(size=8))
    compared = embshift.compare(first, noisy, **FEW)
    assert 0.5 <= compared.found.pairs[0].space.old_index_recall < 1
    assert "): re-index (" in compared.answers()[0]


def test_an_answer_says_that_the_images_were_prepared_otherwise(first, tmp_path):
    again = _change(first, tmp_path / "again", lambda vector, _: vector)
    assert "(one space): " in embshift.compare(first, again, **FEW).answers()[0]
    other = _make(tmp_path / "other", pixels="area")
    said = embshift.compare(first, other, **FEW).answers()[0]
    assert re.search(r"\((same weights|one space), other pixels(: [^)]+)?\): ", said)


def test_only_draws_of_all_runs_are_compared(tmp_path):
    made = [_make(tmp_path / f"{at}", seed=4, draws=draws) for at, draws in enumerate((3, 3, 1))]
    (whole, _) = embshift.compare(*made[:2], **FEW).found.runs
    runs = embshift.compare(*made, **FEW).found.runs
    alone = embshift.compare(made[0], made[2], **FEW).found.runs[0]
    assert np.array_equal(runs[0].estimates.mean, alone.estimates.mean)
    assert np.array_equal(runs[0].estimates.low, alone.estimates.low)
    assert not np.array_equal(runs[0].estimates.mean, whole.estimates.mean)


def test_runs_without_a_common_transform_are_refused(tmp_path):
    sets = (THREE, THREE[:1], ("elastic", THREE[1]))
    runs = [_make(tmp_path / f"{at}", transforms=names) for at, names in enumerate(sets)]
    with pytest.raises(RunError, match=r"no transform is in all 3 runs \(0 and 1 share noise\)"):
        embshift.compare(*runs, **FEW)


@pytest.mark.parametrize(
    "encoder",
    [{"digest": ""}, *({"digest": "7" * 64, "family": family} for family in ("object", "ingested"))],
)
def test_weights_that_are_not_known_are_not_called_the_same(first, tmp_path, encoder):
    rng = np.random.default_rng(0)
    one, two = (
        _change(first, tmp_path / name, lambda vector, _, s=size: vector + s * rng.normal(size=8), **encoder)
        for name, size in (("near", 0.0), ("far", 9.0))
    )
    assert embshift.compare(one, two, **FEW).found.pairs[0].relation == "different encoders"
    with pytest.raises(BaselineError, match="cosine_shift is not comparable"):
        embshift.check(two.folder, baseline=one.folder, require="cosine_shift(*) <= baseline + 0.1")


@pytest.mark.parametrize(
    ("images", "wanted"),
    [(1, "too few images to say whether to re-index ("), (8, "still works; too few images to say more (")],
)
def test_too_few_images_do_not_ask_for_a_new_index(tmp_path, images, wanted):
    first = _make(tmp_path / "first", images=images)
    moved = _change(first, tmp_path / "moved", lambda vector, _: vector, digest="7" * 64)
    first = _change(first, tmp_path / "again", lambda vector, _: vector, digest="7" * 64)
    said = embshift.compare(first, moved, **FEW).answers()[0]
    assert wanted in said
    assert "nan" not in said


def test_a_bound_is_the_end_of_the_interval_with_twice_the_error(first, tmp_path):
    rng = np.random.default_rng(0)
    noisy = _change(first, tmp_path / "noisy", lambda vector, _: vector + 0.2 * rng.normal(size=8))
    bound = embshift.compare(first, noisy, margin=0.01, level=0.95, **FEW).found.pairs[0].verdicts.bound
    found = embshift.compare(first, noisy, level=0.9, **FEW).found
    ends = found.pairs[0].differences.high[:, found.statistics.index("relative_shift")]
    assert bound == pytest.approx(ends)


def test_a_planted_loss_is_found_where_it_is_and_not_elsewhere(first, tmp_path):
    worse = _change(first, tmp_path / "worse", lambda vector, _: vector, name="other")
    path = next((worse.folder / "embeddings").glob("*.parquet"))
    table = pq.read_table(path)
    rng = np.random.default_rng(0)
    made = [
        np.array(vector) + (3 * rng.normal(size=8) if name == "blur" else 0)
        for vector, name in zip(table["embedding"].to_pylist(), table["transform"].to_pylist(), strict=True)
    ]
    at = table.schema.get_field_index("embedding")
    field = table.schema.field("embedding")
    pq.write_table(table.set_column(at, field, pa.array(made, field.type)), path)
    compared = embshift.compare(first, worse.folder, margin=0.05, **FEW)
    (pair,) = compared.found.pairs
    shown = dict(zip(compared.found.transforms, pair.adjusted <= 0.05, strict=True))
    assert shown == {"noise": False, "blur": True, "jpeg_1": False}
    assert [pair.verdicts.holds(at) for at in range(3)] == [True, False, True]
    assert "less stable under blur" in compared.answers()[0]
    assert "not shown for blur" in compared.answers()[1]


def test_a_collapsed_encoder_is_stable_and_does_not_win(first, tmp_path):
    # Two points, with a trace of the images: views hardly move, and nothing is found.
    def collapse(vector, row):
        return 10.0 * np.eye(8)[row % 2] + 1e-3 * np.abs(vector).mean()

    collapsed = _change(first, tmp_path / "collapsed", collapse, name="collapsed")
    compared = embshift.compare(first, collapsed, **FEW)
    ranks = {
        name: {one.transform: (one.low, one.high) for one in found.intervals}
        for name, found in compared.found.overview.ranks.items()
    }
    assert ranks["relative_shift"]["collapsed"] == (1, 1)
    assert ranks["recall_at_1"]["collapsed"] == (2, 2)
    assert ranks["separation"]["collapsed"] == (2, 2)
    assert "collapsed is stable, but finds fewer originals" in compared.answers()[-1]


def test_embeddings_without_an_angle_are_refused_or_undecided(first, tmp_path):
    zeros = _change(first, tmp_path / "zeros", lambda vector, _: 0 * vector)
    with pytest.raises(
        RunError, match=r"no image has a usable embedding in all runs \(.*first: 24; .*zeros: 0\)"
    ):
        embshift.compare(first, zeros, **FEW)
    with pytest.raises(RunError, match="no image has a usable embedding"):
        embshift.check(zeros, require="relative_shift(*) <= baseline + 1", null=True)
    (check, *_) = embshift.check(zeros, require="relative_shift(*) <= 1").checks
    assert (check.verdict, check.reason) == ("undecided", "0 images; 10 or more are needed")


def test_different_encoders_have_no_cosine_shift(first, tmp_path):
    other = _make(tmp_path / "other", dim=5, seed=3, encoder="other")
    compared = embshift.compare(first, other, **FEW)
    assert compared.found.pairs[0].relation == "different encoders"
    assert compared.found.pairs[0].space is None
    assert "cosine_shift" not in compared.found.statistics
    assert "cosine_shift" not in compared.format("csv")
    with pytest.raises(PlanError, match="cosine_shift cannot be compared"):
        embshift.compare(first, other, by="cosine_shift", **FEW)


def test_what_cannot_be_compared_is_refused(first, tmp_path):
    with pytest.raises(PlanError, match="1 run given; expected 2 to 30"):
        embshift.compare(first)
    with pytest.raises(PlanError, match="is given twice"):
        embshift.compare(first, first.folder)
    other = _make(tmp_path / "few", images=20)
    with pytest.raises(RunError, match="only 20 of 24 images"):
        embshift.compare(first, other)
    assert embshift.compare(first, other, least_shared=0.5, **FEW).found.images == 20
    with pytest.raises(PlanError, match="margin is 0;"):
        embshift.compare(first, other, margin=0.0)
    with pytest.raises(UnknownNameError, match="relative_shift"):
        embshift.compare(first, other, by="relative_shif")


def test_a_margin_below_twice_the_numeric_floor_is_refused(tmp_path):
    options = {"transforms": ("identity", "blur"), "dim": 8}
    runs = [_make(tmp_path / str(seed), seed=seed, **options) for seed in (0, 1)]
    floor = embshift.compare(*runs, **FEW).found.floor
    assert floor > 0
    assert not any("numeric floor" in note for note in embshift.compare(*runs, **FEW).found.notes)
    with pytest.raises(PlanError, match="below twice the numeric floor"):
        embshift.compare(*runs, margin=1.9 * floor, **FEW)
    assert embshift.compare(*runs, margin=2.1 * floor, **FEW).found.pairs[0].verdicts is not None


def test_a_comparison_says_how_to_get_the_floor_that_it_lacks(first, tmp_path):
    same = _change(first, tmp_path / "same", lambda vector, _: vector)
    assert embshift.compare(first, same, **FEW).found.notes[-1] == (
        "no numeric floor: the transform identity is not in all runs; measure it in each of them to tell"
        " changes from rounding"
    )


def test_a_bound_beside_its_margin_is_written_with_the_digits_that_tell_them_apart(first, tmp_path):
    other = _make(tmp_path / "other", seed=3)
    bound = float(embshift.compare(first, other, margin=1, **FEW).found.pairs[0].verdicts.bound[1])
    found = embshift.compare(first, other, margin=bound * (1 - 1e-6), **FEW)
    shown = re.search(r"blur \(up to ([\d.]+)\)", " ".join(found.answers()))
    assert float(shown[1]) > found.found.pairs[0].verdicts.margin
    cells = compared_cells(found.found)[1][1]
    assert float(cells[-1]) == float(shown[1])


def test_the_command_prints_every_format(first, tmp_path, capsys):
    other = _make(tmp_path / "other", seed=2, pixels="area")
    for style in ("table", "markdown", "csv", "latex", "json"):
        assert main(["compare", str(first.folder), str(other.folder), "--format", style]) == 0
        printed = capsys.readouterr().out
        assert "relative_shift" in printed or "first" in printed
        if style == "json":
            assert len(json.loads(printed)["rows"]) == len(embshift.compare(first, other).records())
    assert main(["compare", str(first.folder)]) == 2


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_printed(tmp_path, capsys):
    first, other = (_make(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    (tmp_path / "mine.html").write_text("mine")
    folders = [str(one.folder) for one in (first, other)]
    assert main(["compare", *folders, "--report", str(tmp_path / "mine.html")]) == 2
    found = capsys.readouterr()
    assert (found.out, "no comparison of embshift" in found.err) == ("", True)
