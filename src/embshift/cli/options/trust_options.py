"""Options that allow what a run's record asks for, which anyone may have written."""

import argparse
from collections.abc import Mapping
from typing import Literal

__all__ = ["add_trust_options"]

_HELP: Mapping[str, str] = {
    "code": "run Python code that the run's record names: functions as transforms, an object as encoder"
    " (only if you trust where the run comes from)",
    "remote": "read images from other machines, and send images to a service, where the run's record names"
    " these (only if you trust it)",
    "private": "read images from web addresses in private networks and on this machine, too",
}


def add_trust_options(parser: argparse.ArgumentParser, *kinds: Literal["code", "remote", "private"]) -> None:
    """Add ``--allow-code``, ``--allow-remote`` or ``--allow-private``.

    Args:
        parser: The command's parser.
        *kinds: What can be allowed.
    """
    for kind in kinds:
        parser.add_argument(f"--allow-{kind}", action="store_true", help=_HELP[kind])
