"""What text a figure really draws, and where."""

from contextlib import contextmanager
from itertools import combinations

from matplotlib.text import Text

from embshift.show.figures.layout.style import use_house_style


@contextmanager
def recorded_text():
    """Every text as it is drawn, with its rectangle in pixels; tick labels out of sight are left out."""
    seen, draw = [], Text.draw

    def recording(self, renderer, *arguments, **options):
        draw(self, renderer, *arguments, **options)
        if self.get_visible() and self.get_text().strip():
            seen.append((self, self.get_window_extent(renderer)))

    Text.draw = recording
    try:
        yield seen
    finally:
        Text.draw = draw


def drawn_text(figure):
    """The texts of a figure with their rectangles, at 144 pixels an inch; no pixel is filled for that."""
    figure.set_dpi(144)
    with use_house_style(), recorded_text() as seen:
        figure.draw_without_rendering()
    return list(seen)


def words(figure):
    """All that is written, line breaks and spaces alike."""
    return " ".join(" ".join(text.get_text().split()) for text, _ in drawn_text(figure))


def outside(figure, texts):
    """Texts that reach beyond the page by half a pixel."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        text.get_text()
        for text, box in texts
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5
    ]


def meeting(texts):
    """Pairs of texts that overlap by a pixel, half a point, both ways."""
    return [
        (one.get_text(), other.get_text())
        for (one, a), (other, b) in combinations(texts, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1
    ]


def on_curves(figure, texts):
    """Pairs of a text and a drawn curve that runs through it by more than a pixel.

    Curves are lines of three points or more: two points make an interval, a threshold or a tie to a label.
    """
    boxes = [(text, box.padded(-1)) for text, box in texts]
    curves = [line for axes in figure.axes for line in axes.lines if _is_curve(line)]
    paths = [line.get_transform().transform_path(line.get_path()) for line in curves]
    return [
        (text.get_text(), line.get_color())
        for line, path in zip(curves, paths, strict=True)
        for text, box in boxes
        if path.intersects_bbox(box, filled=False)
    ]


def _is_curve(line):
    drawn = line.get_visible() and line.get_linestyle() not in ("None", "none", "")
    return drawn and len(line.get_xdata()) > 2
