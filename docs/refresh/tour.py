"""The notebook of the documentation as a page: its cells in order, without results."""

import json
import re
from pathlib import Path

__all__ = ["render_tour"]

NOTEBOOK = Path(__file__).parents[1] / "tour.ipynb"

_VALUES = {"images": "36", "photos": "photos", "tour": "tour"}
"""What the names in lines for the shell stand for."""


def render_tour() -> str:
    """Return the cells of the notebook as Markdown, below its title."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    parts = [_render_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join(part for part in parts if part)


def _render_cell(kind: str, text: str) -> str:
    if kind == "markdown":
        return "\n".join(line for line in text.splitlines() if not line.startswith("# ")).strip()
    if text.startswith("!"):
        command = re.sub(r"\{(\w+)\}", lambda found: _VALUES[found[1]], text[1:])
        return f"```shell\n{command}\n```"
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    return "\n".join(["```python", *lines, "```"])
