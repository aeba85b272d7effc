"""``embshift completion``, and the answer that the printed script asks for at every Tab."""

import argparse
from typing import Any, cast

from embshift.cli.options.completers import no_words
from embshift.cli.output.terminal import print_text

__all__ = ["SHELLS", "answer_shell", "completion"]

SHELLS = ("bash", "zsh", "fish")


def completion(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift completion``."""
    from argcomplete.shell_integration import shellcode

    print_text(shellcode(["embshift"], shell=parsed.shell).strip())
    return 0


def answer_shell(parser: argparse.ArgumentParser) -> None:
    """Write the words that fit the unfinished command line, for the shell, and end the process."""
    from argcomplete.finders import CompletionFinder

    # A completer need not be a class of argcomplete's own, as its documentation says.
    CompletionFinder()(parser, always_complete_options="long", default_completer=cast(Any, no_words))
