"""A file becomes pixels or a status: nothing is raised, and nothing damaged passes for a picture."""

import hashlib
import io
import os
import random
import resource
import struct
import tracemalloc
import zlib
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image, ImageFile

from embshift.core.types import ImageRecord
from embshift.images import Decoded, Limits, decode

WIDTH, HEIGHT = 48, 32


@pytest.fixture
def read(tmp_path):
    """Decode bytes as a file of some name."""

    def decode_bytes(data, name="picture.jpg", limits=None):
        path = tmp_path / name
        path.write_bytes(data)
        return decode(ImageRecord(row=0, source="s", member=name, path=str(path)), limits=limits or Limits())

    return decode_bytes


@pytest.fixture(scope="module")
def photo(samples):
    return Image.open(samples / "cat.jpg").convert("RGB").resize((WIDTH, HEIGHT))


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(*, width, height, depth, colour, rows, more=b""):
    """A PNG written by hand, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = png_chunk(b"IHDR", header), more, png_chunk(b"IDAT", packed), png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_exif(jpeg, content):
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


LOSSLESS = {
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "webp-lossless": ("WEBP", {"lossless": True}),
}
LOSSY = {
    "jpeg": ("JPEG", {}),
    "jpeg-progressive": ("JPEG", {"progressive": True}),
    "tiff-jpeg": ("TIFF", {"compression": "jpeg"}),
    "webp": ("WEBP", {}),
    "gif": ("GIF", {}),
    "avif": ("AVIF", {}),
}
ALL = LOSSLESS | LOSSY


class TestFormats:
    @pytest.mark.parametrize("form", list(LOSSLESS))
    def test_pixels_are_those_that_were_saved(self, read, photo, form):
        kind, options = LOSSLESS[form]
        decoded = read(saved(photo, kind, **options))
        assert (decoded.status, decoded.error, decoded.mode, decoded.flags) == ("ok", None, "RGB", "")
        assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
        np.testing.assert_array_equal(decoded.pixels, np.asarray(photo))

    @pytest.mark.parametrize("form", list(LOSSY))
    def test_lossy_ones_come_close(self, read, photo, form):
        kind, options = LOSSY[form]
        decoded = read(saved(photo, kind, **options))
        assert decoded.status == "ok"
        assert np.abs(decoded.pixels.astype(int) - np.asarray(photo)).mean() < 20

    def test_a_wrong_suffix_does_not_matter(self, read, photo):
        decoded = read(saved(photo, "PNG"), name="picture.jpg")
        np.testing.assert_array_equal(decoded.pixels, np.asarray(photo))

    def test_mpo_opens_through_jpeg_at_frame_0(self, read, photo):
        several = saved(photo, "MPO", save_all=True, append_images=[photo.rotate(180)])
        np.testing.assert_array_equal(read(several).pixels, read(saved(photo, "JPEG")).pixels)

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
    def test_frame_0_of_several(self, read, photo, kind):
        options = {"lossless": True} if kind == "WEBP" else {}
        black = Image.new("RGB", photo.size)
        several = saved(photo, kind, save_all=True, append_images=[black, black], **options)
        decoded = read(several)
        assert decoded.pixels.shape == (HEIGHT, WIDTH, 3)
        assert decoded.pixels.mean() > 50

    @pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PCX", "DDS", "ICNS", "SGI", "JPEG2000", "PDF"])
    def test_other_formats_are_refused(self, read, photo, kind):
        decoded = read(saved(photo.resize((64, 64)), kind), name="picture.png")
        assert (decoded.status, decoded.pixels) == ("unsupported", None)
        assert (
            "not an image in any of the formats JPEG PNG WEBP GIF BMP TIFF AVIF; the file begins with"
            in decoded.error
        )


class TestNoPicture:
    @pytest.mark.parametrize(
        ("data", "status", "error"),
        [
            (b"", "empty", "the file is empty (zero bytes)"),
            (b"\0" * 100, "unsupported", "begins with 00 00"),
            (b"<!DOCTYPE html><html></html>", "unsupported", "begins with 3c 21"),
            (b"GIF89a", "unsupported", "47 49 46"),
            (b"\x89PNG\r\n\x1a\n", "unsupported", "89 50"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported", "25 21"),
            (b"II*\0\x08\0\0\0\0\0\0\0\0\0", None, ""),
            (b"BM" + b"\xff" * 60, None, ""),
            (b"RIFF\xff\xff\xff\x7fWEBPVP8 ", None, ""),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", None, ""),
        ],
    )
    def test_bytes(self, read, data, status, error):
        decoded = read(data)
        assert decoded.pixels is None
        assert decoded.status in ({status} if status else {"unsupported", "damaged"})
        assert error in decoded.error
        assert decoded.bytes == len(data)

    def test_paths(self, tmp_path):
        os.mkfifo(tmp_path / "fifo.jpg")
        wanted = {"": "not_a_file", "fifo.jpg": "not_a_file", "no.jpg": "missing", "a\0.jpg": "unreadable"}
        wanted |= {"x" * 300: "unreadable"}
        for name, status in wanted.items():
            record = ImageRecord(row=0, source="s", member=name, path=str(tmp_path / name))
            decoded = decode(record, limits=Limits())
            assert (decoded.status, decoded.pixels, decoded.sha256) == (status, None, None)
            assert decoded.error

    def test_the_hash_is_of_the_file_also_where_it_is_no_picture(self, read):
        decoded = read(b"nonsense")
        assert decoded.sha256 == hashlib.sha256(b"nonsense").hexdigest()
        assert decoded.image_id == decoded.sha256[:32]
        assert Decoded().image_id is None

    def test_bytes_beyond_the_limit_are_not_read(self, read, photo):
        decoded = read(saved(photo, "PNG"), limits=Limits(bytes=100))
        assert (decoded.status, decoded.sha256) == ("too_large", None)
        assert "at most 100 are read" in decoded.error

    def test_random_bytes_behind_every_signature_never_raise(self, read, photo):
        rng = random.Random(0)
        for kind, options in ALL.values():
            whole = saved(photo, kind, **options)
            for _ in range(15):
                broken = bytearray(whole)
                for _ in range(rng.randint(1, 30)):
                    broken[rng.randrange(len(broken))] = rng.randrange(256)
                decoded = read(bytes(broken))
                assert (decoded.status == "ok") == (decoded.pixels is not None) == (decoded.error is None)
                assert decoded.sha256 == hashlib.sha256(broken).hexdigest()


class TestTruncation:
    @pytest.mark.parametrize("form", list(ALL))
    def test_no_cut_passes_for_another_picture(self, read, photo, form):
        kind, options = ALL[form]
        data = saved(photo, kind, **options)
        whole = read(data).pixels
        cuts = {*np.linspace(0, len(data) - 1, 50).astype(int), *range(len(data) - 10, len(data))}
        caught = 0
        for cut in cuts:
            decoded = read(data[:cut])
            caught += decoded.pixels is None
            # What lacks only its end mark has all of its pixels.
            assert decoded.pixels is None or np.array_equal(decoded.pixels, whole)
        assert caught >= 49

    def test_sample_photographs(self, read, samples):
        for name in ("cat.jpg", "crab.jpg", "dog.jpg"):
            data = (samples / name).read_bytes()
            for cut in np.linspace(1, len(data) - 100, 20).astype(int):
                decoded = read(data[:cut])
                assert (decoded.status in {"damaged", "unsupported"}, decoded.pixels) == (True, None)


class TestBombs:
    @pytest.mark.parametrize(
        ("width", "height", "why"),
        [
            (1, 3000, "aspect ratio above 20:1"),
            (3000, 1, "aspect ratio above 20:1"),
            (100_000, 100_000, "at most 50,000,000"),
            (2**31 - 1, 2**31 - 1, "at most 50,000,000"),
        ],
    )
    def test_are_refused_by_their_header(self, read, width, height, why):
        data = png(width=width, height=height, depth=8, colour=0, rows=[b"\0"])
        tracemalloc.start()
        with patch.object(ImageFile.ImageFile, "load") as load:
            decoded = read(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (decoded.status, decoded.width, decoded.height) == ("too_large", width, height)
        assert why in decoded.error
        assert not load.called, "no pixel is decoded"
        assert peak < 2e7

    def test_the_91_bytes_of_1x3000(self, read):
        data = saved(Image.new("1", (1, 3000)), "PNG")
        assert len(data) < 120
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert read(data).status == "too_large"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000

    def test_limits_are_the_users_also_above_the_librarys(self, read, monkeypatch):
        assert Image.MAX_IMAGE_PIXELS is not None
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        data = saved(Image.new("1", (40, 40)), "PNG")  # above twice the number at which Pillow raises
        with pytest.raises(Image.DecompressionBombError), Image.open(io.BytesIO(data)):
            pass
        assert read(data, limits=Limits(pixels=1599)).status == "too_large"
        assert read(data, limits=Limits(pixels=1600)).status == "ok"
        assert Image.MAX_IMAGE_PIXELS == 100

    def test_just_within(self, read):
        assert read(saved(Image.new("L", (20, 400)), "PNG")).status == "ok"
        assert read(saved(Image.new("L", (20, 401)), "PNG")).status == "too_large"
        assert read(saved(Image.new("L", (20, 20)), "PNG"), limits=Limits(pixels=400)).status == "ok"
        assert read(saved(Image.new("L", (20, 20)), "PNG"), limits=Limits(pixels=399)).status == "too_large"


class TestDepth:
    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_a_ramp_of_16_bits_keeps_256_levels(self, read, kind):
        ramp = np.arange(65536, dtype=np.uint32).astype(np.uint16).reshape(256, 256)
        decoded = read(saved(Image.fromarray(ramp), kind))
        np.testing.assert_array_equal(decoded.pixels, np.stack([ramp >> 8] * 3, axis=2))
        assert len(np.unique(decoded.pixels)) == 256
        assert "16bit" in decoded.flags.split(",")

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    @pytest.mark.parametrize(("low", "high"), [(0, 4095), (1000, 1255), (100, 50_000), (0, 65535)])
    def test_a_range_of_values_becomes_256_levels(self, read, kind, low, high):
        values = np.linspace(low, high, 256 * 64).astype(np.uint16).reshape(128, 128)
        pixels = read(saved(Image.fromarray(values), kind), limits=Limits(value_range=(low, high))).pixels[
            ..., 0
        ]
        assert (pixels.min(), pixels.max(), len(np.unique(pixels))) == (0, 255, 256)
        exact = (values.astype(float) - low) * 256 / (high - low + 1)
        np.testing.assert_array_equal(pixels, np.floor(exact))

    def test_values_beyond_the_range_are_black_and_white(self, read):
        values = np.array([[0, 99, 100, 4095, 65535]], np.uint16).repeat(4, axis=0)
        pixels = read(saved(Image.fromarray(values), "PNG"), limits=Limits(value_range=(100, 4095))).pixels
        assert pixels[0, :, 0].tolist() == [0, 0, 0, 255, 255]

    @pytest.mark.parametrize(
        ("greatest", "flag"), [(4095, "max4095"), (32767, "max32767"), (32768, None), (0, None)]
    )
    def test_few_values_of_16_bits_are_flagged(self, read, greatest, flag):
        data = saved(Image.fromarray(np.array([[0, greatest]] * 2, np.uint16)), "PNG")
        wanted = ["16bit", *([flag] if flag else []), "l"]
        assert read(data).flags.split(",") == wanted
        assert read(data, limits=Limits(value_range=(0, 20_000))).flags.split(",") == ["16bit", "l"]

    def test_16_bits_a_channel(self, read):
        row = struct.pack(">6H", 256, 512, 65535, 0, 255, 40000)
        decoded = read(png(width=2, height=1, depth=16, colour=2, rows=[row]))
        np.testing.assert_array_equal(decoded.pixels, [[[1, 2, 255], [0, 0, 156]]])

    def test_floats_have_no_declared_range(self, read):
        decoded = read(saved(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"))
        assert (decoded.status, decoded.mode) == ("unsupported", "F")
        assert "save the image with 8 or 16 bits" in decoded.error

    @pytest.mark.parametrize("value", [-1, 65536])
    def test_integers_beyond_16_bits_have_none_either(self, read, value):
        values = np.zeros((9, 9), np.int32)
        values[4, 4] = value
        decoded = read(saved(Image.fromarray(values), "TIFF"))
        assert (decoded.status, decoded.mode) == ("unsupported", "I")

    def test_one_bit_is_black_and_white(self, read):
        bits = np.eye(16, dtype=bool)
        for kind in ("PNG", "TIFF", "BMP"):
            decoded = read(saved(Image.fromarray(bits), kind))
            np.testing.assert_array_equal(decoded.pixels[..., 0], bits * 255)


class TestColour:
    @pytest.mark.parametrize("mode", ["L", "P"])
    def test_grey_and_palette(self, read, photo, mode):
        picture = photo.convert(mode)
        decoded = read(saved(picture, "PNG"))
        np.testing.assert_array_equal(decoded.pixels, np.asarray(picture.convert("RGB")))
        assert decoded.flags == mode.lower()

    def test_cmyk(self, read, photo):
        for kind in ("JPEG", "TIFF"):
            decoded = read(saved(photo.convert("CMYK"), kind))
            assert (decoded.status, decoded.mode, decoded.flags) == ("ok", "CMYK", "cmyk")
            assert np.abs(decoded.pixels.astype(int) - np.asarray(photo)).mean() < 20

    def test_a_colour_profile_is_noted_and_not_applied(self, read, photo):
        from PIL import ImageCms

        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        decoded = read(saved(photo, "PNG", icc_profile=profile))
        assert decoded.flags == "icc"
        np.testing.assert_array_equal(decoded.pixels, np.asarray(photo))

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("background", [(255, 255, 255), (10, 20, 30)])
    def test_a_hidden_colour_does_not_leak(self, read, kind, background):
        pixels = np.full((16, 16, 4), (200, 0, 100, 0), np.uint8)
        pixels[:8] = (1, 2, 3, 255)
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        decoded = read(saved(Image.fromarray(pixels), kind, **options), limits=Limits(background=background))
        assert decoded.flags == "alpha"
        assert (decoded.pixels[:8] == (1, 2, 3)).all()
        assert (decoded.pixels[8:] == background).all()

    def test_half_transparent_is_half_background(self, read):
        decoded = read(saved(Image.new("RGBA", (9, 9), (0, 100, 200, 128)), "PNG"))
        assert np.abs(decoded.pixels.astype(int) - (127, 177, 227)).max() <= 1

    def test_grey_with_alpha(self, read):
        pixels = np.dstack([np.full((8, 8), 77), np.repeat([[0, 255] * 4], 8, axis=0)]).astype(np.uint8)
        decoded = read(saved(Image.fromarray(pixels, "LA"), "PNG")).pixels
        assert (decoded[:, 0::2] == 255).all()
        assert (decoded[:, 1::2] == 77).all()

    @pytest.mark.parametrize("kind", ["PNG", "GIF"])
    def test_palette_with_a_transparent_entry(self, read, kind):
        picture = Image.new("P", (8, 8), 1)
        picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
        picture.paste(0, (0, 0, 4, 8))
        decoded = read(saved(picture, kind, transparency=0)).pixels
        assert (decoded[:, :4] == 255).all()
        assert (decoded[:, 4:] == (0, 200, 0)).all()

    def test_palette_with_an_alpha_for_each_entry(self, read):
        picture = Image.new("P", (8, 8), 1)
        picture.putpalette([200, 0, 0, 0, 200, 0])
        decoded = read(saved(picture, "PNG", transparency=b"\xff\x00"))
        assert (decoded.pixels == 255).all()

    @pytest.mark.parametrize(
        ("depth", "colour", "row", "hidden", "shown"),
        [
            (8, 0, bytes([10, 20]), (10,), [[255] * 3, [20] * 3]),
            (8, 2, bytes([1, 2, 3, 4, 5, 6]), (1, 2, 3), [[255] * 3, [4, 5, 6]]),
            (16, 0, struct.pack(">2H", 1000, 1001), (1000,), [[255] * 3, [3] * 3]),
            (
                16,
                2,
                struct.pack(">6H", 1000, 2000, 3000, 40000, 1, 2),
                (1000, 2000, 3000),
                [[255] * 3, [156, 0, 0]],
            ),
        ],
    )
    def test_png_with_one_transparent_colour(self, read, depth, colour, row, hidden, shown):
        more = png_chunk(b"tRNS", struct.pack(f">{len(hidden)}H", *hidden))
        decoded = read(png(width=2, height=1, depth=depth, colour=colour, rows=[row], more=more))
        assert "alpha" in decoded.flags.split(",")
        np.testing.assert_array_equal(decoded.pixels, [shown])


class TestOrientation:
    TURNED = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("mode", ["RGB", "I;16"])
    def test_all_eight_agree(self, read, photo, kind, mode):
        if mode == "I;16" and kind == "WEBP":
            pytest.skip("WebP has 8 bits")
        upright = (
            photo if mode == "RGB" else Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) << 8)
        )
        options = {"lossless": True} if kind == "WEBP" else {}
        wanted = np.asarray(photo if mode == "RGB" else photo.convert("L").convert("RGB"))
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            stored = upright.transpose(self.TURNED[orientation]) if orientation > 1 else upright
            decoded = read(saved(stored, kind, exif=exif, **options))
            np.testing.assert_array_equal(decoded.pixels, wanted)
            if kind != "TIFF":  # which Pillow itself turns, and tells the size after it
                assert (decoded.width, decoded.height) == stored.size
                assert ("orientation" in decoded.flags.split(",")) == (orientation > 1)

    @pytest.mark.parametrize("orientation", [0, 9, 255])
    def test_no_orientation_is_none(self, read, photo, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        decoded = read(saved(photo, "PNG", exif=exif))
        assert (decoded.status, decoded.flags) == ("ok", "")

    @pytest.mark.parametrize(
        "content",
        [
            b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
            b"Exif\0\0garbage",
            b"Exif\0\0",
            b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0",
            b"Exif\0\0II*\0\xff\xff\xff\xff",
        ],
    )
    def test_damaged_metadata_does_not_cost_the_picture(self, read, photo, content):
        plain = saved(photo, "JPEG")
        decoded = read(with_exif(plain, content))
        assert decoded.status == "ok"
        np.testing.assert_array_equal(decoded.pixels, read(plain).pixels)

    def test_and_is_flagged(self, read, photo):
        assert (
            read(with_exif(saved(photo, "JPEG"), b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")).flags == "bad_metadata"
        )
        several = saved(photo, "MPO", save_all=True, append_images=[photo])
        decoded = read(several.replace(b"MPF\0II*\0", b"MPF\0XX*\0"))
        assert (decoded.status, decoded.flags) == ("ok", "bad_metadata")


class TestMemory:
    @staticmethod
    def of(content, limits=None):
        return decode(
            ImageRecord(row=0, source="memory", member="", content=content), limits=limits or Limits()
        )

    def test_id_follows_from_shape_and_pixels(self):
        flat, tall = np.zeros((2, 8, 3), np.uint8), np.zeros((8, 2, 3), np.uint8)
        assert self.of(flat).sha256 == hashlib.sha256(b"2x8x3" + flat.tobytes()).hexdigest()
        assert self.of(flat).image_id != self.of(tall).image_id
        assert self.of(np.ascontiguousarray(flat[:, ::-1])[:, ::-1]).image_id == self.of(flat).image_id

    def test_pictures_are_treated_as_files_are(self):
        assert self.of(Image.new("RGBA", (9, 9), (1, 2, 3, 0))).pixels.min() == 255
        assert self.of(Image.new("F", (9, 9))).status == "unsupported"
        assert self.of(Image.new("RGB", (1, 30))).status == "too_large"
        assert self.of(np.zeros((30, 1), np.uint8)).status == "too_large"
        assert self.of(np.zeros((0, 5, 3), np.uint8)).status == "damaged"
        assert self.of(Image.new("RGB", (0, 5))).status == "damaged"

    def test_a_file_opened_but_not_read_is_read_under_the_same_limits(self, tmp_path, photo):
        (tmp_path / "cut.jpg").write_bytes(saved(photo, "JPEG")[:-200])
        (tmp_path / "bomb.png").write_bytes(png(width=9000, height=9000, depth=8, colour=0, rows=[b"\0"]))
        with Image.open(tmp_path / "cut.jpg") as cut, Image.open(tmp_path / "bomb.png") as bomb:
            assert (self.of(cut).status, self.of(bomb).status) == ("damaged", "too_large")

    def test_the_callers_picture_stays_as_it_is(self):
        picture = Image.new("RGB", (4, 4), (1, 2, 3))
        picture.info["transparency"] = (256, 512, 768)
        assert self.of(picture).pixels.min() == 255
        assert picture.info["transparency"] == (256, 512, 768)
