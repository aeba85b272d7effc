"""Options of what measures a run; results depend on none of them."""

import argparse

from embshift.cli.options.completers import complete, no_words, words
from embshift.measurement.cluster.options import ENGINES, RayOptions

__all__ = ["add_engine_options", "ray_options"]


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the engine, and what Ray needs to know."""
    group = parser.add_argument_group("what computes it (results do not depend on it)")
    engine = group.add_argument(
        "--engine",
        metavar="|".join(ENGINES),
        default=ENGINES[0],
        help="local: this process and its workers; ray: actors of a Ray cluster, to which chunks are handed"
        " out (default: %(default)s)",
    )
    complete(engine, words(*ENGINES))
    address = group.add_argument(
        "--address",
        metavar="auto|HOST:PORT",
        help="the Ray cluster, which this machine belongs to (default: start Ray on this machine)",
    )
    complete(address, words("auto"))
    actors = group.add_argument(
        "--actors",
        metavar="N",
        type=int,
        help="actors of Ray, each with --threads CPUs and workers of its own (default: as many as there is"
        " room for)",
    )
    complete(actors, no_words)
    share = group.add_argument(
        "--gpus-per-actor",
        metavar="F",
        type=float,
        help="GPUs of an actor; 0.25 puts four actors on one GPU (default: 1 if the encoder runs on a GPU)",
    )
    complete(share, no_words)


def ray_options(parsed: argparse.Namespace) -> RayOptions:
    """Return what the parsed options say of Ray."""
    return RayOptions(address=parsed.address, actors=parsed.actors, gpus_per_actor=parsed.gpus_per_actor)
