"""Measurements from run folders: methods of a run, floors and differences between runs, the command."""

import json
import math
import re

import numpy as np
import pytest

import embshift
from embshift.analysis.embeddings.catalogue import MEASURES
from embshift.analysis.embeddings.floors import floor
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.cli import main
from embshift.cli.commands.measures import SHOWN
from embshift.cli.options.show_options import SHOWS
from embshift.core.errors import PlanError, RunError, UnknownNameError, UsageError
from embshift.show.text.measures import format_differences, format_measured
from tests.synthetic_runs import NINE, Wanted, image_id, make_run

METHODS = ("calibration", "retrieval", "direction", "structure")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("measured"), Wanted(images=24, draws=2, missing=("elastic",)))


def altered(folder, *, plan=None, encoder=None):
    """The run with another plan or encoder on record."""
    path = folder / "run.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    info["plan"] |= plan or {}
    info["encoder"] |= encoder or {}
    path.write_text(json.dumps(info), encoding="utf-8")
    return embshift.open_run(folder)


def test_pairs_are_the_embeddings_of_the_run(run):
    pairs = run.pairs()
    assert pairs.ids == tuple(image_id(row) for row in range(24))
    np.testing.assert_allclose(pairs.units * pairs.norms[:, None], run.embeddings().values, rtol=1e-6)
    draws, recorded = pairs.views("blur")
    assert recorded.all()
    found = run.embeddings("blur")
    for draw, views in enumerate(draws):
        wanted = found.values[found.draws == draw]
        np.testing.assert_allclose(views.units, unit_vectors(wanted)[0])
    assert not pairs.views("elastic")[1].any()


@pytest.mark.parametrize("name", METHODS)
def test_a_run_measures_each_transform(run, name):
    found = getattr(run, name)()
    assert found.transforms == NINE
    assert found.name == name
    failed = NINE.index("elastic")
    assert np.isnan(found.estimates.mean[failed]).all()
    assert not np.isnan(np.delete(found.estimates.mean, failed, axis=0)).any()
    assert getattr(run, name)(images=15).images == 15


def test_the_cosine_shift_is_that_of_the_recorded_cosine(lite_run):
    """Measured by the encoder's half from float32 tensors, and here from what was stored."""
    found = lite_run.calibration()
    wanted = [1 - row.cells["cosine"].mean for row in lite_run.summary().rows]
    assert found.estimates.mean[:, 0].tolist() == pytest.approx(wanted, abs=1e-6)


def test_the_mean_shift_is_the_vector_that_direction_measures(run):
    vector = run.mean_shift("blur")
    assert vector.shape == (8,)
    pairs = run.pairs()
    draws, _ = pairs.views("blur")
    wanted = np.mean([(draw.units - pairs.units[draw.at]).mean(axis=0) for draw in draws], axis=0)
    assert vector.tolist() == pytest.approx(wanted.tolist())
    assert np.isnan(run.mean_shift("elastic")).all()


# Floors -----------------------------------------------------------------------------------------------------


def test_the_preset_of_preparations_is_the_floor_of_another_run(tmp_path):
    wanted = Wanted(images=20, transforms=("jpeg_95", "identity"))
    plan = {
        "preset": "preparation",
        "transforms": [{"name": "jpeg_95"}, {"name": "identity", "target": "identity"}],
    }
    make_run(tmp_path / "prep", wanted)
    preparation = altered(tmp_path / "prep", plan=plan, encoder={"digest": "d"})
    make_run(tmp_path / "other", Wanted(images=30, seed=1))
    other = altered(tmp_path / "other", encoder={"digest": "d"})
    jpeg, same, again = other.floors(preparation)
    assert [(one.kind, one.name) for one in (jpeg, same)] == [
        ("preparation", "jpeg_95"),
        ("numeric", "identity"),
    ]
    originals, views = preparation.embeddings().values, preparation.embeddings("jpeg_95").values
    wanted = floor(originals, views, kind="preparation", name="jpeg_95")
    assert (jpeg.high, jpeg.median, jpeg.images) == pytest.approx((wanted.high, wanted.median, 20))
    assert (again.kind, again.name, again.images) == ("numeric", "measured again in prep", 20)
    found = other.calibration(floors=other.floors(preparation))
    assert found.mean("blur", "floor_ratio") == pytest.approx(found.mean("blur", "cosine_shift") / jpeg.mean)
    assert other.floors() == ()
    assert [one.name for one in preparation.floors()] == ["jpeg_95", "identity"]


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("resize", "area", "preparation"),
        ("image_size", [96, 96], "preparation"),
        ("device", "cuda", "numeric"),
    ],
)
def test_originals_of_two_runs_are_a_floor_of_what_differs(tmp_path, field, value, kind):
    made = []
    for name, plan in (("one", {}), ("two", {field: value})):
        pixels = str(plan) if kind == "preparation" else ""
        make_run(tmp_path / name, Wanted(images=12, seed=len(made), pixels=pixels))
        base = {"resize": "linear", "image_size": [224, 224], "device": "cpu"}
        made.append(altered(tmp_path / name, plan=base | plan, encoder={"digest": "d"}))
    (found,) = made[0].floors(made[1])
    assert (found.kind, found.name) == (kind, f"{field} {value}")
    sides = (one.embeddings().values for one in made)
    wanted = floor(*sides, kind=kind, name=found.name)
    assert (found.high, found.median, found.images) == pytest.approx((wanted.high, wanted.median, 12))


def test_floors_of_another_encoder_or_of_other_pictures_are_refused(tmp_path, monkeypatch):
    for name in ("own", "clip"):
        make_run(tmp_path / name, Wanted(images=4))
    run = altered(tmp_path / "own", encoder={"digest": "d"})
    with pytest.raises(RunError, match=r"with other weights \(encoder .*\); a floor needs one encoder"):
        run.floors(altered(tmp_path / "clip", encoder={"digest": "else"}))
    make_run(tmp_path / "else", Wanted(images=4))
    other = altered(tmp_path / "else", encoder={"digest": "d"})
    monkeypatch.setattr(
        type(other), "image_ids", lambda self: {row: f"{self.folder}{row}" for row in range(4)}
    )
    with pytest.raises(RunError, match="shares no image"):
        run.floors(other)


@pytest.mark.parametrize(
    "unknown",
    [
        {"digest": ""},
        {"digest": "of code", "family": "object"},
        {"digest": "of a file", "family": "ingested"},
    ],
)
def test_weights_that_no_run_states_are_not_taken_as_equal(tmp_path, unknown):
    make_run(tmp_path / "one", Wanted(images=12))
    make_run(tmp_path / "two", Wanted(images=12, seed=1))
    one, two = (altered(tmp_path / name, encoder=unknown) for name in ("one", "two"))
    with pytest.raises(RunError, match=r"one does not say which weights .*'identity'"):
        one.floors(two)
    assert one.floors() == one.floors(one) == ()


# Differences ------------------------------------------------------------------------------------------------


def test_differences_of_a_run_are_those_of_its_values(run):
    found = run.differences(by="l2", resamples=200)
    values = run.values()
    column = values.values[:, :, values.metrics.index("l2")]
    first = found.tests[0]
    assert (first.first, first.second) == NINE[:2]
    assert first.difference == pytest.approx((column[:, 0] - column[:, 1]).mean())
    assert len(found.tests) == 36
    assert math.isnan(next(one for one in found.tests if one.second == "elastic").p)


def test_two_runs_are_compared_transform_by_transform(run, tmp_path):
    other = make_run(tmp_path, Wanted(images=23, transforms=(*NINE[:3], "fog"), encoder="other", seed=3))
    found = run.differences(against=other, resamples=200)
    assert [one.first for one in found.tests] == [f"{name} (synthetic)" for name in NINE[:3]]
    assert {one.n for one in found.tests} == {23}
    ours, theirs = run.values().values[:23, 0, 0], other.values().values[:, 0, 0]
    assert found.tests[0].difference == pytest.approx((ours - theirs).mean())
    alone = make_run(tmp_path / "fog", Wanted(images=4, transforms=("fog",)))
    with pytest.raises(RunError, match="shares no transform"):
        run.differences(against=alone)


def test_an_unknown_metric_is_said_with_the_near_one(run):
    for call in (run.differences, run.order_stability):
        with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
            call(by="cosin")


def test_stability_of_the_order_of_a_run(run):
    assert [one.images for one in run.order_stability()] == [10, 24]


# Text and command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_every_format_holds_the_numbers(run, name):
    found = getattr(run, name)()
    content = json.loads(format_measured(found, style="json"))
    blur = next(row for row in content["transforms"] if row["transform"] == "blur")["measures"]
    lines = format_measured(found, style="csv").splitlines()
    header, row = lines[0].split(","), lines[1 + NINE.index("blur")].split(",")
    for one in found.measures:
        exact = found.mean("blur", one.name)
        assert blur[one.name]["mean"] == exact
        assert float(row[header.index(f"{one.name}_mean")]) == exact
        assert blur[one.name]["n"] == 24
    failed = lines[1 + NINE.index("elastic")].split(",")
    assert failed[header.index(f"{found.measures[0].name}_mean")] == ""
    text = format_measured(found, style="markdown")
    assert len(text.splitlines()) == 11
    assert format_measured(found, style="latex").count("\\\\") == 10
    with pytest.raises(UnknownNameError, match="unknown format"):
        format_measured(found, style="yaml")


def test_differences_in_every_format(run):
    found = run.differences(detect=0.05, resamples=200)
    content = json.loads(format_differences(found, style="json"))
    assert content["tests"][0]["p"] == found.tests[0].p
    assert content["detect"] == 0.05
    lines = format_differences(found, style="csv").splitlines()
    assert lines[0] == "first,second,difference,deviation,n,p,p_adjusted,images_needed"
    assert lines[1].split(",")[-1] == str(found.tests[0].needed)
    assert "images_needed" not in format_differences(run.differences(resamples=200), style="markdown")


@pytest.mark.parametrize(
    ("show", "style"),
    [(show, "table") for show in SHOWS]
    + [
        (show, style)
        for show in ("retrieval", "differences")
        for style in ("markdown", "csv", "json", "latex")
    ],
)
def test_the_command_shows_each(run, show, style, capsys):
    assert main(["summarise", str(run.folder), "--show", show, "--format", style]) == 0
    text = capsys.readouterr().out
    assert all(name in text.replace("\\", "") for name in NINE)
    if show in MEASURES:
        assert MEASURES[show][0].name in text.replace("\\", "")


def test_what_can_be_shown_is_listed_once():
    assert {"shifts", *SHOWN} == set(SHOWS)
    assert set(MEASURES) <= set(SHOWN)


def test_the_table_says_what_is_noted(run, capsys):
    main(["summarise", str(run.folder), "--show", "direction"])
    text = capsys.readouterr().out
    assert re.search(r"blur: subtracting the mean shift removes −?\d+ % \(", text)
    main(["summarise", str(run.folder), "--show", "differences", "--detect", "0.05"])
    text = capsys.readouterr().out
    assert "mean Kendall τ between the order of N images and that of all, by N: 10: " in text
    assert "images_needed" in text
    assert "10,000 random flips" in text
    joint = run.joint_order()
    said = f"agree on {len(joint.agreed())} of 36 pairs of transforms, contradict each other on"
    assert said in " ".join(text.split())
    assert "the least possible p is 0.0001" in text
    main(["summarise", str(run.folder), "--show", "differences", "--resamples", "200"])
    assert "200 random flips" in capsys.readouterr().out
    main(["summarise", str(run.folder), "--show", "calibration", "--images", "9"])
    assert re.search(r" 9 +$", capsys.readouterr().out, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--floor", "x"], "--floor was given with --show shifts; it belongs to --show calibration"),
        (["--show", "retrieval", "--by", "l2"], "--by was given with --show retrieval"),
        (["--show", "retrieval", "--images", "1"], "--images is 1; expected 2 or more"),
        (["--show", "differences", "--detect", "-1"], "detect is -1.0; expected a difference above 0"),
        (["--show", "differences", "--resamples", "9"], "resamples is 9; expected 100 or more"),
        (["--resamples", "900"], "--resamples was given with --show shifts"),
    ],
)
def test_options_that_say_nothing_are_refused(run, options, message, capsys):
    assert main(["summarise", str(run.folder), *options]) == 2
    assert message in capsys.readouterr().err


def test_errors_are_those_of_the_tree():
    assert issubclass(UsageError, embshift.ShiftError)
    assert issubclass(PlanError, UsageError)
