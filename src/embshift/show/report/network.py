"""The section on where in the network a run's shifts arise; one line where its explanation is damaged."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from embshift.analysis.explanation import Explanation, open_explanation
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.core.errors import RunError, ShiftError
from embshift.core.progress import OnStep, ignore_step
from embshift.runs.addresses import call_folder
from embshift.runs.explained import find_explained, has_texts
from embshift.runs.tables import RunTables
from embshift.show.report.embedded_figures import OF_TEXTS, embed_figures
from embshift.show.report.explained_tables import build_explained_tables, build_text_tables
from embshift.show.report.facts.explained import ExplainedFacts, gather_explained
from embshift.show.report.facts.texts import HoldsTexts, gather_texts
from embshift.show.report.findings.explained import list_explained_findings, list_text_findings
from embshift.show.report.first.network_card import make_network_card
from embshift.show.text.words import make_visible

__all__ = ["build_network", "hint_at_explain"]

_DAMAGE = (ShiftError, ArithmeticError, LookupError, TypeError, ValueError)
"""What reading a folder can raise that holds anything at all: the report must not fail by it."""

_PLAN = {"images": "--images", "patch": "--patch", "patch_images": "--patch-images", "seed": "--seed"}

_RECORD = {
    "readout": "read-out",
    "images": "images chosen",
    "layers": "layers",
    "heads": "heads of a layer",
    "gauge": "constants of the values in maps",
    "greatest_residual": "greatest deviation of a view's shares from the sum 1",
    "version": "version",
    "written": "written",
}

_CAVEATS = (
    (
        "A share is no cause.",
        "Shares split the shift of this pass among the parts of the network. What a part does is shown by its"
        " patch, and a patch of one part says nothing of several together.",
    ),
    (
        "A word is no reason.",
        "A named word lies along the direction of a shift more than chance would have it. The shift need not"
        " be about what the word means.",
    ),
)


def build_network(
    run: RunTables, *, resamples: int = RESAMPLES, on_step: OnStep = ignore_step
) -> dict[str, Any] | None:
    """Return what the page shows of an explanation, or of texts alone; None for a run without either.

    Args:
        run: The run.
        resamples: Number of resamples of the images.
        on_step: Receives each step as it begins.

    Returns:
        Title, sentences, tables, figures, lines of methods, caveats and the command that makes all of it
        again; where it cannot be read, only one sentence that says why.
    """
    explained = _is_explained(run)
    if not (explained or _finds(has_texts, run)):
        return None
    try:
        if not explained:
            return _build_texts(run, resamples=resamples, on_step=on_step)
        return _build(run, open_explanation(run), resamples=resamples, on_step=on_step)
    except _DAMAGE as error:
        return _tell_damage(run, error)


def _is_explained(run: RunTables) -> bool:
    """Return whether a run was explained; true where something else has the explanation's place."""
    return _finds(find_explained, run)


def _finds(find: Callable[[Path], bool], run: RunTables) -> bool:
    try:
        return find(run.folder)
    except RunError:
        return True


def _build(run: RunTables, found: Explanation, *, resamples: int, on_step: OnStep) -> dict[str, Any]:
    facts = gather_explained(found, resamples=resamples, on_step=on_step)
    figures, note = embed_figures(run, on_step=on_step)
    return {
        "title": "Where in the network",
        "findings": list_explained_findings(facts),
        "tables": build_explained_tables(facts),
        "figures": figures,
        "note": note,
        "methods": [[make_visible(label), make_visible(text)] for label, text in _list_methods(facts)],
        "caveats": [{"title": title, "text": text} for title, text in _CAVEATS],
        "command": _write_command(facts),
        "card": make_network_card(facts),
    }


def _build_texts(run: RunTables, *, resamples: int, on_step: OnStep) -> dict[str, Any]:
    """Return the section of a run whose network is not explained: what stored texts say."""
    facts = gather_texts(run, resamples=resamples, on_step=on_step)
    figures, note = embed_figures(run, OF_TEXTS, on_step=on_step)
    return {
        "title": "Words, labels and captions",
        "findings": list_text_findings(facts),
        "tables": build_text_tables(facts),
        "figures": figures,
        "note": note,
        "methods": [[label, make_visible(text)] for label, text in _list_prompts(facts)],
        "caveats": [{"title": title, "text": text} for title, text in _CAVEATS[1:]],
        "command": _write_text_command(facts),
        "card": None,
    }


def _tell_damage(run: RunTables, error: Exception) -> dict[str, Any]:
    # Where the folder is must not change the page, so that the same run gives the same bytes.
    why = str(error) if isinstance(error, ShiftError) else f"{type(error).__name__} {error}"
    told = make_visible(why.replace(str(run.folder), run.folder.resolve().name))
    text = f"The explanation of this run cannot be shown: {told}."
    empty: dict[str, Any] = {"tables": [], "figures": [], "note": "", "methods": [], "caveats": []}
    empty["card"] = None
    return (
        {"title": "Where in the network", "findings": [{"about": "damage", "text": text}]}
        | empty
        | {"command": ""}
    )


def _list_methods(facts: ExplainedFacts) -> Iterator[tuple[str, str]]:
    record = facts.record
    for name, label in _RECORD.items():
        if name in record:
            yield label, str(record[name])
    for name, value in record["plan"].items():
        yield f"option {name}", str(value)
    yield "patches", f"{facts.kind}, the original's part in the view's pass"
    yield from _list_prompts(facts)


def _list_prompts(facts: HoldsTexts) -> Iterator[tuple[str, str]]:
    if facts.texts:
        yield "prompts", ", ".join(facts.texts.record.get("prompts", []))


def _write_command(facts: ExplainedFacts) -> str:
    """Return the command that explains the run again."""
    plan: Mapping[str, Any] = facts.record["plan"]
    options = [f"{option} {shlex.quote(str(plan[name]))}" for name, option in _PLAN.items() if name in plan]
    return make_visible(" ".join(["embshift explain again", *options, *_list_text_options(facts)]))


def _write_text_command(facts: HoldsTexts) -> str:
    """Return the command that stores the texts again; empty where they cannot be read."""
    texts = facts.texts
    if texts is None:
        return ""
    show = "words" if texts.words else "labels" if texts.labels else "captions"
    return " ".join([f"embshift explain again --show {show}", *_list_text_options(facts)])


def _list_text_options(facts: HoldsTexts) -> list[str]:
    texts = facts.texts
    if texts is None:
        return []
    own = bool(texts.record.get("own_vectors"))
    given = {
        "--words WORDS": own and texts.words,
        "--labels LABELS": texts.labels,
        "--captions CAPTIONS": texts.captions,
        "--vectors VECTORS": own,
    }
    return [option for option, held in given.items() if held]


def hint_at_explain(run: RunTables) -> str:
    """Return the command that explains a run; empty for a run that cannot be explained, or is."""
    info, encoder = run.info, run.info["encoder"]
    float32 = encoder.get("precision", "float32") == "float32" and encoder.get("runtime", "torch") == "torch"
    if _is_explained(run) or not run.finished or not float32:
        return ""
    if not run.transforms or "memory" in info["plan"].get("sources", []):
        return ""
    return make_visible(f"embshift explain {shlex.quote(call_folder(run.folder))}")
