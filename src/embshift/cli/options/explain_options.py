"""Options of ``embshift explain``."""

import argparse

from embshift.cli.options.completers import complete, no_words, paths

__all__ = ["SHOWN", "TEXTS", "WORST", "add_explain_options"]

WORST = "worst"
"""Name for ``--show`` of a sweep's table."""

TEXTS = ("words", "labels", "captions")
"""Names for ``--show`` of the tables for which the network is not run."""

SHOWN = ("shares", "layers", "heads", *TEXTS, WORST)
"""Names for ``--show``; a test holds them to those of the tables."""


def add_explain_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that an explanation takes beside the run."""
    add = parser.add_argument
    add(
        "--show",
        choices=SHOWN,
        help="shares: what each part of the network adds to the shift, and what exchanging it undoes; layers:"
        " how far originals and views are apart after each layer; heads: how differently each head looks;"
        " words: what names the direction of the shift; labels: whether views keep their label; captions:"
        " whether views keep their caption; worst: how far apart an image and its views are over all"
        " severities, for a folder of embshift sweep (default: worst for such a folder, else shares). Only"
        " shares, layers and heads run the network; the others take any run",
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
        help="follow exchanged parts through the network on N of these images (default: 64)",
    )
    words = add(
        "--words", metavar="FILE", help="a list of words, one a line (default: qualities and nouns that ship)"
    )
    labels = add(
        "--labels",
        metavar="FILE",
        help="labels to choose from: one a line, a CSV column, or 'folders' for the images' folders"
        " (default: the sources' labels)",
    )
    captions = add(
        "--captions",
        metavar="FILE",
        help="captions of the images: CSV, TSV or JSON Lines (default: the sources' captions)",
    )
    prompt = add(
        "--prompt",
        metavar="TEXT",
        action="append",
        help="text that words and labels are put into; may be repeated (default: 'a photo of a {}')",
    )
    vectors = add(
        "--vectors",
        metavar="FILE",
        help="a Parquet file with the columns text and vector, for an encoder without a text side",
    )
    for action in (words, labels, captions, vectors):
        complete(action, paths)
    complete(prompt, no_words)
    seed = add("--seed", type=int, metavar="N", help="seed of the sample (default: 0)")
    add("--read-only", action="store_true", help="only show what is stored; nothing is measured")
    for action in (images, patched, seed):
        complete(action, no_words)
