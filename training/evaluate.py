"""Evaluation of ``lite`` against its gates, on images that it was not trained on.

Run ``python -m training.evaluate`` from the root of the repository, after ``python -m training.sources``. It
prints a table of gates, writes ``training/logs/gates.tsv`` and renders the maps over the outlined photographs
into ``training/masks/maps.jpg``.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from training import compose, stamps
from training.resemblance import SAMPLES
from training.retrieval import Recall, wilson
from training.targets import class_vectors, text_targets
from training.words import knowledge

from embshift.encoders.lite.blocks import make_initial_weights, run_transformer
from embshift.encoders.lite.text import embed_texts
from embshift.encoders.lite.trunk import Weights, compute_local_vectors
from embshift.encoders.lite.weight_file import read_weights

POLYGONS = Path(__file__).parent / "masks/polygons.json"
MAPS = Path(__file__).parent / "masks/maps.jpg"
TABLE = Path(__file__).parent / "logs/gates.tsv"
SIDE, GRID, CELL = 224, 7, 32
COVERED = 0.25
"""Smallest covered share of a cell that counts as the object's."""
TEMPERATURE = 0.2
"""Divisor of the cosines of the training-free similarity map."""

Views = UInt8[np.ndarray, "views height width 3"]
Embeddings = Float32[torch.Tensor, "views 256"]
Maps = Float32[torch.Tensor, "views patches"]
Seeing = Callable[[Views], tuple[Embeddings, Maps]]


@dataclass(frozen=True, slots=True)
class Gate:
    """One row of the table: a value and what was wanted."""

    name: str
    value: float
    wanted: str
    passed: bool | None
    note: str = ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Evaluate the bundled encoder against its gates.")
    parser.parse_args(arguments)
    weights = read_weights(device="cpu")
    initial = make_initial_weights(torch.Generator().manual_seed(0))
    trained, plain = seeing(weights), seeing({**weights, **initial})
    gates = [
        *attention_gates(trained, weights),
        *clutter_gates(trained, plain, weights),
        *plain_gates(trained),
    ]
    gates += stamp_gates(trained, plain, weights)
    TABLE.parent.mkdir(exist_ok=True)
    lines = [f"{gate.name}\t{gate.value:.3f}\t{gate.wanted}\t{_verdict(gate)}\t{gate.note}" for gate in gates]
    TABLE.write_text("\n".join(["gate\tvalue\twanted\tpassed\tnote", *lines]) + "\n")
    sys.stdout.write("\n".join(line.expandtabs(44) for line in lines) + "\n")
    return 0


def seeing(weights: Weights) -> Seeing:
    """Return a function from views to their embeddings and mean last maps, with the given weights."""

    @torch.no_grad()
    def see(views: Views) -> tuple[Embeddings, Maps]:
        looked = [
            run_transformer(tokens(views[at : at + 32], weights), weights=weights)
            for at in range(0, len(views), 32)
        ]
        return (
            torch.cat([part.embedding for part in looked]),
            torch.cat([part.attention[-1].mean(1) for part in looked]),
        )

    return see


@torch.no_grad()
def tokens(views: Views, weights: Weights) -> Float32[torch.Tensor, "views patches 256"]:
    """Return projected local vectors; the teacher's embedding is their mean."""
    planes = (torch.from_numpy(np.ascontiguousarray(views)).permute(0, 3, 1, 2).float() - 127) / 128
    return compute_local_vectors(planes, weights=weights).flatten(2).transpose(1, 2) @ weights["projection"].T


def attention_gates(trained: Seeing, weights: Weights) -> Iterator[Gate]:
    """Compare the maps with the outlines over the grid's cells, by ROC-AUC."""
    outlines: Mapping[str, dict[str, list[list[list[float]]]]] = json.loads(POLYGONS.read_text())["pictures"]
    views = np.stack([sample(name) for name in outlines])
    covered = np.stack([cells(outline) for outline in outlines.values()]) >= COVERED
    local = tokens(views, weights)
    likeness = torch.cosine_similarity(local, local.mean(1, keepdim=True), dim=2)
    maps = trained(views)[1]
    across = np.arange(GRID) - GRID // 2
    # An area under the curve depends only on the order, so the width of the Gaussian does not matter.
    centre = torch.from_numpy(-(across[:, None] ** 2 + across**2)).float().flatten().expand(len(views), -1)
    own, similar, middle = (areas(values, covered) for values in (maps, likeness, centre))
    note = ", ".join(f"{name} {value:.2f}" for name, value in zip(outlines, own, strict=True))
    baseline = max(similar.mean(), middle.mean())
    yield _gate("attention AUC, mean of 10", own.mean(), 0.75, note)
    yield _gate("attention AUC above .65, of 10", float((own > 0.65).sum()), 8)
    yield _gate("attention AUC less the best baseline", own.mean() - baseline, 0.05)
    yield Gate("attention AUC, similarity map", similar.mean(), "-", None)
    yield Gate("attention AUC, centred Gaussian", middle.mean(), "-", None)
    draw_maps(views, maps, list(outlines))


def clutter_gates(trained: Seeing, plain: Seeing, weights: Weights) -> Iterator[Gate]:
    """Compare unseen stamps and photographs in clutter with the teacher's vector of the clean image."""
    photographs = tuple(square(read(path), side=320) for path in sorted(SAMPLES.glob("*.jpg")))
    pool = compose.Pool(
        photographs, tuple(compose.trimmed(np.ascontiguousarray(stamp.cut)) for stamp in stamps.read_stamps())
    )
    rng = np.random.default_rng(11)
    groups = [compose.group(pool, rng) for _ in range(150)]
    clean = tokens(np.stack([group.clean for group in groups]), weights).mean(1)
    views = np.stack([view for group in groups for view in group.views[1:]])
    wanted = clean.repeat_interleave(compose.VIEWS, dim=0)
    own, zeroed = (torch.cosine_similarity(see(views)[0], wanted, dim=1) for see in (trained, plain))
    gain = own - zeroed
    yield Gate("cluttered: cosine to the clean teacher", float(own.mean()), "-", None, f"{len(own)} views")
    yield Gate("cluttered: the same, transformer zeroed", float(zeroed.mean()), "-", None, "the ablation")
    error = float(gain.unflatten(0, (len(groups), -1)).mean(1).std() / len(groups) ** 0.5)
    yield _gate(
        "cluttered: gain", float(gain.mean()), 0.05, f"standard error over {len(groups)} images {error:.3f}"
    )
    same = np.stack([group.clean for group in groups])
    yield Gate(
        "clean: cosine to the teacher",
        float(torch.cosine_similarity(trained(same)[0], clean).mean()),
        "-",
        None,
    )


def stamp_gates(trained: Seeing, plain: Seeing, weights: Weights) -> Iterator[Gate]:
    """Evaluate unseen captioned cut-outs: retrieval in both directions, and agreement with the teacher."""
    known, vectors = knowledge(), class_vectors()
    found = stamps.read_stamps(known=known)
    captions = [stamp.caption for stamp in found]
    views = stamps.pictures(found)
    own, teacher = trained(views)[0], plain(views)[0]
    nouns, texts = (
        text_targets(captions, known=known, vectors=vectors),
        embed_texts(captions, weights=weights),
    )
    for name, target, least in (("noun table", nouns, (0.43, 0.70)), ("text tower", texts, (0.38, 0.65))):
        before = stamps.scored(teacher, found, texts=target)
        for recall, was in zip(stamps.scored(own, found, texts=target), before, strict=True):
            yield _recall_gate(name, recall, was, least=least[recall.among > 1])
    chosen = [row for row, stamp in enumerate(found) if stamp in stamps.named(found)]
    order = stamps.teacher_order(views[chosen])
    shares, most = (stamps.agreement(e[chosen], order=order, vectors=vectors) for e in (own, teacher))
    for among, share, whole in zip((1, 5), shares, most, strict=True):
        low, high = wilson(share, len(chosen))
        note = f"N = {len(chosen)}, {share:.3f} [{low:.3f}, {high:.3f}] of the teacher's own {whole:.3f}"
        yield _gate(
            f"agreement with the teacher's top {among}, as a share of its own", share / whole, 0.95, note
        )


def _recall_gate(name: str, recall: Recall, before: Recall, *, least: float) -> Gate:
    low, high = recall.interval
    note = f"N = {recall.queries}, [{low:.3f}, {high:.3f}]; transformer zeroed {before.share:.3f}"
    return _gate(f"{name}: {recall.direction} R@{recall.among}", recall.share, least, note)


def plain_gates(trained: Seeing) -> Iterator[Gate]:
    views = np.stack([square(read(path), side=SIDE) for path in sorted(SAMPLES.glob("*.jpg"))])
    straight, mirrored = trained(views)[0], trained(views[:, :, ::-1])[0]
    unit = torch.nn.functional.normalize(straight, dim=1)
    others = (unit @ unit.T)[~torch.eye(len(unit), dtype=torch.bool)]
    yield _gate("flip: mean cosine", float(torch.cosine_similarity(straight, mirrored).mean()), 0.93)
    different = float(others.mean())
    yield Gate("different photographs: mean cosine", different, "< 0.25", different < 0.25)


def areas(maps: Maps, covered: np.ndarray) -> np.ndarray:
    """Return the ROC-AUC of each map against the cells that an object covers; ties count half."""
    found = []
    for values, cell in zip(maps.numpy(), covered, strict=True):
        inside, outside = values[cell][:, None], values[~cell][None]
        found.append(((inside > outside) + 0.5 * (inside == outside)).mean())
    return np.array(found)


def cells(outline: Mapping[str, list[list[list[float]]]]) -> Float32[np.ndarray, " patches"]:
    """Return the share of every grid cell inside an outline."""
    side = GRID * 200
    mask = np.zeros((side, side), np.float32)
    for part, value in (("polygons", 1.0), ("holes", 0.0)):
        for polygon in outline[part]:
            cv2.fillPoly(mask, [np.rint(np.array(polygon) * side / 100).astype(np.int32)], value)
    return mask.reshape(GRID, 200, GRID, 200).mean((1, 3)).ravel()


def draw_maps(views: Views, maps: Maps, names: Sequence[str]) -> None:
    """Write a sheet of all images, each next to its last map, brightest where the attention is."""
    tiles = []
    for view, values, name in zip(views, maps.numpy(), names, strict=True):
        large = cv2.resize(values.reshape(GRID, GRID), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        share = np.clip(large / values.max(), 0, 1)[..., None]
        tile = np.hstack([view, (view * (0.15 + 0.85 * share)).astype(np.uint8)])
        cv2.putText(tile, name, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    half = (len(tiles) + 1) // 2
    sheet = np.hstack([np.vstack(tiles[:half]), np.vstack(tiles[half:])])
    cv2.imwrite(str(MAPS), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


def read(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def sample(name: str) -> UInt8[np.ndarray, "224 224 3"]:
    """Return a whole sample photograph at 224 x 224 pixels."""
    return cv2.resize(read(SAMPLES / f"{name}.jpg"), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def square(picture: UInt8[np.ndarray, "height width 3"], *, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Return the central square, resized to the given side."""
    least = min(picture.shape[:2])
    top, left = ((length - least) // 2 for length in picture.shape[:2])
    crop = np.ascontiguousarray(picture[top : top + least, left : left + least])
    return cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)


def _gate(name: str, value: float, least: float, note: str = "") -> Gate:
    return Gate(name, float(value), f">= {least}", bool(value >= least), note)


def _verdict(gate: Gate) -> str:
    return "-" if gate.passed is None else "yes" if gate.passed else "NO"


if __name__ == "__main__":
    sys.exit(main())
