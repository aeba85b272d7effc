"""Caveats: the limits of docs/limits.md that apply to a run."""

from embshift.core.types import Capture
from embshift.show.report.facts.run import Facts
from embshift.show.text.words import make_visible

__all__ = ["list_caveats"]

_PIXELWISE = {"attention_similarity", "patch_similarity", "edge_similarity", "detail_similarity"}


def list_caveats(facts: Facts) -> list[dict[str, str]]:
    """Return headings, each with a sentence or two."""
    found = [
        (
            "Strengths are not matched.",
            "A ranking of transforms depends on the strengths set in this run. It does not show that the"
            " encoder is more sensitive to one transform than to another.",
        ),
        (
            "Means are over these images.",
            "The intervals show what other images from the same source would give. They do not cover images"
            " of another kind.",
        ),
        *_find_specific(facts),
        (
            "Pre-processing moves embeddings by itself.",
            "Without any transform, another resizing rule can shift an embedding as far as a mild transform"
            " does. Compare runs only at the same image size, resizing rule and decoding.",
        ),
        (
            "No metric shows that a decision changes.",
            "A large shift need not move an image across a class border or out of a search result, and a"
            " small shift may.",
        ),
    ]
    return [{"title": title, "text": text} for title, text in found]


def _find_specific(facts: Facts) -> list[tuple[str, str]]:
    """Return the caveats that apply only to some metrics or plans."""
    names = {spec.name for spec in facts.metrics}
    found = list[tuple[str, str]]()
    if facts.info["encoder"].get("family") == "ingested":
        found.append(
            (
                "The embeddings were ingested.",
                "They were computed elsewhere from the views of this run. embshift has seen no encoder: what"
                " it states is read from the file of embeddings.",
            )
        )
    if names & _PIXELWISE:
        found.append(
            (
                "Geometry counts as shift.",
                "Attention, patch, edge and detail similarity compare position by position. For a transform"
                " that moves pixels, they measure how much content is elsewhere.",
            )
        )
    if "l2" in names:
        found.append(
            (
                "L2 is in the encoder's own unit.",
                "It compares raw embeddings, so its values cannot be compared between encoders. A change of"
                " length counts like a change of direction.",
            )
        )
    if any(Capture.ATTENTION in spec.needs for spec in facts.metrics):
        found.append(
            (
                "A map is not an explanation.",
                f"The report and its metrics use this encoder's {make_visible(facts.summary.map_name)},"
                " stretched to 0 to 1, so its strength is not visible.",
            )
        )
    if facts.info["encoder"].get("map_name") == "":
        found.append(
            (
                "The encoder gives no map.",
                "Measures and figures of attention, and where in the network the shift arises, are left out.",
            )
        )
    if facts.info["plan"].get("draws") == 1:
        found.append(
            (
                "Each transform has one draw.",
                "Each transform was drawn once per image, so its randomness is part of the deviation.",
            )
        )
    return found
