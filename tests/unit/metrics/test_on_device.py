"""Device forms of the pixel metrics, on the CPU, against the metrics themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embshift.metrics import METRICS
from embshift.metrics.gpu import DEVICE_METRICS
from tests.reference import metrics_reference
from tests.unit.metrics.test_pixels import CASES, checkerboard, load

NAMES = sorted(DEVICE_METRICS)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def measured(name, originals, views, owners):
    form = DEVICE_METRICS[name]
    height, width = originals.shape[1:3]
    assert form.fits(height, width)
    tensors = (torch.as_tensor(np.array(each)) for each in (originals, views, np.array(owners)))
    sums = {key: value.numpy() for key, value in form.measure(*tensors).items()}
    return form.finish(sums, height=height, width=width)


def alone(name, originals, views, owners):
    return np.array(
        [
            METRICS[name].compute(originals[owner], view[None])[0]
            for owner, view in zip(owners, views, strict=True)
        ]
    )


def compare(name, originals, views, owners):
    found, wanted = (way(name, originals, views, owners) for way in (measured, alone))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, wanted, **CLOSE)


def test_they_are_forms_of_pixel_metrics():
    assert NAMES
    for name in NAMES:
        assert METRICS[name].kind == "pixel"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["view"])
def test_golden_values(case, name):
    original, view = load(case["reference"]), load(case["view"])
    (value,) = measured(name, original[None], view[None], [0])
    expected = np.nan if case[name] is None else case[name]
    assert value == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_pictures_in_one_batch(name, data):
    shape = data.draw(st.sampled_from([(8, 8), (9, 31), (33, 16), (56, 40)]))
    levels = st.sampled_from([0, 255]) if data.draw(st.booleans()) else st.integers(0, 255)
    originals = data.draw(arrays(np.uint8, (3, *shape, 3), elements=levels, fill=st.integers(0, 255)))
    views = data.draw(arrays(np.uint8, (5, *shape, 3), elements=levels, fill=st.integers(0, 255)))
    compare(name, originals, views, data.draw(st.lists(st.integers(0, 2), min_size=5, max_size=5)))


@pytest.mark.parametrize("name", NAMES)
def test_photographs_sized_pictures(name):
    rng = np.random.default_rng(7)
    originals = rng.integers(0, 256, (2, 224, 224, 3), np.uint8)
    views = np.concatenate([originals, originals // 2, 255 - originals])
    compare(name, originals, views, [0, 1, 0, 1, 0, 1])
    assert measured(name, originals, originals, [0, 1]) == pytest.approx([1, 1], abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_uniform_pictures_and_cells(name):
    flat = np.full((1, 32, 32, 3), 117, np.uint8)
    half = flat.copy()
    half[:, :, 16:] = checkerboard((32, 16), 20, 230)
    pictures = np.concatenate([flat, half])
    compare(name, pictures, np.concatenate([pictures, pictures]), [0, 0, 1, 1])


def test_detail_is_undefined_for_a_uniform_picture_alone():
    flat = np.full((1, 32, 32, 3), 117, np.uint8)
    board = checkerboard((32, 32), 20, 230)[None]
    found = measured(
        "detail_similarity", np.concatenate([flat, board]), np.concatenate([board, flat]), [0, 1]
    )
    assert np.isnan(found[0])
    assert found[1] == 0


@pytest.mark.parametrize("size", [(800, 801), (1030, 520)])
@pytest.mark.parametrize("name", NAMES)
def test_large_cells_are_as_exact(name, size):
    rng = np.random.default_rng(1)
    original = rng.integers(100, 103, (1, *size, 3), np.uint8)
    view = np.where(rng.random(original.shape) < 0.5, original, original + 1)
    view[:, : size[0] // 8, : size[1] // 8] = 255
    compare(name, original, view, [0])


@pytest.mark.parametrize("name", NAMES)
def test_the_extremes_do_not_overflow(name):
    board = checkerboard((640, 640), 0, 255)[None]
    stripes = np.zeros((1, 640, 640, 3), np.uint8)
    stripes[:, :, ::3] = 255
    compare(name, board, np.concatenate([255 - board, stripes, 0 * board]), [0, 0, 0])


@pytest.mark.parametrize(("name", "least"), [("patch", 4), ("edge", 2), ("detail", 8)])
def test_pictures_that_are_too_small_are_left_to_the_metric(name, least):
    form = DEVICE_METRICS[f"{name}_similarity"]
    assert form.fits(least, 50)
    assert not form.fits(least - 1, 50)
    assert not form.fits(50, least - 1)


def test_sums_that_would_not_be_exact_are_left_to_the_metric():
    assert not DEVICE_METRICS["edge_similarity"].fits(4096, 4096)
    assert not DEVICE_METRICS["detail_similarity"].fits(1024, 1024)
    assert DEVICE_METRICS["patch_similarity"].fits(4096, 4096)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_does_not_depend_on_its_batch(name):
    rng = np.random.default_rng(2)
    originals = rng.integers(0, 256, (3, 40, 56, 3), np.uint8)
    views = rng.integers(0, 256, (7, 40, 56, 3), np.uint8)
    owners = [0, 1, 2, 0, 1, 2, 0]
    together = measured(name, originals, views, owners)
    single = [measured(name, originals, views[at : at + 1], owners[at : at + 1])[0] for at in range(7)]
    np.testing.assert_array_equal(together, single)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_slow_reference(name):
    rng = np.random.default_rng(4)
    original, view = rng.integers(0, 256, (2, 1, 19, 27, 3), np.uint8)
    slow = getattr(metrics_reference, name)(original[0], view[0])
    assert measured(name, original, view, [0])[0] == pytest.approx(slow, rel=1e-9)
