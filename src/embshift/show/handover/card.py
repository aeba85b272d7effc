"""The section of a model card on robustness, in the form of Hugging Face: front matter and Markdown."""

import math
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import analyse_retrieval, calibrate_shifts
from embshift.core.paths import output_file
from embshift.core.threads import limit_threads
from embshift.core.version import __version__
from embshift.core.words import count_noun
from embshift.runs.addresses import call_folder
from embshift.runs.files import write_text
from embshift.runs.tables import RunTables
from embshift.runs.targets import check_target
from embshift.show.handover.yaml_text import Content, write_yaml
from embshift.show.text.markup import markdown
from embshift.show.text.numbers import format_estimate
from embshift.show.text.words import format_percent, make_visible

__all__ = ["format_card", "write_card"]

WORST = 5
"""Number of transforms that are shown above the fold."""

_SHOWN = {
    "relative_shift": "Relative shift",
    "recall_at_1": "Recall@1",
    "cosine_shift": "Cosine shift",
}
"""The measures of a card, by their name, the first one deciding which transforms are worst."""

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&-])")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Numbers:
    """The measurements of a card."""

    run: RunTables
    calibration: Measured
    retrieval: Measured

    def source(self, measure: str) -> Measured:
        return self.retrieval if measure == "recall_at_1" else self.calibration

    def mean(self, transform: str, measure: str) -> float:
        return self.source(measure).mean(transform, measure)


def write_card(run: RunTables, out: str | Path | None = None, *, dataset: str | None = None) -> str:
    """Return a section for a model card on robustness to image changes, and write it where a path is given.

    It begins with the block ``model-index`` in Hugging Face's form: one result for each transform, with
    relative shift, recall@1 and cosine shift. A section in Markdown follows. No path is in it.

    Args:
        run: The run.
        out: Path of a Markdown file; only an earlier card of embshift is replaced. If None,
            nothing is written.
        dataset: Name of the images for the reader; their number if None.

    Raises:
        RunError: If the run is damaged.
        StorageError: If it cannot be written.
        UsageError: If the path is that of something else.

    Example:
        >>> print(embshift.write_card(run))
    """
    path = None if out is None else check_target(output_file(out), kind="md")
    text = format_card(run, dataset=dataset)
    if path is not None:
        write_text(path, text)
    return text


def format_card(run: RunTables, *, dataset: str | None = None) -> str:
    """Return the text of `write_card`."""
    with limit_threads(images=run.count_images()):
        found = _Numbers(run=run, calibration=calibrate_shifts(run), retrieval=analyse_retrieval(run))
    images = dataset or count_noun(found.calibration.images, "image")
    front = write_yaml({"model-index": [_model_index(found, images)]})
    return f"---\n{front}---\n\n" + "\n".join(_sections(found, images))


def _encoder(run: RunTables) -> str:
    """Return the encoder's name: of a file or folder without what leads there, of the hub as it is."""
    name = str(run.info["encoder"]["name"])
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else Path(name).name


def _model_index(found: _Numbers, images: str) -> Content:
    measured = ((name, list(_metrics(found, name))) for name in found.run.transforms)
    return {
        "name": _encoder(found.run),
        "results": [
            {
                "task": {"type": "image-feature-extraction", "name": "Image feature extraction"},
                "dataset": {"type": _identifier(images), "name": images, "config": name},
                "metrics": metrics,
            }
            for name, metrics in measured
            if metrics
        ],
    }


def _identifier(text: str) -> str:
    """Return a text as the identifier of a data set: letters, digits, and "." "_" "-" between them."""
    return re.sub(r"[^A-Za-z0-9._/-]+", "-", text).strip("-./") or "images"


def _metrics(found: _Numbers, transform: str) -> Iterator[Content]:
    for measure, title in _SHOWN.items():
        value = found.mean(transform, measure)
        if math.isfinite(value):
            yield {"type": measure, "value": float(f"{value:.6g}"), "name": f"{title} under {transform}"}


def _sections(found: _Numbers, images: str) -> Iterator[str]:
    run, level = found.run, format_percent(found.calibration.level)
    order = sorted(run.transforms, key=lambda name: _badness(found, name))
    yield f"<!-- embshift card {__version__} -->\n"
    yield "## Robustness to image changes\n"
    yield (
        f"How far image embeddings of {_escape(_encoder(run))} move when an image is changed, on"
        f" {_escape(images)}. Relative shift is the cosine distance to the original over the mean distance"
        " between different images: at 1, a changed image is as far away as another image. Recall@1 is the"
        " share of changed images whose original is the nearest of all.\n"
    )
    yield f"{_table(found, order[:WORST])}\n"
    if len(order) > WORST:
        summary = f"<summary>All {len(order)} transforms</summary>"
        yield f"<details>\n{summary}\n\n{_table(found, order)}\n\n</details>\n"
    yield "### How it was measured\n"
    yield "\n".join(f"- {line}" for line in _list_methods(found, level))
    yield f"\n```shell\n{_command(run)}\n```\n"


def _badness(found: _Numbers, transform: str) -> tuple[bool, float]:
    value = found.mean(transform, "relative_shift")
    return math.isnan(value), -value if math.isfinite(value) else 0.0


def _table(found: _Numbers, transforms: Sequence[str]) -> str:
    header = ["Transform", *_SHOWN.values(), "Images"]
    rows = [
        [f"`{name}`", *(_cell(found, name, measure) for measure in _SHOWN), _count(found, name)]
        for name in transforms
    ]
    return markdown(header, rows)


def _cell(found: _Numbers, transform: str, measure: str) -> str:
    low, high = found.source(measure).interval(transform, measure)
    return format_estimate(found.mean(transform, measure), low, high)


def _count(found: _Numbers, transform: str) -> str:
    return f"{found.calibration.count(transform, 'cosine_shift'):,}"


def _list_methods(found: _Numbers, level: str) -> Iterator[str]:
    info = found.run.info
    plan, encoder = info["plan"], info["encoder"]
    transforms, draws = len(found.run.transforms), plan.get("draws", 1)
    yield (
        f"{count_noun(found.calibration.images, 'different image')}, {count_noun(transforms, 'transform')},"
        f" {count_noun(draws, 'draw')} each; an image counts once"
    )
    levels = [f"`{one['name']}` {one['severity']}" for one in plan["transforms"] if one.get("severity")]
    if levels:
        yield f"severities from 1 to 5: {', '.join(levels)}"
    tried, failed = found.run.count_views()
    yield f"{count_noun(tried, 'view')}, {failed:,} of them without an embedding"
    yield f"in parentheses: {level} intervals over images (BCa; recall: Wilson), each by itself"
    for measured in (found.calibration, found.retrieval):
        others = [measure.name for measure in measured.measures if measure.name not in _SHOWN]
        notes = (note for note in measured.notes if not any(name in note for name in others))
        yield from (_escape(note) for note in notes)
    if plan.get("preset"):
        yield f"preset: {_escape(str(plan['preset']))}"
    for name in ("digest", "precision"):
        if encoder.get(name):
            yield f"{'SHA-256 of the weights' if name == 'digest' else name}: {_escape(str(encoder[name]))}"
    versions = {"embshift": __version__} | info.get("versions", {})
    yield "versions: " + ", ".join(f"{_escape(str(n))} {_escape(str(v))}" for n, v in versions.items())


def _command(run: RunTables) -> str:
    folder = make_visible(call_folder(run.folder)).replace("`", "'")
    return f"embshift run --plan {shlex.quote(f'{folder}/plan.toml')} --out again\nembshift card again"


def _escape(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return _MARKUP.sub(r"\\\1", make_visible(text))
