"""What a run is compared with: a stored baseline, or another run folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.analysis.compared.of_runs import pair_shared
from embshift.analysis.compared.spaces import SpaceShift, measure_space_shift
from embshift.analysis.compared.values import ComparedValues, measure_values
from embshift.analysis.embeddings.pairs import Pairs, unit_vectors
from embshift.analysis.gate.baselines import Baseline, check_finished, read_baseline
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.pairing import Pairing
from embshift.analysis.pairing.panels import Panel, read_panel
from embshift.core.errors import BaselineError
from embshift.runs.addresses import describe_folder, run_path
from embshift.runs.tables import RunTables, open_tables

__all__ = ["Side", "measure_sides", "open_side", "shift_originals"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """A baseline file or a run folder.

    Attributes:
        path: Its path.
        digest: Seal of the file, or fingerprint of the run: the seed of resamples follows from it.
        panel: Images, transforms and digests of pixels.
        stored: The file; None for a run folder.
        run: The run; None for a file.
    """

    path: str
    digest: str
    panel: Panel
    stored: Baseline | None
    run: RunTables | None


def open_side(given: "str | os.PathLike[str] | RunTables", /) -> Side:
    """Open a baseline file, a run folder, or a run that is already open.

    Raises:
        BaselineError: If it is missing, damaged or something else.
        RunError: If it is a folder and no finished run.
    """
    if isinstance(given, RunTables):
        return _side_of(given)
    path = run_path(given)
    if path.is_dir():
        return _side_of(open_tables(path))
    found = read_baseline(path)
    return Side(path=str(path), digest=found.digest, panel=found.panel, stored=found, run=None)


def _side_of(run: RunTables) -> Side:
    check_finished(run)
    return Side(
        path=describe_folder(run.folder),
        digest=str(run.info.get("fingerprint")),
        panel=read_panel(run),
        stored=None,
        run=run,
    )


def measure_sides(
    side: Side, run: RunTables, pairing: Pairing, *, transforms: Sequence[str]
) -> tuple[ComparedValues, ComparedValues]:
    """Return the values of the same images of the baseline and of the run.

    Two runs are measured anew on the gallery of the images that both have. Stored values hold for the gallery
    of all images of the baseline, so a run must have all of them.

    Args:
        side: The baseline.
        run: The run.
        pairing: What both have in common.
        transforms: Transforms of both.

    Raises:
        BaselineError: If images or draws of a stored baseline are missing.
    """
    if side.run is not None:
        first, second = (
            measure_values(pairs, transforms=transforms) for pairs in pair_shared([side.run, run], [pairing])
        )
        return first, second
    stored = side.stored
    assert stored is not None, "a side is a file or a run"
    pairs = pair_views(run).among(stored.values.ids, draws=range(stored.draws))
    if len(pairs) < len(stored.values.ids) or len(pairing.draws) < stored.draws:
        lost = len(stored.values.ids) - len(pairs)
        what = f"{lost:,} of its images" if lost else f"{stored.draws - len(pairing.draws):,} of its draws"
        raise BaselineError(
            f"{run.folder} lacks {what}, and the values in {side.path} hold for all of them; measure them, or"
            " give the baseline's run folder, of which the shared images are measured anew"
        )
    return stored.values.select(transforms=transforms), measure_values(pairs, transforms=transforms)


def shift_originals(side: Side, run: RunTables, pairing: Pairing) -> SpaceShift:
    """Compare the originals' embeddings of baseline and run.

    Raises:
        BaselineError: If the baseline holds none, or they differ in length.
    """
    theirs = pair_views(run)
    if side.run is not None:
        ours = pair_views(side.run)
        shared = {*pairing.images} & {*ours.ids} & {*theirs.ids}
        first = _by_id(ours.among(shared))
    else:
        assert side.stored is not None, "a side is a file or a run"
        shared = {*pairing.images} & {*side.stored.values.ids} & {*theirs.ids}
        first = _read_stored(side.stored, shared)
    second = _by_id(theirs.among(shared))
    if first.shape[1] != second.shape[1]:
        raise BaselineError(
            f"embeddings of {side.path} have {first.shape[1]:,} numbers, those of {run.folder}"
            f" {second.shape[1]:,}; expected encoders of one space"
        )
    return measure_space_shift(first, second)


def _read_stored(stored: Baseline, shared: set[str]) -> Float64[np.ndarray, "images dim"]:
    if stored.embeddings is None:
        raise BaselineError(
            f"baseline {stored.path} holds no embeddings of its originals; write it with --with-embeddings,"
            " or give its run folder"
        )
    kept = [at for at, name in enumerate(stored.values.ids) if name in shared]
    return unit_vectors(stored.embeddings[kept])[0]


def _by_id(pairs: Pairs) -> Float64[np.ndarray, "images dim"]:
    return pairs.units[pairs.order_by_id()]
