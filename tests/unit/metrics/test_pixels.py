"""Patch, edge and detail similarity against a slow reference, golden values and hand-made cases."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from embshift.metrics.detail import detail_similarity
from embshift.metrics.edge import edge_similarity
from embshift.metrics.gray import to_gray_thousandths
from embshift.metrics.patch import patch_similarity, slice_cells
from tests.reference import metrics_reference

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "pixel_metrics.json").read_text())
METRICS = {
    "patch_similarity": patch_similarity,
    "edge_similarity": edge_similarity,
    "detail_similarity": detail_similarity,
}
# In the slow reference, a cell that a transform flattens keeps a deviation of about 1e-14 by rounding and
# counts as about 1e-15; here it is exactly 0.
CLOSE = {"rel": 1e-6, "abs": 1e-9, "nan_ok": True}


def load(name):
    return np.asarray(Image.open(GOLDEN / name).convert("RGB"))


def checkerboard(shape, low, high):
    board = np.indices(shape).sum(axis=0) % 2
    return np.where(board, high, low).astype(np.uint8)[..., None].repeat(3, axis=2)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["view"])
def test_golden_values(case, name):
    (value,) = METRICS[name](load(case["reference"]), load(case["view"])[None])
    expected = case[name]
    assert value == pytest.approx(np.nan if expected is None else expected, **CLOSE)


@pytest.mark.parametrize("name", METRICS)
def test_golden_values_of_many_views_at_once(name):
    references = sorted({case["reference"] for case in CASES})
    for reference in references:
        cases = [case for case in CASES if case["reference"] == reference]
        values = METRICS[name](load(reference), np.stack([load(case["view"]) for case in cases]))
        expected = [np.nan if case[name] is None else case[name] for case in cases]
        assert values == pytest.approx(np.array(expected), **CLOSE)


@st.composite
def pictures(draw, *, least):
    shape = draw(st.sampled_from([(17, 23), (9, 8), (8, 9), (31, 16), (least, least), (least + 1, 40)]))
    return draw(arrays(np.uint8, (4, *shape, 3)))


@pytest.mark.parametrize(
    ("name", "least"), [("patch_similarity", 4), ("edge_similarity", 2), ("detail_similarity", 8)]
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_the_slow_reference(name, least, data):
    reference, *views = data.draw(pictures(least=least))
    slow = getattr(metrics_reference, name)
    values = METRICS[name](reference, np.stack(views))
    assert values == pytest.approx(np.array([slow(reference, view) for view in views]), **CLOSE)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("shape", [(17, 23), (19, 16), (61, 40)])
def test_equals_the_slow_reference_on_noise(name, shape):
    reference, *views = np.random.default_rng(7).integers(0, 256, (6, *shape, 3), dtype=np.uint8)
    slow = getattr(metrics_reference, name)
    expected = np.array([slow(reference, view) for view in views])
    assert METRICS[name](reference, np.stack(views)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_views_need_not_be_contiguous(name):
    reference, *views = np.random.default_rng(3).integers(0, 256, (4, 24, 17, 3), dtype=np.uint8)
    turned = np.stack(views)[:, ::-1, ::-1]
    slow = getattr(metrics_reference, name)
    expected = np.array([slow(reference, view) for view in turned])
    assert METRICS[name](reference, turned) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(8, 8), (224, 224), (9, 23)])
def test_black_against_white_scores_one_half(shape):
    black = np.zeros((*shape, 3), dtype=np.uint8)
    assert patch_similarity(black, black[None] + 255).tolist() == [0.5]
    assert patch_similarity(black + 255, black[None]).tolist() == [0.5]


@pytest.mark.parametrize("step", [1, 15, 16, 100, 128, 200, 255])
def test_differences_do_not_wrap_modulo_256(step):
    low, high = np.zeros((16, 16, 3), dtype=np.uint8), np.full((16, 16, 3), step, dtype=np.uint8)
    expected = pytest.approx(1 / (1 + (step / 255) ** 2), rel=1e-12)
    assert patch_similarity(low, high[None])[0] == expected
    assert patch_similarity(high, low[None])[0] == expected


def test_large_cells_do_not_overflow():
    """Each cell's squares sum to 1.2e10, beyond 32 bits."""
    black = np.zeros((1000, 1000, 3), dtype=np.uint8)
    assert patch_similarity(black, black[None] + 255).tolist() == [0.5]
    textured = checkerboard((1000, 1000), 0, 255)
    expected = pytest.approx([1 / 255], rel=1e-9)
    assert detail_similarity(textured, checkerboard((1000, 1000), 0, 1)[None]) == expected


@pytest.mark.parametrize("side", [352, 800, 880])
def test_a_uniform_cell_is_left_out_whichever_way_the_deviations_are_taken(side):
    """The last cell has the greatest sums there are; cells of 110 by 110 are centred first."""
    picture = np.random.default_rng(0).integers(240, 256, (side, side, 3), dtype=np.uint8)
    picture[-side // 8 :, -side // 8 :] = 255
    view = picture.copy()
    view[-side // 8 :, -side // 8 :, 0] = checkerboard((side // 8, side // 8), 0, 9)[..., 0]
    assert detail_similarity(picture, view[None]).tolist() == [1.0]
    expected = metrics_reference.detail_similarity(picture, picture[::-1])
    assert detail_similarity(picture, picture[::-1][None])[0] == pytest.approx(expected, rel=1e-9)


def test_the_remainder_of_the_grid_is_dropped():
    picture = np.random.default_rng(0).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    view = picture.copy()
    view[16:], view[:, 20:] = 0, 0
    assert patch_similarity(picture, view[None]).tolist() == [1.0]
    view = picture.copy()
    view[16:], view[:, 16:] = 0, 0
    assert detail_similarity(picture, view[None]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "short", "enough"),
    [("patch_similarity", 3, 4), ("edge_similarity", 1, 2), ("detail_similarity", 7, 8)],
)
def test_pictures_smaller_than_the_grid_are_undefined(name, short, enough):
    for shape, defined in [((short, 40), False), ((40, short), False), ((40, enough), True)]:
        picture = checkerboard(shape, 0, 255)
        if name == "detail_similarity":
            picture[::2, ::3] = 90
        (value,) = METRICS[name](picture, picture[None])
        assert (value == 1.0) if defined else np.isnan(value)


def test_detail_of_a_uniform_reference_is_undefined():
    for level in range(256):
        flat = np.full((24, 24, 3), (level, 255 - level, level // 2), dtype=np.uint8)
        assert np.isnan(detail_similarity(flat, np.stack([flat, checkerboard((24, 24), 0, 9)]))).all()


def test_a_flattened_cell_counts_zero():
    picture = checkerboard((16, 16), 10, 200)
    view = picture.copy()
    view[:4, :4] = 77  # four of the 64 cells of 2x2
    assert detail_similarity(picture, view[None]).tolist() == [60 / 64]


def test_uniform_cells_are_left_out():
    picture = checkerboard((16, 16), 10, 200)
    picture[:8] = 30
    half = np.where(picture == 200, 105, picture).astype(np.uint8)
    assert detail_similarity(picture, half[None]) == pytest.approx([0.5])


def test_the_least_texture_counts():
    """One blue step in 256 pixels is a deviation of 0.007 gray levels, far above the limit of uniform."""
    flat = np.full((128, 128, 3), 90, dtype=np.uint8)
    picture, view = flat.copy(), flat.copy()
    picture[::16, ::16, 2] += 1
    view[::16, ::16, 2] += 2
    assert detail_similarity(picture, np.stack([view, flat])) == pytest.approx([0.5, 0.0])
    assert metrics_reference.detail_similarity(picture, view) == pytest.approx(0.5, rel=1e-6)


def test_edges_of_uniform_pictures():
    flat = np.full((8, 8, 3), 40, dtype=np.uint8)
    assert edge_similarity(flat, np.stack([flat, flat + 9])).tolist() == [1.0, 1.0]
    photo = load(CASES[0]["reference"])
    expected = 1 - metrics_reference.edge_map(photo).mean()
    assert edge_similarity(photo, np.full_like(photo, 7)[None]) == pytest.approx([expected], abs=1e-12)


def test_gray_is_exact_in_thousandths():
    colours = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert np.array_equal(to_gray_thousandths(colours), colours.astype(int) @ np.array([299, 587, 114]))


def test_cells_come_row_by_row():
    numbered = np.arange(5 * 7).reshape(5, 7)  # a row and a column are left over
    cells = [numbered[cell] for cell in slice_cells(5, 7, count=2)]
    assert [cell[0, 0] for cell in cells] == [0, 3, 14, 17]
    assert {cell.shape for cell in cells} == {(2, 3)}
