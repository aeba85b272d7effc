"""Options of ``embshift export`` and ``embshift card``."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths

__all__ = ["add_card_options", "add_export_options"]


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that ``embshift export`` takes beside the run, and say what it does."""
    parser.description = (
        "Write originals and views with their embeddings and shifts in the form of another tool. Images are"
        " those that the run has kept; only the run folder is read. Equal images are taken once."
    )
    add = parser.add_argument
    to = add("--to", metavar="NAME", required=True, help="the form, of 'embshift list exporters'")
    complete(to, named("exporters"))
    out = add(
        "--out",
        metavar="PATH",
        required=True,
        help="the file (embedding-atlas) or folder; an earlier export of the same form is replaced",
    )
    complete(out, paths)
    images = add(
        "--images",
        type=int,
        metavar="N",
        help="take a seeded sample of N images (default: all, up to 20,000 originals and views)",
    )
    seed = add("--seed", type=int, metavar="N", default=0, help="seed of the sample (default: %(default)s)")
    for action in (images, seed):
        complete(action, no_words)


def add_card_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that ``embshift card`` takes beside the run, and say what it does."""
    parser.description = (
        "Write a section on robustness to image changes for a model card of Hugging Face: the block"
        " model-index, a table with intervals, and how it was measured. It names no path and no image."
    )
    add = parser.add_argument
    out = add("--out", metavar="FILE", help="a Markdown file (default: standard output)")
    complete(out, paths)
    dataset = add(
        "--dataset",
        metavar="NAME",
        help="name of the images, as a data set's on the hub (default: their number)",
    )
    complete(dataset, no_words)
