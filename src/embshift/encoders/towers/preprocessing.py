"""An encoder's own preprocessing, on the CPU, with a fixed backend.

If torchvision is installed, the library switches to another backend, with slightly different pixels; here the
Pillow backend is selected by its class. A table of the 256 values of a byte rescales and normalises. It gives
the processor's own numbers bit for bit, so the processor only has to resize and crop.
"""

import enum
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8

from embshift.core.device_copy import copy_to_device
from embshift.core.encoding import AnyViews, to_numpy
from embshift.core.errors import EncoderError
from embshift.core.text_files import load_json
from embshift.encoders.checkpoints import check_not_pointer
from embshift.encoders.towers.frame import Frame, compute_frame
from embshift.encoders.towers.processor_settings import check_settings

__all__ = [
    "PROCESSORS",
    "RECORDED",
    "Preprocessing",
    "open_preprocessing",
    "prepare_by_library",
    "read_settings",
    "remove_suffixes",
    "select_recorded",
]

Inputs = Mapping[str, torch.Tensor]

PROCESSORS = (
    "BitImageProcessor",
    "CLIPImageProcessor",
    "DINOv3ViTImageProcessor",
    "Siglip2ImageProcessor",
    "SiglipImageProcessor",
    "ViTImageProcessor",
)
"""Supported image processors."""

RECORDED = (
    "do_resize",
    "size",
    "resample",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
    "patch_size",
    "max_num_patches",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preprocessing:
    """The conversion of views into an encoder's inputs.

    Attributes:
        settings: What it does, ready for JSON, with "processor" and "backend".
        prepare: Converts views to inputs by name: on the CPU, or on the views' device if `leaves_untouched`.
        frame: ``(height, width)`` of an image to its resize and crop; None if the encoder always sees the
            whole image and the grid follows its shape (NaFlex).
    """

    settings: Mapping[str, Any]
    prepare: Callable[[AnyViews], Inputs]
    frame: Callable[[int, int], Frame] | None

    def leaves_untouched(self, height: int, width: int) -> bool:
        """Return whether images of this size are only rescaled and normalised, which any device can do."""
        return self.frame is not None and self.frame(height, width).is_untouched


def open_preprocessing(folder: Path, *, default: str) -> Preprocessing:
    """Open the preprocessing that a checkpoint's folder states.

    Args:
        folder: Holds ``preprocessor_config.json``, or ``processor_config.json`` with an ``image_processor``.
        default: Processor to use if the file does not name one.

    Raises:
        EncoderError: There is no such file, or it states something that is not supported.
    """
    stated = read_settings(folder)
    name = _choose_processor(stated, default=default)
    if name == "DINOv3ViTImageProcessor":
        return _make_float_preprocessing(name, settings=_add_defaults(stated))
    processor = _make_processor(name, stated)
    settings = select_recorded(processor.to_dict(), processor=type(processor).__name__, backend="pil")
    check_settings(settings, broadcast=False)
    if name == "Siglip2ImageProcessor":
        return Preprocessing(settings=settings, prepare=prepare_by_library(processor), frame=None)
    return _make_pillow_preprocessing(processor, settings=settings)


def read_settings(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint's folder states of its image processor; see `open_preprocessing`."""
    for file, key in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        check_not_pointer(folder / file)
        try:
            content = load_json(folder / file)
            found = content if key is None else content[key]
        except (FileNotFoundError, KeyError):
            continue
        except (OSError, ValueError, TypeError) as error:
            raise EncoderError(
                f"{folder / file} cannot be read as JSON ({error}); download it again"
            ) from error
        if isinstance(found, dict):
            return cast("dict[str, Any]", found)
    raise EncoderError(
        f"'{folder}' has no preprocessor_config.json, so the encoder's preprocessing is unknown; "
        "download that file from the source of the weights"
    )


def _choose_processor(stated: Mapping[str, Any], *, default: str) -> str:
    named = stated.get("image_processor_type") or stated.get("feature_extractor_type") or default
    name = remove_suffixes(str(named))
    if name not in PROCESSORS:
        raise EncoderError(f"the folder's image processor is '{named}'; supported: {', '.join(PROCESSORS)}")
    return name


def remove_suffixes(name: str) -> str:
    """Return the name of a processor without the suffix of a backend, as newer files write it."""
    # Older files name a feature extractor. A suffix names a backend, which is chosen here.
    return name.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast").removesuffix("Pil")


def _make_processor(name: str, stated: Mapping[str, Any]) -> Any:
    transformers: Any = importlib.import_module("transformers")
    # In older versions of the library, the class without a suffix is the Pillow one.
    found = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    settings = {key: stated[key] for key in (*RECORDED, "do_convert_rgb") if key in stated}
    try:
        processor = found.from_dict(settings)
    except (TypeError, ValueError, LookupError) as error:
        raise EncoderError(f"the folder's preprocessor_config.json cannot be used: {error}") from error
    if getattr(processor, "backend", "pil") != "pil":
        raise EncoderError(
            f"{name} has no Pillow backend in this version of transformers; install 5.3 or newer"
        )
    return processor


def select_recorded(settings: Mapping[str, Any], *, processor: str, backend: str) -> dict[str, Any]:
    """Return the settings that a run records, ready for JSON."""
    kept = {key: _to_jsonable(settings[key]) for key in RECORDED if settings.get(key) is not None}
    return {"processor": processor, "backend": backend, **kept}


def _to_jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        # What is no number stays as it is, and is named by `check_settings`; so in lists.
        sizes = cast("Mapping[str, Any]", value)
        return {
            key: int(size) if isinstance(size, int | float) else size for key, size in sizes.items() if size
        }
    if isinstance(value, list | tuple):
        return [float(one) if isinstance(one, int | float) else one for one in cast("Sequence[Any]", value)]
    # The resampling mode is an integer with a name.
    return int(value) if isinstance(value, enum.IntEnum) else value


def _make_pillow_preprocessing(processor: Any, *, settings: Mapping[str, Any]) -> Preprocessing:
    table = make_value_table(settings)

    def frame(height: int, width: int) -> Frame:
        return compute_frame(settings, height=height, width=width)

    def prepare(views: AnyViews) -> Inputs:
        if frame(*views.shape[1:3]).is_untouched:
            return {"pixel_values": apply_table_to_views(views, table=table)}
        options = {"do_rescale": False, "do_normalize": False, "do_convert_rgb": False}
        shown = list(to_numpy(views))
        shaped = processor(images=shown, input_data_format="channels_last", **options)
        return {"pixel_values": apply_table(np.stack(shaped["pixel_values"]), table=table)}

    return Preprocessing(settings=settings, prepare=prepare, frame=frame)


def prepare_by_library(processor: Any) -> Callable[[AnyViews], Inputs]:
    """Return the conversion of views by a processor of the library itself."""

    def prepare(views: AnyViews) -> Inputs:
        options = {"input_data_format": "channels_last", "return_tensors": "pt"}
        return dict(processor(images=list(to_numpy(views)), **options))

    return prepare


def make_value_table(settings: Mapping[str, Any]) -> Float32[np.ndarray, "3 256"]:
    """Return the value of every byte in each channel: rescaled, then normalised.

    Steps and precisions are those of the library: the product in float64, the rest in float32.
    """
    values = np.arange(256, dtype=np.float64)
    if settings.get("do_rescale"):
        values = values * settings["rescale_factor"]
    table = np.repeat(values.astype(np.float32)[None], 3, axis=0)
    if settings.get("do_normalize"):
        mean, deviation = (
            np.reshape(np.asarray(settings[key], dtype=np.float32), (-1, 1))
            for key in ("image_mean", "image_std")
        )
        table = (table - mean) / deviation
    return table


def apply_table_to_views(
    views: AnyViews, *, table: Float32[np.ndarray, "3 256"]
) -> Float32[torch.Tensor, "views 3 height width"]:
    """Apply each channel's table to whole views, on their own device; every device gives the same."""
    if not isinstance(views, torch.Tensor):
        return apply_table(views.transpose(0, 3, 1, 2), table=table)
    values = copy_to_device(torch.as_tensor(table), device=str(views.device))
    planes = (values[channel][views[..., channel].int()] for channel in range(3))
    return torch.stack(list(planes), dim=1)


def apply_table(
    pixels: UInt8[np.ndarray, "views 3 height width"], *, table: Float32[np.ndarray, "3 256"]
) -> Float32[torch.Tensor, "views 3 height width"]:
    """Apply each channel's table to bytes."""
    values = np.empty(pixels.shape, dtype=np.float32)
    for view, planes in zip(values, pixels, strict=True):
        for channel in range(3):
            # This takes a third of the time of NumPy's own look-up, which first converts bytes to 64-bit
            # indices.
            cv2.LUT(np.ascontiguousarray(planes[channel]), table[channel], dst=view[channel])
    return torch.as_tensor(values)


def _add_defaults(stated: Mapping[str, Any]) -> dict[str, Any]:
    # The library's defaults for DINOv3, whose class cannot be imported without torchvision.
    from transformers.utils.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    defaults: dict[str, Any] = {
        "do_resize": True,
        "size": {"height": 224, "width": 224},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": IMAGENET_DEFAULT_MEAN,
        "image_std": IMAGENET_DEFAULT_STD,
    }
    from transformers.image_processing_utils import get_size_dict

    settings = {**defaults, **{key: value for key, value in stated.items() if value is not None}}
    for key in ("size", "crop_size"):
        if isinstance(settings.get(key), int):  # a side, which the library takes as a square
            settings[key] = dict(get_size_dict(settings[key], param_name=key))
    return settings


def _make_float_preprocessing(name: str, *, settings: Mapping[str, Any]) -> Preprocessing:
    settings = select_recorded(settings, processor=name, backend="torch")
    check_settings(settings, broadcast=True)
    modes = {2: "bilinear", 3: "bicubic"}
    if settings["do_resize"] and settings["resample"] not in modes:
        raise EncoderError(
            f"resample {settings['resample']} is not supported; use 2 (bilinear) or 3 (bicubic)"
        )
    mode = modes.get(settings["resample"], "bilinear")
    table, rescaled = make_value_table(settings), make_value_table({**settings, "do_normalize": False})
    mean, deviation = (torch.tensor(settings[key]).view(-1, 1, 1) for key in ("image_mean", "image_std"))

    def frame(height: int, width: int) -> Frame:
        return compute_frame(settings, height=height, width=width)

    def prepare(views: AnyViews) -> Inputs:
        shape = frame(*views.shape[1:3])
        if shape.is_untouched:
            return {"pixel_values": apply_table_to_views(views, table=table)}
        # In the library's order: rescale, resize in floating point, crop, normalise.
        values = apply_table(to_numpy(views).transpose(0, 3, 1, 2), table=rescaled)
        values = torch.nn.functional.interpolate(values, size=shape.resized, mode=mode, antialias=True)
        (top, left), (height, width) = shape.corner, shape.crop
        values = values[..., top : top + height, left : left + width]
        return {"pixel_values": (values - mean) / deviation if settings["do_normalize"] else values}

    return Preprocessing(settings=settings, prepare=prepare, frame=frame)
