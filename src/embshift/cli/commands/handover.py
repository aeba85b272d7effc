"""``embshift export`` and ``embshift card``."""

import argparse

from embshift.cli.catalogue.checks import check_names
from embshift.cli.commands.summaries import warn_if_unfinished
from embshift.cli.output.terminal import print_message, print_text
from embshift.core.words import count_noun

__all__ = ["card", "export"]


def export(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift export``."""
    check_names("exporters", [parsed.to])
    from embshift.show.handover.export import export as write_export
    from embshift.show.run import open_run

    found = open_run(parsed.run)
    warn_if_unfinished(found)
    written = write_export(found, to=parsed.to, out=parsed.out, images=parsed.images, seed=parsed.seed)
    print_text(
        f"{count_noun(written.points, 'point')} of {count_noun(written.images, 'image')}: {written.path}"
    )
    print_text(f"open: {written.opened}")
    for note in () if parsed.quiet else written.notes:
        print_message(f"note: {note}")
    return 0


def card(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift card``."""
    from embshift.show.handover.card import write_card
    from embshift.show.run import open_run

    found = open_run(parsed.run)
    warn_if_unfinished(found)
    text = write_card(found, parsed.out, dataset=parsed.dataset)
    print_text(text.rstrip("\n") if parsed.out is None else str(parsed.out))
    return 0
