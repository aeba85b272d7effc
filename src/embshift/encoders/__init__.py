"""Encoders: one class per library or form, opened by name, folder, hub name or what the form says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, runtime_checkable

from embshift.core.encoding import Encoder
from embshift.core.registry import Registry

__all__ = ["ANY_MODEL", "ENCODERS", "EncoderEntry", "OpenEncoder", "encoder"]


ANY_MODEL = "*"
"""In place of a ``model_type``: every one of the library that no family names."""


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
        written: How ``--encoder`` names it, e.g. "package.module:name"; empty for what its own name, a folder
            or a hub name selects.
        matches: Tells whether a source is written so; of two entries never both.
        trust: What opening it can do that a stranger must not decide: "code" runs code, "remote" sends images
            to another machine.
        places_itself: Whether its opener takes the device as the user gave it, also "auto": for what torch
            does not run.
    """

    name: str
    summary: str
    embedding: str
    map_source: str
    model_types: tuple[str, ...]
    open: OpenEncoder
    written: str = ""
    matches: Callable[[str], bool] | None = None
    trust: Literal["", "code", "remote"] = ""
    places_itself: bool = False


ENCODERS: Registry[EncoderEntry] = Registry(
    kind="encoder",
    packages=("embshift.encoders.lite", "embshift.encoders.towers", "embshift.encoders.forms"),
    group="embshift.encoders",
)

Opener = TypeVar("Opener", bound=Callable[..., Encoder])


def encoder(
    *,
    name: str,
    summary: str,
    embedding: str,
    map_source: str,
    model_types: tuple[str, ...] = (),
    written: str = "",
    matches: Callable[[str], bool] | None = None,
    trust: Literal["", "code", "remote"] = "",
    places_itself: bool = False,
) -> Callable[[Opener], Opener]:
    """Register a function that opens an encoder, or a family of checkpoints, under a name.

    The arguments are the attributes of `EncoderEntry`.
    """

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
                written=written,
                matches=matches,
                trust=trust,
                places_itself=places_itself,
            ),
        )
        return opener

    return register
