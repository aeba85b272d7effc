"""A budget file of suggested limits, with how many images each needs."""

import glob
import json
from collections.abc import Iterable, Sequence

from embshift.analysis.gate.suggestions import Suggested
from embshift.core.words import count_noun

__all__ = ["note_short", "write_budget"]


def write_budget(
    limits: Sequence[Suggested],
    differences: Sequence[Suggested],
    *,
    baseline: str | None,
    level: float,
    power: float,
) -> str:
    """Write suggested limits as a budget file.

    Args:
        limits: Limits of the run's own means.
        differences: Limits of differences to the baseline, all with one margin.
        baseline: Path of the baseline, as the file names it; None without.
        level: Coverage of the bounds.
        power: Probability with which the images needed decide.
    """
    lines = [
        "# Limits for 'embshift check RUN --budget FILE', looser than the run that they were taken from."
    ]
    lines += [f"# Images: with so many, a run like it holds the limit with probability {power:g}.", ""]
    lines += ["[gate]"]
    lines += [f"baseline = {_quote(baseline)}"] if baseline is not None else []
    lines += [f"level = {level:g}", 'undecided = "fail"', ""]
    for one in limits:
        lines += _table(one, [one.transform], comment=f"now {one.value:.4g}; {_spell_needed([one])}")
    if differences:
        names = [one.transform for one in differences]
        lines += _table(differences[0], names, comment=_spell_needed(differences))
    return "\n".join(lines)


def note_short(found: Iterable[Suggested], *, power: float) -> list[str]:
    """Return a line for each limit that needs more images than the run has.

    Args:
        found: Suggested limits.
        power: Probability with which the images needed decide.
    """
    lines = list[str]()
    for one in found:
        what = f"{one.statistic} of {one.transform}, {one.kind} {one.limit:g}"
        if one.images_needed is None:
            lines.append(f"{what}: {_unknown(one)}")
        elif one.images_needed > one.images:
            needed = count_noun(one.images_needed, "image")
            lines.append(f"{what}: needs {needed} for power {power:g}, and the run has {one.images:,}")
    return lines


def _table(one: Suggested, names: Sequence[str], *, comment: str) -> list[str]:
    title = f"{one.statistic} of {one.transform}" if one.kind != "worse_by_at_most" else "not worse"
    patterns = ", ".join(_quote(glob.escape(name)) for name in names)
    return [
        "[[budget]]",
        f"name = {_quote(title)}",
        f"transforms = [{patterns}]",
        f"statistic = {_quote(one.statistic)}",
        f"{one.kind} = {one.limit:g}  # {comment}",
        "",
    ]


def _spell_needed(found: Iterable[Suggested]) -> str:
    worst = max(found, key=lambda one: one.images_needed or 10**12)
    if worst.images_needed is None:
        return _unknown(worst)
    return f"needs {count_noun(worst.images_needed, 'image')}, of {worst.images:,}"


def _unknown(one: Suggested) -> str:
    if one.kind == "worse_by_at_most":
        return "the images needed are not known, since the run equals its baseline"
    return "no number of images decides it"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
