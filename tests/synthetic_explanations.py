"""Explanations of synthetic runs: every table with plausible random values, nothing of a network."""

import numpy as np
import pyarrow as pa

from embshift.runs.explained import ExplainedSink, write_explained_record, write_texts, write_texts_record
from embshift.runs.explained_schema import EXPLAINED
from embshift.show.run import open_run

LAYERS, HEADS, SIDE, WORDS = 3, 2, 4, ("cat", "dog", "house")


def list_components():
    blocks = [[*(f"head.{at}.{head}" for head in range(HEADS)), f"mlp.{at}"] for at in range(LAYERS)]
    return ["stem", *(name for block in blocks for name in block), "bias"]


def write_explanation(folder, *, seed=0):
    """Write an explanation of all usable images of a run, in one chunk; returns the run."""
    run = open_run(folder)
    rng, components = np.random.default_rng(seed), list_components()
    ids, draws = run.image_ids(), run.info["plan"]["draws"]
    views = [
        {"row": row, "image_id": ids[row], "transform": name, "draw": draw}
        for row in sorted(ids)
        for name in run.transforms
        for draw in range(draws)
    ]
    sink = ExplainedSink(run=run.folder, fingerprint=f"synthetic {seed}")
    sink.write(0, _make_tables(views, run.transforms, components, rng, images=len(ids)))
    record = _make_record(run, components, views=len(views), images=len(ids))
    write_explained_record(run.folder, {**record, "digest": sink.fingerprint})
    dim = run.embeddings().values.shape[1]
    texts = [
        {"kind": "word", "text": word, "key": "", "vector": rng.normal(size=dim).astype(np.float32)}
        for word in WORDS
    ]
    write_texts(run.folder, pa.Table.from_pylist(texts), fingerprint=run.info["fingerprint"])
    write_texts_record(
        run.folder, {"fingerprint": run.info["fingerprint"], "scale": 10.0, "bias": None, "prompts": ["{}"]}
    )
    return run


def _make_tables(views, transforms, components, rng, *, images):
    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    shares = draw(len(views), len(components)) / 5
    shares[:, 0] += 1 - shares.sum(axis=1)
    kinds = [(kind, way) for kind in ("direct", "class") for way in ("clean_into_view", "view_into_clean")]
    rows = {
        "shares": [
            {**one, "shift": float(rng.uniform(0.1, 1)), "length_ratio": 1.0, "share": shares[at]}
            for at, one in enumerate(views)
        ],
        "patches": [
            {
                **one,
                "kind": kind,
                "direction": way,
                "recovered": draw(len(components)),
                "closeness": draw(len(components)),
            }
            for one in views
            for kind, way in kinds
        ],
        "maps": [
            {
                **one,
                "rows": SIDE,
                "columns": SIDE,
                "field": np.array([0, 0, 64, 64], np.float32),
                **{name: draw(SIDE * SIDE) / 10 for name in ("view", "clean", "carried")},
                "left_picture": 0.0,
                "not_placed": 0.5,
            }
            for one in views
        ],
        "layers": [
            {**one, "cosine": np.tanh(draw(LAYERS)), "patch_cosine": np.tanh(draw(LAYERS))} for one in views
        ],
        "heads": [
            {
                **one,
                **{
                    name: np.abs(np.tanh(draw(LAYERS * HEADS)))
                    for name in ("divergence", "entropy_change", "overlap")
                },
            }
            for one in views
        ],
        "means": [
            {"transform": name, "component": at, "views": images, "total": draw(8)}
            for name in transforms
            for at in range(len(components))
        ],
        "similarity": [
            {"transform": name, "layer": at, "images": images, "cross": 0.5, "clean": 1.0, "view": 1.0}
            for name in transforms
            for at in range(LAYERS)
        ],
    }
    return {name: pa.Table.from_pylist(rows[name], schema=EXPLAINED[name].arrow()) for name in EXPLAINED}


def _make_record(run, components, *, views, images):
    return {
        "schema": 1,
        "state": "finished",
        "fingerprint": run.info["fingerprint"],
        "plan": {"images": 256, "patch": "class", "patch_images": 64, "seed": 0},
        "readout": "class",
        "components": components,
        "followed": components[1:-1],
        "layers": LAYERS,
        "heads": HEADS,
        "gauge": "synthetic",
        "chunks": 1,
        "images": images,
        "counts": {"images": images, "left_out": 0, "views": views, "without_shift": 0},
        "greatest_residual": 0.0,
    }
