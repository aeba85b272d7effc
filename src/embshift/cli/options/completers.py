"""What a shell may put for an unfinished word: names that are known without importing anything, and paths."""

import argparse
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from embshift.cli.catalogue.kinds import describe, entries

__all__ = ["Completer", "complete", "named", "no_words", "paths", "words"]


@runtime_checkable
class Completer(Protocol):
    """What argcomplete calls for an unfinished word; a mapping also describes each word."""

    def __call__(self, *, prefix: str, **context: Any) -> Iterable[str] | Mapping[str, str]: ...


def complete(action: argparse.Action, completer: Completer) -> None:
    """Attach a completer to an argument, where argcomplete looks for it."""
    vars(action)["completer"] = completer


def words(*known: str) -> Completer:
    """Return a completer of a few fixed words."""

    def completer(*, prefix: str, **context: Any) -> Iterable[str]:
        return known

    return completer


def no_words(*, prefix: str, **context: Any) -> Iterable[str]:
    """Complete nothing, as for a number."""
    return ()


def paths(*, prefix: str, **context: Any) -> Iterable[str]:
    """Complete the paths of files and folders; a folder's path ends in a separator."""
    return _paths(prefix)


def named(kind: str, *more: str, files: str = "") -> Completer:
    """Return a completer of everything of a kind, each with a line that describes it.

    Args:
        kind: "transforms", "metrics", "encoders", "presets", "figures" or "exporters".
        *more: Further words.
        files: How the names of files end that may be given instead; "/" for folders alone.
    """

    def completer(*, prefix: str, **context: Any) -> Mapping[str, str]:
        found = {name: "" for name in _paths(prefix) if files and name.endswith((files, "/"))}
        return {**_choosable(kind), **dict.fromkeys(more, ""), **found}

    return completer


def _choosable(kind: str) -> Mapping[str, str]:
    """Return what can be given by its name: neither a family of checkpoints nor another kind of encoder."""
    others = {
        name
        for name, entry in (entries(kind) if kind == "encoders" else {}).items()
        if entry["model_types"] or entry["written"]
    }
    return {name: line for name, line in describe(kind).items() if name not in others}


def _paths(prefix: str) -> Iterator[str]:
    import glob

    for path in sorted(glob.glob(glob.escape(prefix) + "*")):
        yield path + "/" * os.path.isdir(path)
