r"""Shares of a network's components in the shift, pooled over images.

The share $s_{ic}$ of component $c$ in image $i$ is the part of the image's squared shift that the component
makes. Pooled it is $S_c = \sum_i s_{ic} \lVert\Delta_i\rVert^2 / \sum_i \lVert\Delta_i\rVert^2$. Both sum to
1 over the components.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.sampling.bootstrap import FEWEST, LEVEL, RESAMPLES, draw_counts
from embshift.core.named import find_position

__all__ = ["PooledShares", "pool_shares"]

_ROUNDING = 1e-12
"""Share of a sum of squares up to which it is rounding."""

_LEAST_REST = 0.05
"""Part of the whole that counts as left without an image, at least: one that is nearly all of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledShares:
    """Pooled shares of one transform.

    Attributes:
        transform: Its name.
        components: Names of the components, in the order of the shares.
        share: Pooled share of each component; the shares sum to 1.
        low: Lower end of each share's interval; NaN for fewer than ten images.
        high: Upper end.
        joint_low: Lower end of the interval that holds for all components together.
        joint_high: Upper end.
        images: Number of images with a shift.
        undefined: Number of images whose shift is at rounding level, as under identity.
        level: Coverage of the intervals.
    """

    transform: str
    components: tuple[str, ...]
    share: Float64[np.ndarray, " components"]
    low: Float64[np.ndarray, " components"]
    high: Float64[np.ndarray, " components"]
    joint_low: Float64[np.ndarray, " components"]
    joint_high: Float64[np.ndarray, " components"]
    images: int
    undefined: int
    level: float

    @property
    def certain(self) -> Bool[np.ndarray, " components"]:
        """Whether the joint interval of a component excludes 0: only such a component is named."""
        return (self.joint_low > 0) | (self.joint_high < 0)

    def of(self, component: str) -> float:
        """Return the share of one component.

        Raises:
            UnknownNameError: If there is no such component.
        """
        return float(self.share[find_position(self.components, component, kind="component")])

    def largest(self, count: int = 5, *, certain: bool = True) -> list[str]:
        """Return the components with the largest shares in size, largest first; a share may be negative.

        Args:
            count: The most that are returned.
            certain: Leave out those whose joint interval holds 0.
        """
        order = np.argsort(-np.abs(self.share), kind="stable")
        kept = [at for at in order.tolist() if not certain or self.certain[at]]
        return [self.components[at] for at in kept[:count]]


def pool_shares(
    transform: str,
    components: tuple[str, ...],
    *,
    rows: Int64[np.ndarray, " views"],
    shift: Float64[np.ndarray, " views"],
    share: Float64[np.ndarray, "views components"],
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> PooledShares:
    r"""Pool the shares of one transform over images.

    The intervals are studentised: each resample of the images gives $t_c = (S^*_c - S_c) / \mathrm{se}^*_c$
    with the jackknife's standard error of its own images, which first-order errors fall short of where few
    images make most of the shift. Single intervals take both quantiles of $t_c$. The joint ones
    are $S_c \pm q\,\mathrm{se}_c$ with $q$ the level's quantile, over resamples, of the greatest $|t_c|$ of
    all components, and hold the single one.

    Args:
        transform: Its name.
        components: Names of the components.
        rows: Row of each view's image in the listing; draws of one image are taken together.
        shift: Length of each view's shift.
        share: Shares of the components; NaN in every column for a view without a shift.
        resamples: Number of resamples of the images.
        level: Coverage.
        seed: Seed of the resamples.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, section 12.5.
    """
    images, which = np.unique(rows, return_inverse=True)
    moved = np.isfinite(share.sum(axis=1))
    weight = np.where(moved, shift**2, 0.0)
    parts, whole = np.zeros((len(images), len(components))), np.zeros(len(images))
    np.add.at(parts, which, np.where(moved[:, None], share, 0.0) * weight[:, None])
    np.add.at(whole, which, weight)
    kept = np.bincount(which, weights=moved, minlength=len(images)) > 0
    parts, whole = parts[kept], whole[kept]
    ends = _resample(parts, whole, resamples=resamples, level=level, seed=seed)
    return PooledShares(
        transform=transform,
        components=components,
        share=_divide(parts.sum(axis=0), whole.sum()),
        low=ends[0],
        high=ends[1],
        joint_low=ends[2],
        joint_high=ends[3],
        images=int(kept.sum()),
        undefined=int((~kept).sum()),
        level=level,
    )


def _divide(
    parts: Float64[np.ndarray, "*rows components"], whole: Float64[np.ndarray, "*rows"] | float
) -> Float64[np.ndarray, "*rows components"]:
    below = np.asarray(whole)[..., None]
    return np.divide(parts, below, out=np.full(parts.shape, np.nan), where=below > 0)


def _resample(
    parts: Float64[np.ndarray, "images components"],
    whole: Float64[np.ndarray, " images"],
    *,
    resamples: int,
    level: float,
    seed: int,
) -> Float64[np.ndarray, "4 components"]:
    """Return the ends of the single intervals and of the joint ones; NaN for fewer than ten images."""
    if len(whole) < FEWEST:
        return np.full((4, parts.shape[1]), np.nan)
    share = _divide(parts.sum(axis=0), whole.sum())
    # Deviations from the pooled share: their ratio keeps precision where a share is near 0.
    centred = parts - share * whole[:, None]
    spread = _errors(*_squares(np.ones((1, len(whole))), centred, whole), np.zeros((1, len(share))))[0]
    steps = np.concatenate(
        [
            _studentise(counts, centred, whole)
            for counts in draw_counts(len(whole), resamples=resamples, seed=seed)
        ]
    )
    # A studentised resample that lies too high stands for an estimate that does: the ends change sides.
    upper, lower = np.quantile(steps, [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = share - lower * spread, share - upper * spread
    reach = np.quantile(np.abs(steps).max(axis=1), level) * spread
    # The joint ones are symmetric, so that a skewed single one may reach further on one side.
    return np.stack([low, high, np.minimum(low, share - reach), np.maximum(high, share + reach)])


def _studentise(
    counts: Float64[np.ndarray, "block images"],
    centred: Float64[np.ndarray, "images components"],
    whole: Float64[np.ndarray, " images"],
) -> Float64[np.ndarray, "block components"]:
    """Return the deviation of each resample's shares over the standard error from the same resample."""
    moved = _divide(counts @ centred, counts @ whole)
    spread = _errors(*_squares(counts, centred, whole), moved)
    return np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 0)


def _squares(
    counts: Float64[np.ndarray, "block images"],
    centred: Float64[np.ndarray, "images components"],
    whole: Float64[np.ndarray, " images"],
) -> tuple[
    Float64[np.ndarray, "block components"],
    Float64[np.ndarray, "block components"],
    Float64[np.ndarray, " block"],
    Float64[np.ndarray, " block"],
]:
    """Return Σ c², Σ cw, Σ w² and Σ w over the images of each resample, c the deviation and w the whole.

    In the first three an image counts by 1 / (1 − w / Σ w)²: without it, that much less is left to divide by.
    """
    total = counts @ whole
    part = np.divide(whole, total[:, None], out=np.zeros_like(counts), where=total[:, None] > 0)
    often = counts / np.maximum(1 - part, _LEAST_REST) ** 2
    return often @ centred**2, often @ (centred * whole[:, None]), often @ whole**2, total


def _errors(
    squares: Float64[np.ndarray, "block components"],
    products: Float64[np.ndarray, "block components"],
    wholes: Float64[np.ndarray, " block"],
    total: Float64[np.ndarray, " block"],
    moved: Float64[np.ndarray, "block components"],
) -> Float64[np.ndarray, "block components"]:
    """Return √Σ (c − mw)² / Σ w, the jackknife's standard error of a ratio that lies at m."""
    found = squares - 2 * moved * products + moved**2 * wholes[:, None]
    # Rounding must not leave a spread where all images of a resample are alike.
    least = _ROUNDING * (squares + moved**2 * wholes[:, None])
    return _divide(np.sqrt(np.where(found > least, found, 0.0)), total)
