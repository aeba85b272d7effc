"""Small files that ask for much: each must be refused by what its header says, or cost little."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *, more: bytes = b"", rows: bytes = b"\0\0") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(width: int, height: int, *, entries: int | None = None) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, width * height % 2**32)]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries or len(tags)) + body + b"\0" * 4


def bombs() -> Iterator[tuple[str, bytes]]:
    """Names with bytes; none is a picture that may be decoded in full within the limits."""
    zeros = zlib.compress(b"\0" * 300_000_000, 9)
    jpeg = bytearray(saved(Image.new("L", (64, 64)), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65500, 65500)
    huge = struct.pack("<HH", 65535, 65535)
    yield "1x3000.png", saved(Image.new("1", (1, 3000)), "PNG")
    yield "3000x1.png", saved(Image.new("1", (3000, 1)), "PNG")
    yield "1x3000.jpg", saved(Image.new("L", (1, 3000)), "JPEG")
    yield "3000x1.webp", saved(Image.new("RGB", (3000, 1)), "WEBP")
    yield "header.png", png(100_000, 100_000)
    yield "most.png", png(2**31 - 1, 2**31 - 1)
    yield "zeros.png", saved(Image.new("1", (20_000, 20_000)), "PNG")
    yield "text.png", png(8, 8, more=chunk(b"zTXt", b"a\0\0" + zeros), rows=b"\0" * 72)
    yield "profile.png", png(8, 8, more=chunk(b"iCCP", b"a\0\0" + zeros), rows=b"\0" * 72)
    yield "rows.png", png(8, 8, rows=b"\0" * 200_000_000)
    yield "header.jpg", bytes(jpeg)
    yield "header.gif", b"GIF89a" + huge + b"\0\0\0," + b"\0" * 4 + huge + b"\0\x08\x01\0;"
    yield "header.bmp", b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, 2**20, 2**20, 1, 24, *[0] * 6)
    yield "header.tif", tiff(2**31 - 1, 2**31 - 1)
    yield "entries.tif", tiff(8, 8, entries=65535)
    yield "zeros.tif", saved(Image.new("1", (20_000, 20_000)), "TIFF", compression="tiff_lzw")
    yield "zeros.webp", saved(Image.new("RGB", (16_000, 4_000)), "WEBP", lossless=True)
