"""The options of ``embshift serve``."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths
from embshift.cli.options.trust_options import add_trust_options

__all__ = ["add_serve_options"]


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that ``embshift serve`` takes, and say what it does."""
    parser.description = (
        "Open a local page on which views follow a slider, with their neighbours, maps and numbers. A run"
        " folder is shown as it is, two of the same images side by side. Of folders and images, a temporary"
        " run is measured first. The page is served to this machine only, until Ctrl-C."
    )
    add = parser.add_argument
    complete(
        add(
            "what",
            nargs="+",
            metavar="RUN|SOURCE",
            help="one or two run folders; or sources of images, as for embshift run",
        ),
        paths,
    )
    port = add(
        "--port", type=int, metavar="N", default=0, help="port on 127.0.0.1 (default: any that is free)"
    )
    at = add(
        "--at",
        metavar="IMAGE/TRANSFORM/STRENGTH",
        help="open there; IMAGE is a row, an image id or a name, STRENGTH a number or 'recorded'",
    )
    encoder = add(
        "--encoder",
        metavar="NAME|FOLDER",
        help="encoder of a temporary run (default: lite)",
    )
    limit = add("--limit", type=int, metavar="N", help="images of a temporary run (default: 64)")
    add("--no-browser", action="store_true", help="open no browser, also where the output is a terminal")
    complete(encoder, named("encoders", files="/"))
    for action in (port, at, limit):
        complete(action, no_words)
    add_trust_options(parser, "code", "remote", "private")
