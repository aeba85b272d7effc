"""What one step of the app's slider costs: its parts and whole answers, in processor time of all threads."""

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.setting import Setting
from benchmarks.timing import Figure, interleave, make_figures
from embshift.analysis.embeddings.neighbours import scan
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.measurement.api import measure
from embshift.measurement.session.trust import NO_TRUST
from embshift.measurement.studies.live.opening import open_served
from embshift.runs.tables import open_tables
from embshift.runs.view_files import encode_png
from embshift.show.app.answers.bodies import list_bodies
from embshift.show.app.answers.requests import Desk
from embshift.show.app.answers.view import answer_view
from embshift.show.app.answers.wish import read_wish
from embshift.show.app.served.live import Asked, Seen

__all__ = ["STAGES", "measure_app"]

GALLERY, DIM = 13_312, 256
"""Originals that a view is compared with, and the length of their embeddings."""

_STEPS = 8
"""Positions of the slider in a repetition."""

_EVERYTHING = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS | Capture.TOKENS


def measure_app(setting: Setting) -> list[Figure]:
    """Measure the parts of an answer about a view of ``lite``, and whole answers."""
    folder = setting.folder / "app"
    measure(setting.block(0, count=setting.few), encoder="lite", out=folder)
    side = open_served(open_tables(folder), title="run", trust=NO_TRUST)
    assert side.live is not None, side.why
    desk, live = Desk(sides=[side], command="embshift serve run"), side.live
    seen = live.see(Asked(row=0, transform="blur", strength=2.0))
    ways: dict[str, Callable[[int], float]] = {
        **_time_parts(seen),
        "images as PNG": partial(_repeat, lambda _: list(list_bodies(seen))),
        "thumbnail's file": partial(_repeat, lambda _: encode_png(np.asarray(seen.pixels))),
        "answer, dragging, blur": partial(_drag, desk, "blur", (0.5, 8.0), detail=False),
        "answer, dragging, elastic": partial(_drag, desk, "elastic", (200.0, 4000.0), detail=False),
        "answer with details, blur": partial(_drag, desk, "blur", (0.5, 8.0), detail=True),
    }
    taken = interleave(ways, repetitions=setting.repetitions)
    return make_figures("app, processor time of one step, lite", taken, unit="ms/view")


def _time_parts(seen: Seen) -> dict[str, Callable[[int], float]]:
    encoder = open_encoder("lite", device="cpu")
    views = np.asarray(seen.pixels)[None]
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(GALLERY, DIM))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    own = np.array([7])
    return {
        "encode with all maps": partial(_repeat, lambda _: encoder.encode(views, capture=_EVERYTHING)),
        f"8 neighbours among {GALLERY:,} x {DIM}": partial(
            _repeat, lambda _: scan(gallery[:1], gallery, own=own, neighbours=8)
        ),
    }


def _repeat(call: Callable[[int], object], repetition: int) -> float:
    """Return the milliseconds of processor time that a call takes, mean over the steps."""
    before = time.process_time()
    for step in range(_STEPS):
        call(repetition * _STEPS + step)
    return 1e3 / _STEPS * (time.process_time() - before)


def _drag(desk: Desk, transform: str, ends: tuple[float, float], repetition: int, *, detail: bool) -> float:
    """Return the same for answers about one image, each at a strength that was not asked for before."""
    strengths = np.random.default_rng((repetition, detail)).uniform(*ends, _STEPS)

    def answer(step: int) -> None:
        wish = {
            "row": 0,
            "transform": transform,
            "strength": float(strengths[step % _STEPS]),
            "detail": detail,
        }
        answer_view(desk, read_wish(desk, wish))

    return _repeat(answer, repetition)


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"app": measure_app}
"""Stages of the app, by their name for ``--only``."""
