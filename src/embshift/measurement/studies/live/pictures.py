"""Images of a run read again, and views of them at any strength."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, final

from embshift.core.errors import TransformError, UsageError
from embshift.core.remote import NO_ACCESS, Access, grant_access
from embshift.core.types import ORIGINAL, Pixels, Transform, View, ViewKey
from embshift.images import decode, resize
from embshift.measurement.plan.plan import Plan
from embshift.measurement.studies.explain.remade import Digests, read_digests
from embshift.measurement.studies.live.dropped import decode_dropped
from embshift.measurement.studies.live.reach import build_measured, build_turned
from embshift.runs.listing import Listing
from embshift.runs.tables import RunTables
from embshift.show.app.served.live import NotLiveError, Reach
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.strength import find_level

__all__ = ["Kept", "LivePicture", "MadeView", "Pictures"]

_PICTURES, _TRANSFORMS = 64, 64
"""Originals and turned transforms that stay in memory."""

Value = TypeVar("Value")


@final
class Kept(Generic[Value]):
    """The values that were used last, for several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._held, self._lock = most, OrderedDict[Hashable, Value](), threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value], /) -> Value:
        """Return the value of a key, made where it is not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            self._held[key] = made
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LivePicture:
    """An image, ready for views.

    Attributes:
        image_id: Its id.
        pixels: The image, resized.
        digests: Digests of what the run measured of it; empty for a dropped image.
    """

    image_id: str
    pixels: Pixels
    digests: Digests


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MadeView:
    """A view that was made just now.

    Attributes:
        view: The view.
        strength: Its strength; None for a transform without one.
        recorded: Whether it equals, in every pixel, one that the run measured.
        milliseconds: How long it took, without reading the image.
    """

    view: View
    strength: float | None
    recorded: bool
    milliseconds: float


@final
class Pictures:
    """The images of a run.

    Args:
        run: The run.
        plan: Its plan.
        listing: Its listing.
        reaches: How far each transform can be turned; one that must not be built says why.
        access: What may be read from other machines.
    """

    def __init__(
        self,
        run: RunTables,
        *,
        plan: Plan,
        listing: Listing,
        reaches: Mapping[str, Reach],
        access: Access = NO_ACCESS,
    ) -> None:
        self._run, self._plan, self._listing, self._reaches = run, plan, listing, reaches
        self._access = access
        self._kept = Kept[LivePicture](_PICTURES)
        self._built = Kept[Transform](_TRANSFORMS)
        self._lock = threading.Lock()  # a listing reads its file with one position
        self._dropped: LivePicture | None = None

    def find(self, row: int | None) -> LivePicture:
        """Return an image.

        Args:
            row: Its row; None for the dropped one.

        Raises:
            NotLiveError: If it cannot be read, or is not the image that was measured.
        """
        if row is not None:
            return self._kept.get(row, lambda: self._read(row))
        if self._dropped is None:
            raise NotLiveError("no image was dropped on the page since it was opened; drop it again")
        return self._dropped

    def drop(self, content: bytes) -> tuple[int, int]:
        """Take a file as the dropped image; return its width and height."""
        dropped = decode_dropped(content, plan=self._plan)
        self._dropped = LivePicture(image_id=dropped.image_id, pixels=dropped.pixels, digests={})
        return dropped.width, dropped.height

    def make(self, picture: LivePicture, transform: str, *, strength: float | None, draw: int) -> MadeView:
        """Make a view.

        Args:
            picture: The image.
            transform: Name of the transform in the plan.
            strength: Its strength; None for the one that was measured.
            draw: The draw.

        Raises:
            NotLiveError: If the transform fails on this image.
            UsageError: If it does not accept this strength.
        """
        own = self._built.get((transform, strength), lambda: self._build(transform, strength))
        key = ViewKey(run_seed=self._plan.seed, image_id=picture.image_id, transform=transform, draw=draw)
        start = time.perf_counter()
        try:
            view = perturb(picture.pixels, own, key=key)
        except TransformError as error:
            raise NotLiveError(str(error)) from error
        taken = 1000 * (time.perf_counter() - start)
        same = picture.digests.get((transform, draw)) == pixels_digest(view.pixels)
        level = find_level(own).strength
        return MadeView(
            view=view, strength=strength if level is None else level, recorded=same, milliseconds=taken
        )

    def _build(self, transform: str, strength: float | None) -> Transform:
        if self._reaches[transform].why:
            raise NotLiveError(self._reaches[transform].why)
        if strength is None:
            return build_measured(self._plan, transform)
        return build_turned(self._plan, transform, strength=strength)

    def _read(self, row: int) -> LivePicture:
        with self._lock:
            if not 0 <= row < len(self._listing):
                raise UsageError(f"the run has no image in row {row}")
            listed = self._listing[row]
        with grant_access(self._access):  # for the threads of the server, which have none
            decoded = decode(listed.record, limits=self._plan.limits)
        if decoded.pixels is None:
            raise NotLiveError(f"the image cannot be read where it was measured: {decoded.error}")
        pixels = resize(decoded.pixels, size=self._plan.image_size, rule=self._plan.resize)
        digests = read_digests(self._run, [row])[row]
        if digests.get((ORIGINAL, 0)) != pixels_digest(pixels):
            raise NotLiveError("the image has changed since it was measured")
        return LivePicture(image_id=str(decoded.image_id), pixels=pixels, digests=digests)
