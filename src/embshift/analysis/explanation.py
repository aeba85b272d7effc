"""The explanation of a run, opened for reading, with everything computed from it. Never imports torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from embshift.analysis import of_explained, of_explained_maps, of_explained_views, of_words
from embshift.analysis.inside.patches import Calibration, PatchEffects
from embshift.analysis.inside.shares import PooledShares
from embshift.analysis.of_explained import HeadMeans, LayerMeans
from embshift.analysis.of_explained_maps import ViewMap
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.words.captions import CaptionShifts
from embshift.analysis.words.directions import DirectionWords
from embshift.analysis.words.labels import LabelShifts
from embshift.analysis.words.shares import WordShares
from embshift.core.records import Record, to_pandas, write_html
from embshift.runs.explained import ExplainedTables, open_explained
from embshift.runs.tables import RunTables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIRECTION", "Explanation", "open_explanation"]

DIRECTION = "clean_into_view"
"""Direction of the patches that are shown beside shares."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Where in the network the shifts of a run arise.

    A share says what a component adds to the shift in this pass. What would happen without the component is
    what patches show.

    Attributes:
        run: The run's tables.
        tables: The explanation's tables.
    """

    run: RunTables
    tables: ExplainedTables

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``explain.json``."""
        return dict(self.tables.record)

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components, in the order of the shares; layers and heads count from 0."""
        return tuple(self.tables.record["components"])

    @property
    def transforms(self) -> tuple[str, ...]:
        """Names of the explained transforms."""
        return of_explained.list_explained_transforms(self.tables)

    @property
    def kind(self) -> str:
        """Most informative kind of patch of every component: "class" or "direct"."""
        record = self.tables.record
        return "class" if record["followed"] and record["plan"]["patch"] != "direct" else "direct"

    def shares(
        self, transform: str, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
    ) -> PooledShares:
        """Pool the shares of all components in the shift of one transform, with intervals over images.

        Args:
            transform: A transform of the run.
            resamples: Number of resamples of the images.
            level: Coverage of the intervals.
            seed: Seed of the resamples.

        Raises:
            UnknownNameError: If the explanation has no such transform.
        """
        return of_explained.pool_transform_shares(
            self.tables, transform, resamples=resamples, level=level, seed=seed
        )

    def patches(
        self,
        transform: str,
        *,
        kind: str | None = None,
        direction: str = DIRECTION,
        resamples: int = RESAMPLES,
        level: float = LEVEL,
        seed: int = 0,
    ) -> PatchEffects:
        """Average what exchanging each component does to the shift of one transform.

        Args:
            transform: A transform of the run.
            kind: "direct", "class" or "full"; None for the property `kind`.
            direction: "clean_into_view" or "view_into_clean".
            resamples: Number of resamples of the images.
            level: Coverage of the intervals.
            seed: Seed of the resamples.

        Raises:
            RunError: If the explanation has no such patches.
            UnknownNameError: If it has no such transform.
        """
        return of_explained.pool_patch_effects(
            self.tables,
            transform,
            kind=kind or self.kind,
            direction=direction,
            resamples=resamples,
            level=level,
            seed=seed,
        )

    def calibration(self) -> tuple[Calibration, ...]:
        """Compare cheap patches with full ones; nothing where no component was patched in full."""
        return of_explained.calibrate_kinds(self.tables)

    def layers(self, transform: str, *, resamples: int = RESAMPLES, seed: int = 0) -> LayerMeans:
        """Average how far originals and views of one transform are apart after each layer.

        Args:
            transform: A transform of the run.
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.
        """
        return of_explained.average_layers(self.tables, transform, resamples=resamples, seed=seed)

    def heads(self, transform: str, *, resamples: int = RESAMPLES, seed: int = 0) -> HeadMeans:
        """Average how differently the heads look at originals and views of one transform.

        Args:
            transform: A transform of the run.
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.
        """
        return of_explained.average_heads(self.tables, transform, resamples=resamples, seed=seed)

    def map(self, transform: str, row: int, *, draw: int = 0) -> ViewMap:
        """Return where in one view its shift comes from.

        Args:
            transform: A transform of the run.
            row: Row of the image in the run's listing.
            draw: The draw.

        Raises:
            RunError: If the explanation has no map of this view.
        """
        return of_explained_maps.read_map(self.tables, transform, row, draw=draw)

    def contributions(self, transform: str) -> Float64[np.ndarray, "components dim"]:
        """Return each component's part of z′ − z, averaged over the explained views of one transform.

        A direction of the embedding space for every head: its cosine with a text's vector says what the head
        adds to the shift.

        Args:
            transform: A transform of the run.

        Raises:
            UnknownNameError: If the explanation has no such transform.
        """
        return of_explained_views.average_contributions(self.tables, transform)

    def words(self, *, seed: int = 0) -> DirectionWords:
        """Test which words name the direction in which each transform moves all images of the run.

        Args:
            seed: Seed of the random sign flips.

        Raises:
            RunError: If the explanation holds no words.
        """
        return of_words.name_run_words(self.run, seed=seed)

    def word_shares(self, *, seed: int = 0) -> WordShares:
        """Measure how much of each mean shift the best words explain, beside as many random vectors.

        Args:
            seed: Seed of splits and random vectors.

        Raises:
            RunError: If the explanation holds no words.
        """
        return of_words.measure_run_words(self.run, seed=seed)

    def labels(self, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, LabelShifts]:
        """Compare the labels chosen for images with those for their views, by transform.

        Args:
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.

        Raises:
            RunError: If the explanation holds no labels.
        """
        return of_words.compare_run_labels(self.run, resamples=resamples, seed=seed)

    def captions(self, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, CaptionShifts]:
        """Compare how close images and their views are to the images' captions, by transform.

        Args:
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.

        Raises:
            RunError: If the explanation holds no captions.
        """
        return of_words.compare_run_captions(self.run, resamples=resamples, seed=seed)

    def records(self) -> list[Record]:
        """Return one row for each transform and component: shares with intervals, and patches."""
        return [record for name in self.transforms for record in self._list_components(name)]

    def _list_components(self, transform: str) -> list[Record]:
        shares = self.shares(transform)
        effects = self.patches(transform).recovered.estimates
        return [
            {
                "transform": transform,
                "component": component,
                "share": float(shares.share[at]),
                "low": float(shares.low[at]),
                "high": float(shares.high[at]),
                "joint_low": float(shares.joint_low[at]),
                "joint_high": float(shares.joint_high[at]),
                "recovered": float(effects.mean[at]),
                "recovered_low": float(effects.low[at]),
                "recovered_high": float(effects.high[at]),
                "images": shares.images,
                "patched_images": int(effects.n[at]),
            }
            for at, component in enumerate(self.components)
        ]

    def to_pandas(self) -> "pd.DataFrame":
        """Return `records` as a pandas DataFrame.

        Raises:
            MissingExtraError: If pandas is not installed.
        """
        return to_pandas(self)

    def _repr_html_(self) -> str:
        return write_html(self)


def open_explanation(run: RunTables, /) -> Explanation:
    """Open the explanation of a run for reading.

    Args:
        run: The run.

    Raises:
        RunError: If the run is not explained, or not to its end.
    """
    found = open_explained(run.folder, fingerprint=run.info["fingerprint"])
    return Explanation(run=run, tables=found)
