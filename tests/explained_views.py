"""A synthetic explanation of a run: random numbers for every component and layer."""

import numpy as np
import pyarrow as pa

from embshift.runs.explained import ExplainedSink, write_explained_record, write_texts, write_texts_record
from embshift.runs.explained_schema import EXPLAINED

LAYERS, HEADS = 3, 4
COMPONENTS = (
    "stem",
    *(
        name
        for at in range(LAYERS)
        for name in (*(f"head.{at}.{head}" for head in range(HEADS)), f"mlp.{at}")
    ),
    "bias",
)
"""Components of the network that a synthetic run explains."""

WORDS = ("cat", "dog", "house", "blurry", "dark", "a rather long phrase for a word", "tree", "$漢")
LABELS = ("cat", "dog", "house")


def write_explanation(folder, views, *, images, size, seed, fingerprint="synthetic"):
    """Write random numbers of every view, given as (strength, key); the first head and last MLP matter."""
    rng = np.random.default_rng(seed)
    made = {
        "shares": [key | _shares(rng) for _, key in views],
        "patches": [key | _patches(rng) for _, key in views],
        "maps": [key | _map(size, rng) for _, key in views],
        "layers": [key | _layers(strength, rng) for strength, key in views],
        "heads": [key | _heads(rng) for _, key in views],
        "means": [],
        "similarity": _similarity([key["transform"] for _, key in views], images, rng),
    }
    sink = ExplainedSink(run=folder, fingerprint=f"explained {seed}")
    counts = {"images": images, "left_out": 0, "views": len(views), "without_shift": 0}
    record = explained_record(images) | {"fingerprint": fingerprint, "digest": sink.fingerprint}
    write_explained_record(folder, record | {"counts": counts, "greatest_residual": 0.0})
    sink.write(
        0, {name: pa.Table.from_pylist(rows, schema=EXPLAINED[name].arrow()) for name, rows in made.items()}
    )


def write_words(folder, *, dim, seed, fingerprint, images=0, words=WORDS):
    """Write random vectors of words and three labels, and the true labels of images."""
    rng = np.random.default_rng(seed)
    rows = [
        {"kind": kind, "text": text, "key": "", "vector": rng.normal(size=dim).astype(np.float32)}
        for kind, texts in (("word", words), ("label", LABELS))
        for text in texts
    ]
    truth = [
        {"kind": "truth", "text": LABELS[row % len(LABELS)], "key": str(row), "vector": []}
        for row in range(images)
    ]
    write_texts(folder, pa.Table.from_pylist(rows + truth), fingerprint=fingerprint)
    write_texts_record(folder, {"fingerprint": fingerprint, "scale": 10.0, "bias": None, "prompts": ["{}"]})


def explained_record(images):
    """Return the content of ``explain.json``."""
    return {
        "schema": 1,
        "state": "finished",
        "plan": {"patch": "class"},
        "readout": "class token",
        "components": list(COMPONENTS),
        "followed": list(COMPONENTS),
        "layers": LAYERS,
        "heads": HEADS,
        "gauge": "none",
        "chunks": 1,
        "images": images,
    }


def _shares(rng):
    share = rng.normal(0, 0.02, len(COMPONENTS))
    share[1] += 0.2
    share[-2] += 0.3
    return {
        "shift": rng.uniform(0.2, 0.9),
        "length_ratio": 1.0,
        "share": share + (1 - share.sum()) / len(share),
    }


def _patches(rng):
    recovered = rng.normal(0.03, 0.05, len(COMPONENTS))
    kind = {"kind": "class", "direction": "clean_into_view"}
    return kind | {"recovered": recovered, "closeness": recovered - 0.01}


def _map(size, rng):
    parts = {name: rng.normal(0.02, 0.05, 9) for name in ("view", "clean", "carried")}
    field = [2.0, 1.0, size[0] - 4.0, size[1] - 2.0]
    return {
        "rows": 3,
        "columns": 3,
        "field": field,
        "left_picture": rng.uniform(0, 0.1),
        "not_placed": 0.4,
    } | parts


def _layers(strength, rng):
    fall = 1 - strength * np.linspace(0.1, 1, LAYERS) * rng.uniform(0.8, 1.2)
    return {"cosine": fall, "patch_cosine": 0.9 * fall}


def _heads(rng):
    return {name: rng.uniform(0, 1, LAYERS * HEADS) for name in ("divergence", "entropy_change", "overlap")}


def _similarity(transforms, images, rng):
    if images < 4:
        return []
    rows = []
    for name in dict.fromkeys(transforms):
        for layer in range(LAYERS):
            parts = {"images": images, "cross": rng.uniform(0.3, 0.9), "clean": 1.0, "view": 1.0}
            rows.append({"transform": name, "layer": layer} | parts)
    return rows
