"""What the stored texts of an explanation say of a run's embeddings, of all its images."""

from functools import partial

import numpy as np
from jaxtyping import Float32, Float64, Int64

from embshift.analysis.embeddings.pairs import Pairs, stack_views
from embshift.analysis.of_run import pair_views
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.strength.worst_case import FindFlips
from embshift.analysis.words.captions import CaptionShifts, compare_captions
from embshift.analysis.words.directions import DirectionWords, name_directions
from embshift.analysis.words.labels import LabelShifts, compare_labels, find_flips
from embshift.analysis.words.shares import BEST, WordShares, share_of_words
from embshift.core.errors import RunError
from embshift.runs.explained import read_texts, read_texts_record
from embshift.runs.tables import RunTables

__all__ = [
    "check_texts",
    "compare_run_captions",
    "compare_run_labels",
    "measure_run_words",
    "name_run_words",
    "open_flips",
]


def name_run_words(run: RunTables, *, seed: int = 0) -> DirectionWords:
    """Test which of the stored words name the direction of each transform's shifts.

    Args:
        run: The run.
        seed: Seed of the random flips.

    Raises:
        RunError: If no words are stored.
    """
    names, vectors = _require_texts(run, "word")
    return name_directions(_list_shifts(pair_views(run)), vectors, names, seed=seed)


def measure_run_words(run: RunTables, *, seed: int = 0) -> WordShares:
    """Measure how much of each mean shift the best stored words explain, beside random vectors.

    Args:
        run: The run.
        seed: Seed of splits and random vectors.

    Raises:
        RunError: If no words are stored.
    """
    _, vectors = _require_texts(run, "word")
    best = min(BEST, len(vectors))  # a list may be as short as two words
    return share_of_words(_list_shifts(pair_views(run)), vectors, best=best, seed=seed)


def compare_run_labels(
    run: RunTables, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, LabelShifts]:
    """Compare the labels chosen for images with those for their views, transform by transform.

    Args:
        run: The run.
        resamples: Number of resamples of the images.
        seed: Seed of the resamples.

    Raises:
        RunError: If no labels are stored.
    """
    names, vectors = _require_texts(run, "label")
    record, pairs = read_texts_record(run.folder), pair_views(run)
    truth = _find_truth(run, names, pairs)
    return {
        transform: compare_labels(
            pairs.units,
            stack_views(pairs, transform),
            vectors,
            scale=record["scale"],
            bias=record["bias"],
            truth=truth,
            resamples=resamples,
            seed=seed,
        )
        for transform in pairs.transforms
    }


def compare_run_captions(
    run: RunTables, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, CaptionShifts]:
    """Compare how close images and their views are to the images' captions, transform by transform.

    Args:
        run: The run.
        resamples: Number of resamples of the images.
        seed: Seed of the resamples.

    Raises:
        RunError: If no captions are stored, or none of an image that counts.
    """
    _, vectors = _require_texts(run, "caption")
    _, keys, _ = _read_stored(run, "caption")
    pairs = pair_views(run)
    places = {row: at for at, row in enumerate(pairs.rows.tolist())}
    owner = np.array([places.get(int(key), -1) for key in keys], np.int64)
    if not (owner >= 0).any():
        raise RunError(f"no caption of {run.folder} belongs to an image with an embedding")
    kept = owner >= 0
    return {
        transform: compare_captions(
            pairs.units,
            stack_views(pairs, transform),
            vectors[kept],
            owner[kept],
            resamples=resamples,
            seed=seed,
        )
        for transform in pairs.transforms
    }


def check_texts(run: RunTables, kind: str) -> None:
    """Raise `RunError` where no texts of a kind are stored; "word", "label" or "caption"."""
    _require_texts(run, kind)


def open_flips(run: RunTables) -> FindFlips | None:
    """Return what compares the stored labels of images and views; None where no labels are stored.

    Args:
        run: The run, explained or not.

    Raises:
        RunError: If the texts are damaged, or those of another run.
    """
    if not _read_stored(run, "label")[0]:
        return None
    _, vectors = _require_texts(run, "label")
    return partial(find_flips, labels=vectors)


def _read_stored(run: RunTables, kind: str) -> tuple[list[str], list[str], Float32[np.ndarray, "texts dim"]]:
    return read_texts(run.folder, kind, fingerprint=run.info["fingerprint"])


def _require_texts(run: RunTables, kind: str) -> tuple[list[str], Float64[np.ndarray, "texts dim"]]:
    texts, _, vectors = _read_stored(run, kind)
    if not texts:
        raise RunError(
            f"{run.folder} holds no {kind}s; store some with: embshift explain {run.folder} --show {kind}s"
            f" --{kind}s FILE"
        )
    if read_texts_record(run.folder)["fingerprint"] != run.info["fingerprint"]:
        raise RunError(f"the texts of {run.folder} are those of another run; explain the run again")
    units = vectors.astype(np.float64)
    return texts, units / np.linalg.norm(units, axis=1, keepdims=True)


def _list_shifts(pairs: Pairs) -> dict[str, Float64[np.ndarray, "images dim"]]:
    """Return the mean z′ − z over draws, NaN for an image without a view."""
    found = dict[str, Float64[np.ndarray, "images dim"]]()
    for transform in pairs.transforms:
        views = stack_views(pairs, transform) - pairs.units[:, None]
        count = (~np.isnan(views[:, :, 0])).sum(axis=1)
        total = np.nansum(views, axis=1)
        shifts = np.full(total.shape, np.nan)
        found[transform] = np.divide(total, count[:, None], out=shifts, where=count[:, None] > 0)
    return found


def _find_truth(run: RunTables, names: list[str], pairs: Pairs) -> Int64[np.ndarray, " images"] | None:
    texts, keys, _ = _read_stored(run, "truth")
    if not texts:
        return None
    places = {name: at for at, name in enumerate(names)}
    known = {int(key): places[text] for key, text in zip(keys, texts, strict=True)}
    return np.array([known.get(row, -1) for row in pairs.rows.tolist()], np.int64)
