"""TensorBoard's projector: tensors and metadata as TSV, its configuration, and a sprite of kept views."""

import math
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from embshift.show.handover import exporter
from embshift.show.handover.points import Points
from embshift.show.handover.thumbnails import read_small
from embshift.show.text.words import make_visible

__all__ = ["write_projector"]

SIDE = 48
"""Pixels of each side of an image in the sprite."""

_LARGEST = 8192  # pixels of a sprite's side: the projector shows no larger one
_GREY = (200, 200, 200)
_CONFIG = """embeddings {{
  tensor_name: {name}
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
{sprite}}}
"""
_SPRITE = f"""  sprite {{
    image_path: "sprite.png"
    single_image_dim: {SIDE}
    single_image_dim: {SIDE}
  }}
"""


@exporter(
    name="projector",
    summary="a folder: tensors.tsv, metadata.tsv, projector_config.pbtxt, and sprite.png of kept views",
    opened="tensorboard --logdir PATH",
)
def write_projector(points: Points, path: Path) -> tuple[str, ...]:
    """Write the files into a folder."""
    with open(path / "tensors.tsv", "w", encoding="utf-8") as file:
        file.writelines(
            "\t".join(f"{value:.9g}" for value in row) + "\n" for row in points.embeddings.tolist()
        )
    with open(path / "metadata.tsv", "w", encoding="utf-8") as file:
        file.writelines("\t".join(cells) + "\n" for cells in _list_cells(points))
    sprite = _draw_sprite(points)
    if sprite is not None:
        sprite.save(path / "sprite.png")
    config = _CONFIG.format(name=_quote(points.encoder), sprite="" if sprite is None else _SPRITE)
    (path / "projector_config.pbtxt").write_text(config, encoding="utf-8")
    return () if sprite else ("there is no sprite: no view is kept, or there are too many points",)


def _list_cells(points: Points) -> Iterator[list[str]]:
    yield [
        "member",
        "transform",
        "draw",
        "row",
        *points.said,
        *(make_visible(name) for name in points.shifts),
    ]
    for at in range(len(points)):
        values = (column[at] for column in points.shifts.values())
        yield [
            make_visible(points.members[at]),
            points.transforms[at],
            str(points.draws[at]),
            str(points.rows[at]),
            *(make_visible(column[at] or "") for column in points.said.values()),
            *("" if math.isnan(value) else f"{value:.6g}" for value in values),
        ]


def _draw_sprite(points: Points) -> Image.Image | None:
    """Draw all kept views in the order of the points, row by row; a view that was not kept is grey."""
    columns = math.ceil(math.sqrt(len(points)))
    if columns * SIDE > _LARGEST or not any(points.kept):
        return None
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(points) / columns) * SIDE), _GREY)
    for at, path in enumerate(points.kept):
        small = None if path is None else read_small(path, side=SIDE)
        if small is not None:
            top, left = divmod(at, columns)
            sheet.paste(
                small, (left * SIDE + (SIDE - small.width) // 2, top * SIDE + (SIDE - small.height) // 2)
            )
    return sheet


def _quote(text: str) -> str:
    """Write a text as a string of protobuf's text format."""
    escaped = make_visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
