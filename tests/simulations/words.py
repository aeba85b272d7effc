"""How often words are named that should not be, and how often those that should."""

import math

import numpy as np

from embshift.analysis.words.directions import name_directions
from tests.simulations.coverage import Share

WORDS, TRANSFORMS, DIM = 40, 5, 24


def _share(held, trials):
    return Share(held=held / trials, error=math.sqrt(held / trials * (1 - held / trials) / trials))


def _scene(rng, images):
    """Texts that lie in few directions, and shifts that are as likely with either sign.

    The shifts of an image are alike under all transforms, some are ten times as long as others, and a tenth
    of the views is missing.
    """
    spread = 1 / (1 + np.arange(DIM))
    texts = rng.normal(size=(WORDS, DIM)) * spread + rng.normal(size=DIM)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    common = rng.laplace(size=(1, images, DIM))
    shifts = (common + rng.laplace(size=(TRANSFORMS, images, DIM))) * spread
    shifts *= rng.lognormal(size=(1, images, 1)) / 50
    shifts[rng.random((TRANSFORMS, images)) < 0.1] = np.nan
    return texts, {f"transform {at}": one for at, one in enumerate(shifts)}


def _named(shifts, texts, *, resamples, seed):
    names = [str(at) for at in range(WORDS)]
    found = name_directions(shifts, texts, names, resamples=resamples, seed=seed)
    return {name: [word.word for word in found.named(name)] for name in shifts}


def no_false_name(images, *, trials, resamples=999, seed=0):
    """Share of runs in which no word of any transform is named, though none moves images any way."""
    held = 0
    for trial in range(trials):
        texts, shifts = _scene(np.random.default_rng((seed, images, trial)), images)
        held += not any(_named(shifts, texts, resamples=resamples, seed=trial).values())
    return _share(held, trials)


def planted_name(images, *, trials, resamples=999, seed=0):
    """Share of runs in which a word is named that one transform moves all images towards.

    It need not have the greatest |T|: words whose vectors are alike are named with it.
    """
    held = 0
    for trial in range(trials):
        texts, shifts = _scene(np.random.default_rng((seed, images, trial)), images)
        shifts["transform 2"] = shifts["transform 2"] + (texts - texts.mean(axis=0))[7]
        held += "7" in _named(shifts, texts, resamples=resamples, seed=trial)["transform 2"]
    return _share(held, trials)
