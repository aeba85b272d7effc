"""Caveats that belong beside the headline, each in one short sentence."""

from embshift.runs.precision import read_precision_errors
from embshift.show.report.facts.run import Facts
from embshift.show.report.findings.data import warn_few_images, warn_unfinished
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import make_visible, spell_metric

__all__ = ["list_first_caveats"]


def list_first_caveats(facts: Facts) -> list[dict[str, str]]:
    """Return the caveats of a run, the most serious first, each with its subject."""
    told = [
        ("unfinished", warn_unfinished(facts)),
        ("few images", warn_few_images(facts)),
        ("failures", _tell_failures(facts)),
        ("precision", _tell_precision(facts)),
        ("embeddings", _tell_embeddings(facts)),
        ("strengths", _tell_strengths(facts)),
    ]
    return [{"about": about, "text": text} for about, text in told if text]


def _tell_embeddings(facts: Facts) -> str | None:
    """Say what is left out where embeddings are not kept; None where they are."""
    if facts.keeps_embeddings:
        return None
    return (
        "This run keeps no embeddings (--no-embeddings): all that compares views with other images is left"
        " out. Measure the images again with them."
    )


def _tell_strengths(facts: Facts) -> str | None:
    """Say what the order of transforms depends on; None with one transform."""
    if facts.levels.matched is not None:
        return "Damage is matched on pixels: equal SSIM is not equal difficulty for people."
    if len(facts.transforms) < 2:
        return None
    if facts.levels.sweep is not None:
        return "Severities of different edits are not matched; embshift match compares edits at equal damage."
    return (
        "Strengths are not matched: the order depends on them, and is no list of the encoder's weaknesses."
        " embshift match compares at equal damage."
    )


def _tell_failures(facts: Facts) -> str | None:
    total = sum(facts.inputs.values())
    failed, lost = total - facts.inputs.get("ok", 0), facts.views[1]
    if not failed and not lost:
        return None
    return f"{failed:,} of {total:,} inputs and {lost:,} of {facts.views[0]:,} views could not be used."


def _tell_precision(facts: Facts) -> str | None:
    """Name a fast precision and its largest error of the first metric; None in float32."""
    errors = read_precision_errors(facts.info)
    if not errors:
        return None
    used = make_visible(facts.info["precision"]["used"])
    name, error = next(iter(errors.items()))
    size = spell_number(error.max)
    part = " of its value" if error.relative else ""
    return f"Encoded in {used}: errors of {spell_metric(name)} are up to {size}{part} against float32."
