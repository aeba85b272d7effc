"""Whether metrics agree: one joint level, a literal writing, rounding, missing values, false statements."""

import dataclasses
import math

import numpy as np
import pytest

from embshift.analysis.shifts.joint_order import order_jointly
from embshift.core.errors import PlanError
from embshift.metrics import METRICS
from embshift.runs.precision import MetricError
from embshift.runs.values import ImageValues
from embshift.show.text.joint_order import describe_joint_order
from tests.reference import joint_reference as reference

NAN = math.nan
NAMES = ("cosine", "l2", "patch_similarity")
"""Higher is closer, lower is, and higher again."""


def values_of(array):
    array = np.asarray(array, float)
    return ImageValues(
        rows=np.arange(len(array)),
        transforms=tuple("abcdefgh"[: array.shape[1]]),
        metrics=NAMES[: array.shape[2]],
        values=array,
        recorded=np.ones(array.shape, bool),
        undefined=np.isnan(array).astype(np.int64),
    )


def found(array, **options):
    values = values_of(array)
    specs = [METRICS[name].spec for name in values.metrics]
    return order_jointly(values, metrics=specs, **{"resamples": 400} | options)


def shifted(images, means, *, seed=0, spread=0.1):
    """Noise about the means of transforms by metrics."""
    means = np.asarray(means, float)
    return means + spread * np.random.default_rng(seed).normal(size=(images, *means.shape))


def test_the_statement_equals_the_literal_one():
    table = shifted(6, [[0.9, 0.1, 0.5], [0.7, 0.3, 0.6], [0.65, 0.05, 0.55]], spread=0.05)
    table[2, 1, 0] = NAN
    one = found(table)
    wanted = reference.joint_order(table.tolist(), higher=[True, False, True])
    assert {key: int(one.order[key]) for key in wanted} == wanted
    assert {*wanted.values()} == {-1, 0, 1}
    assert (one.order == -one.order.transpose(0, 2, 1)).all()
    assert (one.images, one.resamples, one.exact) == ((5, 6, 6), 64, True)


def test_metrics_that_agree_and_metrics_that_contradict():
    one = found(shifted(40, [[0.9, 0.1], [0.5, 0.9], [0.1, 0.5]]))
    assert one.agreed() == (("a", "b"), ("a", "c"))
    assert one.contradicted() == (("b", "c"),)
    assert one.find_sides("b", "c") == (("cosine",), ("l2",))
    assert one.find_sides("c", "b") == (("l2",), ("cosine",))


def test_a_metric_that_is_not_certain_neither_agrees_nor_contradicts():
    one = found(shifted(40, [[0.9, 0.5], [0.1, 0.5]]))
    assert (one.agreed(), one.contradicted()) == ((), ())
    assert one.find_sides("a", "b") == (("cosine",), ())


def test_differences_within_rounding_are_certain_in_no_direction():
    table = shifted(40, [[0.5], [0.5]], spread=0.0)
    table[:, 0] += 1e-6
    assert not found(table).order.any()
    table[:, 0] += 1e-3
    assert found(table).order[0, 0, 1] == 1
    error = MetricError(mean=0.01, max=0.02, relative=True, n=9, undefined=0)
    assert not found(table, errors={"cosine": error}).order.any()
    assert found(table, errors={"cosine": dataclasses.replace(error, mean=NAN)}).order.any()


def test_rounding_of_one_metric_takes_nothing_from_another():
    """Statistics of values that differ by their last bit are noise of any size."""
    table = shifted(60, [[0.9, 0.5], [0.8, 0.5]])
    table[:, :, 1] = 0.999999 + 1e-16 * np.random.default_rng(1).integers(0, 9, size=(60, 2))
    assert found(table).order[:, 0, 1].tolist() == [1, 0]


def test_a_transform_without_values_takes_nothing_from_the_others():
    table = shifted(30, [[0.9], [0.5], [0.1]])
    table[:, 1] = NAN
    one = found(table)
    assert one.agreed() == (("a", "c"),)
    assert one.images == (30,)


@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 3, 2), (30, 1, 2), (30, 0, 2), (30, 3, 0)])
def test_where_nothing_can_be_told_nothing_is(shape):
    one = found(np.random.default_rng(0).random(shape))
    assert not one.order.any()
    assert one.agreed() == one.contradicted() == ()


def test_equal_transforms_are_seldom_told_apart_by_any_metric():
    """Three metrics of five equal transforms: thirty comparisons, one level for all."""
    tables = (shifted(20, np.full((5, 3), 0.5), seed=seed) for seed in range(100))
    false = sum(bool(found(table, seed=seed).order.any()) for seed, table in enumerate(tables))
    assert false <= 12  # 5 expected


@pytest.mark.parametrize(
    ("options", "message"),
    [({"resamples": 99}, "resamples is 99; expected 100"), ({"level": 1.0}, "level is 1.0; expected")],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(PlanError, match=message):
        found(np.zeros((3, 2, 1)), **options)


@pytest.mark.parametrize(("images", "said"), [(3, True), (5, True), (6, False), (40, False)])
def test_too_few_images_are_said_to_be_why_all_is_open(images, said):
    one = found(shifted(images, [[0.9, 0.1], [0.1, 0.9]]))
    text = " ".join(describe_joint_order(one))
    assert ("so nothing can be certain: measure more" in text) == said == (one.least > 0.05)
    assert one.order.any() != said
