"""Encoders of a user's own as they are: their spec, their errors and their answers are checked."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, final

import torch

from embshift.core.addresses import to_one_line
from embshift.core.encoding import AnyViews, Encoder, Encoding
from embshift.core.errors import EncoderError, ShiftError
from embshift.core.types import Capture, EncoderSpec

__all__ = ["CheckedEncoder", "describe_type", "name_errors"]

_KINDS = {"dim": int, "layers": int, "heads": int, "preprocessing": Mapping}
"""Types of the fields of a spec that are no texts."""


@contextmanager
def name_errors(name: str, shape: tuple[int, ...]) -> Generator[None]:
    """Turn what a user's code raises into an error that names it, but for too little memory."""
    try:
        yield
    except (ShiftError, MemoryError, torch.OutOfMemoryError):
        raise  # whoever encodes takes smaller batches
    except Exception as error:
        raise EncoderError(
            f"encoder '{name}' failed on images {shape} of type uint8:"
            f" {type(error).__name__}: {to_one_line(error)}"
        ) from error


def describe_type(thing: Any) -> str:
    """Return what a thing is, for an error."""
    if isinstance(thing, type):
        return f"the class {thing.__qualname__}"
    name = type(thing).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


@final
class CheckedEncoder:
    """A user's encoder, whose answers are checked.

    Args:
        thing: The encoder.
        name: Its name in errors.

    Raises:
        EncoderError: If its spec cannot be recorded.
    """

    def __init__(self, thing: Encoder, *, name: str) -> None:
        self._thing, self._name = thing, name
        self._spec = _read_spec(thing, name=name)

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Return what the encoder gives for a batch of views.

        Args:
            views: Images of one size, at least one.
            capture: What to return besides the embedding.

        Raises:
            EncoderError: If the encoder fails, or returns something else than an embedding for each view.
        """
        with name_errors(self._name, tuple(views.shape)):
            found: Any = self._thing.encode(views, capture=capture)
        wanted = (len(views), self._spec.dim)
        embedding: Any = getattr(found, "embedding", None)
        if not isinstance(found, Encoding) or not isinstance(embedding, torch.Tensor):
            came = describe_type(found) if not isinstance(found, Encoding) else describe_type(embedding)
            raise EncoderError(
                f"encoder '{self._name}' returned {came}; expected an embshift.core.encoding.Encoding, whose"
                f" embedding is a tensor {wanted}"
            )
        if tuple(embedding.shape) != wanted:
            raise EncoderError(
                f"encoder '{self._name}' returned {tuple(embedding.shape)} for images {tuple(views.shape)};"
                f" expected {wanted}"
            )
        return found


def _read_spec(thing: Encoder, *, name: str) -> EncoderSpec:
    """Return the spec of a user's encoder, if it can be recorded."""
    try:
        spec = thing.spec
        if not isinstance(spec, EncoderSpec):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"it is {describe_type(spec)}")
        for field in fields(spec):
            value, wanted = getattr(spec, field.name), _KINDS.get(field.name, str)
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise TypeError(f"{field.name} is {value!r}")
        if spec.dim < 1:
            raise TypeError(f"dim is {spec.dim}")
        json.dumps(dict(spec.preprocessing))
    except Exception as error:
        raise EncoderError(
            f"the spec of encoder '{name}' cannot be used: {to_one_line(error)};"
            " expected an embshift.core.types.EncoderSpec of texts and whole numbers"
        ) from error
    return spec
