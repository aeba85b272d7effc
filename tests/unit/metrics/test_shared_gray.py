"""Pixel metrics computed together: the same bits as one by one, and what becomes of wrapped metrics."""

from functools import partial, wraps

import numpy as np
import pytest

from embshift.metrics import METRICS, gray
from embshift.metrics.detail import detail_similarity
from embshift.metrics.edge import edge_similarity
from embshift.metrics.shared_gray import compute_pixel_metrics

PIXELS = {name: metric.compute for name, metric in METRICS.items() if metric.kind == "pixel"}


def images(height, width, count=4):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.fixture
def conversions(monkeypatch):
    """A list with one entry for each time that a row of images is converted to gray."""
    made, iterate_grays = [], gray.iterate_grays
    monkeypatch.setattr(gray, "iterate_grays", lambda given: made.append(1) or iterate_grays(given))
    return made


# A side below 8 pixels has no detail, one below 2 no edges; cells of more than 10,000 pixels are centred.
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 9), (17, 70), (224, 224), (824, 800, 2)])
def test_together_is_what_each_gives_by_itself(shape):
    reference, *views = images(*shape)
    found = compute_pixel_metrics(PIXELS, reference, np.stack(views))
    assert list(found) == list(PIXELS)
    for name, metric in PIXELS.items():
        assert found[name].tobytes() == metric(reference, np.stack(views)).tobytes()


def test_gray_is_made_once_for_all_metrics_of_gray(conversions):
    reference, *views = images(32, 32)
    compute_pixel_metrics(PIXELS, reference, np.stack(views))
    assert conversions == [1]


def test_a_partial_without_arguments_shares_the_gray(conversions):
    reference, *views = images(32, 32)
    metrics = {"edge": partial(partial(edge_similarity)), "detail": detail_similarity}
    found = compute_pixel_metrics(metrics, reference, np.stack(views))
    assert conversions == [1]
    assert found["edge"].tobytes() == edge_similarity(reference, np.stack(views)).tobytes()


def test_the_body_of_a_wrapper_is_run():
    calls = []

    @wraps(edge_similarity)
    def halved(reference, shifted):
        calls.append(len(shifted))
        return edge_similarity(reference, shifted) / 2

    reference, *views = images(32, 32)
    metrics = {"edge": edge_similarity, "halved": halved, "wrapped partial": partial(halved)}
    found = compute_pixel_metrics(metrics, reference, np.stack(views))
    assert calls == [3, 3]
    np.testing.assert_array_equal(found["halved"], found["edge"] / 2)
    np.testing.assert_array_equal(found["wrapped partial"], found["edge"] / 2)


def test_a_partial_with_arguments_is_called():
    reference, *views = images(32, 32)
    fixed = partial(detail_similarity, views[0])

    def compare(_, shifted):
        return fixed(shifted)

    found = compute_pixel_metrics({"fixed": compare}, reference, np.stack(views))["fixed"]
    assert found[0] == 1
    assert gray.find_gray_form(fixed) is None


def test_a_metric_of_the_user_need_not_be_hashable():
    class Mine:
        __hash__ = None

        def __call__(self, reference, shifted):
            return np.full(len(shifted), 0.5)

    reference, *views = images(16, 16)
    assert compute_pixel_metrics({"mine": Mine()}, reference, np.stack(views))["mine"].tolist() == [0.5] * 3


def test_without_views_there_is_no_value():
    reference = images(16, 16, count=1)[0]
    found = compute_pixel_metrics(PIXELS, reference, np.empty((0, 16, 16, 3), np.uint8))
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(PIXELS, 0)
