"""Images of the evaluation: captioned stamps of Tux Paint, and how well an encoder pairs them with captions.

Run ``python -m training.stamps`` from the root of the repository. It prints R@1 and R@5 in both directions
for the shipped ``lite`` (or, with ``--training-free``, its trunk and projection alone), once with the noun
table and once with the text side. These images are for evaluation: nothing is trained or chosen on them.

The stamps are PNG files of Debian's ``tuxpaint-stamps-default``, without mirror images and without the
folders ``cartoon`` (drawings) and ``symbols`` (letters, numbers, coins, signs). Their English caption, the
first line of the text file next to them, contains a noun that the network knows (`training.words`). About
forty drawings remain, among them clothes and road signs, because no rule on the files separates them from
photographs.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from safetensors.torch import load_file
from training import sources
from training.make_lite_weights import published
from training.retrieval import Recall, recalls, wilson
from training.targets import ClassVectors, class_vectors, text_targets
from training.words import Knowledge, knowledge

from embshift.core.types import Capture
from embshift.encoders import ENCODERS
from embshift.encoders.lite.text import embed_texts
from embshift.encoders.lite.trunk import Weights, compute_local_vectors
from embshift.encoders.lite.weight_file import read_weights

__all__ = ["Stamp", "agreement", "lite", "named", "pictures", "read_stamps", "scored", "teacher_order"]

PACKAGE, INSIDE = "tuxpaint-stamps-default", "usr/share/tuxpaint/stamps"
SIDE = 224
NAMED_CLASSES = 5
BATCH = 32

Views = UInt8[np.ndarray, "views 224 224 3"]
Embeddings = Float32[torch.Tensor, "views 256"]
Encode = Callable[[Views], Embeddings]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stamp:
    """A cut-out image and its caption.

    Attributes:
        name: Path below the package's folder of stamps.
        caption: First line of the text file next to it, in English.
        cut: RGB and alpha, as in the file.
        nouns: Classes of each noun of the caption; at least one noun.
    """

    name: str
    caption: str
    cut: UInt8[np.ndarray, "height width 4"]
    nouns: tuple[frozenset[int], ...]


def read_stamps(folder: Path | None = None, /, *, known: Knowledge | None = None) -> list[Stamp]:
    """Return the stamps of the evaluation, sorted by name.

    Args:
        folder: The package's folder of stamps; fetched if None.
        known: WordNet and the classes; fetched if None.
    """
    folder, known = folder or sources.unpack(PACKAGE) / INSIDE, known or knowledge()
    found = list[Stamp]()
    for path in sorted(folder.rglob("*.png")):
        within, caption = path.relative_to(folder), _caption(path)
        nouns = tuple(classes for _, classes in known.found(caption))
        if nouns and not {"cartoon", "symbols"}.intersection(within.parts):
            found.append(Stamp(name=within.as_posix(), caption=caption, cut=_cut(path), nouns=nouns))
    return found


def pictures(stamps: Sequence[Stamp], /) -> Views:
    """Return the stamps on white, centred in a square of their longer side, at 224 pixels.

    Nothing is cut off, and proportions are kept. Squeezing a stamp to a square, or cropping it to its opaque
    part, changes the training-free figures by at most 3 points.
    """
    return np.stack([_on_white(stamp.cut) for stamp in stamps])


def named(stamps: Sequence[Stamp], /) -> list[Stamp]:
    """Return the stamps whose caption has one noun, for at most five classes: it names what is shown."""
    return [s for s in stamps if len(set(s.nouns)) == 1 and len(s.nouns[0]) <= NAMED_CLASSES]


def lite(views: Views, /) -> Embeddings:
    """Return the embeddings of the shipped encoder."""
    encoder = ENCODERS["lite"].open("lite", device="cpu", allow_pickle=False)
    parts = (views[at : at + BATCH] for at in range(0, len(views), BATCH))
    return torch.cat([encoder.encode(part, capture=Capture.PIXELS).embedding for part in parts])


def training_free(views: Views, /) -> Embeddings:
    """Return the embeddings of trunk and projection alone: mean projected local vectors over the grid."""
    weights = read_weights(device="cpu")
    return _pooled(views, weights=weights) @ weights["projection"].T


def scored(images: Embeddings, stamps: Sequence[Stamp], *, texts: Embeddings) -> list[Recall]:
    """Return R@1 and R@5 in both directions, for embeddings of the captions in the order of the stamps."""
    return recalls(images, texts, captions=[stamp.caption for stamp in stamps])


def teacher_order(views: Views, /) -> Int64[torch.Tensor, "views classes"]:
    """Return the classes by the published network's own classifier, the most likely first."""
    parameters = published()
    logits = _pooled(views, weights=read_weights(device="cpu")) @ parameters["_fc.weight"].T
    return (logits + parameters["_fc.bias"]).argsort(dim=1, descending=True)


def agreement(
    images: Embeddings, /, *, order: Int64[torch.Tensor, "views classes"], vectors: ClassVectors
) -> tuple[float, float]:
    """Return the shares of images whose nearest class by cosine is the teacher's first, or a first five."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    nearest = (images @ unit.T).argmax(1)
    return (
        float((order[:, 0] == nearest).float().mean()),
        float((order[:, :5] == nearest[:, None]).any(1).float().mean()),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Pair the images of the evaluation with their captions.")
    parser.add_argument(
        "--training-free", action="store_true", help="use trunk and projection instead of lite"
    )
    parser.add_argument("--text", type=Path, help="parameters of the text side (default: the shipped ones)")
    parser.add_argument("--stamps", type=Path, help="folder of stamps (default: fetched)")
    parser.add_argument("--wordnet", type=Path, help="folder with data.noun (default: fetched)")
    options = parser.parse_args(arguments)
    known, vectors = knowledge(options.wordnet), class_vectors()
    stamps = read_stamps(options.stamps, known=known)
    captions = [stamp.caption for stamp in stamps]
    images = (training_free if options.training_free else lite)(pictures(stamps))
    different = len(set(captions))
    sys.stdout.write(f"{len(stamps)} stamps with {different} captions; chance of R@1: {1 / different:.1%}\n")
    _write("noun table", scored(images, stamps, texts=text_targets(captions, known=known, vectors=vectors)))
    weights = _text_weights(options.text)
    if "text.tokens" in weights:
        _write("text side", scored(images, stamps, texts=embed_texts(captions, weights=weights)))
    _write_agreement(images, stamps, vectors=vectors)
    return 0


def _write_agreement(images: Embeddings, stamps: Sequence[Stamp], *, vectors: ClassVectors) -> None:
    chosen = named(stamps)
    rows = [number for number, stamp in enumerate(stamps) if stamp in chosen]
    shares = agreement(images[rows], order=teacher_order(pictures(chosen)), vectors=vectors)
    for rank, share in zip((1, 5), shares, strict=True):
        _write_share(
            f"nearest class among the teacher's first {rank}", share, wilson(share, len(rows)), len(rows)
        )


def _write(name: str, found: Sequence[Recall]) -> None:
    for one in found:
        _write_share(f"{name}, {one.direction}, R@{one.among}", one.share, one.interval, one.queries)


def _write_share(name: str, share: float, interval: tuple[float, float], count: int) -> None:
    low, high = interval
    sys.stdout.write(f"{name}: {share:.1%} [{low:.1%}, {high:.1%}], N = {count}\n")


def _text_weights(path: Path | None) -> Weights:
    if path is None:
        return read_weights(device="cpu")
    return {name: values.float() for name, values in load_file(path).items()}


@torch.no_grad()
def _pooled(views: Views, *, weights: Weights) -> Float32[torch.Tensor, "views 1280"]:
    parts = (views[at : at + BATCH] for at in range(0, len(views), BATCH))
    planes = ((torch.from_numpy(part).permute(0, 3, 1, 2).float() - 127) / 128 for part in parts)
    return torch.cat([compute_local_vectors(part, weights=weights).mean((2, 3)) for part in planes])


def _caption(path: Path) -> str:
    beside = path.with_suffix(".txt")
    # Mirror images have no text file.
    lines = beside.read_text(encoding="utf-8", errors="replace").splitlines() if beside.exists() else []
    return lines[0].strip() if lines else ""


def _cut(path: Path) -> UInt8[np.ndarray, "height width 4"]:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise SystemExit(f"{path} cannot be read as an image; unpack {PACKAGE} again")
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGBA)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGBA)


def _on_white(cut: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "224 224 3"]:
    alpha = cut[..., 3:].astype(np.float32) / 255
    height, width = cut.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((side, side, 3), 255, np.uint8)
    square[top : top + height, left : left + width] = np.rint(cut[..., :3] * alpha + 255 * (1 - alpha))
    way = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return cv2.resize(square, (SIDE, SIDE), interpolation=way)


if __name__ == "__main__":
    sys.exit(main())
