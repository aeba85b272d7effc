"""Intervals against SciPy and literal loops; ranks cover the truth; what few images cannot tell is said."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm
from scipy.stats import t as student

from embshift.analysis.sampling import bootstrap as resampling
from embshift.analysis.shifts.statistics import compute_statistics
from embshift.analysis.shifts.table import summarise
from embshift.core.errors import PlanError, UnknownNameError
from embshift.metrics import METRICS
from embshift.runs.values import ImageValues
from tests.reference import statistics_reference as reference

NAN = math.nan
NAMES = ("cosine", "l2", "patch_similarity")
SPECS = tuple(METRICS[name].spec for name in NAMES)


def values(array, *, transforms=None, metrics=NAMES):
    """ImageValues of an array of images, transforms, metrics."""
    array = np.asarray(array, float)
    names = transforms or tuple("abcdefghij"[: array.shape[1]])
    taken = np.ones(array.shape, bool)
    return ImageValues(
        rows=np.arange(len(array)),
        transforms=names,
        metrics=metrics,
        values=array,
        recorded=taken,
        undefined=np.isnan(array).astype(np.int64),
    )


def found(array, *, metrics=NAMES, resamples=400, **options):
    specs = tuple(METRICS[name].spec for name in metrics)
    return compute_statistics(values(array, metrics=metrics), metrics=specs, resamples=resamples, **options)


def cosines(table, **options):
    """Statistics of one metric, cosine: a table of images by transforms."""
    return found(np.asarray(table, float)[:, :, None], metrics=("cosine",), **options)


def sample(images=30, transforms=4, metrics=3, *, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    array = rng.beta(4, 2, size=(images, transforms, metrics)) ** 2
    array[rng.random(array.shape) < missing] = NAN
    return array


# Intervals ----------------------------------------------------------------------------------------------


def test_bca_interval_equals_scipys():
    array = sample(40, 2, 1)
    ours = found(array, metrics=("cosine",), resamples=40_000)
    # What SciPy lacks: Student's t in place of the normal distribution, on few images.
    level = 2 * norm.cdf(math.sqrt(40 / 39) * student.ppf(0.975, 39)) - 1
    for transform in range(2):
        theirs = bootstrap(
            (array[:, transform, 0],),
            np.mean,
            n_resamples=40_000,
            confidence_level=level,
            rng=np.random.default_rng(5),
        ).confidence_interval
        width = theirs.high - theirs.low
        assert ours.means.low[transform, 0] == pytest.approx(theirs.low, abs=0.02 * width)
        assert ours.means.high[transform, 0] == pytest.approx(theirs.high, abs=0.02 * width)


def test_bca_interval_is_not_the_percentile_interval():
    skewed = np.random.default_rng(0).exponential(size=(20, 1, 1)) ** 2
    ours = found(skewed, metrics=("cosine",), resamples=4000)
    plain = np.quantile(
        resampling.resampled_means(skewed[:, :, 0], resamples=4000, seed=0), [0.025, 0.975], axis=0
    )
    assert ours.means.low[0, 0] > plain[0, 0] + 0.05 * (plain[1, 0] - plain[0, 0])
    assert ours.means.high[0, 0] > plain[1, 0] + 0.05 * (plain[1, 0] - plain[0, 0])


@given(images=st.integers(10, 18), seed=st.integers(0, 999), missing=st.sampled_from([0.0, 0.2]))
@settings(max_examples=25, deadline=None)
def test_every_interval_equals_the_literal_loops(images, seed, missing):
    array = sample(images, 2, 2, seed=seed, missing=missing)
    ours = found(array, metrics=("cosine", "patch_similarity"), resamples=150, level=0.9, seed=3)
    for transform in range(2):
        for metric in range(2):
            column = array[:, transform, metric].tolist()
            if np.isfinite(column).sum() < 10 or ours.means.plain[transform, metric]:
                continue
            wanted = reference.bca(column, resamples=150, seed=3, level=0.9)
            assert [ours.means.low[transform, metric], ours.means.high[transform, metric]] == pytest.approx(
                wanted, rel=1e-9
            )


def test_interval_of_the_overall_score_equals_the_literal_loops():
    array = sample(20, 1, 2, missing=0.2)
    ours = found(array, metrics=("cosine", "patch_similarity"), resamples=300)
    pairs = [tuple(row) for row in array[:, 0].tolist()]

    def overall(rows):
        return (reference.mean([row[0] for row in rows]) + reference.mean([row[1] for row in rows])) / 2

    wanted = reference.bca(pairs, resamples=300, seed=0, level=0.95, score=overall, n=int(ours.overall.n[0]))
    # Unequally many images behind the two metrics: the jackknife and its infinitesimal kin part at 1/n.
    assert [ours.overall.low[0], ours.overall.high[0]] == pytest.approx(
        wanted, abs=1e-3 * (wanted[1] - wanted[0])
    )


def test_means_and_overall_scores_are_those_of_the_summary():
    array = sample(9, 3, 3, missing=0.3)
    ours, table = found(array), summarise(values(array), metrics=SPECS)
    for at, row in enumerate(table.rows):
        assert ours.overall.mean[at] == pytest.approx(row.overall)
        assert [row.cells[name].mean for name in NAMES] == pytest.approx(ours.means.mean[at].tolist())
        assert [row.cells[name].n for name in NAMES] == ours.means.n[at].tolist()
    assert [one.rank for one in ours.ranks.intervals] == [row.rank for row in table.rows]


def test_the_overall_score_leaves_the_distance_out():
    array = sample(12)
    changed = array.copy()
    changed[:, :, 1] += 7
    assert found(array).overall.low.tolist() == found(changed).overall.low.tolist()


@pytest.mark.parametrize(
    "column", [[], [0.5], [0.5, NAN, NAN], [NAN, NAN], [0.2, 0.4], np.linspace(0, 1, 9).tolist()]
)
def test_fewer_than_ten_images_have_no_interval(column):
    ours = cosines(np.array(column, float).reshape(-1, 1))
    assert math.isnan(ours.means.low[0, 0])
    assert math.isnan(ours.means.high[0, 0])
    assert not ours.means.plain[0, 0]
    assert ours.means.n[0, 0] == np.isfinite(column).sum()


def test_without_spread_the_interval_is_the_mean_and_says_so():
    ours = cosines([[0.3]] * 12)
    assert (ours.means.low[0, 0], ours.means.high[0, 0]) == pytest.approx((0.3, 0.3), abs=1e-15)
    assert ours.means.plain[0, 0]


def test_a_resample_without_a_defined_value_is_left_out():
    # Ten images among so many that now and then a resample has none of them.
    ours = cosines([*[[0.2], [0.4]] * 5, *[[NAN]] * 40])
    assert 0.2 <= ours.means.low[0, 0] < ours.means.high[0, 0] <= 0.4


def test_resamples_are_paired_over_transforms_and_metrics():
    array = sample(10, 1, 1)
    doubled = np.concatenate([array, array + 1], axis=1)
    ours = found(doubled, metrics=("cosine",))
    assert ours.means.low[1, 0] - 1 == pytest.approx(ours.means.low[0, 0], abs=1e-12)
    # The difference is the same on every image, so that it is certain, however wide either interval is.
    assert ours.ranks.certain[1, 0]


def test_same_seed_same_numbers_and_another_seed_others():
    array = sample(10)
    low = [found(array, seed=seed).means.low.tolist() for seed in (1, 1, 2)]
    assert low[0] == low[1] != low[2]


def test_blocks_change_no_resample(monkeypatch):
    whole = found(sample(10), resamples=300).means.low
    monkeypatch.setattr(resampling, "COUNTS_AT_ONCE", 70)
    np.testing.assert_allclose(found(sample(10), resamples=300).means.low, whole, rtol=1e-12)


@pytest.mark.slow
def test_interval_of_a_mean_covers_it_as_often_as_it_says():
    hits, trials = 0, 300
    for seed in range(trials):
        column = np.random.default_rng(seed).exponential(size=(40, 1))
        ours = cosines(column, resamples=400)
        hits += ours.means.low[0, 0] <= 1.0 <= ours.means.high[0, 0]
    # 95 % less what skewness still costs on 40 images, and three standard errors of 300 trials.
    assert 0.89 <= hits / trials <= 0.985


# Ranks --------------------------------------------------------------------------------------------------


@given(images=st.integers(2, 9), transforms=st.integers(1, 4), seed=st.integers(0, 999))
@settings(max_examples=25, deadline=None)
def test_ranks_equal_the_literal_loops(images, transforms, seed):
    table = sample(images, transforms, 1, seed=seed)[:, :, 0]
    ours = cosines(table, resamples=120, level=0.9, seed=1).ranks
    critical, widths, intervals = reference.simultaneous(table.tolist(), resamples=120, seed=1, level=0.9)
    assert ours.critical == pytest.approx(critical, rel=1e-6)
    for (j, k), width in widths.items():
        assert ours.half_width[j, k] == pytest.approx(width, rel=1e-6, nan_ok=True)
        assert ours.half_width[j, k] == ours.half_width[k, j]
    assert [(one.low, one.high) for one in ours.intervals] == intervals


TRUTH = np.array([0.8, 0.8, 0.8, 0.7, 0.5])
"""Three equal transforms, one near, one far: ranks 1 to 3 are shared."""


@pytest.mark.slow
def test_rank_intervals_cover_all_true_ranks_together_with_ties():
    trials, jointly, told = 200, 0, 0
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        picture = rng.normal(scale=0.3, size=(25, 1))  # what the transforms of one picture share
        noise = rng.exponential(scale=0.15, size=(25, 5)) - 0.15
        ranks = cosines(TRUTH + picture + noise, resamples=400, seed=seed).ranks
        best = 1 + (TRUTH[None, :] > TRUTH[:, None]).sum(axis=1)
        worst = 5 - (TRUTH[None, :] < TRUTH[:, None]).sum(axis=1)
        pairs = zip(ranks.intervals, best, worst, strict=True)
        # Of equal transforms any shared rank is a true one: the interval must hold all of them.
        jointly += all(one.low <= low and high <= one.high for one, low, high in pairs)
        told += ranks.certain[0, 4]
    assert jointly / trials >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / trials)
    assert told / trials > 0.9  # and they are not so wide that nothing is ever told


def test_equal_transforms_are_never_certain_and_share_their_ranks():
    column = np.random.default_rng(0).random(30)
    table = np.stack([column, column, column - 0.5], axis=1)
    ours = cosines(table).ranks
    assert [(one.rank, one.low, one.high) for one in ours.intervals] == [(1, 1, 2), (1, 1, 2), (3, 3, 3)]
    assert ours.frequency.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert not ours.certain[0, 1]
    assert not ours.certain[1, 0]


def test_frequencies_are_of_every_rank_and_every_transform():
    ours = found(sample(6, 4), resamples=500).ranks.frequency
    assert ours.sum(axis=0) == pytest.approx(1)
    assert ours.sum(axis=1) == pytest.approx(1)
    assert (ours > 0).sum() > 4


def test_a_distance_ranks_the_least_first():
    rng = np.random.default_rng(0)
    table = np.array([3.0, 1.0, 2.0]) + rng.normal(scale=0.01, size=(20, 3))
    array = np.stack([table] * 3, axis=2)
    ours = found(array, by="l2").ranks
    assert [one.rank for one in ours.intervals] == [3, 1, 2]
    assert ours.frequency.argmax(axis=1).tolist() == [2, 0, 1]
    assert ours.certain[1, 0]
    assert ours.difference[0, 1] == pytest.approx(2, abs=0.02)
    assert [one.rank for one in found(array, by="cosine").ranks.intervals] == [1, 3, 2]


def test_order_and_neighbours_are_told():
    rng = np.random.default_rng(0)
    table = np.array([0.5, 0.9, 0.5]) + rng.normal(scale=0.05, size=(30, 3))
    ours = cosines(table).ranks
    assert next(one.transform for one in ours.ordered()) == "b"
    (first, _, certain), (_, _, open_) = ours.adjacent()
    assert (first, certain, open_) == ("b", True, False)


def test_a_transform_without_a_score_is_not_ranked():
    array = sample(12, 3)
    array[:, 1, 2] = NAN
    ours = found(array).ranks
    assert ours.transforms == ("a", "c")
    assert {one.rank for one in ours.intervals} == {1, 2}
    assert all(one.high <= 2 for one in ours.intervals)


def test_one_image_tells_no_order():
    ours = cosines([[0.9, 0.5, 0.1]]).ranks
    assert [(one.rank, one.low, one.high) for one in ours.intervals] == [(1, 1, 3), (2, 1, 3), (3, 1, 3)]
    assert not ours.certain.any()
    assert np.isnan(ours.frequency).all()


def test_a_metric_of_one_image_among_many_tells_no_order():
    table = np.full((20, 2), NAN)
    table[0] = (0.9, 0.1)
    assert not cosines(table).ranks.certain.any()


def test_one_transform_has_the_first_rank():
    ours = cosines([[0.3], [0.4]]).ranks
    assert [(one.low, one.high) for one in ours.intervals] == [(1, 1)]
    assert ours.adjacent() == ()


@pytest.mark.parametrize("metrics", [(), ("l2",)])
def test_without_a_performance_metric_nothing_is_ranked(metrics):
    ours = found(sample(5, 2, len(metrics)), metrics=metrics)
    assert np.isnan(ours.overall.mean).all()
    assert ours.ranks.transforms == ()
    assert ours.means.mean.shape == (2, len(metrics))


def test_more_pairs_than_are_taken_at_once(monkeypatch):
    array = sample(8, 5)
    whole = found(array).ranks
    monkeypatch.setattr("embshift.analysis.shifts.ranks.PAIRS_AT_ONCE", 3)
    assert found(array).ranks.critical == pytest.approx(whole.critical, rel=1e-9)


# What was asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "cosin"}, UnknownNameError, "unknown score 'cosin'; did you mean 'cosine'?"),
        ({"resamples": 10}, PlanError, "resamples is 10; expected 100 or more"),
        ({"level": 95}, PlanError, "level is 95; expected a share above 0 and below 1"),
    ],
)
def test_wrong_wishes(options, error, message):
    with pytest.raises(error) as raised:
        found(sample(4), **options)
    assert message in str(raised.value)


def test_a_run_gives_its_statistics(lite_run):
    ours = lite_run.statistics(resamples=200, by="l2")
    assert ours.transforms == lite_run.transforms
    assert ours.ranks.by == "l2"
    means = [row.cells["l2"].mean for row in lite_run.summary().rows]
    assert ours.means.mean[:, 1].tolist() == pytest.approx(means)
    assert np.isnan(ours.means.low).all()  # of six images
