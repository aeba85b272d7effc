"""The card of an explanation: the part of the network with the largest certain share of the largest shift."""

from embshift.show.report.facts.explained import ExplainedFacts
from embshift.show.report.findings.components import spell_component
from embshift.show.report.first.card import Card, make_card
from embshift.show.report.first.estimates import Estimate
from embshift.show.text.words import join_transforms

__all__ = ["make_network_card"]


def make_network_card(facts: ExplainedFacts) -> Card | None:
    """Return the card; None where no component has a certain share."""
    shares = facts.shares[facts.main]
    largest = shares.largest(1)
    if not largest:
        return None
    at = shares.components.index(largest[0])
    share = Estimate(
        value=float(shares.share[at]), low=float(shares.joint_low[at]), high=float(shares.joint_high[at])
    )
    text = (
        f"of the squared shift under {join_transforms([facts.main])} arises in {spell_component(largest[0])}"
    )
    return make_card("network", share, text, section="network", level=shares.level, joint=True)
