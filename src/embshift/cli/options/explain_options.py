"""Options of ``embshift explain``."""

import argparse

from embshift.cli.options.completers import complete, no_words

__all__ = ["SHOWN", "add_explain_options"]

SHOWN = ("shares", "layers", "heads")
"""Names for ``--show``; a test holds them to those of the tables."""


def add_explain_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that an explanation takes beside the run."""
    add = parser.add_argument
    add(
        "--show",
        choices=SHOWN,
        default="shares",
        help="shares: what each part of the network adds to the shift, and what exchanging it undoes; layers:"
        " how far originals and views are apart after each layer; heads: how differently each head looks"
        " (default: %(default)s)",
    )
    images = add(
        "--images",
        "--pictures",
        type=int,
        metavar="N",
        help="explain a seeded sample of N images; equal images count once (default: 256)",
    )
    add(
        "--patch",
        choices=("direct", "class", "full"),
        help="most expensive exchange of parts: in what the embedding is read from (direct), followed along"
        " the class token for two passes a view (class), or one pass for each part (full); a few parts are"
        " always exchanged in full, to calibrate the others (default: class)",
    )
    patched = add(
        "--patch-images",
        "--patch-pictures",
        type=int,
        metavar="N",
        help="exchange parts on N of these images (default: 64)",
    )
    seed = add("--seed", type=int, metavar="N", help="seed of the sample (default: 0)")
    add("--read-only", action="store_true", help="only show what is stored; nothing is measured")
    for action in (images, patched, seed):
        complete(action, no_words)
