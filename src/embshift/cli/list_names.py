"""What ``embshift list`` shows, read from the registries."""

from collections.abc import Callable, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ["TABLES"]


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _transforms() -> Table:
    from embshift.transforms import TRANSFORMS
    from embshift.transforms.presets import load_preset, preset_names

    table = _table("transform", "from", "what it is", "severities 1 to 5")
    for preset in preset_names():
        for plan in load_preset(preset).transforms:
            shown = ", ".join(f"{name}={value}" for name, value in plan.parameters.items())
            table.add_row(plan.name, f"preset {preset}", f"{plan.target}({shown})", "–")
    for name, spec in TRANSFORMS.items():
        levels = spec.strength.severities if spec.strength is not None else ()
        table.add_row(name, spec.family, spec.summary, " ".join(f"{each:g}" for each in levels) or "–")
    return table


def _metrics() -> Table:
    from embshift.metrics import METRICS

    table = _table("metric", "range", "identity", "direction", "what it compares", "blind to")
    for name, metric in METRICS.items():
        spec = metric.spec
        low, high = (f"{bound:g}".replace("inf", "∞") for bound in spec.bounds)
        table.add_row(
            name, f"{low} – {high}", f"{spec.identity:g}", spec.direction, spec.summary, spec.blind_to
        )
    return table


def _encoders() -> Table:
    from embshift.encoders import ENCODERS

    table = _table("encoder", "choose it by", "what it is", "embedding", "map")
    for name, entry in ENCODERS.items():
        chosen = "folder or hub name" if entry.model_types else f"--encoder {name}"
        table.add_row(name, chosen, entry.summary, entry.embedding, entry.map_source)
    return table


def _presets() -> Table:
    from embshift.transforms.presets import load_preset, preset_names

    table = _table("preset", "summary", "transforms")
    for name in preset_names():
        preset = load_preset(name)
        table.add_row(name, preset.summary, ", ".join(plan.name for plan in preset.transforms))
    return table


def _figures() -> Table:
    from embshift.show.figures import FIGURES

    table = _table("figure", "question", "what is drawn", "follows", "needs")
    for name, entry in FIGURES.items():
        table.add_row(name, entry.question, entry.shows, entry.source, entry.needs or "–")
    return table


TABLES: Mapping[str, Callable[[], Table]] = {
    "transforms": _transforms,
    "metrics": _metrics,
    "encoders": _encoders,
    "presets": _presets,
    "figures": _figures,
}
"""What can be listed."""
