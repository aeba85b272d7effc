"""Kinds of files: which ones in a folder or glob are images, by their suffix or else by their first bytes."""

import os
import stat
from collections.abc import Callable

from embshift.images.left_out import (
    COMPRESSED,
    CONTAINER,
    HEIC,
    NOT_AN_IMAGE,
    OTHER_FORMAT,
    RAW,
    SPECIAL,
    UNREADABLE,
    Reason,
)

__all__ = [
    "CONTAINERS",
    "SUFFIXES",
    "explain_left_out",
    "explain_named",
    "is_compressed",
    "is_container",
]


def _suffixes(*groups: str) -> frozenset[str]:
    return frozenset(f".{suffix}" for group in groups for suffix in group.split())


SUFFIXES = _suffixes("avif bmp gif jpeg jpg png tif tiff webp")
"""Suffixes of the files that count as images in a folder or a glob, in upper or lower case."""

CONTAINERS = (".tar", ".parquet", ".arrow")
"""Suffixes of files that hold images inside, in upper or lower case."""

_COMPRESSED = (".tgz", ".tbz", ".tbz2", ".txz", *(f".tar.{one}" for one in ("gz", "bz2", "xz", "zst", "lz4")))
_HEIC = _suffixes("heic heif hif")
_RAW = _suffixes("3fr arw cr2 cr3 crw dcr dng erf iiq kdc mrw nef nrw orf pef raf raw rw2 sr2 srf srw x3f")
_OTHER = _suffixes("exr hdr icns ico j2k jp2 jpf jpx jxl pam pbm pcx pgm pnm ppm psb psd svg tga xcf")
# Captions, annotations and the like may be as many as the images: they are not opened one by one.
_NO_IMAGE = _suffixes(
    "bib cfg conf css csv db doc docx htm html ini ipynb js json jsonl log md pdf py rst sh tex toml tsv txt",
    "xls xlsx xml xmp yaml yml",
    "bin ckpt h5 hdf5 mat msgpack npy npz onnx pickle pkl pt pth safetensors tfrecord",
    "7z bz2 gz rar tgz xz zip zst",
    "aac avi flac m4a m4v mkv mov mp3 mp4 mpeg mpg ogg wav webm",
    "bak crdownload download part partial swp tmp",
)

_PROBE = 64  # bytes: an ISO file lists its brands in the first box
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", *_TIFF)
_OTHER_STARTS = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL ", b"\xff\x0a", b"8BPS")
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def explain_left_out(path: str) -> Reason | None:
    """Return why a file is not taken for an image; None where it is.

    A known suffix decides. With an unknown one, or none, the first bytes of the file do.

    Args:
        path: The file.
    """
    known = _explain_suffix(path)
    return _explain_content(path) if known is _UNKNOWN else known


def explain_named(name: str, read_start: Callable[[], bytes], /) -> Reason | None:
    """Return why a member of an archive is not taken for an image, as `explain_left_out` does for a file.

    Args:
        name: Its path in the archive.
        read_start: Returns its first bytes.
    """
    known = _explain_suffix(name)
    return _explain_start(read_start()) if known is _UNKNOWN else known


def is_container(path: str) -> bool:
    """Return whether a file's name says that it holds images inside."""
    return path.lower().endswith(CONTAINERS)


def is_compressed(path: str) -> bool:
    """Return whether a file's name says that it is a compressed archive."""
    return path.lower().endswith(_COMPRESSED)


_UNKNOWN = Reason("file", "of an unknown suffix")


def _explain_suffix(path: str) -> Reason | None:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES:
        return None
    if is_compressed(path):
        return COMPRESSED
    if is_container(path):
        return CONTAINER
    for suffixes, reason in ((_NO_IMAGE, NOT_AN_IMAGE), (_HEIC, HEIC), (_RAW, RAW), (_OTHER, OTHER_FORMAT)):
        if suffix in suffixes:
            return reason
    return _UNKNOWN


def _explain_content(path: str) -> Reason | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return SPECIAL
        # A pipe that has taken the file's place meanwhile must not be waited for.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return UNREADABLE
    with open(handle, "rb") as file:
        return _explain_start(file.read(_PROBE))


def _explain_start(start: bytes) -> Reason | None:
    brands = _list_brands(start)
    if start.startswith(_STARTS) or _is_webp(start) or _is_bmp(start) or brands & _AVIF_BRANDS:
        return None
    if brands & _HEIC_BRANDS:
        return HEIC
    return OTHER_FORMAT if start.startswith(_OTHER_STARTS) else NOT_AN_IMAGE


def _is_webp(start: bytes) -> bool:
    return start.startswith(b"RIFF") and start[8:12] == b"WEBP"


def _is_bmp(start: bytes) -> bool:
    """Return whether a bitmap begins so: its mark has two letters, with which a text may begin as well."""
    return start.startswith(b"BM") and int.from_bytes(start[14:18], "little") in _BMP_HEADERS


def _list_brands(start: bytes) -> set[bytes]:
    """Return the brands that the first box of an ISO file names; empty for another file."""
    if start[4:8] != b"ftyp":
        return set()
    box = start[: int.from_bytes(start[:4], "big")]
    return {box[8:12], *(box[at : at + 4] for at in range(16, len(box) - 3, 4))}
