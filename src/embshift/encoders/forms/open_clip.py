"""Encoders of open_clip: a network of its table with the weights of a tag or of a file."""

import functools
import hashlib
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from embshift.core.addresses import to_one_line
from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError, UsageError, WeightsError
from embshift.core.quiet import silence_libraries
from embshift.core.text_files import load_json
from embshift.encoders import encoder
from embshift.encoders.borrowed.encoder import BorrowedEncoder, Network, PatchMap
from embshift.encoders.borrowed.maps import CLASS_SOURCE, find_trunk_map, make_class_head
from embshift.encoders.borrowed.preparation import make_preparation
from embshift.encoders.borrowed.source import (
    Borrowed,
    find_download,
    find_local,
    import_library,
    read_source,
)
from embshift.encoders.borrowed.text_tower import find_text_tower
from embshift.encoders.checkpoints import open_weight_file
from embshift.encoders.devices import choose_device
from embshift.encoders.plain import check_plain
from embshift.encoders.towers.tower import check_finite

__all__ = [
    "find_local_weights",
    "find_open_clip_weights",
    "import_open_clip",
    "open_model",
    "open_open_clip",
]

_SIDECAR = "open_clip_config.json"
_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")
_PICKLE, _SAFE = "open_clip_pytorch_model.bin", "open_clip_model.safetensors"


def _is_open_clip(source: str) -> bool:
    return source.startswith("open_clip:")


@encoder(
    name="open_clip",
    summary="a network of the library open_clip, with the weights of a tag or a file",
    embedding="what encode_image returns, not normalised",
    map_source="last block, class token to patches; pooling head, its probe to patches; else none",
    written="open_clip:NAME/TAG|FILE",
    matches=_is_open_clip,
)
def open_open_clip(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> Encoder:
    """Open an encoder of open_clip.

    Args:
        source: "open_clip:NAME/TAG" or "open_clip:NAME/FILE", e.g. "open_clip:ViT-B-32/laion2b_s34b_b79k".
        device: "auto", or a device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.
        precision: "float32".
        runtime: "torch".

    Raises:
        MissingExtraError: open_clip is not installed.
        UsageError: open_clip has no such network, or no weights are named.
        EncoderError: The weights cannot be read or do not fit, or another precision or runtime is asked for.
        OfflineError: The weights must be downloaded, and the hub does not answer.
    """
    check_plain(source, precision=precision, runtime=runtime)
    chosen = choose_device(device)
    library = import_open_clip()
    model, digest = open_model(source, allow_pickle=allow_pickle)
    name = source.partition(":")[2].partition("/")[0]
    settings: dict[str, Any] = library.get_model_preprocess_cfg(model)
    steps = library.image_transform(
        settings["size"],
        is_train=False,
        **{key: settings[key] for key in (*_PREPROCESSING, "fill_color")},
    ).transforms
    stated = {"backend": "open_clip", "version": library.__version__, **settings}
    config = json.dumps(library.get_model_config(name), sort_keys=True)
    network = Network(
        module=model,
        embed=functools.partial(model.encode_image, normalize=False),  # CoCa normalises unasked
        embedding="encode_image: projected image embedding",
        map=_find_map(model.visual),
        digest=digest,
        config=hashlib.sha256(config.encode()).hexdigest(),
    )
    return BorrowedEncoder(
        source=source,
        family="open_clip",
        network=network,
        preparation=make_preparation(steps, settings=stated),
        device=chosen,
    )


def open_model(source: str, /, *, allow_pickle: bool) -> tuple[Any, str]:
    """Return open_clip's model, in eval mode on the CPU, and the SHA-256 of its weight file.

    Args:
        source: As for `open_open_clip`.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.

    Raises:
        MissingExtraError: open_clip is not installed.
        UsageError: open_clip has no such network, or no weights are named.
        EncoderError: The weights cannot be read or do not fit.
        OfflineError: The weights must be downloaded, and the hub does not answer.
    """
    library = import_open_clip()
    borrowed = _read(source, library)
    file, preprocessing = _find_weights(borrowed, library, allow_pickle=allow_pickle)
    # Read with the rule on pickles, and checked, before the library reads it as weights only.
    digest = open_weight_file(file, allow_pickle=allow_pickle).digest
    with silence_libraries():
        model = _build(borrowed, library, preprocessing)
        _load(model, library, file)
    return check_finite(model), digest


def import_open_clip() -> Any:
    """Return the library.

    Raises:
        MissingExtraError: It is not installed.
        EncoderError: It cannot be imported.
    """
    return import_library(
        lambda: importlib.import_module("open_clip"), package="open_clip_torch", extra="open-clip"
    )


def _read(source: str, library: Any) -> Borrowed:
    return read_source(source, known=library.list_models(), kind="network of open_clip")


def find_open_clip_weights(source: str, /) -> Path:
    """Return the weight file of an encoder of open_clip that was opened before.

    Args:
        source: As for `open_open_clip`.

    Raises:
        MissingExtraError: open_clip is not installed.
        UsageError: open_clip has no such network, or no weights are named.
        EncoderError: There is no such file.
        OfflineError: The weights are not in the cache, and the hub does not answer.
    """
    library = import_open_clip()
    return _find_weights(_read(source, library), library, allow_pickle=False)[0]


def find_local_weights(borrowed: Borrowed, library: Any, /) -> Path | None:
    """Return the weight file that a source names; None where it names a tag.

    Args:
        borrowed: The source, of a network that the library has.
        library: The library.

    Raises:
        UsageError: It names no weights.
        WeightsError: There is neither such a tag nor such a file, or its name does not end as one of weights.
    """
    tags: list[str] = library.list_pretrained_tags_by_model(borrowed.name)
    listed = f"one of the tags {', '.join(tags)}" if tags else "no tag, since open_clip lists none for it"
    if not borrowed.weights:
        raise UsageError(
            f"'{borrowed.source}' names no weights; expected open_clip:{borrowed.name}/TAG with {listed}, or"
            f" open_clip:{borrowed.name}/FILE with a checkpoint"
        )
    return None if borrowed.weights in tags else find_local(borrowed, hint=f", or {listed}")


def _find_weights(borrowed: Borrowed, library: Any, *, allow_pickle: bool) -> tuple[Path, Mapping[str, Any]]:
    """Return the weight file, and what is known of the preprocessing that it was trained with."""
    local = find_local_weights(borrowed, library)
    if local is not None:
        return local, _read_sidecar(local) or _find_common_preprocessing(borrowed, library)
    stated: dict[str, Any] = library.get_pretrained_cfg(borrowed.name, borrowed.weights)
    _check_activation(borrowed, library, stated)
    repository, _, name = stated.get("hf_hub", "").rpartition("/")
    if not repository:
        raise WeightsError(
            f"the weights of '{borrowed.source}' are not on the hub; download {stated.get('url') or 'them'}"
            f" and use --encoder open_clip:{borrowed.name}/FILE"
        )
    files = (str(Path(name).with_suffix(".safetensors")), name) if name else (_SAFE, _PICKLE)
    file = find_download(borrowed, repository=repository, files=files, allow_pickle=allow_pickle)
    return file, stated


def _check_activation(borrowed: Borrowed, library: Any, stated: Mapping[str, Any]) -> None:
    # The library only warns, and then computes other embeddings than those of the training.
    config: dict[str, Any] = library.get_model_config(borrowed.name)
    quick = bool(stated.get("quick_gelu", False))
    if quick == bool(config.get("quick_gelu", False)):
        return
    plain = borrowed.name.removesuffix("-quickgelu")
    other = f"{plain}-quickgelu" if quick else plain
    raise EncoderError(
        f"the weights '{borrowed.weights}' were trained with{'' if quick else 'out'} QuickGELU, and"
        f" '{borrowed.name}' is built with{'out' if quick else ''} it; use"
        f" open_clip:{other}/{borrowed.weights}"
    )


def _read_sidecar(file: Path) -> Mapping[str, Any]:
    """Return the preprocessing that open_clip's own configuration beside a file states; empty without it."""
    path = file.parent / _SIDECAR
    if not path.is_file():
        return {}
    try:
        return dict(load_json(path)["preprocess_cfg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(
            f"{path} states no preprocess_cfg ({error!r}); download it again, or remove it"
        ) from error


def _find_common_preprocessing(borrowed: Borrowed, library: Any) -> Mapping[str, Any]:
    """Return the preprocessing that all weights of a network share; empty where they differ."""
    tags: list[str] = library.list_pretrained_tags_by_model(borrowed.name)
    stated = [library.get_pretrained_cfg(borrowed.name, tag) for tag in tags]
    found = [{key: one[key] for key in _PREPROCESSING if key in one} for one in stated]
    return found[0] if found and all(one == found[0] for one in found) else {}


def _build(borrowed: Borrowed, library: Any, preprocessing: Mapping[str, Any]) -> Any:
    wanted = {key: preprocessing[key] for key in (*_PREPROCESSING, "fill_color") if key in preprocessing}
    tower = find_text_tower(borrowed.name, library)
    try:
        return library.create_model(
            borrowed.name, pretrained_text=False, force_preprocess_cfg=wanted, **tower
        )
    except (RuntimeError, OSError, ValueError, TypeError, AssertionError) as error:
        raise EncoderError(
            f"open_clip cannot build '{borrowed.name}': {type(error).__name__}: {to_one_line(error)[:300]}"
        ) from error


def _load(model: Any, library: Any, file: Path) -> None:
    try:
        library.load_checkpoint(model, str(file), strict=True, weights_only=True)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise WeightsError(
            f"the weights in '{file}' are not those of this network: {to_one_line(error)[:300]}"
        ) from error


def _find_map(visual: Any) -> PatchMap | None:
    trunk = getattr(visual, "trunk", None)
    if trunk is not None:  # a network of timm
        return find_trunk_map(trunk)
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    attention = getattr(blocks[-1], "attn", None) if blocks else None
    pooled_by_token = getattr(visual, "attn_pool", None) is None and getattr(visual, "pool_type", "") == "tok"
    if not pooled_by_token or not isinstance(attention, torch.nn.MultiheadAttention):
        return None
    rows, columns = visual.grid_size
    return PatchMap(head=make_class_head(attention), source=CLASS_SOURCE, grid=(int(rows), int(columns)))
