"""The checks as a table for the terminal, the worst first."""

from rich.table import Table

from embshift.show.gate.words import Content, headline, name_check, rank_checks, spell_bound, spell_value
from embshift.show.text.markup import open_table
from embshift.show.text.words import make_visible

__all__ = ["check_table"]


def check_table(content: Content) -> Table:
    """Return every check with verdict, value, bound and limit."""
    table = open_table(_caption(content))
    for name in ("budget", "check", "verdict"):
        table.add_column(name)
    for name in ("value", "bound", "images", "needed"):
        table.add_column(name, justify="right")
    for check in rank_checks(content):
        table.add_row(
            make_visible(check["budget"]),
            name_check(check),
            check["verdict"],
            spell_value(check),
            spell_bound(check) if check["scope"] == "transforms" else "",
            f"{check['n']:,}",
            f"{check['images_needed']:,}" if check["images_needed"] else check["reason"],
        )
    return table


def _caption(content: Content) -> str:
    bounds = (
        f"bound: one-sided, {100 * content['level']:g} %; of a broken budget, that of all budgets together."
        " needed: images that would decide"
    )
    return "\n".join([headline(content), *content["notes"], bounds])
