"""Cosine and L2 against a slow reference, golden values and hand-made cases."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embshift.core.encoding import Encoding
from embshift.core.types import Field
from embshift.metrics.embedding import cosine, l2
from tests.reference import metrics_reference

GOLDEN = Path(__file__).parents[2] / "golden"


def encoding(rows):
    rows = torch.as_tensor(np.asarray(rows, dtype=np.float32))
    return Encoding(embedding=rows, grid=(1, 1), field=Field(0, 0, 8, 8))


@pytest.mark.parametrize("metric", [cosine, l2], ids=lambda metric: metric.__name__)
def test_golden_vectors(metric):
    golden = np.load(GOLDEN / "vectors_and_maps.npz")
    values = metric(encoding(golden["u"]), encoding(golden["v"]))
    np.testing.assert_allclose(values, golden[metric.__name__], rtol=1e-6)


@settings(deadline=None)
@given(
    pair=arrays(np.float32, (2, 3, 7), elements=st.floats(0.125, 100, width=32)),
    sign=st.sampled_from([1, -1]),
)
def test_equals_the_slow_reference(pair, sign):
    u, v = pair[0], np.float32(sign) * pair[1]
    cosines = [metrics_reference.cosine_similarity(*rows) for rows in zip(u, v)]
    distances = [metrics_reference.l2_distance(*rows) for rows in zip(u, v)]
    np.testing.assert_allclose(cosine(encoding(u), encoding(v)), cosines, rtol=1e-9)
    np.testing.assert_allclose(l2(encoding(u), encoding(v)), distances, rtol=1e-9, atol=1e-12)


def test_a_zero_embedding_has_no_direction_but_a_distance():
    zero, other = encoding([[0.0, 0.0], [0.0, 0.0]]), encoding([[3.0, 4.0], [0.0, 0.0]])
    assert cosine(zero, other).isnan().all()
    assert cosine(other, zero).isnan().all()
    assert l2(zero, other).tolist() == [5.0, 0.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_embedding_that_is_not_finite_is_undefined(bad):
    good, broken = encoding([[3.0, 4.0]]), encoding([[3.0, bad]])
    for metric in (cosine, l2):
        for pair in ((good, broken), (broken, good), (broken, broken)):
            assert metric(*pair).isnan().all()


def test_small_shifts_are_not_lost_to_rounding():
    """In float32 the cosine of a shift of 1e-4 is off by half of 1 - cosine; in float64 it is not."""
    u = np.random.default_rng(0).normal(size=(50, 512)).astype(np.float32)
    v = (u * (1 + 1e-4 * np.random.default_rng(1).normal(size=u.shape))).astype(np.float32)
    expected = [1 - metrics_reference.cosine_similarity(*rows) for rows in zip(u, v)]
    np.testing.assert_allclose(1 - cosine(encoding(u), encoding(v)), expected, rtol=1e-5)


def test_rounding_does_not_leave_the_bounds():
    u = np.random.default_rng(0).normal(size=(2000, 33))
    values = torch.cat([cosine(encoding(u), encoding(3 * u)), cosine(encoding(u), encoding(-u))])
    assert values.abs().max() <= 1.0


def test_the_extremes_of_float32_keep_their_direction():
    for size in (1e-44, 1e38):
        rows = np.array([[size, 0.0], [0.0, size]])
        np.testing.assert_allclose(cosine(encoding(rows), encoding(rows[::-1])), 0.0)
        np.testing.assert_allclose(cosine(encoding(rows), encoding(rows)), 1.0)
