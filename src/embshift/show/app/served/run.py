"""A run as the app shows it: names, originals, shifts and order, read once and kept."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.calibration import divide_by_scale, mean_distance_to_others
from embshift.analysis.embeddings.neighbours import Scan, half_squared_distances, scan
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.of_run import pair_views
from embshift.core.errors import RunError
from embshift.runs.tables import RunTables
from embshift.show.app.served.live import Live, Reach
from embshift.show.text.words import make_visible

__all__ = ["FirstViews", "ImageLine", "ServedRun", "name_image"]

_LINE = ["row", "image_id", "source", "member", "index", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLine:
    """An image of the run.

    Attributes:
        image_id: Its id.
        name: Its name, with every character visible.
        chunk: Name of the files that hold its rows.
    """

    image_id: str
    name: str
    chunk: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstViews:
    """The first draw of a transform: the views that gallery and plane show.

    Attributes:
        units: Embeddings of length 1, one row for each original; NaN where there is no view.
        relative_shift: Half the squared distance over the original's mean distance to other images.
    """

    units: Float64[np.ndarray, "images dim"]
    relative_shift: Float64[np.ndarray, " images"]


@final
class ServedRun:
    """A run with what makes its views live.

    Args:
        run: The run.
        title: What the user called it, for commands.
        live: What makes and encodes views; None where nothing is live.
        why: Why nothing is live; empty where something is.
        reaches: How far each transform can be turned, by name.
    """

    def __init__(
        self, run: RunTables, *, title: str, live: Live | None, why: str, reaches: Mapping[str, Reach]
    ) -> None:
        self.run, self.title, self.live, self.why, self.reaches = run, title, live, why, reaches
        self.lines, self.failed = _read_lines(run)
        self.pairs: Pairs = pair_views(run)
        if not len(self.pairs):
            raise RunError(f"{run.folder} holds no embedding to show; finish the run, or measure again")
        self._lock = threading.Lock()
        self._views = dict[str, FirstViews]()

    @property
    def transforms(self) -> tuple[str, ...]:
        """Names of the transforms."""
        return self.run.transforms

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Position in `pairs` of each image id."""
        return {one: at for at, one in enumerate(self.pairs.ids)}

    @cached_property
    def others(self) -> Float64[np.ndarray, " images"]:
        """Mean distance of each original to the others, ½‖z − z′‖²; NaN for a single image."""
        return mean_distance_to_others(self.pairs.units)

    def find_row(self, image: object) -> int | None:
        """Return the row of a row's number or an image id; None where the run has no such usable image."""
        if isinstance(image, bool) or not isinstance(image, int | str):
            return None
        if isinstance(image, int):
            return image if image in self.lines else None
        at = self.places.get(image)
        return None if at is None else int(self.pairs.rows[at])

    def find_place(self, row: int) -> int | None:
        """Return the position in `pairs` of an image or of the equal one that stands for it."""
        line = self.lines.get(row)
        return None if line is None else self.places.get(line.image_id)

    def find_views(self, transform: str) -> FirstViews:
        """Return the first views of a transform, which are read once."""
        with self._lock:
            if transform not in self._views:
                self._views[transform] = self._read_views(transform)
            return self._views[transform]

    def _read_views(self, transform: str) -> FirstViews:
        units = np.full(self.pairs.units.shape, np.nan)
        for draw in self.pairs.among(self.pairs.ids, draws=(0,)).views(transform)[0]:
            units[draw.at] = draw.units
        shift = half_squared_distances(self.pairs.units, units)
        return FirstViews(units=units, relative_shift=divide_by_scale(shift, self.others))

    @cached_property
    def order(self) -> Int64[np.ndarray, "views 2"]:
        """Position of the transform and of the image of every first view, the most shifted first."""
        shifts = np.stack([self.find_views(name).relative_shift for name in self.transforms])
        return _sort(shifts)

    def order_of(self, transform: str) -> Int64[np.ndarray, " images"]:
        """Return the positions of the images in the order of a transform's shifts, the greatest first."""
        return _sort(self.find_views(transform).relative_shift[None])[:, 1]

    def scan(self, view: Float64[np.ndarray, " dim"], *, own: int, neighbours: int) -> Scan:
        """Compare a view with all originals.

        Args:
            view: Its embedding, of length 1.
            own: Position of its original.
            neighbours: Number of other images that are wanted.
        """
        return scan(view[None], self.pairs.units, own=np.array([own]), neighbours=neighbours)


def _sort(shifts: Float64[np.ndarray, "transforms images"]) -> Int64[np.ndarray, "views 2"]:
    """Return positions by falling shift; undefined ones last, and equal ones in their order."""
    order = np.argsort(-shifts.ravel(), kind="stable")  # NaN is sorted last
    return np.stack(np.unravel_index(order, shifts.shape), axis=1)


def _read_lines(run: RunTables) -> tuple[dict[int, ImageLine], int]:
    found, failed = dict[int, ImageLine](), 0
    for name, chunk in zip(run.chunk_names(), run.chunks("images", _LINE), strict=True):
        usable = chunk.filter(pc.field("status") == "ok")
        failed += len(chunk) - len(usable)
        for line in usable.to_pylist():
            found[line["row"]] = ImageLine(image_id=str(line["image_id"]), name=name_image(line), chunk=name)
    return found, failed


def name_image(line: Mapping[str, Any]) -> str:
    """Return the name of an image for a page, from its row of the table ``images``."""
    return make_visible(line["member"] or line["source"] or f"image {line['index'] or 0} from memory")
