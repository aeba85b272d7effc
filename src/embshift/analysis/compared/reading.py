"""Views of a run, several transforms at a time: one pass over its files for all of them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from embshift.runs.arrow import as_array
from embshift.runs.tables import RunTables, to_matrix

__all__ = ["GroupedViews"]

NUMBERS_AT_ONCE = 1 << 26
"""Numbers of embeddings held at once: 256 MiB."""


class GroupedViews:
    """Reads the views of transforms that are asked for in order; holds those of one group.

    Args:
        run: The run.
        transforms: Names, in the order in which they will be asked for.
        at_once: Number of transforms in a group.
    """

    def __init__(self, run: RunTables, transforms: Sequence[str], *, at_once: int) -> None:
        self._run, self._transforms, self._at_once = run, tuple(transforms), at_once
        self._held = dict[str, pa.Table]()

    @classmethod
    def of(cls, run: RunTables, transforms: Sequence[str], *, views: int, dim: int) -> "GroupedViews":
        """Choose the size of groups.

        Args:
            run: The run.
            transforms: Names, in order.
            views: Number of views of a transform.
            dim: Length of an embedding.
        """
        return cls(run, transforms, at_once=max(1, NUMBERS_AT_ONCE // max(views * dim, 1)))

    def __call__(
        self, transform: str, /
    ) -> tuple[Int64[np.ndarray, " views"], Int64[np.ndarray, " views"], Float32[np.ndarray, "views dim"]]:
        """Return rows of the listing, draws and raw embeddings of a transform's views."""
        if transform not in self._held:
            at = self._transforms.index(transform)
            self._held.clear()  # before reading: memory holds one group
            self._held = self._read(self._transforms[at : at + self._at_once])
        table = self._held[transform]
        draws = as_array(table["draw"]).astype(np.int64)
        return as_array(table["row"]), draws, to_matrix(table["embedding"])

    def _read(self, names: Sequence[str]) -> dict[str, pa.Table]:
        columns = ["row", "transform", "draw", "status", "embedding"]
        wanted = pc.field("transform").isin(list(names)) & (pc.field("status") == "ok")
        parts = [chunk.filter(wanted) for chunk in self._run.chunks("embeddings", columns)]
        whole = pa.concat_tables(parts)
        return {name: whole.filter(pc.field("transform") == name) for name in names}
