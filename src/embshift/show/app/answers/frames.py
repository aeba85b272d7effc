"""Binary answers: the length of a JSON text (4 bytes, little-endian), the text, then images and arrays."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Body", "pack", "to_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One part of a binary answer.

    Attributes:
        about: What its entry in the JSON text says, beside its place.
        data: Its bytes.
    """

    about: Mapping[str, Any]
    data: bytes


def pack(content: Mapping[str, Any], bodies: Sequence[Body], *, name: str = "bodies") -> bytes:
    """Join a JSON text and bodies into one answer.

    Args:
        content: What the text says.
        bodies: The bodies; each one's place counts from the end of the text.
        name: The key under which the text lists them.
    """
    entries, at = list[dict[str, Any]](), 0
    for body in bodies:
        entries.append({**body.about, "offset": at, "length": len(body.data)})
        at += len(body.data)
    text = to_json({**content, name: entries})
    return b"".join([len(text).to_bytes(4, "little"), text, *(body.data for body in bodies)])


def to_json(content: Mapping[str, Any]) -> bytes:
    """Return JSON in UTF-8; a number that is not finite becomes null, a lone surrogate an escape."""
    return json.dumps(_clean(content), ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def _clean(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _clean(each) for key, each in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in cast(Sequence[Any], value)]
    return value
