"""Encoders: one class per library, opened by name, by folder or by hub name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from embshift.core.encoding import Encoder
from embshift.core.registry import Registry

__all__ = ["ENCODERS", "EncoderEntry", "OpenEncoder", "encoder"]


@runtime_checkable
class OpenEncoder(Protocol):
    """A function that opens an encoder.

    ``source`` is a name, a folder or a hub name; ``device`` is a device as torch spells it; ``precision`` is
    "float32", "float16" or "bfloat16"; ``runtime`` is "torch", "compiled" or "openvino". The function raises
    `EncoderError` if it cannot do what is asked. ``spec.precision`` and ``spec.runtime`` of the opened
    encoder say what runs.
    """

    def __call__(
        self,
        source: str,
        /,
        *,
        device: str,
        allow_pickle: bool,
        precision: str = "float32",
        runtime: str = "torch",
    ) -> Encoder: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderEntry:
    """A row of ``embshift list encoders``.

    Attributes:
        name: Name of the encoder, or of the family of checkpoints.
        summary: One line: what it is.
        embedding: What its embedding is.
        map_source: What its map is taken from.
        model_types: For a family: the values of ``model_type`` in ``config.json`` that it opens; empty for
            an encoder that is selected by its own name.
        open: The function that opens it.
    """

    name: str
    summary: str
    embedding: str
    map_source: str
    model_types: tuple[str, ...]
    open: OpenEncoder


ENCODERS: Registry[EncoderEntry] = Registry(
    kind="encoder", packages=("embshift.encoders.lite", "embshift.encoders.towers"), group="embshift.encoders"
)

Opener = TypeVar("Opener", bound=Callable[..., Encoder])


def encoder(
    *, name: str, summary: str, embedding: str, map_source: str, model_types: tuple[str, ...] = ()
) -> Callable[[Opener], Opener]:
    """Register a function that opens an encoder, or a family of checkpoints, under a name."""

    def register(opener: Opener) -> Opener:
        ENCODERS.add(
            name,
            EncoderEntry(
                name=name,
                summary=summary,
                embedding=embedding,
                map_source=map_source,
                model_types=model_types,
                open=opener,
            ),
        )
        return opener

    return register
