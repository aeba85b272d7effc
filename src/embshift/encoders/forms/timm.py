"""Encoders of timm: a network of its table with its own weights or those of a file."""

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from embshift.core.addresses import to_one_line
from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError, UsageError, WeightsError
from embshift.core.quiet import silence_libraries
from embshift.encoders import encoder
from embshift.encoders.borrowed.encoder import BorrowedEncoder, Network
from embshift.encoders.borrowed.maps import find_trunk_map
from embshift.encoders.borrowed.preparation import make_preparation
from embshift.encoders.borrowed.source import (
    Borrowed,
    find_download,
    find_local,
    import_library,
    read_source,
)
from embshift.encoders.checkpoints import open_weight_file
from embshift.encoders.devices import choose_device
from embshift.encoders.plain import check_plain
from embshift.encoders.towers.tower import check_finite

__all__ = ["find_timm_weights", "open_timm"]

_FILES = ("model.safetensors", "pytorch_model.bin")


def _is_timm(source: str) -> bool:
    return source.startswith("timm:")


@encoder(
    name="timm",
    summary="a network of the library timm, also convolutional, with its own weights or those of a file",
    embedding="pooled features before the classifier",
    map_source="last block, class token to patches; pooling head, its probe to patches; else none",
    written="timm:NAME[/FILE]",
    matches=_is_timm,
)
def open_timm(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> Encoder:
    """Open an encoder of timm.

    Args:
        source: "timm:NAME", "timm:NAME.TAG" or, with a checkpoint, "timm:NAME/FILE", e.g. "timm:resnet50".
        device: "auto", or a device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.
        precision: "float32".
        runtime: "torch".

    Raises:
        MissingExtraError: timm is not installed.
        UsageError: timm has no such network or tag.
        EncoderError: The weights cannot be read or do not fit, or another precision or runtime is asked for.
        OfflineError: The weights must be downloaded, and the hub does not answer.
    """
    check_plain(source, precision=precision, runtime=runtime)
    chosen = choose_device(device)
    library = _import_timm()
    borrowed = read_source(source, known=_list_names(source, library), kind="network of timm")
    stated = library.get_pretrained_cfg(borrowed.name)
    file = _find_file(borrowed, stated, allow_pickle=allow_pickle)
    weights = open_weight_file(file, allow_pickle=allow_pickle)
    with silence_libraries():
        model: Any = check_finite(_build(borrowed, library, stated, weights.tensors, file=file))
        settings: dict[str, Any] = library.data.resolve_model_data_config(model)
        steps = library.data.create_transform(**settings, is_training=False).transforms

    def embed(inputs: torch.Tensor) -> torch.Tensor:
        return model.forward_head(model.forward_features(inputs), pre_logits=True)

    network = Network(
        module=model,
        embed=embed,
        embedding="forward_head(pre_logits=True): pooled features before the classifier",
        map=find_trunk_map(model),
        digest=weights.digest,
        config=hashlib.sha256(borrowed.name.encode()).hexdigest(),
    )
    return BorrowedEncoder(
        source=source,
        family="timm",
        network=network,
        preparation=make_preparation(
            steps, settings={"backend": "timm", "version": library.__version__, **settings}
        ),
        device=chosen,
    )


def find_timm_weights(source: str, /) -> Path:
    """Return the weight file of an encoder of timm that was opened before.

    Args:
        source: As for `open_timm`.

    Raises:
        MissingExtraError: timm is not installed.
        UsageError: timm has no such network or tag.
        EncoderError: There is no such file.
        OfflineError: The weights are not in the cache, and the hub does not answer.
    """
    library = _import_timm()
    borrowed = read_source(source, known=_list_names(source, library), kind="network of timm")
    return _find_file(borrowed, library.get_pretrained_cfg(borrowed.name), allow_pickle=False)


def _import_timm() -> Any:
    return import_library(lambda: importlib.import_module("timm"), package="timm", extra="timm")


def _list_names(source: str, library: Any) -> list[str]:
    """Return the names that a source may use: with a tag, if it has one."""
    tagged = "." in source.partition("/")[0]
    return library.list_models(include_tags=tagged)


def _find_file(borrowed: Borrowed, stated: Any, *, allow_pickle: bool) -> Path:
    if borrowed.weights:
        return find_local(borrowed)
    if stated is None or not stated.hf_hub_id:
        raise UsageError(
            f"timm has no weights of '{borrowed.name}'; give a checkpoint: timm:{borrowed.name}/FILE"
        )
    files = (stated.hf_hub_filename,) if stated.hf_hub_filename else _FILES
    return find_download(borrowed, repository=stated.hf_hub_id, files=files, allow_pickle=allow_pickle)


def _build(
    borrowed: Borrowed, library: Any, stated: Any, tensors: Mapping[str, torch.Tensor], *, file: Path
) -> Any:
    classes = _count_classes(getattr(stated, "classifier", None), tensors)
    overlay = {
        "state_dict": dict(tensors),
        "num_classes": classes,
        "label_offset": 0,
        "custom_load": False,
    }
    try:
        # With as many classes as the file has, timm loads it strictly: all weights or an error.
        model = library.create_model(
            borrowed.name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes
        )
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise WeightsError(
            f"the weights in '{file}' are not those of '{borrowed.name}': {to_one_line(error)[:300]}"
        ) from error
    model.pretrained_cfg.pop("state_dict", None)  # another copy of all weights
    if not hasattr(model, "forward_head"):
        raise EncoderError(f"'{borrowed.name}' has no pooled features (forward_head); use another network")
    return model


def _count_classes(classifier: str | tuple[str, ...] | None, tensors: Mapping[str, torch.Tensor]) -> int:
    """Return the number of classes that a checkpoint's classifier tells; 0 without one."""
    names = (classifier,) if isinstance(classifier, str) else classifier or ()
    found = (tensors.get(f"{name}.weight") for name in names)
    return next((len(weight) for weight in found if weight is not None), 0)
