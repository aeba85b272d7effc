"""Curves over severity: values by hand, censoring, one draw through the whole run."""

import json
import math

import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr

from embshift.analysis.embeddings.pairs import make_pairs
from embshift.analysis.strength.curve_numbers import (
    find_half_recall,
    find_half_recall_interval,
    rank_correlations,
)
from embshift.analysis.strength.levels import SweptLevel, read_levels
from embshift.analysis.strength.sweep import compute_sweep
from embshift.core.errors import PlanError, RunError, UnknownNameError
from embshift.measurement.studies.sweep import chosen_transforms, measure_sweep, sweep_plan
from embshift.show.text.sweep import format_sweep, s50_text, sweep_table
from embshift.transforms import TRANSFORMS
from tests.reference import measurements_reference
from tests.reference import statistics_reference as reference
from tests.unit.test_measurements import cloud, moved, pairs_of


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep") / "run"
    return measure_sweep(
        photos,
        transforms=["blur", "jpeg"],
        severities=[1, 3, 5],
        encoder="lite",
        image_size=64,
        workers=0,
        draws=2,
        out=out,
    )


@pytest.fixture(scope="module")
def curves(run):
    return run.sweep(resamples=500)


def shift(run, name):
    """Mean over images of 1 − cosine, draws first, from the table of shifts."""
    table = run.shifts().to_pandas()
    own = table[(table["transform"] == name) & (table["metric"] == "cosine")]
    return (1 - own.value).groupby(own.row).mean().mean()


def test_heights_are_the_means_of_the_shift_table(run, curves):
    for curve in curves.curves:
        assert curve.axis == "severity"
        assert curve.at == (1, 3, 5)
        expected = [shift(run, name) for name in curve.names]
        np.testing.assert_allclose(curve.shift.mean, expected, rtol=1e-9)
        assert np.isnan(curve.shift.low).all()  # of six images
        assert (curve.recall.low <= curve.recall.mean).all()
        assert (curve.recall.mean <= curve.recall.high).all()
        assert curve.strengths == tuple(TRANSFORMS[curve.transform].strength.at(int(s)) for s in curve.at)


def test_the_area_is_the_mean_height_from_the_untouched_picture(curves):
    for curve in curves.curves:
        one, three, five = curve.shift.mean
        by_hand = (one / 2 * 1 + (one + three) / 2 * 2 + (three + five) / 2 * 2) / 5
        assert curve.area.mean[0] == pytest.approx(by_hand, rel=1e-12)


def test_the_interval_of_the_area_is_that_of_the_areas_of_images():
    """Written a second time from the shift of each of 12 images at every level."""
    base, at = cloud(12), (1, 3, 5)
    views = {f"blur_s{severity}": moved(base, by=0.2 * severity, seed=severity) for severity in at}
    levels = [
        SweptLevel(
            name=name,
            transform="blur",
            severity=severity,
            strength=float(severity),
            unit="px",
            meaning="kernel",
            family="photometric",
            zero=None,
            rising=True,
        )
        for name, severity in zip(views, at, strict=True)
    ]
    (curve,) = compute_sweep(pairs_of(base, views), levels, resamples=400, seed=3).curves
    areas = []
    for image in range(12):
        sides = [measurements_reference.unit(each[image]) for each in (base, *views.values())]
        one, three, five = (measurements_reference.shift(sides[0], side) for side in sides[1:])
        areas.append((one / 2 * 1 + (one + three) / 2 * 2 + (three + five) / 2 * 2) / 5)
    assert curve.area.mean[0] == pytest.approx(np.mean(areas), rel=1e-6)
    ends = reference.bca(areas, resamples=400, seed=3, level=0.95)
    assert [curve.area.low[0], curve.area.high[0]] == pytest.approx(ends, rel=1e-6)


def test_the_columns_hold_severity_and_strength(run):
    table = run.shifts().to_pandas()
    own = table[table["transform"] == "jpeg_s3"]
    assert set(own.severity) == {3}
    assert set(own.strength) == {TRANSFORMS["jpeg"].strength.severities[2]}


@pytest.mark.parametrize(
    ("recall", "at", "left", "expected"),
    [
        ([1.0, 0.8, 0.2], [1, 2, 3], 0.0, (2.5, "")),
        ([0.25, 0.2], [1, 2], 0.0, (2 / 3, "")),
        ([0.9, 0.5], [1, 2], 0.0, (math.nan, ">")),
        ([0.4, 0.1], [75, 50], None, (math.nan, "<")),
        ([0.9, 0.1], [75, 50], None, (62.5, "")),
        ([0.9, math.nan, 0.1], [1, 2, 3], 0.0, (2.0, "")),
        ([math.nan, math.nan], [1, 2], 0.0, (math.nan, "")),
        ([0.4, 0.9], [1, 2], 0.0, (0.5 / 0.6, "")),
    ],
    ids=str,
)
def test_where_half_are_found(recall, at, left, expected):
    found = find_half_recall(np.array(recall), at=at, left=left)
    assert found[1] == expected[1]
    assert found[0] == pytest.approx(expected[0], nan_ok=True)


def test_the_interval_of_half_recall_is_where_wilsons_holds_a_half():
    recall = (np.arange(60)[:, None] < np.array([57, 48, 20, 3])).astype(float)
    options = {"at": (1.0, 2.0, 3.0, 4.0), "left": 0.0, "draws": [60] * 4, "level": 0.95}
    low, high = find_half_recall_interval(recall, **options)
    middle, _ = find_half_recall(recall.mean(axis=0), at=options["at"], left=0.0)
    assert 2 < low < middle < high < 3
    for place in (low, high):
        share = place - 2
        own = (1 - share) * recall[:, 1] + share * recall[:, 2]
        ends = reference.clustered_wilson(own.tolist(), draws=120)
        assert min(abs(end - 0.5) for end in ends) < 1e-3
    few = find_half_recall_interval(recall[::6], **options | {"draws": [10] * 4})
    assert few[0] < low < high < few[1]


def test_ends_of_half_recall_beyond_the_levels_are_infinite():
    options = {"at": (1.0, 2.0), "left": None, "draws": [20] * 2, "level": 0.95}

    def interval(*shares):
        return find_half_recall_interval(
            (np.arange(20)[:, None] < 20 * np.array(shares)).astype(float), **options
        )

    assert interval(1.0, 0.9) == (math.inf, math.inf)
    assert interval(0.1, 0.0) == (-math.inf, -math.inf)
    low, high = interval(0.9, 0.4)
    assert 1 < low < 2
    assert high == math.inf
    assert interval(0.5, 0.1)[0] == -math.inf
    nothing = np.full((20, 2), math.nan)
    assert all(math.isnan(end) for end in find_half_recall_interval(nothing, **options))


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    shifts = np.round(rng.random((40, 5)) + np.arange(5) * 0.1, 1)  # rounded: with ties
    expected = [spearmanr(row, np.arange(5)).statistic for row in shifts]
    np.testing.assert_allclose(rank_correlations(shifts), expected, atol=1e-12)
    shifts[0], shifts[1, 2] = 0.3, np.nan
    assert np.isnan(rank_correlations(shifts)[:2]).all()
    np.testing.assert_allclose(rank_correlations(shifts)[2:], expected[2:], atol=1e-12)
    assert np.isnan(rank_correlations(shifts[:, :2])).all()


def test_monotonicity_has_an_interval_of_its_images():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(40, 6)).astype(np.float32)
    names = [f"noise_s{at}" for at in (1, 2, 3, 4)]
    views = {
        name: base + 0.1 * (1 + 0.2 * at) * rng.normal(size=(40, 6)).astype(np.float32)
        for at, name in enumerate(names)
    }
    curve = compute_sweep(plain_pairs(base, views), [swept(name) for name in names], resamples=2000).curves[0]
    found = curve.monotonicity
    shifts = np.stack([cosine_shifts(base, views[name]) for name in names], axis=1)
    own = rank_correlations(shifts)
    assert found.mean[0] == pytest.approx(own.mean())
    wide = 2 * 2.02 * own.std(ddof=1) / math.sqrt(40)
    assert found.high[0] - found.low[0] == pytest.approx(wide, rel=0.12)


def test_monotonicity_that_hardly_any_image_lacks_has_wilsons_interval():
    base = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    base[:, 5] = 0
    away = np.linalg.norm(base, axis=1, keepdims=True) * np.eye(6, dtype=np.float32)[5]
    turned = np.arange(40)[:, None] < 3  # these three move less and less
    names = [f"noise_s{at}" for at in (1, 2, 3, 4)]
    views = {name: base + away * np.where(turned, 4 - at, 1 + at) / 10 for at, name in enumerate(names)}
    found = compute_sweep(plain_pairs(base, views), [swept(name) for name in names]).curves[0].monotonicity
    ends = binomtest(37, 40).proportion_ci(method="wilson")
    assert [found.mean[0], found.low[0], found.high[0]] == pytest.approx(
        [2 * share - 1 for share in (37 / 40, ends.low, ends.high)]
    )


def swept(name):
    return SweptLevel(
        name=name,
        transform=name.split("_")[0],
        severity=int(name[-1]),
        strength=float(name[-1]),
        unit="1",
        meaning="amount",
        family="noise",
        zero=0.0,
        rising=True,
    )


def plain_pairs(originals, views):
    rows = np.arange(len(originals))
    return make_pairs(
        rows=rows,
        values=originals,
        ids={row: f"id{row}" for row in rows.tolist()},
        transforms=list(views),
        read=lambda name: (rows, np.zeros(len(rows), np.int64), views[name]),
    )


def cosine_shifts(originals, views):
    units = [
        side / np.linalg.norm(side, axis=1, keepdims=True)
        for side in (originals.astype(float), views.astype(float))
    ]
    return 1 - (units[0] * units[1]).sum(axis=1)


def test_a_run_without_levels_says_what_to_do(lite_run):
    with pytest.raises(RunError, match="has no transform with a severity or strength; use"):
        lite_run.sweep()


def test_strengths_make_an_axis_of_their_own(photos, tmp_path):
    run = measure_sweep(
        photos,
        transforms=["jpeg"],
        strengths=[10, 80, 40],
        encoder="lite",
        image_size=64,
        workers=0,
        limit=3,
        out=tmp_path / "run",
    )
    (curve,) = run.sweep(resamples=200).curves
    assert curve.axis == "strength"
    assert curve.at == (80, 40, 10)  # from mild to severe
    assert curve.left is None
    assert curve.area.mean[0] == pytest.approx(np.trapezoid(curve.shift.mean, [80, 40, 10]) / -70)
    assert run.shifts()["severity"].null_count == len(run.shifts())


def test_text_in_every_format(curves):
    assert "blur" in format_sweep(curves, style="markdown")
    assert r"\toprule" in format_sweep(curves, style="latex")
    rows = format_sweep(curves, style="csv").splitlines()
    assert len(rows) == 1 + 6
    assert len({line.count(",") for line in rows}) == 1
    content = json.loads(format_sweep(curves, style="json"))
    assert content["gallery"] == 6
    assert content["transforms"][0]["levels"][1]["shift"]["mean"] == curves.curves[0].shift.mean[1]
    assert sweep_table(curves).row_count == 2
    with pytest.raises(UnknownNameError, match="unknown format 'xml'"):
        format_sweep(curves, style="xml")


def test_censored_ends_are_said(curves):
    for curve in curves.curves:
        assert (curve.censored == ">") == (s50_text(curve) == "> 5")


def test_plans():
    plan = sweep_plan(["blur"], severities=[2, 4], encoder="lite")
    assert [each.name for each in plan.transforms] == ["blur_s2", "blur_s4"]
    assert plan.metrics == ("cosine",)
    assert len(sweep_plan(encoder="lite").transforms) == 8 * 5
    assert set(chosen_transforms(["all"])) == {n for n, s in TRANSFORMS.items() if s.strength is not None}
    with pytest.raises(PlanError, match="strengths are given for 2 transforms, whose units differ"):
        sweep_plan(["blur", "jpeg"], strengths=[1, 2])
    with pytest.raises(PlanError, match="both severities and strengths are given"):
        sweep_plan(["blur"], strengths=[1], severities=[2])
    with pytest.raises(PlanError, match="grey has no strength"):
        sweep_plan(["grey"])


def test_levels_are_read_from_run_json(run):
    levels = read_levels(run.info)
    assert [each.name for each in levels] == [f"{n}_s{s}" for n in ("blur", "jpeg") for s in (1, 3, 5)]
    assert levels[0].unit == "px"
    assert not levels[-1].rising
