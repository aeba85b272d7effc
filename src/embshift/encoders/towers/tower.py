"""Image towers: built by the library, and filled with every weight or refused."""

import importlib
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float32

from embshift.core.errors import EncoderError, WeightsError
from embshift.encoders.checkpoints import CheckpointWeights, shorten_list
from embshift.encoders.maps.pooling import PoolingHead
from embshift.encoders.maps.tape import register_attention
from embshift.encoders.towers.vision_config import get_vision_config
from embshift.encoders.weight_names import explain_missing

__all__ = ["Embed", "Tower", "build_config", "build_network", "check_finite", "suppress_logs"]

Embed = Callable[[Any, Mapping[str, torch.Tensor]], Float32[torch.Tensor, "views dim"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tower:
    """An opened network, and how to read it.

    Attributes:
        network: The network, in eval mode, in float32.
        embed: Calls the network and returns the raw embedding.
        embedding: What the embedding is, in words.
        dim: Length of the embedding.
        blocks: Number of blocks.
        heads: Attention heads of a block.
        patch: Height and width of a patch, in pixels.
        prefix: Number of tokens before the patches: the class token and registers; 0 without a class token.
            With a class token, `embed` may read only that token of the last block.
        sides: Height and width of its input, in pixels; None if it takes any.
        pooling: The head whose probe gives the map, if there is one.
    """

    network: torch.nn.Module
    embed: Embed
    embedding: str
    dim: int
    blocks: int
    heads: int
    patch: tuple[int, int]
    prefix: int = 0
    sides: tuple[int, int] | None = None
    pooling: PoolingHead | None = None

    @property
    def map_name(self) -> str:
        """Name of the map: attention, unless no token or probe stands for the whole image."""
        return "attention map" if self.prefix or self.pooling else "received attention"

    @property
    def map_source(self) -> str:
        """What the map is taken from."""
        if self.pooling:
            return "pooling head, its probe to patches, one map per head"
        if self.prefix:
            return "last block, class token to patches, one map per head"
        return "last block, mean over patches of the attention that a patch receives, one map per head"


def build_config(config: Mapping[str, Any]) -> Any:
    """Build the library's configuration from a ``config.json``.

    Raises:
        EncoderError: The library does not accept it.
    """
    from huggingface_hub.errors import StrictDataclassError

    transformers: Any = importlib.import_module("transformers")
    for part in (config, config.get("vision_config"), config.get("text_config")):
        # The library divides by it before anyone can look at it.
        if isinstance(part, Mapping) and cast(Mapping[str, Any], part).get("num_attention_heads") == 0:
            raise EncoderError("config.json states num_attention_heads 0; expected at least 1")
    try:
        return transformers.CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    except (StrictDataclassError, TypeError, ValueError, KeyError) as error:
        raise EncoderError(f"config.json is not that of a {config['model_type']} encoder: {error}") from error


def build_network(
    network: Any,
    *,
    config: Any,
    weights: CheckpointWeights,
    attention: str | None = None,
    **options: Any,
) -> torch.nn.Module:
    """Build a network of the library's class with all its weights from the checkpoint.

    Args:
        network: The library's class.
        config: Its configuration.
        weights: The checkpoint's tensors; additional tensors are allowed, additional blocks are not.
        attention: The library's name of an attention function; None for the one that records maps.
        **options: Passed to the class.

    Raises:
        WeightsError: A weight is missing, has another shape or is not finite, or there are additional blocks.
    """
    attention = attention or register_attention()
    with suppress_logs():
        try:
            built, report = network.from_pretrained(
                None,
                config=config,
                state_dict=dict(weights.tensors),
                dtype=torch.float32,
                attn_implementation=attention,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **options,
            )
        except (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError) as error:
            raise WeightsError(
                f"{network.__name__} cannot be built from config.json, which states "
                f"{_state_sizes(get_vision_config(config))}, and its weights: {error}"
            ) from error
    _check_report(report, built=built, found=weights.tensors)
    return check_finite(built)


def _state_sizes(config: Any) -> str:
    """Return the fields that decide about shapes, e.g. "patch_size 32 and image_size 224"."""
    fields = ("patch_size", "image_size", "vocab_size", "max_position_embeddings")
    stated = [f"{field} {getattr(config, field)}" for field in fields if hasattr(config, field)]
    return " and ".join(stated)


def _check_report(
    report: Mapping[str, Any], *, built: torch.nn.Module, found: Mapping[str, torch.Tensor]
) -> None:
    missing = [str(key) for key in report["missing_keys"]]
    if missing:
        why = explain_missing(missing, found=found, network=built)
        raise WeightsError(f"the checkpoint lacks {shorten_list(missing)}; {why}")
    wrong = [f"{key} is {tuple(has)}, not {tuple(wants)}" for key, has, wants in report["mismatched_keys"]]
    if wrong or report.get("error_msgs"):
        raise WeightsError(
            f"weights do not have the shapes of config.json: {shorten_list(wrong or report['error_msgs'])}"
        )
    # The text tower is not needed; an unused block of the image tower means another config.json.
    extra = [key for key in report["unexpected_keys"] if re.search(r"(^|\.)layers?\.\d+\.", key)]
    extra = [key for key in extra if not key.startswith("text_model.")]
    if extra:
        raise WeightsError(
            f"the checkpoint has blocks that config.json does not state: {shorten_list(extra)}"
        )


def check_finite(network: torch.nn.Module, /) -> torch.nn.Module:
    """Return a network for use: in eval mode, without gradients.

    Raises:
        WeightsError: Some of its weights are not finite.
    """
    wrong = [name for name, values in network.named_parameters() if not bool(values.isfinite().all())]
    if wrong:
        raise WeightsError(
            f"weights that are not finite numbers: {shorten_list(wrong)}; download the checkpoint again"
        )
    return network.eval().requires_grad_(False)


@contextmanager
def suppress_logs() -> Generator[None]:
    """Keep the library quiet: its warnings and its progress bar."""
    # The library reports the text tower's weights as unexpected, line by line, and shows a progress bar.
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
