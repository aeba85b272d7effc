"""Metadata tell how an image lies in its file, and nothing more: whatever they hold, its pixels are read."""

import io
import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from embshift.core.types import ImageRecord
from embshift.images import Limits, decode

SHORT, LONG, ASCII, RATIONAL, UNDEFINED = 3, 4, 2, 5, 7
FAR = 1 << 30
ORIENTATION = (0x0112, SHORT, 1, struct.pack("<HH", 6, 0))
TURNED = Image.Transpose.ROTATE_90  # what orientation 6 brings upright
BAD_ENTRIES = {
    "data beyond the end": (0x010F, ASCII, 200, struct.pack("<L", FAR)),
    "data longer than the file": (0x010F, ASCII, 1 << 31, struct.pack("<L", 8)),
    "too many values": (0x0128, SHORT, 2, struct.pack("<HH", 2, 2)),
    "resolution beyond the end": (0x011A, RATIONAL, 1, struct.pack("<L", FAR)),
    "directory beyond the end": (0x8769, LONG, 1, struct.pack("<L", FAR)),
    "directory that is none": (0x8769, ASCII, 4, b"abc\0"),
    "text where a number is due": (0x0100, ASCII, 4, b"abc\0"),
    "a number that does not fit": (0x0128, UNDEFINED, 4, b"\xff\xff\xff\xff"),
}


def exif(*entries):
    """EXIF of some entries: tag, type, count and four bytes."""
    packed = b"".join(struct.pack("<HHL4s", *entry) for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + b"\0" * 4


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_with(image, *segments, jfif=True):
    data = saved(image, "JPEG", quality=95)
    head = data[:20] if jfif else data[:2]
    return head + b"".join(segments) + data[20:]


def chunk(name, content, *, crc=None):
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def png_with(image, *chunks, late=False):
    data = saved(image, "PNG")
    at = len(data) - 12 if late else 33
    return data[:at] + b"".join(chunks) + data[at:]


@pytest.fixture
def read(tmp_path):
    def decode_bytes(data, **limits):
        path = tmp_path / "image"
        path.write_bytes(data)
        return decode(ImageRecord(row=0, source="s", member="m", path=str(path)), limits=Limits(**limits))

    return decode_bytes


@pytest.fixture(scope="module")
def photo(samples):
    return Image.open(samples / "cat.jpg").convert("RGB").resize((48, 32))


@pytest.fixture(scope="module")
def side(photo):
    """The photo as a camera on its side stores it."""
    return photo.transpose(TURNED)


CONTAINERS = {
    "JPEG": lambda image, content: jpeg_with(image, segment(0xE1, b"Exif\0\0" + content)),
    "JPEG without JFIF": lambda image, content: jpeg_with(
        image, segment(0xE1, b"Exif\0\0" + content), jfif=False
    ),
    "PNG": lambda image, content: png_with(image, chunk(b"eXIf", content)),
    "PNG, late": lambda image, content: png_with(image, chunk(b"eXIf", content), late=True),
    "WEBP": lambda image, content: saved(image, "WEBP", lossless=True, exif=b"Exif\0\0" + content),
}


@pytest.mark.parametrize("container", list(CONTAINERS))
@pytest.mark.parametrize("bad", list(BAD_ENTRIES))
@pytest.mark.parametrize("small", [{}, {"wanted": (16, 24)}])
def test_one_bad_entry_costs_neither_pixels_nor_orientation(read, side, container, bad, small):
    put = CONTAINERS[container]
    plain = read(put(side, exif(ORIENTATION)), **small)
    broken = read(put(side, exif(ORIENTATION, BAD_ENTRIES[bad])), **small)
    assert (plain.status, broken.status, broken.error) == ("ok", "ok", None)
    assert "orientation" in broken.flags.split(",")
    np.testing.assert_array_equal(broken.pixels, plain.pixels)
    if not small and container != "WEBP":
        upright = np.abs(broken.pixels.astype(int) - np.asarray(side.transpose(Image.Transpose.ROTATE_270)))
        assert upright.mean() < 5


@pytest.mark.parametrize("container", list(CONTAINERS))
def test_any_bytes_are_no_reason_to_lose_an_image(read, photo, container):
    put, rng = CONTAINERS[container], random.Random(0)
    whole = exif(ORIENTATION, *BAD_ENTRIES.values())
    for _ in range(40):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        decoded = read(put(photo, bytes(broken)))
        assert (decoded.status, decoded.error) == ("ok", None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            carrier = Image.new("L", (1, 1))
            carrier.info["exif"] = b"Exif\0\0" + bytes(broken)
            try:
                turned = carrier.getexif().get(0x0112, 1) in range(2, 9)
            except Exception:  # noqa: BLE001 - Pillow reads none
                turned = False
        assert ("orientation" in decoded.flags.split(",")) == turned


SEGMENTS = {
    "a short JFIF": [segment(0xE0, b"JFIF\0")],
    "a short profile": [segment(0xE2, b"ICC_PROFILE\0")],
    "a short block of Photoshop": [segment(0xED, b"Photoshop 3.0\08BIM\x03\xed")],
    "a short mark of Adobe": [segment(0xEE, b"Adobe")],
    "an index of images that is none": [segment(0xE2, b"MPF\0garbage")],
    "an index without images": [segment(0xE2, b"MPF\0" + exif((0xB000, UNDEFINED, 4, b"0100")))],
    "an index with a number alone": [segment(0xE2, b"MPF\0" + exif((0xB001, LONG, 1, b"\3\0\0\0")))],
}


@pytest.mark.parametrize("what", list(SEGMENTS))
def test_segments_that_are_broken_cost_no_jpeg(read, side, what):
    turned = segment(0xE1, b"Exif\0\0" + exif(ORIENTATION))
    plain = read(jpeg_with(side, turned))
    decoded = read(jpeg_with(side, turned, *SEGMENTS[what]))
    assert (decoded.status, decoded.error) == ("ok", None)
    assert "orientation" in decoded.flags
    np.testing.assert_array_equal(decoded.pixels, plain.pixels)


LONG_TEXT = zlib.compress(b"x" * (2**20 + 1))
CHUNKS = {
    "long compressed text": chunk(b"zTXt", b"note\0\0" + LONG_TEXT),
    "long international text": chunk(b"iTXt", b"note\0\1\0\0\0" + LONG_TEXT),
    "a long profile": chunk(b"iCCP", b"icc\0\0" + LONG_TEXT),
    "a profile packed in no known way": chunk(b"iCCP", b"icc\0\1" + LONG_TEXT),
    "text with a wrong checksum": chunk(b"tEXt", b"note\0words", crc=1),
    "a short gamma": chunk(b"gAMA", b"\0"),
    "a short resolution": chunk(b"pHYs", b"\0"),
    "a short animation": chunk(b"acTL", b"\0"),
    "an animation without frames": chunk(b"acTL", b"\0" * 8),
    "a frame out of order": chunk(b"fcTL", b"\0\0\0\7" + b"\0" * 22),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("what", list(CHUNKS))
def test_side_data_cost_no_png(read, side, what, late):
    turned = chunk(b"eXIf", exif(ORIENTATION))
    decoded = read(png_with(side, turned, CHUNKS[what], late=late))
    assert (decoded.status, decoded.error) == ("ok", None)
    assert "orientation" in decoded.flags.split(",")
    assert ("icc" in decoded.flags.split(",")) == ("profile" in what)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(side.transpose(Image.Transpose.ROTATE_270)))


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt"])
def test_orientation_from_before_png_had_exif_is_kept(read, side, name):
    hexed = (b"Exif\0\0" + exif(ORIENTATION)).hex().encode()
    text = b"\nexif\n      %d\n" % (len(hexed) // 2) + hexed
    packed = b"\0" + zlib.compress(text) if name == b"zTXt" else text
    raw = chunk(name, b"Raw profile type exif\0" + packed)
    for chunks in ([raw], [raw, CHUNKS["long compressed text"]]):
        decoded = read(png_with(side, *chunks))
        assert (decoded.status, decoded.flags.partition(",")[0]) == ("ok", "orientation")


def test_orientation_in_xmp_is_kept(read, side):
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    in_png = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    packed = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))
    in_jpeg = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)
    for data in (
        png_with(side, in_png),
        png_with(side, in_png, CHUNKS["a long profile"]),
        png_with(side, packed, CHUNKS["a short gamma"]),
        jpeg_with(side, in_jpeg),
        jpeg_with(side, in_jpeg, *SEGMENTS["a short profile"]),
    ):
        decoded = read(data)
        assert decoded.status == "ok"
        assert "orientation" in decoded.flags.split(",")


class TestTiff:
    """Metadata and the layout of the pixels stand in one directory: the tag says which is which."""

    @pytest.fixture(params=["raw", "tiff_lzw", "tiff_jpeg"])
    def tiff(self, request, photo):
        return saved(photo, "TIFF", compression=request.param, description="x" * 40)

    def replaced(self, data, tag, **new):
        """The same file with another type, count or offset in the entry of a tag."""
        (at,) = struct.unpack_from("<L", data, 4)
        (count,) = struct.unpack_from("<H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            found, kind, many, value = struct.unpack_from("<HHL4s", data, entry)
            if found == tag:
                value = struct.pack("<L", new["offset"]) if "offset" in new else value
                changed = struct.pack("<HHL4s", tag, new.get("kind", kind), new.get("count", many), value)
                return data[:entry] + changed + data[entry + 12 :]
        raise AssertionError(f"no tag {tag}")

    @pytest.mark.parametrize("new", [{"offset": FAR}, {"count": 1 << 31}])
    def test_a_broken_description_costs_nothing(self, read, tiff, new):
        decoded = read(self.replaced(tiff, 270, **new))
        assert (decoded.status, decoded.flags) == ("ok", "bad_metadata")
        np.testing.assert_array_equal(decoded.pixels, read(tiff).pixels)

    @pytest.mark.parametrize("tag", [258, 273, 279])
    def test_a_broken_layout_does(self, read, photo, tag):
        tiff = saved(photo, "TIFF", compression="tiff_lzw", strip_size=48 * 3 * 8)
        assert read(tiff).status == "ok"
        assert read(self.replaced(tiff, tag, offset=FAR)).status in ("damaged", "unsupported")

    def test_no_pixel_is_made_up_where_the_file_is_cut(self, read, photo):
        cut = self.replaced(saved(photo, "TIFF", description="x" * 40), 270, offset=FAR)[:-7]
        assert read(cut).status == "damaged"

    def test_its_orientation_is_kept(self, read, side):
        data = saved(side, "TIFF", description="x" * 40, exif=tiff_exif(6))
        plain, broken = read(data), read(self.replaced(data, 270, offset=FAR))
        assert plain.pixels.shape == (32, 48, 3)
        np.testing.assert_array_equal(broken.pixels, plain.pixels)

    def test_a_big_tiff(self, read, photo):
        data = saved(photo, "TIFF", big_tiff=True, description="x" * 40)
        at = data.index(struct.pack("<HHQ", 270, ASCII, 41)) + 12
        decoded = read(data[:at] + struct.pack("<Q", FAR) + data[at + 8 :])
        assert (decoded.status, decoded.flags) == ("ok", "bad_metadata")
        np.testing.assert_array_equal(decoded.pixels, np.asarray(photo))


def tiff_exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def test_broken_exif_costs_no_avif(read, photo):
    whole = saved(photo, "AVIF", exif=b"Exif\0\0" + exif((0x010E, ASCII, 4, b"abc\0")))
    broken = whole.replace(b"II*\0", b"XX*\0")
    assert broken != whole
    decoded = read(broken)
    assert decoded.status == "ok"
    np.testing.assert_array_equal(decoded.pixels, read(whole).pixels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_warning_of_the_decoder_counts_whatever_its_words(read, photo, monkeypatch, kind):
    load = ImageFile.ImageFile.load

    def warning(self):
        warnings.warn("Corrupt EXIF data. Metadata Warning", stacklevel=1)
        return load(self)

    data = saved(photo, kind, exif=tiff_exif(1))
    monkeypatch.setattr(ImageFile.ImageFile, "load", warning)
    assert read(data).status == "damaged"


def test_a_notice_for_programmers_says_nothing_about_the_file(read, photo, monkeypatch):
    load = ImageFile.ImageFile.load

    def warning(self):
        warnings.warn("this will go away", DeprecationWarning, stacklevel=1)
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", warning)
    assert read(saved(photo, "PNG")).flags == ""


class TestScans:
    """A scan may have a few bytes and cost as much as the whole image."""

    @pytest.fixture
    def progressive(self, photo):
        return saved(photo, "JPEG", progressive=True)

    def repeated(self, jpeg, times):
        """The same JPEG with its last scan so many more times, which changes nothing."""
        at = jpeg.rindex(b"\xff\xda")
        return jpeg[:at] + jpeg[at:-2] * (times + 1) + jpeg[-2:]

    def test_no_encoder_makes_so_many(self, read, progressive, monkeypatch):
        assert progressive.count(b"\xff\xda") < 20
        assert read(self.repeated(progressive, 50)).status == "ok"
        monkeypatch.setattr(ImageFile.ImageFile, "load", None)
        decoded = read(self.repeated(progressive, 5000))
        assert (decoded.status, decoded.pixels) == ("too_large", None)
        assert "scans its 1,536 pixels more than 100 times" in decoded.error

    @pytest.mark.parametrize("marker", [0xE1, 0xFE])
    def test_marks_in_metadata_are_none(self, read, photo, progressive, marker):
        plain = saved(photo, "JPEG", quality=95)
        many = segment(marker, b"Exif\0\0" + b"\xff\xda" * 500)
        assert read(jpeg_with(photo, many)).status == "ok"
        np.testing.assert_array_equal(read(jpeg_with(photo, many)).pixels, read(plain).pixels)
        assert read(plain + b"\xff\xda" * 500).status == "ok"
        assert read(progressive[:-2] + many + b"\xff\xd9").status == "ok"
