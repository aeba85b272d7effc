"""YAML of nested mappings and lists: as much as a model card's front matter needs."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from embshift.show.text.words import make_visible

__all__ = ["Content", "write_yaml"]

Content = Mapping[str, "Content"] | Sequence["Content"] | str | float
"""Mappings with plain keys, lists, texts and finite numbers."""

_NO_CHARACTER = re.compile("[\ufffe\uffff]")  # YAML allows neither


def write_yaml(content: Content) -> str:
    """Write nested mappings and lists as YAML in block style; every text is quoted."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Content) -> Iterator[str]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            nested = not isinstance(value, str | int | float)
            yield f"{key}:" if nested else f"{key}: {_scalar(cast(str | float, value))}"
            yield from (f"  {line}" for line in _lines(value)) if nested else ()
    elif isinstance(content, str | int | float):
        yield _scalar(content)
    else:
        for value in content:
            for at, line in enumerate(_lines(value)):
                yield f"{'  ' if at else '- '}{line}"


def _scalar(value: str | float) -> str:
    if isinstance(value, str):
        return json.dumps(_NO_CHARACTER.sub("\ufffd", make_visible(value)), ensure_ascii=False)
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in a model card")
    text = repr(value)
    # YAML 1.1 reads "1e-05" as a text: a number needs a point.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
