"""A card: one finding with a large number and its interval."""

from dataclasses import asdict, dataclass

from embshift.show.report.first.estimates import Estimate, format_ends_of, format_value
from embshift.show.text.words import format_percent

__all__ = ["Card", "list_card", "make_card"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One finding.

    Attributes:
        about: Its subject.
        number: The number, as it is shown.
        ends: Its interval, as it is shown; empty where there is none.
        text: What the number is: a phrase that reads on from it.
        section: Anchor of the section of the page with more on it.
    """

    about: str
    number: str
    ends: str
    text: str
    section: str


def make_card(
    about: str, one: Estimate, text: str, *, section: str, level: float, joint: bool = False
) -> Card:
    """Return a card for an estimate, whose interval is spelled with its level."""
    ends = format_ends_of(one)
    kind = f"{'joint ' if joint else ''}{format_percent(level)} interval"
    return Card(
        about=about,
        number=format_value(one),
        ends=f"{kind} {ends}" if ends else "",
        text=text,
        section=section,
    )


def list_card(one: Card) -> dict[str, str]:
    """Return a card for the page."""
    return asdict(one)
