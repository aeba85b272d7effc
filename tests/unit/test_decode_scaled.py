"""Scaled decoding: no smaller than wanted, close to a full decode, and as strict about what is damaged."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from embshift.core.types import ImageRecord
from embshift.images import Limits, decode, resize
from embshift.measurement.plan.plan import make_plan

SIZE = (64, 64)
FULL, SCALED = Limits(), Limits(wanted=SIZE)


def enlarged(path, *, width=300, height=260):
    return Image.open(path).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def jpeg(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 90} | options)
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    def decode_bytes(data, limits):
        path = tmp_path / "picture.jpg"
        path.write_bytes(data)
        return decode(ImageRecord(row=0, source="s", member="picture.jpg", path=str(path)), limits=limits)

    return decode_bytes


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_a_picture_comes_close_to_a_full_decode(read, samples, options):
    for path in sorted(samples.glob("*.jpg"))[:8]:
        data = jpeg(enlarged(path), **options)
        full, scaled = read(data, FULL), read(data, SCALED)
        assert full.pixels.shape == (260, 300, 3)
        assert scaled.pixels.shape == (65, 75, 3)  # a quarter; an eighth would be below 64
        averaged = resize(full.pixels, size=scaled.pixels.shape[:2], rule="area")
        assert np.abs(averaged.astype(int) - scaled.pixels).mean() < 1.5
        assert (scaled.flags, full.flags) == ("scaled", "")
        assert (scaled.width, scaled.height, scaled.sha256) == (300, 260, full.sha256)


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [((64, 64), (65, 75)), ((66, 64), (130, 150)), ((130, 150), (130, 150)), ((131, 64), (260, 300))],
)
def test_it_is_never_smaller_than_wanted(read, samples, wanted, shape):
    data = jpeg(enlarged(samples / "cat.jpg"))
    assert read(data, Limits(wanted=wanted)).pixels.shape[:2] == shape


def test_a_turned_picture_is_held_against_the_wanted_size_as_it_is_shown(read, samples):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(enlarged(samples / "cat.jpg", width=400, height=130), exif=exif)
    turned = read(data, Limits(wanted=(200, 65)))
    assert turned.pixels.shape == (200, 65, 3)
    assert turned.flags == "scaled,orientation"


def test_other_formats_and_small_pictures_are_decoded_as_before(read, samples):
    picture = enlarged(samples / "cat.jpg")
    file = io.BytesIO()
    picture.save(file, "PNG")
    for data in (file.getvalue(), jpeg(picture.resize((127, 127)))):
        full, scaled = read(data, FULL), read(data, SCALED)
        np.testing.assert_array_equal(full.pixels, scaled.pixels)
        assert full.flags == scaled.flags == ""


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("photographs", "cuts"), [(6, 15), pytest.param(20, 50, marks=pytest.mark.slow)])
def test_a_truncated_file_is_damaged_wherever_it_ends(read, samples, progressive, photographs, cuts):
    rng = random.Random(0)
    cut = 0
    for path in sorted(samples.glob("*.jpg"))[:photographs]:
        data = jpeg(enlarged(path), progressive=progressive)
        for _ in range(cuts):
            # The last two bytes end the file; without them no pixel is missing.
            found = read(data[: rng.randrange(1, len(data) - 2)], SCALED)
            assert found.status in {"damaged", "unsupported"}, found
            assert found.pixels is None
            cut += 1
    assert cut == photographs * cuts


def test_the_plan_says_how_pictures_are_decoded():
    assert make_plan().limits.wanted is None
    assert make_plan(decode="scaled", image_size=(96, 128)).limits.wanted == (96, 128)
