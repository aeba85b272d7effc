"""Every figure of a run, small, with a page around them: ``python -m docs.gallery [RUN]``."""

import io
import sys
from pathlib import Path

from PIL import Image

import embshift
from embshift.core.errors import FigureError
from embshift.show.figures import FIGURES
from embshift.show.figures.layout.style import drawn_alike
from embshift.show.figures.material import Material
from embshift.show.figures.render import draw

HERE = Path(__file__).parent
RESOLUTION = 110  # pixels an inch; the files of embshift figures have 300
HEAD = """# Gallery

Every figure of the demo run: 36 sample photographs, the nine transforms of the paper, the encoder `lite`.
They show what the figures look like, and nothing about CLIP. Made by `make gallery`, in a lower resolution
than that of the [files](../figures.md).
"""


def small(figure) -> Image.Image:
    """A page as a picture of at most 256 colours."""
    kept = io.BytesIO()
    with drawn_alike():
        figure.savefig(kept, format="png", dpi=RESOLUTION, metadata={"Software": None})
    picture = Image.open(kept).convert("RGB")
    return picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def drawn(run: embshift.Run, name: str) -> str:
    """Write the pages of one figure; returns its section of the page, or nothing where it cannot be drawn."""
    lines = [f"## {FIGURES[name].question}\n", f"`embshift figures demo-run --only {name}`\n"]
    try:
        for page, drawing in enumerate(draw(Material(run=run), name, pictures=2), start=1):
            file = f"{name}.png" if page == 1 else f"{name}-{page}.png"
            small(drawing.figure).save(HERE / file, optimize=True)
            lines.append(f"![{drawing.alt.replace('[', '(').replace(']', ')')}]({file})\n")
    except FigureError:
        return ""
    return "\n".join(lines)


def main(folder: str) -> None:
    """Write all of the gallery anew."""
    for stale in HERE.glob("*.png"):
        stale.unlink()
    run = embshift.open_run(folder)
    sections = [section for name in FIGURES if (section := drawn(run, name))]
    (HERE / "index.md").write_text("\n".join([HEAD, *sections]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo-run")
