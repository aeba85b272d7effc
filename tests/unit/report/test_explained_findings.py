"""Sentences on an explanation, each held to its number, on planted facts."""

from dataclasses import replace

import numpy as np
import pytest

from embshift.analysis.inside.by_image import ImageMeans
from embshift.analysis.inside.patches import Calibration, PatchEffects
from embshift.analysis.inside.shares import PooledShares
from embshift.analysis.of_explained_views import PLACES
from embshift.analysis.sampling.bootstrap import Intervals
from embshift.analysis.words.captions import compare_captions
from embshift.analysis.words.directions import DirectionWords
from embshift.analysis.words.labels import compare_labels
from embshift.analysis.words.shares import WordShares
from embshift.show.report.facts.explained import ExplainedFacts, TextFacts
from embshift.show.report.findings.components import spell_component
from embshift.show.report.findings.explained import list_explained_findings
from embshift.show.report.findings.network import (
    describe_calibration,
    describe_components,
    describe_largest_share,
    describe_layers,
    describe_meaning,
    describe_patch,
    describe_places,
    describe_sample,
)
from embshift.show.report.findings.texts import (
    describe_captions,
    describe_labels,
    describe_left_out_words,
    describe_named_words,
    describe_texts,
    describe_word_shares,
)
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_percent

COMPONENTS = ("stem", "head.5.3", "mlp.7")
NAN = float("nan")


def means(mean, low, high, *, n=24):
    """Return means over images; the ends of an interval may be one number for all columns."""
    mean = np.atleast_1d(np.asarray(mean, float))
    ends = [np.broadcast_to(np.asarray(one, float), mean.shape).copy() for one in (low, high)]
    estimates = Intervals(
        mean=mean, low=ends[0], high=ends[1], n=np.full(len(mean), n), plain=np.zeros(len(mean), bool)
    )
    return ImageMeans(estimates=estimates, undefined=np.zeros(len(mean), np.int64), level=0.95)


def pooled(share, low, high, *, names=COMPONENTS, transform="noise", images=24):
    share, low, high = (np.asarray(one, float) for one in (share, low, high))
    return PooledShares(
        transform=transform,
        components=names,
        share=share,
        low=low,
        high=high,
        joint_low=low,
        joint_high=high,
        images=images,
        undefined=0,
        level=0.95,
    )


def patched(recovered, low, high, *, kind="class"):
    found = means(recovered, low, high, n=20)
    return PatchEffects(
        transform="noise",
        kind=kind,
        direction="clean_into_view",
        components=COMPONENTS,
        recovered=found,
        closeness=found,
    )


SHARES = {
    "noise": pooled([0.1, 0.25, -0.5], [-0.1, 0.2, -0.7], [0.3, 0.3, 0.1]),
    "blur": pooled([0.5, 0.3, 0.2], [0.4, 0.1, 0.1], [0.6, 0.5, 0.3]),
}
FACTS = ExplainedFacts(
    record={
        "counts": {"images": 24, "left_out": 0, "views": 48, "without_shift": 0},
        "components": list(COMPONENTS),
        "followed": list(COMPONENTS),
        "readout": "class",
    },
    transforms=("noise", "blur"),
    changed=0,
    shifts={"noise": means(0.5, 0.4, 0.6), "blur": means(0.125, 0.1, 0.2)},
    shares=SHARES,
    patches={name: patched([0.1, 0.375, 0.2], 0.05, 0.45) for name in ("noise", "blur")},
    calibration=Calibration(
        kind="class", direction="clean_into_view", correlation=0.998, difference=0.0125, pairs=36
    ),
    cosine={name: means([0.75, 0.8, 0.25], 0.2, 0.9) for name in ("noise", "blur")},
    falls={
        name: means([0.25, -0.05, 0.55], [0.125, -0.1, 0.5], [0.375, 0.05, 0.625])
        for name in ("noise", "blur")
    },
    places={
        "noise": pooled([0, 0.375], [0, 0.25], [0, 0.5], names=PLACES),
        "blur": pooled([-0.125, 0.2], [-0.25, -0.1], [-0.0625, 0.5], names=PLACES),
    },
)


def with_main(**changes):
    """Return the facts with another part for noise, the transform with the largest shift."""
    return replace(FACTS, **{part: {**getattr(FACTS, part), "noise": one} for part, one in changes.items()})


def test_what_is_left_out_is_counted():
    assert describe_sample(FACTS) == (
        "The shifts of 48 views of 24 images are split among 3 components of the network (read-out class). No"
        " image and no view is left out."
    )
    counts = {"images": 24, "left_out": 1, "views": 45, "without_shift": 2}
    lost = replace(FACTS, record={**FACTS.record, "counts": counts}, changed=3)
    assert describe_sample(lost).endswith(
        "Left out: 1 image that could not be made again, 3 views that could not be made again and 2 views"
        " without a shift beyond rounding."
    )


def test_the_largest_certain_share_is_named_not_the_largest():
    assert describe_largest_share(FACTS) == (
        "The explained shifts are largest under noise: mean 1 − cosine 0.500 (95 % interval 0.400 to 0.600,"
        " 24 images). Of the squared shift, the largest certain share is 25 % (joint 95 % interval 20 % to"
        " 30 %, 24 images), that of head 3 of layer 5 (head.5.3)."
    )


def test_a_certain_negative_share_works_against_the_shift():
    negative = with_main(shares=pooled([0.1, 0.25, -0.5], [-0.1, 0.2, -0.7], [0.3, 0.3, -0.1]))
    assert describe_largest_share(negative).endswith(
        "is −50 % (joint 95 % interval −70 % to −10 %, 24 images), that of the inner layers (MLP) of layer 7"
        " (mlp.7): it works against the shift."
    )


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        (
            pooled([0.1, 0.25, -0.5], [-1, -1, -1], [1, 1, 1]),
            "No component has a share whose joint 95 % interval excludes 0, so none is named.",
        ),
        (
            pooled([0.1, 0.25, -0.5], [NAN] * 3, [NAN] * 3, images=8),
            "No component is named, since there is no interval: it needs at least ten images.",
        ),
        (
            pooled([NAN] * 3, [NAN] * 3, [NAN] * 3, images=0),
            "None of them is beyond rounding, so no component has a share.",
        ),
    ],
)
def test_no_component_is_named_where_none_is_certain(shares, told):
    facts = with_main(shares=shares)
    assert describe_largest_share(facts).endswith(told)
    assert "head" not in describe_largest_share(facts)
    assert describe_patch(facts) is None


@pytest.mark.parametrize(
    ("recovered", "low", "high", "told"),
    [
        (
            0.375,
            0.05,
            0.45,
            "As a check, the class-path patch of head 3 of layer 5 (head.5.3), which sets its part to that of"
            " the original, undoes 38 % of the shift (95 % interval 5 % to 45 %, 20 images).",
        ),
        (
            0.1,
            -0.1,
            0.3,
            "It is not certain that the class-path patch of head 3 of layer 5 (head.5.3) undoes any of the"
            " shift: 10 % (95 % interval −10 % to 30 %, 20 images).",
        ),
        (
            -0.2,
            -0.3,
            -0.1,
            "The check contradicts the share: the class-path patch of head 3 of layer 5 (head.5.3) undoes"
            " −20 % of the shift (95 % interval −30 % to −10 %, 20 images).",
        ),
        (
            0.25,
            NAN,
            NAN,
            "The check by the class-path patch of head 3 of layer 5 (head.5.3) is not certain: 25 % of the"
            " shift is undone (no interval: it needs at least ten images, 20 images).",
        ),
        (
            NAN,
            NAN,
            NAN,
            "Under noise, the class-path patch of head 3 of layer 5 (head.5.3) was not made.",
        ),
    ],
)
def test_the_patch_stands_beside_the_share(recovered, low, high, told):
    effects = patched([0.9, recovered, 0.9], [0.8, low, 0.8], [1, high, 1])
    assert describe_patch(with_main(patches=effects)) == told


def test_the_largest_certain_components_are_counted_over_transforms():
    assert describe_components(FACTS) == (
        "Of 2 transforms, the largest certain share is that of head 3 of layer 5 (head.5.3) under 1 and the"
        " input of the first block (stem) under 1."
    )
    none = pooled([0.1, 0.25, -0.5], [-1, -1, -1], [1, 1, 1])
    assert describe_components(with_main(shares=none)) == (
        "Of 2 transforms, the largest certain share is that of the input of the first block (stem) under 1."
        " Left out: noise (no share is certain)."
    )
    bare = replace(FACTS, shares={"noise": none, "blur": none})
    assert describe_components(bare).startswith("Under no transform is a share certain.")
    assert describe_components(replace(FACTS, transforms=("noise",))) is None


def test_a_share_is_said_to_be_no_cause():
    assert describe_meaning(FACTS).startswith("A share is no cause")


def test_cheap_patches_are_told_beside_full_ones():
    assert describe_calibration(FACTS) == (
        "Where a component was also exchanged in a pass of the whole network (36 pairs of view and"
        " component), the class-path patch differs from the full one by 0.0125 of the shift on average; their"
        " correlation is 0.998."
    )
    assert describe_calibration(replace(FACTS, calibration=None)) is None
    direct = replace(FACTS, calibration=None, record={**FACTS.record, "followed": []})
    assert describe_calibration(direct).startswith("Every patch here is a class-path patch")


def test_only_certain_falls_of_the_cosine_are_told():
    assert describe_layers(FACTS) == (
        "Under noise, the cosine of the token that is read, original against view, certainly falls at layer"
        " 2 by 0.550 (0.500 to 0.625) and at layer 0 by 0.250 (0.125 to 0.375) (joint 95 % intervals); after"
        " the last layer, layer 2, it is 0.250 (95 % interval 0.200 to 0.900, 24 images). The fall at layer 0"
        " is counted from 1, so it holds the input as well."
    )
    assert "certainly falls at no layer; after" in describe_layers(
        with_main(falls=means([0.25, 0.1, 0.4], -0.1, 0.9))
    )


def test_what_has_no_place_and_what_left_the_view_are_told():
    assert describe_places(FACTS) == (
        "Of the squared shift of noise, 38 % (joint 95 % interval 25 % to 50 %, 24 images) has no place in"
        " the image (not placed: input, inner layers and class token). Parts of the original that left the"
        " view (outside view) count most under blur: on the original's side, −12 % (joint 95 % interval −25 %"
        " to −6.2 %, 24 images) of the squared shift."
    )


def test_rounding_is_no_place_and_nothing_left():
    tiny = pooled([1e-8, 4e-7], [1e-9, 3e-7], [2e-8, 5e-7], names=PLACES)
    facts = replace(FACTS, places={"noise": tiny, "blur": tiny})
    assert describe_places(facts) == (
        "The shift maps place the whole squared shift of noise on patches of the image. Under no transform do"
        " parts of the original that left the view certainly count (outside view)."
    )
    wide = pooled([0.1, 0.2], [-0.1, -0.2], [0.3, 0.5], names=PLACES)
    text = describe_places(replace(FACTS, places={"noise": wide, "blur": wide}))
    assert text.startswith("How much of the squared shift of noise has no place in the image is not certain:")
    assert "Under no transform" in text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("head.11.0", "head 0 of layer 11 (head.11.0)"),
        ("where.2", "where head 2 looks (where.2)"),
        ("pool.7", "where head 7 of the probe looks (pool.7)"),
        ("norm_scale", "the scale of the final norm (norm_scale)"),
        ("unheard of\u202e", "unheard of⟨U+202E⟩"),
    ],
)
def test_components_are_named_in_words(name, told):
    assert spell_component(name) == told


def named_words(p):
    return DirectionWords(
        transforms=("noise", "blur"),
        names=("cat", "dog", "house", "tree"),
        t=np.array([[4.0, -3.0, 2.5, 2.0], [1.0, 0.5, 0.25, 0.0]]),
        p=np.asarray(p, float),
        mean=np.zeros((2, 4)),
        images=np.array([24, 24]),
        flips=9_999,
        exact=False,
        least=0.0001,
        line=2.2,
    )


WORDS = named_words([[0.001, 0.01, 0.02, 0.2], [0.9, 0.9, 0.9, 1]])
NONE = named_words([[0.05, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 1]])
SHARED = WordShares(
    transforms=("noise", "blur"),
    share=np.array([0.25, 0.125]),
    null=np.array([0.1, 0.1]),
    null_low=np.array([0.05, 0.05]),
    null_high=np.array([0.15, 0.15]),
    p=np.array([0.01, 0.2]),
    images=np.array([24, 24]),
    words=5,
)


def with_texts(**parts):
    return replace(FACTS, texts=TextFacts(**{"record": {}, **parts}))


def test_named_words_come_with_their_p_and_what_they_explain():
    facts = with_texts(words=WORDS, word_shares=SHARED)
    assert describe_named_words(facts) == (
        "Words are named for 1 of 2 transforms (p, adjusted for 4 words and 2 transforms together, below"
        " 0.05): noise moves 24 images towards cat and house and away from dog (p at most 0.02)."
    )
    assert describe_word_shares(facts) == (
        "Significance is not meaning: a named word need not be the reason for a shift, and may explain little"
        " of it. Part of the mean shift of other images that the best 5 words explain: noise 25 % (as many"
        " random vectors 5 % to 15 %)."
    )
    chance = replace(SHARED, share=np.array([0.15, 0.1]))
    assert "noise 15 % (as many random vectors 5 % to 15 %, so no more than chance)" in describe_word_shares(
        with_texts(words=WORDS, word_shares=chance)
    )
    assert describe_word_shares(with_texts(words=WORDS)).endswith("may explain little of it.")


def test_that_no_word_is_named_is_told():
    facts = with_texts(words=NONE, word_shares=SHARED)
    assert describe_named_words(facts) == (
        "No word is named for any transform: p, adjusted for 4 words and 2 transforms together, is nowhere"
        " below 0.05."
    )
    assert describe_word_shares(facts) is None
    few = replace(NONE, images=np.array([24, 3]))
    assert describe_named_words(with_texts(words=few)).endswith("Left out: blur (too few images moved).")


def test_words_that_were_left_out_are_counted_with_the_reason():
    record = {"words_left_out": 66, "why_left_out": "it knows nouns only"}
    text = describe_left_out_words(with_texts(words=WORDS, record=record))
    assert text == "66 words left out: it knows nouns only."
    assert describe_left_out_words(with_texts(words=WORDS)) is describe_left_out_words(FACTS) is None


def units(*angles):
    """Return vectors of length 1 in a plane, by angle in degrees."""
    at = np.radians(np.asarray(angles, float))
    return np.stack([np.cos(at), np.sin(at)], axis=-1)


def compare(flipped, *, truth=None):
    """Compare 24 images of the first of two labels, some of whose views have the second."""
    views = units(*([80] * flipped + [10] * (24 - flipped)))[:, None]
    return compare_labels(units(*[5] * 24), views, units(0, 90), scale=10, truth=truth, resamples=200)


def test_flips_of_labels_are_told_with_their_intervals():
    labels = {"noise": compare(12), "blur": compare(3)}
    text = describe_labels(with_texts(labels=labels, labels_count=2))
    ends = {
        name: [format_percent(end) for end in one.measure("flip_rate")[1:]] for name, one in labels.items()
    }
    assert text == (
        "Out of 2 labels, views get another one than their original most often under noise: 50 % (95 %"
        f" interval {' to '.join(ends['noise'])}, 24 images), and least often under blur: 12 % (95 % interval"
        f" {' to '.join(ends['blur'])}, 24 images)."
    )
    same = describe_labels(with_texts(labels={"noise": compare(0), "blur": compare(0)}, labels_count=2))
    assert same == "No view of 24 images has another label than its original, under any transform."


def test_accuracy_is_told_where_true_labels_are_known():
    one = compare(12, truth=np.zeros(24, np.int64))
    text = describe_labels(with_texts(labels={"noise": one}, labels_count=2))
    low, high = (format_percent(end) for end in one.measure("accuracy_after")[1:])
    assert "least often" not in text
    assert "Under noise, 100 % of originals (95 % interval" in text
    assert f"50 % of views (95 % interval {low} to {high}) get their true label, on 24 images." in text


def test_lost_closeness_to_captions_is_told_where_it_is_certain():
    views = {"noise": units(*np.linspace(30, 60, 24)), "blur": units(*np.linspace(-9, 9, 24))}
    captions = {
        name: compare_captions(units(*[0] * 24), one[:, None], units(*[0] * 24), np.arange(24), resamples=200)
        for name, one in views.items()
    }
    text = describe_captions(with_texts(captions=captions))
    drop, low, high = captions["noise"].measure("caption_drop")
    assert (
        f"under noise: the cosine drops by {spell_number(drop)} (95 % interval {spell_number(low)} to"
        f" {spell_number(high)}, 24 images)."
    ) in text
    assert "nearest for 100 % of originals (95 % interval" in text
    still = compare_captions(units(*[0] * 24), units(*[0] * 24)[:, None], units(*[0] * 24), np.arange(24))
    assert describe_captions(with_texts(captions={"noise": still})) == (
        "Under no transform do views certainly lose closeness to the captions of their image."
    )


def test_texts_that_are_not_there_are_told():
    assert describe_texts(FACTS).startswith("No words, labels or captions are stored")
    assert describe_texts(replace(FACTS, texts_left_out="the file is damaged")) == (
        "Words, labels and captions are left out: the file is damaged."
    )
    assert describe_texts(with_texts(words=WORDS)) is None
    assert [one["about"] for one in list_explained_findings(FACTS)] == [
        "sample",
        "largest share",
        "patch",
        "components",
        "meaning",
        "calibration",
        "layers",
        "places",
        "texts",
    ]


def test_closeness_that_chance_alone_could_cost_is_not_said_to_be_lost():
    originals, views = units(*[15] * 24), units(*([0, 22] * 12))
    doubtful = compare_captions(originals, views[:, None], units(*[0] * 24), np.arange(24), resamples=200)
    drop, low, _ = doubtful.measure("caption_drop")
    assert low < 0 < drop
    told = describe_captions(with_texts(captions={"noise": doubtful}))
    assert told.startswith("Under no transform do views certainly lose closeness")
