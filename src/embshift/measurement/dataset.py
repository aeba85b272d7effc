"""Algorithm 1 of the paper as a data set: each item is an image with all of its views."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from embshift.core.errors import ImageError
from embshift.core.remote import current_access, grant_access
from embshift.core.types import ORIGINAL, Pixels, Transform, ViewKey
from embshift.images import LeftOut, Limits, decode, list_sources, resize
from embshift.transforms.build import build, wrap
from embshift.transforms.perturb import perturb
from embshift.transforms.presets import load_preset

__all__ = ["ImageTransformDataset"]


@final
class ImageTransformDataset:
    """Images of a folder, each with its views; usable with a torch ``DataLoader``.

    The count is printed once, as in Algorithm 1, and what is left out after it. An item's views depend on the
    seed and the image's content alone, so they are the same in any order and in any worker.

    Args:
        image_dir: A folder (searched recursively), a file, a glob, or a list of paths.
        transforms_dict: Transforms by name: albumentations objects, registered functions, or callables
            ``(pixels)`` or ``(pixels, *, rng)``. None or an empty dictionary means the paper's nine.
        image_size: Height and width of every item, in pixels.
        seed: Seed of the views' random streams.

    Raises:
        SourceError: If there is no image.
        PlanError: If a transform cannot be used.

    Example:
        >>> images = ImageTransformDataset("photos/")  # doctest: +SKIP
        >>> images[0]["noise"].shape  # doctest: +SKIP
        (224, 224, 3)
    """

    def __init__(
        self,
        image_dir: str | Path,
        transforms_dict: Mapping[str, Any] | None = None,
        image_size: tuple[int, int] = (224, 224),
        seed: int = 0,
    ) -> None:
        self.image_dir = Path(image_dir)
        self.image_size = image_size
        self.seed = seed
        self.transforms_dict = _build_transforms(transforms_dict)
        left = LeftOut()
        self._access = replace(current_access(), remote=True)  # for `DataLoader`, which reads elsewhere
        with grant_access(self._access):
            self._records = list_sources([image_dir], left=left)
        self.image_paths = [Path(str(record.path)) for record in self._records]
        print(f"{len(self.image_paths):,} images in {image_dir}")  # noqa: T201 - line 5 of Algorithm 1
        for line in left.lines():
            print(line)  # noqa: T201 - what the count leaves out

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> dict[str, str | Pixels]:
        """Return one image: ``image_path``, ``original``, and a view under every transform's name.

        Returns:
            uint8 arrays of height x width x 3, RGB, 0-255, and the path as text.

        Raises:
            ImageError: If the image cannot be read.
            TransformError: If a transform fails on it.
        """
        record = self._records[index]
        with grant_access(self._access):
            decoded = decode(record, limits=Limits())
        if decoded.pixels is None:
            raise ImageError(f"{record.path}: {decoded.error}", status=decoded.status)
        original = resize(decoded.pixels, size=self.image_size, rule="linear")
        item: dict[str, str | Pixels] = {"image_path": str(record.path), ORIGINAL: original}
        for name, transform in self.transforms_dict.items():
            key = ViewKey(run_seed=self.seed, image_id=str(decoded.image_id), transform=name)
            item[name] = perturb(original, transform, key=key).pixels
        return item


def _build_transforms(given: Mapping[str, Any] | None) -> dict[str, Transform]:
    if given:
        return {name: wrap(name, thing) for name, thing in given.items()}
    return {plan.name: build(plan) for plan in load_preset("paper").transforms}
