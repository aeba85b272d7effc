"""The preprocessing of a model that no family knows, by the library's own processor."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embshift.core.errors import EncoderError
from embshift.encoders.towers.preprocessing import (
    PROCESSORS,
    RECORDED,
    Preprocessing,
    open_preprocessing,
    prepare_by_library,
    read_settings,
    remove_suffixes,
    select_recorded,
)

__all__ = ["open_any_preprocessing"]

_KNOWN = (*RECORDED, "do_convert_rgb", "crop_pct", "do_pad", "size_divisor", "rescale_offset", "include_top")
"""Settings that a processor is made from."""


def open_any_preprocessing(folder: Path, *, model_type: str) -> Preprocessing:
    """Open the preprocessing of a model that no family knows, by the library's own processor.

    Args:
        folder: Holds ``preprocessor_config.json``, or ``processor_config.json`` with an ``image_processor``.
        model_type: Decides where the file does not name a processor.

    Raises:
        EncoderError: There is no such file, or the library has no such processor for Pillow.
    """
    stated = read_settings(folder)
    named = stated.get("image_processor_type") or stated.get("feature_extractor_type")
    name = remove_suffixes(str(named)) if named else _find_processor(model_type)
    if name in PROCESSORS:
        return open_preprocessing(folder, default=name)
    transformers: Any = importlib.import_module("transformers")
    found = getattr(transformers, f"{name}Pil", None)
    if found is None:
        raise EncoderError(_explain_missing(name, folder=folder, model_type=model_type))
    try:
        processor = found.from_dict({key: value for key, value in stated.items() if key in _KNOWN})
    except (TypeError, ValueError, LookupError) as error:
        raise EncoderError(f"the folder's preprocessor_config.json cannot be used: {error}") from error
    settings = select_recorded(processor.to_dict(), processor=name, backend="pil")
    return Preprocessing(settings=settings, prepare=prepare_by_library(processor), frame=None)


def _find_processor(model_type: str) -> str:
    """Return the processor that the library has for a kind of model; empty where it has none."""
    auto: Any = importlib.import_module("transformers.models.auto.image_processing_auto")
    named: Any = auto.IMAGE_PROCESSOR_MAPPING_NAMES.get(model_type)
    return remove_suffixes(str((named.get("pil") if isinstance(named, Mapping) else named) or ""))


def _explain_missing(name: str, *, folder: Path, model_type: str) -> str:
    if not name:
        return (
            f"the preprocessor_config.json in '{folder}' names no image_processor_type, and transformers has"
            f" none of its own for '{model_type}'; download that file again from the source of the weights"
        )
    return (
        f"the images of '{folder}' are prepared by '{name}', which transformers does not offer for Pillow;"
        " use another checkpoint, or give your own preparation: embshift.measure(encoder=(module, prepare))"
    )
