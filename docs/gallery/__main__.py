"""Gallery: every figure of a run, small, on one page. Run ``python -m docs.gallery [RUN]``."""

import io
import sys
from pathlib import Path

from PIL import Image

import embshift
from embshift.core.errors import FigureError
from embshift.show.figures import FIGURES
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.material import Material
from embshift.show.figures.render import render_pages

HERE = Path(__file__).parent
RESOLUTION = 110  # pixels per inch; the files of embshift figures have 300
HEAD = """# Gallery

```shell
embshift demo
embshift figures demo-run
```

These commands write every figure of this page, as large as [figures](../figures.md) describes. `make gallery`
writes the smaller copies shown here. The demo run has 36 sample photographs, the nine transforms of the paper
and the encoder `lite`. The figures show what the output looks like; they say nothing about CLIP.
"""


def shrink_page(figure) -> Image.Image:
    """Return a page as an image of at most 256 colours."""
    kept = io.BytesIO()
    with use_house_style():
        figure.savefig(kept, format="png", dpi=RESOLUTION, metadata={"Software": None})
    page = Image.open(kept).convert("RGB")
    return page.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def write_figure(run: embshift.Run, name: str) -> str:
    """Write the pages of one figure and return its section; return nothing if the run lacks what it needs."""
    lines = [f"## {FIGURES[name].question}\n", f"`embshift figures demo-run --only {name}`\n"]
    try:
        for page, drawing in enumerate(render_pages(Material(run=run), name, pictures=2), start=1):
            file = f"{name}.png" if page == 1 else f"{name}-{page}.png"
            shrink_page(drawing.figure).save(HERE / file, optimize=True)
            lines.append(f"![{drawing.alt.replace('[', '(').replace(']', ')')}]({file})\n")
    except FigureError:
        return ""
    return "\n".join(lines)


def main(folder: str) -> None:
    """Write the whole gallery anew."""
    for stale in HERE.glob("*.png"):
        stale.unlink()
    run = embshift.open_run(folder)
    sections = [section for name in FIGURES if (section := write_figure(run, name))]
    (HERE / "index.md").write_text("\n".join([HEAD, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo-run")
