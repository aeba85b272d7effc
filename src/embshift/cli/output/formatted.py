"""Results in the formats of ``--format``; LaTeX gets its caption, its label and the command that made it."""

import argparse
import shlex

from embshift.cli.output.terminal import print_text

__all__ = ["print_formatted"]


def print_formatted(text: str, parsed: argparse.Namespace) -> None:
    """Print a result in the format that was asked for.

    Args:
        text: The result in that format.
        parsed: The arguments of the command, with "given": all of them as they were typed.

    Raises:
        PlanError: If the label holds a character that LaTeX does not take in one.
    """
    if parsed.format == "latex":
        from embshift.show.text.latex import frame_latex

        command = shlex.join(["embshift", *parsed.given])
        text = frame_latex(text, caption=parsed.caption or "", label=parsed.label or "", command=command)
    print_text(text)
