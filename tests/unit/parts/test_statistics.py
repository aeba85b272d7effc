"""Statistics from sums in parts, held to those that hold every value."""

from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.of_run import analyse_joint_order, analyse_statistics, summarise_shifts
from embshift.analysis.parts.groups import GROUPS
from embshift.analysis.parts.normal import draw_normal, make_intervals, measure_covariance, standard_errors
from embshift.analysis.parts.order import count_lacking, order_part_jointly, rank_common_part
from embshift.analysis.parts.reading import read_parts
from embshift.analysis.parts.statistics import compute_part_statistics, pull_groups, rank_by_metric
from embshift.analysis.parts.summary import summarise_part
from embshift.analysis.sampling.bootstrap import influence
from embshift.analysis.shifts.joint_order import order_jointly
from embshift.analysis.shifts.statistics import compute_statistics
from embshift.analysis.shifts.table import summarise
from embshift.core.errors import PlanError, UnknownNameError
from embshift.runs.image_ids import hash_ids
from embshift.show.report.facts.common import rank_common_images
from tests.synthetic_runs import Wanted, make_run
from tests.unit.parts.large_values import SPECS, draw_values, sum_in_parts

CASES = {
    "whole": draw_values(2_000),
    "missing": draw_values(2_000, missing=0.02, seed=1),
    "sampled": draw_values(2_000, sampled=0.4, missing=0.01, seed=2),
}


def without(values, transform, metric=slice(None)):
    found = values.values.copy()
    found[:, transform, metric] = np.nan
    return replace(values, values=found)


CASES["lacking"] = without(CASES["missing"], 1)
CASES["late"] = replace(CASES["whole"], values=CASES["whole"].values.copy())
CASES["late"].values[:700, 2] = np.nan


@pytest.fixture(scope="module", params=list(CASES))
def both(request):
    values = CASES[request.param]
    return values, sum_in_parts(values)


def test_the_summary_is_that_of_all_values(both):
    values, part = both
    exact = summarise(values, metrics=SPECS)
    found = summarise_part(part, map_name="attention map")
    assert f"{len(values.rows):,} images" in found.parts
    for one, other in zip(exact.rows, found.rows, strict=True):
        assert one.rank == other.rank
        assert one.overall == pytest.approx(other.overall, rel=1e-12, nan_ok=True)
        for name, cell in one.cells.items():
            assert (cell.n, cell.undefined) == (other.cells[name].n, other.cells[name].undefined)
            assert cell.mean == pytest.approx(other.cells[name].mean, rel=1e-12, nan_ok=True)
            assert cell.deviation == pytest.approx(other.cells[name].deviation, rel=1e-9, nan_ok=True)


def test_covariances_are_those_of_the_influences(both):
    values, part = both
    flat = values.values.reshape(len(values.rows), -1)
    pulls = influence(flat)
    exact = pulls.T @ pulls / len(pulls) ** 2
    np.testing.assert_allclose(measure_covariance(part), exact, rtol=1e-7, atol=1e-7 * exact.max())
    apart = pulls[:, :, None] - pulls[:, None]
    error = np.sqrt((apart**2).mean(axis=0) / (len(pulls) - 1))
    np.testing.assert_allclose(
        standard_errors(measure_covariance(part), images=len(pulls)), error, rtol=1e-6, atol=1e-9
    )


def test_groups_pull_as_their_images_do(both):
    values, part = both
    images, taken = len(values.rows), np.array([spec.performance for spec in SPECS])
    pulls = influence(values.values.reshape(images, -1)).reshape(values.values.shape) / images
    own = pulls[:, :, taken].mean(axis=2)
    hashes = hash_ids(np.array([f"{row:032x}" for row in values.rows], "S32"))
    found = pull_groups(part)
    for group in (0, 5, GROUPS - 1):
        np.testing.assert_allclose(found[group], own[hashes % GROUPS == group].sum(axis=0), atol=1e-12)


@pytest.mark.parametrize("by", ["overall", "cosine", "l2"])
def test_intervals_and_ranks_are_those_of_resamples(both, by):
    values, part = both
    exact = compute_statistics(values, metrics=SPECS, by=by, resamples=3_000)
    found = compute_part_statistics(part, by=by, resamples=3_000)
    for one, other in ((exact.means, found.means), (exact.overall, found.overall)):
        width = one.high - one.low
        np.testing.assert_array_equal(one.n, other.n)
        np.testing.assert_array_equal(one.plain, other.plain)
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12)
        # The ends over 3,000 resamples have a standard error of about 2 % of the width themselves.
        for end in ("low", "high"):
            apart = np.abs(getattr(one, end) - getattr(other, end))
            assert np.nanmax(apart / width, initial=0) < 0.09
            np.testing.assert_array_equal(np.isnan(getattr(one, end)), np.isnan(getattr(other, end)))
    one, other = exact.ranks, found.ranks
    assert one.transforms == other.transforms
    assert other.critical == pytest.approx(one.critical, rel=0.05)
    np.testing.assert_allclose(one.frequency, other.frequency, atol=0.05)
    np.testing.assert_allclose(one.half_width, other.half_width, rtol=0.05)
    assert [row.rank for row in one.intervals] == [row.rank for row in other.intervals]
    if by != "overall":
        spec = next(spec for spec in SPECS if spec.name == by)
        np.testing.assert_array_equal(
            rank_by_metric(part, spec, resamples=3_000).half_width, other.half_width
        )


def test_joint_orders_are_those_of_flips(both):
    values, part = both
    exact = order_jointly(values, metrics=SPECS, resamples=2_000)
    found = order_part_jointly(part, resamples=2_000)
    assert found.images == exact.images
    assert (found.least, found.exact, found.resamples) == (exact.least, exact.exact, exact.resamples)
    assert (found.order == exact.order).mean() > 0.97
    assert not (found.order * exact.order == -1).any()


def test_ranks_on_common_images_are_those_of_resamples(both):
    values, part = both
    exact = rank_common_images(values, metrics=SPECS, resamples=2_000)
    found = rank_common_part(part, resamples=2_000)
    assert (exact is None) == (found is None)
    if exact is not None:
        images, ranks = found
        assert images == exact.images
        assert count_lacking(part) == exact.fewer
        assert ranks.transforms == exact.ranks.transforms
        np.testing.assert_allclose(ranks.score, exact.ranks.score, rtol=1e-10)
        np.testing.assert_allclose(ranks.half_width, exact.ranks.half_width, rtol=0.06)


def test_counts_are_those_of_all_values(both):
    values, part = both
    assert part.images == len(values.rows)
    assert part.measured == int((~np.isnan(values.values)).any(axis=(1, 2)).sum())
    assert part.partly == int(((values.undefined > 0) & ~np.isnan(values.values)).sum())


def test_equal_transforms_share_their_ranks_and_are_never_certain():
    values = CASES["whole"]
    same = values.values.copy()
    same[:, 1] = same[:, 0]
    values = replace(values, values=same)
    part = sum_in_parts(values)
    exact, found = compute_statistics(values, metrics=SPECS, resamples=500), compute_part_statistics(part)
    assert [one.rank for one in found.ranks.intervals] == [one.rank for one in exact.ranks.intervals]
    assert not found.ranks.certain[0, 1]
    np.testing.assert_allclose(found.ranks.frequency[0], found.ranks.frequency[1])
    order = order_part_jointly(part)
    assert (order.order[:, 0, 1] == 0).all()


def test_values_without_spread_have_a_plain_interval_of_no_width():
    values = CASES["whole"]
    flat = values.values.copy()
    flat[:, 0, 0] = 0.75
    flat[9:, 1, 1] = np.nan
    part = sum_in_parts(replace(values, values=flat))
    found = compute_part_statistics(part).means
    exact = compute_statistics(replace(values, values=flat), metrics=SPECS, resamples=200).means
    assert (found.low[0, 0], found.mean[0, 0], found.high[0, 0]) == pytest.approx((0.75, 0.75, 0.75))
    assert found.plain[0, 0]
    assert np.isnan(found.low[1, 1])
    assert np.isnan(found.high[1, 1])
    assert found.mean[1, 1] == pytest.approx(exact.mean[1, 1])


def change(values, where, value):
    found = values.values.copy()
    found[where] = value
    return replace(values, values=found)


FEW = draw_values(60)
HOSTILE = {
    "nothing": change(FEW, np.s_[:], np.nan),
    "a metric without values": change(FEW, np.s_[:, :, 0], np.nan),
    "a transform without values": change(FEW, np.s_[:, 1], np.nan),
    "one value": change(FEW, np.s_[1:, 0, 0], np.nan),
    "one transform": draw_values(60, transforms=("noise",)),
    "one transform without values": change(draw_values(60, transforms=("noise",)), np.s_[:], np.nan),
    "no metric sample": draw_values(60, sampled=0.0),
    "one image": draw_values(1),
    "equal values everywhere": change(FEW, np.s_[:], 0.7),
    "no shift": change(FEW, np.s_[:], [spec.identity for spec in SPECS]),
    "a transform of equal values": change(FEW, np.s_[:, 2], 0.9),
    "a transform of equal values, others undefined": change(
        change(FEW, np.s_[:, 2], 0.123), np.s_[5, 1, 2], np.nan
    ),
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("by", ["overall", "cosine", "l2", "edge_similarity"])
def test_what_is_undefined_or_constant_is_as_for_all_values(values, by):
    part = sum_in_parts(values, size=7)
    exact = compute_statistics(values, metrics=SPECS, by=by, resamples=200)
    found = compute_part_statistics(part, by=by, resamples=200)
    for one, other in ((found.means, exact.means), (found.overall, exact.overall)):
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(one.n, other.n)
        np.testing.assert_array_equal(np.isnan(one.low), np.isnan(other.low))
        np.testing.assert_array_equal(np.isnan(one.high), np.isnan(other.high))
    np.testing.assert_array_equal(np.isnan(found.ranks.frequency), np.isnan(exact.ranks.frequency))
    assert [one.transform for one in found.ranks.intervals] == [
        one.transform for one in exact.ranks.intervals
    ]
    rank_common_part(part, resamples=200)
    one, other = order_part_jointly(part, resamples=200), order_jointly(values, metrics=SPECS, resamples=200)
    np.testing.assert_array_equal(one.images, other.images)


def test_closed_intervals_are_those_of_very_many_resamples():
    rng = np.random.default_rng(3)
    values = rng.exponential(size=200)
    apart = values - values.mean()
    found = make_intervals(
        np.array([values.mean()]),
        error=np.array([apart.std() / np.sqrt(200)]),
        acceleration=np.array([(apart**3).sum() / (6 * (apart**2).sum() ** 1.5)]),
        spread=np.array([True]),
        n=np.array([200]),
        level=0.95,
    )
    table = draw_values(200, transforms=("noise",), specs=SPECS[:1])
    table = replace(table, values=values[:, None, None])
    exact = compute_statistics(table, metrics=SPECS[:1], resamples=100_000).means
    width = float(exact.high[0, 0] - exact.low[0, 0])
    assert abs(found.low[0] - exact.low[0, 0]) < 0.012 * width
    assert abs(found.high[0] - exact.high[0, 0]) < 0.012 * width
    # The skew counts: a symmetric interval would be further off.
    middle = (found.low[0] + found.high[0]) / 2
    assert middle - values.mean() > 0.02 * width


def test_draws_have_their_covariance():
    root = np.random.default_rng(4).normal(size=(3, 3))
    covariance = np.zeros((4, 4))
    covariance[:3, :3] = root @ root.T  # the fourth does not vary
    drawn = draw_normal(covariance, resamples=40_000, seed=0)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05 * covariance.max())


def test_options_are_checked_as_for_all_values():
    part = sum_in_parts(CASES["whole"])
    with pytest.raises(PlanError, match="resamples is 5"):
        compute_part_statistics(part, resamples=5)
    with pytest.raises(PlanError, match="level is 2"):
        order_part_jointly(part, level=2)
    with pytest.raises(UnknownNameError, match="cosin"):
        compute_part_statistics(part, by="cosin")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    wanted = Wanted(images=90, undefined=(("blur", "l2"),), partly=("noise",), views=False, maps=False)
    return make_run(tmp_path_factory.mktemp("parts") / "run", wanted)


def test_a_run_above_the_limit_is_summed_in_parts(run):
    exact, found = (summarise_shifts(run, limit=limit) for limit in (90, 89))
    assert (exact.parts, bool(found.parts)) == ("", True)
    for one, other in zip(exact.rows, found.rows, strict=True):
        assert one.rank == other.rank
        for name, cell in one.cells.items():
            assert cell.mean == pytest.approx(other.cells[name].mean, rel=1e-12, nan_ok=True)
    exact, found = (analyse_statistics(run, limit=limit, resamples=1_000) for limit in (90, 89))
    assert (exact.parts, bool(found.parts)) == ("", True)
    np.testing.assert_allclose(exact.means.low, found.means.low, rtol=0.02)
    np.testing.assert_array_equal(exact.means.n, found.means.n)
    one, other = (analyse_joint_order(run, limit=limit, resamples=200) for limit in (90, 89))
    assert one.images == other.images


def test_the_sums_do_not_depend_on_what_measured_a_part(run, monkeypatch):
    exact = read_parts(run)
    monkeypatch.setattr("embshift.analysis.parts.reading.IMAGES_AT_ONCE", 1)
    again = read_parts(run, wanted=[3])
    np.testing.assert_array_equal(exact.counts, again.counts)
    np.testing.assert_allclose(exact.products.cross, again.products.cross, rtol=1e-12)
