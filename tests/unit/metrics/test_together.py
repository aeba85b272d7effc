import numpy as np
import pytest

from embshift.core.types import Capture
from embshift.metrics import METRICS
from embshift.metrics import grid as cells
from embshift.metrics.shared_gray import take_together

PIXELS = {name: METRICS[name].compute for name in METRICS if METRICS[name].spec.needs == Capture.PIXELS}


def pictures(height, width, count=3):
    return np.random.default_rng(0).integers(0, 256, (count + 1, height, width, 3), np.uint8)


# A side below 8 has no detail, one below 2 no edges; cells of more than 10,000 pixels are centred first.
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 9), (17, 70), (224, 224), (830, 850)])
def test_together_is_what_each_gives_by_itself(size):
    reference, *views = pictures(*size)
    found = take_together(PIXELS, reference, np.stack(views))
    assert list(found) == list(PIXELS)
    for name, metric in PIXELS.items():
        assert found[name].tobytes() == metric(reference, np.stack(views)).tobytes()


def test_gray_is_made_once_for_all_that_take_it(monkeypatch):
    made = []
    grays = cells.grays
    monkeypatch.setattr(cells, "grays", lambda given: made.append(1) or grays(given))
    reference, *views = pictures(32, 32)
    take_together(PIXELS, reference, np.stack(views))
    assert made == [1]


def test_a_metric_of_the_user_need_not_be_hashable():
    class Mine:
        __hash__ = None

        def __call__(self, reference, shifted):
            return np.full(len(shifted), 0.5)

    reference, *views = pictures(16, 16)
    assert take_together({"mine": Mine()}, reference, np.stack(views))["mine"].tolist() == [0.5] * 3


def test_without_views_there_is_no_value():
    reference = pictures(16, 16, count=0)[0]
    found = take_together(PIXELS, reference, np.empty((0, 16, 16, 3), np.uint8))
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(PIXELS, 0)
