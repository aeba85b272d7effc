"""The half of a network that sees: built by the library, filled with every weight or not at all."""

import importlib
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float32

from embshift.core.errors import EncoderError, WeightsError
from embshift.encoders.checkpoints import Weights, shortened
from embshift.encoders.maps.pooling import PoolingHead
from embshift.encoders.maps.probe import register_attention

__all__ = ["Embed", "Tower", "build_network", "image_sides", "read_config"]

Embed = Callable[[Any, Mapping[str, torch.Tensor]], Float32[torch.Tensor, "views dim"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tower:
    """An opened network and how it is read.

    Attributes:
        network: What runs, in eval mode, in float32.
        embed: What calls it and gives the raw embedding.
        embedding: What that is, in words.
        dim: Its length.
        blocks: Number of blocks.
        heads: Attention heads of a block.
        patch: Side of a patch, in pixels.
        prefix: Tokens before the patches: the class token and registers; 0 where there is no class token.
            Where there is one, `embed` may read of the last block that token alone.
        sides: Height and width that it takes, in pixels; None where it takes any.
        pooling: The head whose probe gives the map, where there is one.
    """

    network: torch.nn.Module
    embed: Embed
    embedding: str
    dim: int
    blocks: int
    heads: int
    patch: int
    prefix: int = 0
    sides: tuple[int, int] | None = None
    pooling: PoolingHead | None = None

    @property
    def map_name(self) -> str:
        """What the map is called: attention, unless nothing stands for the whole image."""
        return "attention map" if self.prefix or self.pooling else "received attention"

    @property
    def map_source(self) -> str:
        """What the map is taken from."""
        if self.pooling:
            return "pooling head, its probe to patches, one map per head"
        if self.prefix:
            return "last block, class token to patches, one map per head"
        return "last block, mean over patches of the attention that a patch receives, one map per head"


def read_config(config: Mapping[str, Any]) -> Any:
    """The library's configuration for a ``config.json``.

    Raises:
        EncoderError: The library does not accept it.
    """
    from huggingface_hub.errors import StrictDataclassError

    transformers: Any = importlib.import_module("transformers")
    try:
        return transformers.CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    except (StrictDataclassError, TypeError, ValueError, KeyError) as error:
        raise EncoderError(f"config.json is not one of a {config['model_type']} encoder: {error}") from error


def build_network(network: Any, *, config: Any, weights: Weights, **options: Any) -> torch.nn.Module:
    """A network of the library's class with every one of its weights from the checkpoint.

    Args:
        network: The library's class.
        config: Its configuration.
        weights: The checkpoint's tensors; more than it needs is fine, blocks excepted.
        **options: Passed to the class.

    Raises:
        WeightsError: A weight is missing, of another shape, not finite, or there are more blocks than stated.
    """
    attention = register_attention()
    with _quiet():
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
        except (RuntimeError, ValueError, TypeError) as error:
            raise WeightsError(f"the weights do not fit {network.__name__}: {error}") from error
    _check_report(report)
    _check_values(built)
    return built.eval().requires_grad_(False)


def image_sides(config: Any) -> tuple[int, int]:
    """Height and width that a vision configuration states."""
    size = config.image_size
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _check_report(report: Mapping[str, Any]) -> None:
    missing = [str(key) for key in report["missing_keys"]]
    if missing:
        raise WeightsError(f"the checkpoint lacks {shortened(missing)}; fetch it again, whole")
    wrong = [f"{key} is {tuple(has)}, not {tuple(wants)}" for key, has, wants in report["mismatched_keys"]]
    if wrong or report.get("error_msgs"):
        raise WeightsError(
            f"weights have other shapes than config.json says: {shortened(wrong or report['error_msgs'])}"
        )
    # The text half is extra; a block of the seeing half that nothing takes means another config.json.
    extra = [key for key in report["unexpected_keys"] if re.search(r"(^|\.)layers?\.\d+\.", key)]
    extra = [key for key in extra if not key.startswith("text_model.")]
    if extra:
        raise WeightsError(f"the checkpoint has blocks that config.json does not state: {shortened(extra)}")


def _check_values(network: torch.nn.Module) -> None:
    wrong = [name for name, values in network.named_parameters() if not bool(values.isfinite().all())]
    if wrong:
        raise WeightsError(
            f"weights that are not finite numbers: {shortened(wrong)}; fetch the checkpoint again"
        )


@contextmanager
def _quiet() -> Generator[None]:
    # The library reports the text half's weights as unexpected, line by line, and draws a progress bar.
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
