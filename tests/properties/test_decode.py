"""What holds for any bytes whatever that stand where a picture is wanted."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from embshift.core.types import ImageRecord
from embshift.images import Decoded, Limits, decode
from tests.faults.amounts import amount

STATUSES = {"ok", "missing", "not_a_file", "unreadable", "empty", "too_large", "unsupported", "damaged"}
SMALL = Limits(pixels=1_000_000)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("decode") / "picture"


def read(place: Path, data: bytes, limits: Limits = SMALL) -> Decoded:
    place.write_bytes(data)
    return decode(ImageRecord(row=0, source="s", member="m", path=str(place)), limits=limits)


def check(found: Decoded, limits: Limits = SMALL) -> None:
    assert found.status in STATUSES
    assert (found.status == "ok") == (found.error is None) == (found.pixels is not None)
    if found.pixels is not None:
        height, width, channels = found.pixels.shape
        assert (found.pixels.dtype, channels) == (np.uint8, 3)
        assert found.pixels.flags.c_contiguous
        assert 1 <= height * width <= limits.pixels
        assert max(height, width) <= limits.aspect * min(height, width)
        assert {height, width} == {found.height, found.width}
        assert found.image_id is not None


SIGNATURES = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF\x99\0\0\0WEBP",
)


@given(start=st.sampled_from(SIGNATURES), rest=st.binary(max_size=300))
@example(start=b"\0\0\0\x1cftypavif", rest=b"")
@settings(
    max_examples=amount(full=3000, quick=100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
def test_any_bytes_have_exactly_one_status(place, start, rest):
    check(read(place, start + rest))


@given(
    width=st.integers(0, 2**31 - 1),
    height=st.integers(0, 2**31 - 1),
    depth=st.sampled_from([1, 2, 4, 8, 16, 3]),
    colour=st.sampled_from([0, 2, 3, 4, 6, 1]),
    data=st.binary(max_size=200),
)
@example(width=1, height=1, depth=8, colour=2, data=b"\0\x01\x02\x03")
@settings(max_examples=amount(full=3000, quick=100), deadline=None)
def test_any_png_header_is_within_the_limits_or_refused(place, width, height, depth, colour, data):
    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    found = read(place, b"\x89PNG\r\n\x1a\n" + body)
    check(found)
    if width * height > SMALL.pixels:
        assert found.pixels is None


pictures = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1)).map(
    lambda drawn: np.random.default_rng(drawn[2]).integers(0, 256, (*drawn[:2], 3), dtype=np.uint8)
)


@given(pixels=pictures, kind=st.sampled_from(["PNG", "BMP", "TIFF", "WEBP"]))
@settings(max_examples=amount(full=1500, quick=60), deadline=None)
def test_what_is_saved_without_loss_comes_back(place, pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(read(place, file.getvalue()).pixels, pixels)


@given(
    pixels=pictures, where=st.floats(0, 1, exclude_max=True), kind=st.sampled_from(["PNG", "JPEG", "WEBP"])
)
@settings(max_examples=amount(full=1500, quick=60), deadline=None)
def test_no_cut_gives_other_pixels(place, pixels, where, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    data = file.getvalue()
    whole, cut = read(place, data).pixels, read(place, data[: int(where * len(data))])
    assert cut.pixels is None or np.array_equal(cut.pixels, whole)


@given(pixels=pictures)
@settings(max_examples=amount(full=500, quick=30), deadline=None)
def test_a_picture_in_memory_is_the_picture_in_a_file(place, pixels):
    held = decode(ImageRecord(row=0, source="memory", member="", content=pixels), limits=SMALL)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    np.testing.assert_array_equal(held.pixels, read(place, file.getvalue()).pixels)
