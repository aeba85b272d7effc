"""Names of a checkpoint's tensors: prefixes of training wrappers, adapters and other heads."""

from collections.abc import Iterable, Mapping, Sequence

import torch

from embshift.core.errors import WeightsError

__all__ = ["explain_missing", "unwrap_names"]

WRAPPERS = (
    "_orig_mod.",
    "module.",
    "_fsdp_wrapped_module.",
    "_forward_module.",
    "base_model.model.",
    "model.",
)
"""Prefixes that torch.compile, DataParallel, FSDP, Fabric, peft and others put before every name."""

_ADAPTER = (".lora_", ".base_layer.", ".modules_to_save.")
_HEADS = ("classifier", "decoder", "lm_head", "score")


def unwrap_names(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors without the prefixes of training wrappers that all of their names share.

    Args:
        tensors: By name. No network that is opened here has such a prefix of its own.

    Raises:
        WeightsError: The tensors are those of an adapter that is not merged, whose sum the library would
            silently leave out.
    """
    adapted = [name for name in tensors if any(part in f".{name}" for part in _ADAPTER)]
    if adapted:
        raise WeightsError(
            f"the checkpoint holds an adapter that is not merged ({adapted[0]}); merge it into its base (in "
            "peft: merge_and_unload) and save the result"
        )
    named = dict(tensors)
    while named and (prefix := _find_wrapper(named)):
        named = {name.removeprefix(prefix): tensor for name, tensor in named.items()}
    return named


def _find_wrapper(names: Iterable[str]) -> str:
    names = list(names)
    return next((each for each in WRAPPERS if all(name.startswith(each) for name in names)), "")


def explain_missing(
    missing: Sequence[str], *, found: Mapping[str, torch.Tensor], network: torch.nn.Module
) -> str:
    """Explain why a checkpoint lacks weights of a network, and say what to do.

    Args:
        missing: Names that the network needs and the checkpoint lacks.
        found: The checkpoint's tensors, by name.
        network: The network.
    """
    heads = sorted(name for name in found if name.split(".")[0] in _HEADS)
    if heads:
        return (
            f"it was saved with another head ({heads[0]}); use the checkpoint that it was trained from, or "
            "save its image tower alone (in transformers: model.vision_model.save_pretrained(FOLDER))"
        )
    if found and len(missing) >= len(list(network.parameters())):
        return (
            f"its names are not those of {type(network).__name__} (it has {min(found)}); save it with "
            "transformers, under the library's names"
        )
    return "download all of it again"
