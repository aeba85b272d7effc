"""Images are the unit: draws are averaged first, equal pictures count once, undefined is never 0."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.analysis.shifts.table import summarise
from embshift.metrics import METRICS
from embshift.runs.values import image_values
from tests.reference import summary_reference as reference

NAN = math.nan
TRANSFORMS = ("a", "b", "c")
NAMES = ("cosine", "l2", "patch_similarity")
SPECS = [METRICS[name].spec for name in NAMES]


def chunk(rows):
    columns = list(zip(*rows)) if rows else [()] * 5
    kinds = (pa.int64(), pa.string(), pa.int32(), pa.string(), pa.float64())
    names = ("row", "transform", "draw", "metric", "value")
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds)})


def summary(*chunks, skip=frozenset(), metrics=SPECS, transforms=TRANSFORMS):
    values = image_values(
        [chunk(rows) for rows in chunks],
        transforms=transforms,
        metrics=[spec.name for spec in metrics],
        skip=frozenset(skip),
    )
    return summarise(values, metrics=metrics)


def cell(found, transform="a", metric="cosine"):
    one = next(row for row in found.rows if row.transform == transform).cells[metric]
    return (one.mean, one.deviation, one.n, one.undefined)


def cosines(*values):
    """One image of each, transform a."""
    return [(row, "a", 0, "cosine", value) for row, value in enumerate(values)]


def test_mean_and_deviation_are_over_images():
    assert cell(summary(cosines(0.1, 0.2, 0.6))) == pytest.approx(
        (0.3, np.std([0.1, 0.2, 0.6], ddof=1), 3, 0)
    )


def test_draws_are_averaged_within_their_image_first():
    rows = [(0, "a", draw, "cosine", 1.0) for draw in range(9)] + [(1, "a", 0, "cosine", 0.0)]
    assert cell(summary(rows)) == pytest.approx((0.5, math.sqrt(0.5), 2, 0))


def test_a_draw_that_is_undefined_leaves_the_others():
    assert cell(summary([(0, "a", 0, "cosine", NAN), (0, "a", 1, "cosine", 0.5)]))[0] == 0.5


def test_undefined_is_counted_and_is_not_zero():
    mean, _, n, undefined = cell(summary(cosines(0.5, NAN, NAN, 0.7)))
    assert (mean, n, undefined) == (pytest.approx(0.6), 2, 2)


def test_missing_is_not_undefined():
    assert cell(summary(cosines(0.5)), transform="b")[2:] == (0, 0)
    assert math.isnan(cell(summary(cosines(0.5)), transform="b")[0])


def test_one_image_has_no_deviation():
    mean, deviation, n, _ = cell(summary(cosines(0.5)))
    assert (mean, n) == (0.5, 1)
    assert math.isnan(deviation)


def test_repeated_pictures_count_once():
    assert cell(summary(cosines(0.1, 0.9, 0.9), skip={2})) == cell(summary(cosines(0.1, 0.9)))


def test_chunks_are_one_table():
    rows = cosines(0.1, 0.2, 0.3, 0.4)
    assert cell(summary(rows[:1], [], rows[1:])) == cell(summary(rows))


def test_no_chunk_at_all():
    assert cell(summary())[2:] == (0, 0)
    assert [row.rank for row in summary().rows] == [None] * 3


def test_names_that_were_not_asked_for_are_left_out():
    more = [(0, "other", 0, "cosine", 9.0), (0, "a", 0, "other", 9.0)]
    found = summary(cosines(0.5) + more)
    assert cell(found)[:3:2] == (0.5, 1)
    assert sum(one.n for row in found.rows for one in row.cells.values()) == 1


class TestRank:
    ONE = SPECS[:1]

    def ranks(self, *values):
        rows = [(0, name, 0, "cosine", value) for name, value in zip(TRANSFORMS, values)]
        return [row.rank for row in summary(rows, metrics=self.ONE).rows]

    def test_the_greatest_is_first(self):
        assert self.ranks(0.1, 0.9, 0.5) == [3, 1, 2]

    def test_equal_ones_share_the_better_rank(self):
        assert self.ranks(0.5, 0.5, 0.1) == [1, 1, 3]

    def test_undefined_has_none_and_takes_none(self):
        assert self.ranks(0.1, NAN, 0.5) == [2, None, 1]

    def test_the_score_is_the_mean_of_performance_metrics(self):
        rows = [(0, "a", 0, name, value) for name, value in zip(NAMES, (0.2, 50.0, 0.6))]
        (row,) = summary(rows, transforms=["a"]).rows
        assert [spec.performance for spec in SPECS] == [True, False, True]
        assert row.overall == pytest.approx(0.4)

    def test_the_score_is_undefined_where_one_of_them_is(self):
        rows = [(0, "a", 0, "cosine", 0.2), (0, "a", 0, "patch_similarity", NAN)]
        (row,) = summary(rows, transforms=["a"]).rows
        assert (math.isnan(row.overall), row.rank) == (True, None)

    def test_without_a_performance_metric_there_is_no_score(self):
        (row,) = summary([(0, "a", 0, "l2", 0.2)], transforms=["a"], metrics=SPECS[1:2]).rows
        assert (math.isnan(row.overall), row.rank) == (True, None)


class TestExtremes:
    def of(self, metric, *values):
        rows = [(0, name, 0, metric, value) for name, value in zip(TRANSFORMS, values)]
        found = summary(rows)
        return found.closest(metric), found.furthest(metric)

    def test_follow_the_metrics_direction(self):
        assert self.of("cosine", 0.1, 0.5, 0.9) == ({"c"}, {"a"})
        assert self.of("l2", 0.1, 0.5, 0.9) == ({"a"}, {"c"})

    def test_equal_ones_are_all_named_and_undefined_ones_never(self):
        assert self.of("cosine", 0.9, 0.9, 0.1) == ({"a", "b"}, {"c"})
        assert self.of("cosine", NAN, 0.9, 0.1) == ({"b"}, {"c"})

    def test_where_all_are_equal_there_are_none(self):
        assert self.of("cosine", 0.5, 0.5, 0.5) == (set(), set())
        assert self.of("cosine", 0.5, NAN, NAN) == (set(), set())


VALUES = st.one_of(st.floats(-10, 10), st.just(NAN), st.sampled_from([0.0, 0.5]))
KEYS = st.tuples(st.integers(0, 6), st.sampled_from(TRANSFORMS), st.integers(0, 2), st.sampled_from(NAMES))
ROWS = st.dictionaries(KEYS, VALUES, max_size=60).map(
    lambda found: sorted((*key, value) for key, value in found.items())
)


@given(rows=ROWS, skip=st.sets(st.integers(0, 6), max_size=3), cut=st.integers(0, 7))
@settings(max_examples=80, deadline=None)
def test_equals_the_literal_writing(rows, skip, cut):
    found = summary([r for r in rows if r[0] < cut], [r for r in rows if r[0] >= cut], skip=skip)
    wanted = reference.cells(rows, transforms=TRANSFORMS, metrics=NAMES, skip=skip)
    for (transform, metric), numbers in wanted.items():
        np.testing.assert_allclose(cell(found, transform, metric), numbers, rtol=1e-9, atol=1e-12)
    overall = [
        reference.mean([wanted[name, m][0] for m in ("cosine", "patch_similarity")]) for name in TRANSFORMS
    ]
    np.testing.assert_allclose([row.overall for row in found.rows], overall, rtol=1e-9, atol=1e-12)
    assert [row.rank for row in found.rows] == reference.rank([row.overall for row in found.rows])
