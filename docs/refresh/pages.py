"""Generated parts of the documentation, and the pages that hold them between markers."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.report import format_table as benchmark_table
from docs.refresh import commands, costs, families, python_names, run_folder, tour

__all__ = ["COMMAND", "PARTS", "part_names", "refresh_text", "source_pages", "write_pages"]

DOCS = Path(__file__).parents[1]
RESULTS = DOCS.parent / "benchmarks" / "results"

COMMAND = "python -m docs.refresh"
"""What writes every generated part anew."""

_MARKED = re.compile(r"(<!-- generated: (\w+) [^\n]*-->\n)(.*?)(<!-- end: \2 -->\n)", flags=re.DOTALL)


def performance() -> str:
    """Return the newest whole result of the benchmark, and the newest of a GPU."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    whole = [result for result in found if not (result["settings"]["quick"] or result["settings"]["only"])]
    on_gpu = [result for result in found if result["settings"]["only"] == ["gpu"]]
    tables = [benchmark_table(each[-1]) for each in (whole, on_gpu) if each]
    return "\n\n".join(tables or ["No results yet: run `make bench`."]) + "\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "measurements": families.measures,
    "metrics_table": families.metrics_table,
    "metrics_sections": families.metrics_sections,
    "clusters": families.clusters,
    "presets": families.presets,
    "transforms": families.transforms,
    "paper_parameters": families.paper_parameters,
    "fast_forms": families.fast_forms,
    "device_forms": families.device_forms,
    "performance": performance,
    "actors": costs.actors,
    "costs": costs.costs,
    "encoders": families.encoders,
    "figures": families.figures,
    "tour": tour.render_tour,
    "exporters": families.exporters,
    "schema": run_folder.schema,
    "counted": run_folder.counted_fields,
    "free": run_folder.free_fields,
    "versions": run_folder.version_names,
    "errors": python_names.error_tree,
    "commands": commands.commands,
    "public": python_names.public_names,
    "results": python_names.result_names,
    "extensions": python_names.extension_names,
}
"""What writes each generated part, by the name in its markers."""


def source_pages() -> list[Path]:
    """Return the pages of the documentation as they are committed."""
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def part_names(text: str) -> list[str]:
    """Return the names of the generated parts that a page holds, in its order."""
    return [found[2] for found in _MARKED.finditer(text)]


def refresh_text(text: str) -> str:
    """Return a page with its generated parts written anew."""

    def fill(found: re.Match[str]) -> str:
        return f"{found[1]}\n{PARTS[found[2]]().strip()}\n\n{found[4]}"

    return _MARKED.sub(fill, text)


def write_pages(folder: Path = DOCS) -> list[Path]:
    """Write every page that holds generated parts into a folder; return those that are not as committed.

    Args:
        folder: Where to; the documentation itself by default.
    """
    changed: list[Path] = []
    for source in source_pages():
        before = source.read_text(encoding="utf-8")
        if part_names(before):
            after = refresh_text(before)
            target = folder / source.relative_to(DOCS)
            if target != source or after != before:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(after, encoding="utf-8")
            changed += [source] if after != before else []
    return changed
