"""Answers of a service: JSON to embeddings, in the order of the images, or the reason why not."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Float32

__all__ = ["WrongAnswerError", "read_embeddings"]


class WrongAnswerError(ValueError):
    """An answer does not hold one embedding for each image; the text says what it holds."""


def read_embeddings(content: bytes, /, *, path: str, count: int) -> Float32[np.ndarray, "images dim"]:
    """Return the embeddings of an answer, in the order of the images of the request.

    Entries that state their ``index`` are put into its order.

    Args:
        content: The answer.
        path: Path to the embeddings; see `Template`.
        count: Images in the request.

    Raises:
        WrongAnswerError: If the answer is cut, no JSON, or does not hold one embedding for each image.
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise WrongAnswerError(
            f"an answer that is not JSON, or is cut off ({len(content):,} bytes)"
        ) from None
    before, _, after = path.partition("[]")
    found = _follow(answer, before)
    if not isinstance(found, list):
        raise WrongAnswerError(f"an answer whose '{before}' is {_name(found)}; expected a list")
    entries = cast(list[Any], found)
    if count == 1 and not after and entries and all(map(_is_number, entries)):
        entries = [entries]  # a service for one image need not put its embedding into a list
    if len(entries) != count:
        raise WrongAnswerError(f"{len(entries):,} embeddings for {count:,} images")
    return _stack([_to_vector(_follow(one, after)) for one in _put_in_order(entries)])


def _follow(content: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        if isinstance(content, Mapping) and name in content:
            content = cast(Mapping[str, Any], content)[name]
            continue
        if isinstance(content, list) and name.isdecimal() and int(name) < len(cast(list[Any], content)):
            content = cast(list[Any], content)[int(name)]
            continue
        held = ", ".join(sorted(cast(Mapping[str, Any], content))[:8]) if isinstance(content, Mapping) else ""
        where = f"the fields {held}" if held else _name(content)
        raise WrongAnswerError(f"an answer without '{name}': it holds {where[:200]}")
    return content


def _put_in_order(entries: Sequence[Any]) -> Sequence[Any]:
    stated = [cast(Any, one).get("index") if isinstance(one, Mapping) else None for one in entries]
    if all(index is None for index in stated):
        return entries
    if {repr(index) for index in stated} != {repr(at) for at in range(len(entries))}:
        raise WrongAnswerError(
            f"entries of index {str(stated)[:100]}; expected each from 0 to {len(entries) - 1}"
        )
    return [entries[stated.index(at)] for at in range(len(entries))]


def _to_vector(found: Any) -> Float32[np.ndarray, " dim"]:
    if not isinstance(found, list) or not found or not all(map(_is_number, cast(list[Any], found))):
        raise WrongAnswerError(f"an embedding that is {_name(found)}; expected a list of numbers")
    try:
        with np.errstate(over="ignore"):
            return np.array(found, dtype=np.float64).astype(np.float32)
    except OverflowError:
        raise WrongAnswerError("an embedding with a whole number that is too large") from None


def _stack(vectors: Sequence[Float32[np.ndarray, " dim"]]) -> Float32[np.ndarray, "images dim"]:
    lengths = sorted({len(one) for one in vectors})
    if len(lengths) != 1:
        raise WrongAnswerError(f"embeddings of different lengths: {', '.join(map(str, lengths[:8]))}")
    return np.stack(vectors)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


def _name(value: Any) -> str:
    if value == []:
        return "an empty list"
    if isinstance(value, list):
        odd = next((one for one in cast(list[Any], value) if not _is_number(one)), None)
        return f"a list that holds {_NAMES.get(type(odd), 'a number')}"
    return _NAMES.get(type(value), "a number")
