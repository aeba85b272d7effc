"""Maps of transforms that move pixels: the original, carried along, is the view."""

import albumentations as alb
import cv2
import numpy as np
import pytest

from embshift.core.pixel_maps import carry, find_inside, grid, make_empty_map, mean_displacement
from embshift.core.types import ViewKey
from embshift.transforms import TRANSFORMS
from embshift.transforms.albumentations.geometry import make_affine_map, make_inset_map
from embshift.transforms.build import build, wrap
from embshift.transforms.perturb import perturb
from embshift.transforms.presets import load_preset
from embshift.transforms.strength import make_levelled_plan

FLIP = next(plan for plan in load_preset("paper").transforms if plan.name == "horizontal_flip")
MOVING = [name for name, spec in TRANSFORMS.items() if spec.family == "geometric"]
STAYING = [name for name, spec in TRANSFORMS.items() if spec.family != "geometric"]


def smooth(height=96, width=128):
    """A picture without sharp edges: bilinear interpolation of it errs little, however it is rounded."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / 9 + at) + np.cos(columns / (7 + at)) for at in range(3)]
    return np.rint(127 + 60 * np.stack(waves, axis=-1)).astype(np.uint8)


def view(transform, *, draw=0, pixels=None, name="one"):
    key = ViewKey(run_seed=0, image_id="a" * 32, transform=name, draw=draw)
    return perturb(smooth() if pixels is None else pixels, transform, key=key)


def differences(found, pixels=None):
    """Between the view and the original as its map carries it, where it shows something of it."""
    pixels = smooth() if pixels is None else pixels
    way = found.coordinates()
    assert way.shape == (*pixels.shape[:2], 2)
    assert way.dtype == np.float32
    seen = find_inside(way, height=pixels.shape[0], width=pixels.shape[1])
    assert np.array_equal(seen, ~np.isnan(way[..., 0]))
    apart = np.abs(carry(pixels, way).astype(int) - found.pixels)
    return apart[seen], seen


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", MOVING)
def test_the_original_carried_along_is_the_view(name, severity):
    for draw in range(3):
        found = view(build(make_levelled_plan(name, severity=severity)), draw=draw)
        apart, seen = differences(found)
        assert 0.05 < seen.mean() <= 1
        assert apart.max() <= 3, apart.max()
        assert np.abs(smooth().astype(int) - found.pixels).max() > 12
        assert mean_displacement(found.coordinates()) > 0.1


def test_a_flip_is_exact():
    found = view(build(FLIP))
    apart, seen = differences(found)
    assert seen.all()
    assert apart.max() == 0
    noise = np.random.default_rng(0).integers(0, 256, (31, 44, 3), dtype=np.uint8)
    found = view(build(FLIP), pixels=noise)
    assert np.array_equal(carry(noise, found.coordinates()), found.pixels)
    np.testing.assert_allclose(found.coordinates(), grid(31, 44)[:, ::-1], atol=1e-4)


@pytest.mark.parametrize("name", STAYING)
def test_what_moves_no_pixel_says_so(name):
    assert view(wrap("one", name)).coordinates is None


LIBRARY = {
    "affine": alb.Affine(rotate=(20, 20), shear=(5, 5), p=1),
    "affine_filled": alb.Affine(rotate=(20, 20), fill=255, p=1),
    "affine_cubic": alb.Affine(scale=(0.8, 0.8), interpolation=cv2.INTER_CUBIC, p=1),
    "reflected": alb.Rotate(limit=(30, 30), border_mode=cv2.BORDER_REFLECT_101, p=1),
    "resized_crop": alb.RandomResizedCrop(size=(96, 128), scale=(0.4, 0.6), p=1),
    "optical": alb.OpticalDistortion(distort_limit=(0.3, 0.3), p=1),
    "grid_distortion": alb.GridDistortion(distort_limit=(-0.2, 0.2), p=1),
    "thin_plate": alb.ThinPlateSpline(scale_range=(0.1, 0.1), p=1),
    "vertical": alb.VerticalFlip(p=1),
    "composed": alb.Compose([alb.HorizontalFlip(p=1), alb.Affine(translate_px=(9, 9), p=1)]),
    "one_of": alb.OneOf([alb.HorizontalFlip(p=1), alb.VerticalFlip(p=1)], p=1),
    "with_colour": alb.Compose([alb.VerticalFlip(p=1), alb.InvertImg(p=1)]),
}


@pytest.mark.parametrize("name", [name for name in LIBRARY if name != "with_colour"])
def test_objects_of_the_library_give_their_maps(name):
    apart, seen = differences(view(wrap("one", LIBRARY[name])))
    assert seen.mean() > 0.3
    # Cubic interpolation overshoots, and the rim of a reflection is interpolated between both of its sides.
    assert np.quantile(apart, 0.95) <= 3
    assert apart.max() <= 3 or name in ("affine_cubic", "reflected", "thin_plate")


def test_colours_change_no_map():
    found = view(wrap("one", LIBRARY["with_colour"]))
    way = found.coordinates()
    assert np.array_equal(255 - carry(smooth(), way), found.pixels)


def test_the_map_is_that_of_the_draw_and_not_of_another():
    transform = wrap("one", alb.Affine(rotate=(-40, 40), p=1))
    ways = [view(transform, draw=draw).coordinates() for draw in range(2)]
    assert not np.allclose(ways[0], ways[1], equal_nan=True)
    first = view(transform, draw=0)
    view(transform, draw=1)
    np.testing.assert_array_equal(first.coordinates(), ways[0])


def test_what_was_not_applied_moved_nothing():
    assert view(wrap("one", alb.HorizontalFlip(p=0.0))).coordinates is None
    holes = alb.CoarseDropout(fill=0, p=1)
    assert view(wrap("one", holes)).coordinates is None


def test_of_two_alike_nothing_is_claimed():
    twice = alb.Compose([alb.Affine(rotate=(9, 9), p=1), alb.Affine(rotate=(5, 5), p=1)])
    assert np.isnan(view(wrap("one", twice)).coordinates()).all()


def test_a_function_of_the_users_may_give_its_own_map():
    def moving(pixels, *, rng):
        from embshift.core import types

        return types.View(pixels=pixels[::-1], parameters={}, coordinates=lambda: grid(96, 128)[::-1])

    apart, seen = differences(view(wrap("one", moving)))
    assert apart.max() == 0
    assert seen.all()


def test_displacements():
    assert mean_displacement(None) == 0
    assert mean_displacement(grid(5, 7)) == 0
    assert np.isnan(mean_displacement(make_empty_map(5, 7)))
    shifted = make_affine_map(np.array([[1.0, 0, 3], [0, 1, 4]]), height=20, width=20)
    assert mean_displacement(shifted) == pytest.approx(5)
    assert np.isnan(shifted[-4:]).all()
    assert not np.isnan(shifted[:-4, :-3]).any()


def test_an_inset_puts_outer_edges_on_the_frame():
    way = make_inset_map(8, 8, left=2, top=2, right=2, bottom=2)
    # Half the size: a pixel of the view covers two of the original, and its centre lies between them.
    np.testing.assert_allclose(way[2:6, 2:6, 0], np.tile([0.5, 2.5, 4.5, 6.5], (4, 1)))
    assert np.isnan(way[:2]).all()
    assert np.isnan(way[:, 6:]).all()


def test_what_comes_from_nowhere_is_filled():
    pixels = np.full((4, 4, 3), 200, np.uint8)
    assert (carry(pixels, make_empty_map(4, 4), fill=7) == 7).all()
    assert (carry(pixels, grid(4, 4) + np.float32(0.4))[:3, :3] == 200).all()
    assert (carry(pixels, grid(4, 4) + np.float32(0.4), fill=1)[3] == 1).all()
