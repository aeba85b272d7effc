"""The contract of every registered metric; registering a new metric is enough to test it."""

import doctest
import importlib
import inspect
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from embshift.core.encoding import Encoding
from embshift.core.types import Capture, Direction, Field
from embshift.metrics import METRICS

ROUNDING = 1e-12
VIEWS = 5
CROP = Field(4, 6, 41.6, 57.2)
SHAPES = [(64, 48), (17, 23), (9, 8), (8, 8), (4, 7), (3, 9), (2, 2), (1, 5), (1, 1)]


@pytest.fixture(params=list(METRICS))
def metric(request):
    return METRICS[request.param]


def on_pixels(metric):
    return metric.kind in ("pixel", "aligned")


def random_views(*, shape, views=VIEWS, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (views, *shape, 3), dtype=np.uint8)


def encoding(embedding, attention, *, grid=(3, 4), field=CROP):
    embedding, attention = torch.as_tensor(embedding), torch.as_tensor(attention)
    layers = attention[:, None].repeat(1, 2, 1, 1)
    values = {"embedding": embedding, "attention": attention, "layers": layers}
    return Encoding(grid=grid, field=field, **{name: value.float() for name, value in values.items()})


def random_encoding(*, seed=0, views=VIEWS, dim=16, grid=(3, 4), **options):
    rng = np.random.default_rng(seed)
    attention = rng.dirichlet(np.ones(grid[0] * grid[1] + 1), (views, 2))[..., 1:]
    return encoding(rng.normal(size=(views, dim)), attention, grid=grid, **options)


def typical(metric, *, seed=0):
    """Return one reference and several views that are not degenerate."""
    if on_pixels(metric):
        return random_views(shape=(64, 48), views=1, seed=seed)[0], random_views(
            shape=(64, 48), seed=seed + 1
        )
    return random_encoding(seed=seed), random_encoding(seed=seed + 1)


def against_itself(metric):
    reference, _ = typical(metric)
    return (reference, np.stack([reference] * VIEWS)) if on_pixels(metric) else (reference, reference)


def one_row(metric, shifted, row):
    return shifted[row : row + 1] if on_pixels(metric) else shifted.select([row])


def odd_images():
    for shape in SHAPES:
        views = random_views(shape=shape)
        views[1], views[2] = 0, 255
        views[3] = np.uint8(255) * (np.indices(shape).sum(axis=0) % 2)[..., None].astype(np.uint8)
        views[4, :, shape[1] // 2 :] = 128
        yield from ((reference, views) for reference in views)


def odd_encodings():
    rows = [
        np.zeros(16),
        np.eye(16)[0],
        -np.eye(16)[0],
        np.full(16, 1e30),
        np.full(16, 1e-42),
        np.ones(16) / 3,
    ]
    one_hot = np.repeat(np.eye(12)[:, None], 2, axis=1)
    maps = [np.zeros((2, 12)), one_hot[0], one_hot[11], np.full((2, 12), 1 / 13), one_hot[5], 1 - one_hot[6]]
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    for field in (Field(0, 0, 224, 224), CROP, Field(0, 0, 2, 3), Field(0, 0, 1, 1)):
        base = encoding(np.array(rows), np.array(maps), field=field)
        yield from ((base, base), (base, base.select(order)), (base, base.select([1, 2, 3, 4, 5, 0])))
    yield random_encoding(grid=(1, 1)), random_encoding(grid=(1, 1), seed=1)
    yield random_encoding(grid=(1, 7)), random_encoding(grid=(1, 7), seed=1)


def odd(metric):
    return odd_images() if on_pixels(metric) else odd_encodings()


def values(metric, pair):
    """Return one value per view as NumPy; shape and precision are part of the contract."""
    result = metric.compute(*pair)
    numbers = np.asarray(result)
    assert type(result) is (np.ndarray if on_pixels(metric) else torch.Tensor)
    assert numbers.dtype == np.float64
    assert numbers.shape == (len(pair[1]),)
    return numbers


def test_an_image_compared_with_itself_has_the_stated_value(metric):
    result = values(metric, against_itself(metric))
    np.testing.assert_allclose(result, metric.spec.identity, rtol=0, atol=ROUNDING)


def test_unlike_images_lie_in_the_stated_direction(metric):
    spec = metric.spec
    result = values(metric, typical(metric))
    closest = spec.bounds[1] if spec.direction is Direction.HIGHER else spec.bounds[0]
    assert spec.identity == closest
    assert (result < closest).all() if spec.direction is Direction.HIGHER else (result > closest).all()


def test_values_keep_to_the_bounds_or_are_nan(metric):
    low, high = metric.spec.bounds
    assert low < high
    for pair in (typical(metric), *odd(metric)):
        result = values(metric, pair)
        defined = result[~np.isnan(result)]
        assert ((defined >= low) & (defined <= high)).all(), result


def test_typical_images_have_a_value(metric):
    for seed in range(0, 20, 2):
        assert np.isfinite(values(metric, typical(metric, seed=seed))).all()


def test_each_view_is_measured_by_itself(metric):
    for reference, shifted in (typical(metric), *odd(metric)):
        together = values(metric, (reference, shifted))
        alone = [
            values(
                metric,
                (
                    reference if on_pixels(metric) else reference.select([row]),
                    one_row(metric, shifted, row),
                ),
            )[0]
            for row in range(len(shifted))
        ]
        np.testing.assert_allclose(together, alone, rtol=ROUNDING, atol=ROUNDING, equal_nan=True)


def test_no_views_give_no_values(metric):
    reference, shifted = typical(metric)
    if on_pixels(metric):
        assert values(metric, (reference, shifted[:0])).size == 0
    else:
        assert values(metric, (reference.select([]), shifted.select([]))).size == 0


def test_the_inputs_are_not_changed(metric):
    pair, untouched = typical(metric), typical(metric)
    metric.compute(*pair)
    for after, before in zip(pair, untouched, strict=True):
        for name in ("embedding", "attention", "layers") if isinstance(after, Encoding) else ("__array__",):
            left, right = getattr(after, name), getattr(before, name)
            left, right = (left(), right()) if callable(left) else (left, right)
            assert np.array_equal(left, right)


def test_the_kind_agrees_with_what_the_metric_needs(metric):
    needs = metric.spec.needs
    expected = {Capture.PIXELS: "pixel", Capture.COORDINATES: "aligned"}.get(needs, "pair")
    assert metric.kind == expected
    takes_maps = "coordinates" in inspect.signature(metric.compute).parameters
    assert takes_maps == (Capture.COORDINATES in needs)


def test_the_statement_is_complete(metric):
    spec = metric.spec
    assert METRICS[spec.name] is metric
    assert metric.compute.__name__ == spec.name
    for sentence in (spec.summary, spec.unit, spec.blind_to, spec.reference):
        assert sentence.strip() == sentence != ""
    assert math.isfinite(spec.identity)


def test_the_docstring_says_what_a_reader_must_know(metric):
    text = inspect.getdoc(metric.compute)
    for part in ("Blind to ", "Args:", "Returns:", "NaN", "Example:", "References:"):
        assert part in text, f"{metric.spec.name}: no '{part}' in its docstring"


def test_the_example_runs(metric):
    module = importlib.import_module(metric.compute.__module__)
    (example,) = doctest.DocTestFinder(recurse=False).find(
        metric.compute, metric.spec.name, module=module, globs=vars(module).copy()
    )
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_a_worker_can_be_handed_the_function(metric):
    assert pickle.loads(pickle.dumps(metric.compute)) is metric.compute


def test_pixel_metrics_do_not_load_torch():
    modules = {m.compute.__module__ for m in METRICS.values() if on_pixels(m)}
    script = f"import sys, {', '.join(sorted(modules))}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
