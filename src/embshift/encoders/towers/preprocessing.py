"""An encoder's own preprocessing, on the CPU, with its backend named.

The library switches to another backend with slightly different pixels when torchvision is installed; here
the Pillow backend is asked for by class. Values are rescaled and normalised through a table of the 256 values
that a byte can have, which gives the processor's own numbers bit for bit and leaves it only resize and crop.
"""

import enum
import importlib
import json
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
from embshift.encoders.towers.framing import Frame, frame_of

__all__ = ["Preprocessing", "open_preprocessing"]

Inputs = Mapping[str, torch.Tensor]

PROCESSORS = (
    "BitImageProcessor",
    "CLIPImageProcessor",
    "DINOv3ViTImageProcessor",
    "Siglip2ImageProcessor",
    "SiglipImageProcessor",
    "ViTImageProcessor",
)
"""Image processors whose settings are understood."""

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
    """What turns views into an encoder's inputs.

    Attributes:
        settings: What it does, ready for JSON, with "processor" and "backend".
        prepare: Views to inputs by name: on the CPU, or, where `stays`, on the device where the views are.
        frame: What becomes of an image of the given height and width; None where the image is always seen
            whole and the grid follows its shape (NaFlex).
    """

    settings: Mapping[str, Any]
    prepare: Callable[[AnyViews], Inputs]
    frame: Callable[[int, int], Frame] | None

    def stays(self, height: int, width: int) -> bool:
        """Whether images of this size go in as they are, so that bytes can be looked up on any device."""
        return self.frame is not None and self.frame(height, width).is_whole


def open_preprocessing(folder: Path, *, default: str) -> Preprocessing:
    """The preprocessing that a checkpoint's folder states.

    Args:
        folder: Holds ``preprocessor_config.json``, or ``processor_config.json`` with an ``image_processor``.
        default: Processor to use where the file does not name one.

    Raises:
        EncoderError: There is no such file, or it asks for something that is not supported.
    """
    stated = _stated(folder)
    name = _processor_name(stated, default=default)
    if name == "DINOv3ViTImageProcessor":
        return _float_preprocessing(name, settings=_defaults(stated))
    processor = _processor(name, stated)
    settings = _recorded(processor.to_dict(), processor=type(processor).__name__, backend="pil")
    if name == "Siglip2ImageProcessor":
        return Preprocessing(settings=settings, prepare=_patching(processor), frame=None)
    return _pillow_preprocessing(processor, settings=settings)


def _stated(folder: Path) -> dict[str, Any]:
    for file, key in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        try:
            content = json.loads((folder / file).read_text(encoding="utf-8"))
            found = content if key is None else content[key]
        except (FileNotFoundError, KeyError):
            continue
        except (OSError, ValueError, TypeError) as error:
            raise EncoderError(f"{folder / file} cannot be read as JSON ({error}); fetch it again") from error
        if isinstance(found, dict):
            return cast("dict[str, Any]", found)
    raise EncoderError(
        f"{folder} has no preprocessor_config.json, so how the encoder wants its images is unknown; "
        "fetch that file from where the weights came"
    )


def _processor_name(stated: Mapping[str, Any], *, default: str) -> str:
    named = stated.get("image_processor_type") or stated.get("feature_extractor_type") or default
    # Older files name a feature extractor; a suffix names a backend, which is ours to choose.
    name = str(named).replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast").removesuffix("Pil")
    if name not in PROCESSORS:
        raise EncoderError(
            f"the folder's image processor is '{named}'; supported are {', '.join(PROCESSORS)}"
        )
    return name


def _processor(name: str, stated: Mapping[str, Any]) -> Any:
    transformers: Any = importlib.import_module("transformers")
    # Before the library's backends had names, the class without a suffix was the Pillow one.
    found = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    settings = {key: stated[key] for key in (*RECORDED, "do_convert_rgb") if key in stated}
    try:
        processor = found.from_dict(settings)
    except (TypeError, ValueError, KeyError) as error:
        raise EncoderError(f"the folder's preprocessor_config.json is not understood: {error}") from error
    if getattr(processor, "backend", "pil") != "pil":
        raise EncoderError(
            f"{name} has no Pillow backend in this version of transformers; install 5.3 or newer"
        )
    return processor


def _recorded(settings: Mapping[str, Any], *, processor: str, backend: str) -> dict[str, Any]:
    kept = {key: _plain(settings[key]) for key in RECORDED if settings.get(key) is not None}
    return {"processor": processor, "backend": backend, **kept}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        sizes = cast("Mapping[str, int]", value)
        return {key: int(size) for key, size in sizes.items() if size}
    if isinstance(value, list | tuple):
        return [float(number) for number in cast("Sequence[float]", value)]
    # The way of resampling is a number with a name.
    return int(value) if isinstance(value, enum.IntEnum) else value


def _pillow_preprocessing(processor: Any, *, settings: Mapping[str, Any]) -> Preprocessing:
    table = value_table(settings)

    def frame(height: int, width: int) -> Frame:
        return frame_of(settings, height=height, width=width)

    def prepare(views: AnyViews) -> Inputs:
        if frame(*views.shape[1:3]).is_whole:
            return {"pixel_values": whole(views, table=table)}
        options = {"do_rescale": False, "do_normalize": False, "do_convert_rgb": False}
        shown = list(to_numpy(views))
        shaped = processor(images=shown, input_data_format="channels_last", **options)
        return {"pixel_values": look_up(np.stack(shaped["pixel_values"]), table=table)}

    return Preprocessing(settings=settings, prepare=prepare, frame=frame)


def _patching(processor: Any) -> Callable[[AnyViews], Inputs]:
    def prepare(views: AnyViews) -> Inputs:
        options = {"input_data_format": "channels_last", "return_tensors": "pt"}
        return dict(processor(images=list(to_numpy(views)), **options))

    return prepare


def value_table(settings: Mapping[str, Any]) -> Float32[np.ndarray, "3 256"]:
    """What a byte becomes in each channel: rescaled, then normalised.

    The steps and their precisions are the library's: the product in float64, the rest in float32.
    """
    values = np.arange(256, dtype=np.float64)
    if settings.get("do_rescale"):
        values = values * settings["rescale_factor"]
    table = np.repeat(values.astype(np.float32)[None], 3, axis=0)
    if settings.get("do_normalize"):
        mean = np.asarray(settings["image_mean"], dtype=np.float32)[:, None]
        table = (table - mean) / np.asarray(settings["image_std"], dtype=np.float32)[:, None]
    return table


def whole(
    views: AnyViews, *, table: Float32[np.ndarray, "3 256"]
) -> Float32[torch.Tensor, "views 3 height width"]:
    """Views as they are through the table of their channel, where they are; the same values on any device."""
    if not isinstance(views, torch.Tensor):
        return look_up(views.transpose(0, 3, 1, 2), table=table)
    values = copy_to_device(torch.as_tensor(table), device=str(views.device))
    planes = (values[channel][views[..., channel].int()] for channel in range(3))
    return torch.stack(list(planes), dim=1)


def look_up(
    pixels: UInt8[np.ndarray, "views 3 height width"], *, table: Float32[np.ndarray, "3 256"]
) -> Float32[torch.Tensor, "views 3 height width"]:
    """Bytes through the table of their channel."""
    values = np.empty(pixels.shape, dtype=np.float32)
    for view, planes in zip(values, pixels, strict=True):
        for channel in range(3):
            # A third of the time of NumPy's own look-up, which first makes 64-bit indices of the bytes.
            cv2.LUT(np.ascontiguousarray(planes[channel]), table[channel], dst=view[channel])
    return torch.as_tensor(values)


def _defaults(stated: Mapping[str, Any]) -> dict[str, Any]:
    # The library's defaults for DINOv3; its class cannot be imported without torchvision.
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
    return {**defaults, **{key: value for key, value in stated.items() if value is not None}}


def _float_preprocessing(name: str, *, settings: Mapping[str, Any]) -> Preprocessing:
    settings = _recorded(settings, processor=name, backend="torch")
    modes = {2: "bilinear", 3: "bicubic"}
    if settings["do_resize"] and settings["resample"] not in modes:
        raise EncoderError(
            f"resample {settings['resample']} is not supported; 2 (bilinear) or 3 (bicubic) are"
        )
    mode = modes.get(settings["resample"], "bilinear")
    table, rescaled = value_table(settings), value_table({**settings, "do_normalize": False})
    mean, deviation = (torch.tensor(settings[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))

    def frame(height: int, width: int) -> Frame:
        return frame_of(settings, height=height, width=width)

    def prepare(views: AnyViews) -> Inputs:
        shape = frame(*views.shape[1:3])
        if shape.is_whole:
            return {"pixel_values": whole(views, table=table)}
        # In the library's order: rescale, resize in floating point, crop, normalise.
        values = look_up(to_numpy(views).transpose(0, 3, 1, 2), table=rescaled)
        values = torch.nn.functional.interpolate(values, size=shape.resized, mode=mode, antialias=True)
        (top, left), (height, width) = shape.corner, shape.crop
        values = values[..., top : top + height, left : left + width]
        return {"pixel_values": (values - mean) / deviation if settings["do_normalize"] else values}

    return Preprocessing(settings=settings, prepare=prepare, frame=frame)
