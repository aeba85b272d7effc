"""Fast forms against albumentations: the same draws, and bytes that are equal, rounded or of one law."""

import json

import albumentations
import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.stats import ks_2samp, kstest, norm

from embshift.core.types import ViewKey
from embshift.transforms.build import build, wrap
from embshift.transforms.fast import FAST, FastTransform, list_without_fast_form, to_fast_form
from embshift.transforms.fast.elastic import make_displacements
from embshift.transforms.fast.noise import make_normal_table
from embshift.transforms.perturb import perturb
from embshift.transforms.presets import load_preset
from tests.unit.transforms import golden_fast, golden_views

PAPER = {plan.name: plan for plan in load_preset("paper").transforms}
EXACT = [name for name, plan in PAPER.items() if FAST[plan.target].closeness == "bytes"]


def key(name, number):
    return ViewKey(run_seed=number, image_id="ab" * 16, transform=name)


def pair(thing, *, name="tried"):
    reference = wrap(name, thing) if not hasattr(thing, "target") else build(thing)
    return reference, to_fast_form(reference)


@pytest.fixture(scope="module")
def pictures(samples):
    """A photograph at the paper's size, one of odd sides, and the drawn picture."""
    photo = np.asarray(Image.open(samples / "cat.jpg").convert("RGB"))
    sizes = [(224, 224), (173, 97)]
    return [
        *(cv2.resize(photo, size, interpolation=cv2.INTER_AREA) for size in sizes),
        golden_views.picture(),
    ]


def test_the_papers_nine_have_fast_forms():
    assert not list_without_fast_form({name: to_fast_form(build(plan)) for name, plan in PAPER.items()})


@pytest.mark.parametrize("count", [12, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EXACT)
def test_the_bytes_are_the_reference_views(name, count, pictures):
    reference, fast = pair(PAPER[name])
    for number in range(count):
        picture = pictures[number % 3]
        one, other = (perturb(picture, each, key=key(name, number)) for each in (reference, fast))
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.parameters == other.parameters
        assert (one.coordinates is None) == (other.coordinates is None)
        if one.coordinates is not None and number < 3:
            np.testing.assert_array_equal(one.coordinates(), other.coordinates())


def test_the_picture_itself_is_left_as_it_was(pictures):
    for name, plan in PAPER.items():
        before = pictures[0].copy()
        perturb(pictures[0], to_fast_form(build(plan)), key=key(name, 0))
        np.testing.assert_array_equal(pictures[0], before)


@pytest.mark.parametrize("count", [3, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("settings", [{}, {"alpha": 300, "sigma": 40}, {"border_mode": cv2.BORDER_REFLECT}])
def test_elastic_differs_by_rounding_alone(settings, count, pictures):
    thing = albumentations.ElasticTransform(**{"alpha": 30, "sigma": 60, "p": 1} | settings)
    reference, fast = pair(thing)
    assert isinstance(fast, FastTransform)
    differing = []
    for number in range(count):
        picture = pictures[number % 3]
        one, other = (perturb(picture, each, key=key("tried", number)) for each in (reference, fast))
        difference = np.abs(one.pixels.astype(int) - other.pixels)
        differing.append((difference > 0).mean())
        assert difference.max() <= 2
        # The coordinates are read from a picture that OpenCV moves by thirty-seconds of a pixel.
        assert np.nanmax(np.abs(one.coordinates() - other.coordinates())) < 1 / 32
        for name in ("map_x", "map_y"):
            assert other.parameters[name]["mean"] == pytest.approx(one.parameters[name]["mean"], abs=1e-3)
            assert other.parameters[name]["std"] == pytest.approx(one.parameters[name]["std"], abs=1e-3)
    assert np.mean(differing) < 1e-3


@pytest.mark.parametrize("size", [(224, 224), (80, 112)])
@pytest.mark.parametrize("sigma", [2.0, 40.0, 60.0])
def test_displacements_are_the_librarys_at_any_smoothing(sigma, size):
    from albumentations.augmentations.geometric.functional import generate_displacement_fields as library

    noise = np.random.default_rng(3).standard_normal((2, *size), dtype=np.float32)
    expected = np.stack(library(size, 30, sigma, False, (0, 0), np.random.default_rng(3), "gaussian"))
    found = make_displacements(noise, alpha=30, sigma=sigma)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


class TestNoise:
    """On middle grey with a strength at which nothing is cut, the added field can be read from the view."""

    @pytest.fixture(scope="class")
    @classmethod
    def fields(cls):
        grey = np.full((224, 224, 3), 128, np.uint8)
        thing = albumentations.GaussNoise(std_range=(0.02, 0.1), mean_range=(-0.05, 0.05), p=1)
        reference, fast = pair(thing)
        views = [
            [perturb(grey, each, key=key("tried", number)) for number in range(16)]
            for each in (reference, fast)
        ]
        return tuple([(view.pixels.astype(int) - 128, view.parameters) for view in each] for each in views)

    def test_strength_and_mean_are_drawn_as_the_library_draws_them(self, fields):
        for (library, reference), (field, fast) in zip(*fields, strict=True):
            assert 255 * fast["std"] == pytest.approx(reference["noise_map"]["std"], rel=0.01)
            assert 255 * fast["mean"] == pytest.approx(reference["noise_map"]["mean"], abs=0.4)
            assert field.std() == pytest.approx(library.std(), rel=0.01)
            assert field.mean() == pytest.approx(library.mean(), abs=0.3)

    def test_the_law_is_the_librarys(self, fields):
        for (one, _), (other, _) in zip(*fields, strict=True):
            assert ks_2samp(one.ravel(), other.ravel()).pvalue > 1e-4
            for power, tolerance in ((1, 0.25), (2, 0.02), (3, 0.05), (4, 0.04)):
                moments = [np.mean((each / one.std()) ** power) for each in (one, other)]
                assert moments[1] == pytest.approx(moments[0], rel=tolerance, abs=0.05)

    def test_pixels_are_independent(self, fields):
        for field, _ in fields[1]:
            numbers = field - field.mean(axis=(0, 1))
            for shifted in (np.roll(numbers, 1, 0), np.roll(numbers, 1, 1), np.roll(numbers, 1, 2)):
                assert abs(np.mean(numbers * shifted) / numbers.var()) < 0.012  # 4.5 deviations

    def test_no_two_draws_of_one_strength_are_alike(self, pictures):
        _, fast = pair(albumentations.GaussNoise(std_range=(0.1, 0.1), p=1))
        views = {
            perturb(pictures[0], fast, key=key("tried", number)).pixels.tobytes() for number in range(16)
        }
        assert len(views) == 16

    def test_the_papers_views_lie_as_far_from_the_picture(self, pictures):
        reference, fast = pair(PAPER["noise"])
        for number in range(9):
            picture = pictures[number % 3]
            one, other = (
                perturb(picture, each, key=key("noise", number)).pixels.astype(int)
                for each in (reference, fast)
            )
            far = [np.abs(each - picture).mean() for each in (one, other)]
            assert far[1] == pytest.approx(far[0], rel=0.02)
            assert other.mean() == pytest.approx(one.mean(), abs=1.5)
            assert ks_2samp(one.ravel(), other.ravel()).pvalue > 1e-4

    def test_the_table_is_the_normal_law(self):
        assert kstest(make_normal_table(), norm.cdf).statistic < 1e-5
        assert make_normal_table().std() == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize(
    "thing",
    [
        albumentations.GaussNoise(per_channel=False, p=1),
        albumentations.GaussNoise(noise_scale_factor=0.5, p=1),
        albumentations.ElasticTransform(approximate=True, p=1),
        albumentations.ElasticTransform(same_dxdy=True, p=1),
        albumentations.Perspective(keep_size=False, p=1),
        albumentations.CoarseDropout(fill=0, p=1),
        albumentations.ColorJitter(contrast=(0, 1), p=1),
        albumentations.Compose([albumentations.HorizontalFlip(p=1)]),
        albumentations.VerticalFlip(p=1),
        "identity",
        np.negative,
    ],
    ids=str,
)
def test_what_has_no_fast_form_stays_as_it_is_and_is_named(thing):
    reference, fast = pair(thing)
    assert fast is reference
    flip = to_fast_form(build(PAPER["horizontal_flip"]))
    assert list_without_fast_form({"tried": fast, "flip": flip}) == ["tried"]


def test_chance_leaves_out_the_same_views(pictures):
    reference, fast = pair(albumentations.HorizontalFlip(p=0.5))
    views = [[perturb(pictures[0], each, key=key("f", n)) for n in range(20)] for each in (reference, fast)]
    applied = [view.parameters == {} for view in views[1]]
    assert any(applied)
    assert not all(applied)
    assert [one.parameters for one in views[0]] == [other.parameters for other in views[1]]
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(*views, strict=True))


def test_the_fast_views_are_the_kept_ones():
    kept = json.loads(golden_fast.DIGESTS.read_text(encoding="utf-8"))
    complaint = golden_views.complaint(
        kept=kept["views"],
        found=golden_fast.digests(),
        made_with=kept["versions"],
        present=golden_fast.versions(),
    )
    assert not complaint, complaint


@pytest.mark.parametrize("name", EXACT)
def test_kept_digests_of_equal_bytes_are_the_reference_views(name):
    reference = json.loads(golden_views.DIGESTS.read_text(encoding="utf-8"))["views"]
    assert json.loads(golden_fast.DIGESTS.read_text(encoding="utf-8"))["views"][name] == reference[name]
