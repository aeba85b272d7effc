"""What the numbers of a run do not say: those of docs/limits.md that hold for it."""

from embshift.core.types import Capture
from embshift.show.report.facts import Facts
from embshift.show.report.text import visible

__all__ = ["caveats"]

_PIXELWISE = {"attention_similarity", "patch_similarity", "edge_similarity", "detail_similarity"}


def caveats(facts: Facts) -> list[dict[str, str]]:
    """Headings with a sentence or two."""
    found = [
        (
            "Strengths are not matched.",
            "A ranking of transforms ranks their strengths as set in this run; “more sensitive to one than to"
            " another” does not follow from it.",
        ),
        (
            "Means are over these pictures.",
            "The intervals say what other pictures drawn alike would give; they know nothing of pictures of"
            " another kind.",
        ),
        *_measured(facts),
        (
            "Pre-processing moves embeddings by itself.",
            "Resizing by another rule, with no transform at all, may shift an embedding as far as a mild"
            " transform does. Compare runs only at the same size, resizing and decoding.",
        ),
        (
            "Nothing here says that a decision changes.",
            "A shift need not move a picture across a class border or out of a search result, and a small one"
            " may.",
        ),
    ]
    return [{"title": title, "text": text} for title, text in found]


def _measured(facts: Facts) -> list[tuple[str, str]]:
    """Those that hold only for some metrics or plans."""
    names = {spec.name for spec in facts.metrics}
    found = list[tuple[str, str]]()
    if names & _PIXELWISE:
        found.append(
            (
                "Geometry counts as shift.",
                "Attention, patch, edge and detail similarity compare place by place: for a transform that"
                " moves pixels they say how much is elsewhere.",
            )
        )
    if "l2" in names:
        found.append(
            (
                "L2 is in the encoder's own unit.",
                "It is taken between raw embeddings and cannot be compared between encoders; a change of"
                " length counts like a change of direction.",
            )
        )
    if any(Capture.ATTENTION in spec.needs for spec in facts.metrics):
        found.append(
            (
                "A map is not an explanation.",
                f"What is compared and drawn here is this encoder's {visible(facts.summary.map_name)},"
                " stretched to 0 to 1: it does not show how strong it is.",
            )
        )
    if facts.info["plan"].get("draws") == 1:
        found.append(
            (
                "One draw each.",
                "Each transform was drawn once for each picture; its own chance is part of the deviation.",
            )
        )
    return found
