import hashlib
import json
import pickle
import re
import subprocess
import sys

import albumentations
import cv2
import numpy as np
import pytest

from embshift.core.errors import PlanError, TransformError, UnknownNameError
from embshift.core.types import Transform, ViewKey
from embshift.transforms import TRANSFORMS
from embshift.transforms.build import build, describe, wrap
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.plan import TransformPlan
from tests.unit.transforms import sample_functions
from tests.unit.transforms.golden_views import picture

HERE = "tests.unit.transforms.sample_functions"


def view(transform, *, pixels=None, draw=0):
    key = ViewKey(run_seed=0, image_id="0" * 32, transform="tried", draw=draw)
    return perturb(picture() if pixels is None else pixels, transform, key=key)


def plan(kind, target, **parameters):
    return TransformPlan(name="tried", kind=kind, target=target, parameters=parameters)


# wrap


def kind_of(thing):
    """A test's name must be the same in every process: an object's own text may hold its address."""
    return type(thing).__name__


@pytest.mark.parametrize(
    "thing",
    [
        albumentations.Blur(p=1),
        albumentations.Compose([albumentations.Blur(p=1)]),
        "identity",
        f"{HERE}:darker",
        f"{HERE}:flip",
        TRANSFORMS["identity"],
        TRANSFORMS["identity"].apply,
        plan("registered", "identity"),
        sample_functions.speckled,
        lambda pixels: pixels,
    ],
    ids=kind_of,
)
def test_whatever_a_dictionary_may_hold_becomes_a_transform(thing):
    transform = wrap("tried", thing)
    assert isinstance(transform, Transform)
    assert view(transform).pixels.shape == (224, 224, 3)


def test_a_function_is_handed_the_generator_only_if_it_asks():
    assert np.array_equal(view(wrap("tried", lambda pixels: pixels // 2)).pixels, picture() // 2)
    speckled = wrap("tried", sample_functions.speckled)
    assert np.array_equal(view(speckled).pixels, view(speckled).pixels)
    assert not np.array_equal(view(speckled).pixels, view(speckled, draw=1).pixels)


def test_a_function_without_a_signature_is_called_with_the_pixels_alone():
    assert np.array_equal(view(wrap("tried", cv2.bitwise_not)).pixels, 255 - picture())


def test_a_function_may_state_what_it_drew():
    found = view(wrap("tried", sample_functions.stated))
    assert np.array_equal(found.pixels, picture() // found.parameters["strength"])


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (3, "transform 'tried': got an object of type int; expected an object of albumentations, a function"),
        (albumentations.Blur, "Blur is a class; pass an instance of it"),
        ("identityy", "unknown transform 'identityy'; did you mean 'identity'?"),
        (f"{HERE}:drker", f"unknown object of {HERE} 'drker'; did you mean 'darker'?"),
        (f"{HERE}:number", "got an object of type int"),
        ("no_such_package:thing", "cannot import no_such_package: ModuleNotFoundError: No module named"),
        (":thing", "':thing' is not an address; expected 'package.module:function'"),
        (sample_functions.sized, "cannot be called with (pixels) and its parameters: missing a required"),
        (lambda: None, "cannot be called with (pixels) and its parameters: too many positional"),
    ],
)
def test_what_cannot_be_a_transform_is_refused(thing, text):
    with pytest.raises(PlanError, match=re.escape(text)):
        wrap("tried", thing)


@pytest.mark.parametrize("depth", [0, 1])
def test_an_object_that_ignored_a_parameter_is_refused(depth):
    with pytest.warns(UserWarning, match="std_rage"):
        thing = albumentations.GaussNoise(std_rage=(0.1, 0.2), p=1)
    wrapped = albumentations.Compose([thing]) if depth else thing
    with pytest.raises(PlanError, match="unknown parameter of GaussNoise 'std_rage'; did you mean"):
        wrap("tried", wrapped)


@pytest.mark.parametrize("name", ["", "Noise", "two words", "a/b", "ä", "a.b", "a" * 65])
def test_a_name_must_be_a_safe_file_name(name):
    for function in (wrap, describe):
        with pytest.raises(PlanError, match="cannot name a transform; use 1 to 64 of the characters a-z"):
            function(name, "identity")


def test_no_transform_is_called_original():
    with pytest.raises(PlanError, match="'original' is the name of the untouched image"):
        wrap("original", "identity")


# build


def test_parameters_reach_a_function():
    transform = build(plan("function", f"{HERE}:darker", by=5))
    assert np.array_equal(view(transform).pixels, picture() // 5)


def test_a_built_transform_is_always_applied_unless_p_is_given():
    assert build(plan("albumentations", "Blur")).template.p == 1.0
    assert build(plan("albumentations", "Blur", p=0.25)).template.p == 0.25
    inner = [{"albumentations": "Blur", "parameters": {"blur_limit": [3, 3]}}, {"albumentations": "NoOp"}]
    composed = build(plan("albumentations", "OneOf", transforms=inner)).template
    assert (composed.p, [leaf.p for leaf in composed.transforms]) == (1.0, [1.0, 1.0])


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (plan("registered", "identity", by=2), "unknown parameter 'by'; known: none"),
        (plan("function", f"{HERE}:darker", bye=2), "unknown parameter 'bye'; did you mean 'by'?"),
        (plan("function", f"{HERE}:speckled", rng=2), "unknown parameter 'rng'"),
        (plan("function", f"{HERE}:open_ended", rng=2), "unknown parameter 'rng'"),
        (plan("function", f"{HERE}:sized"), "missing a required argument: 'side'"),
        (plan("function", f"{HERE}:flip", p=1), f"{HERE}:flip is an object of albumentations; leave out its"),
        (plan("albumentations", "OneOf"), "OneOf needs a list of tables under 'transforms', got None"),
        (plan("albumentations", "OneOf", transforms=["Blur"]), "each of OneOf's transforms must be a table"),
        (plan("albumentations", "OneOf", transforms=[{"albumentations": 3}]), "each of OneOf's transforms"),
        (
            plan("albumentations", "OneOf", transforms=[{"albumentations": "Blr"}]),
            "unknown class of albumentations 'Blr'; did you mean 'Blur'",
        ),
        (plan("albumentations", "Compose", seed=3), "unknown parameter of Compose 'seed'"),
        (plan("albumentations", "Compose", strict=True), "unknown parameter of Compose 'strict'"),
    ],
    ids=lambda value: None if isinstance(value, TransformPlan) else value[:40],
)
def test_a_plan_that_cannot_be_built_is_refused(wrong, text):
    with pytest.raises(PlanError, match=re.escape(text)):
        build(wrong)


def test_advice_to_use_another_class_is_heard_and_no_error():
    with pytest.warns(UserWarning, match="TimeReverse is an alias for HorizontalFlip"):
        build(plan("albumentations", "TimeReverse"))


# describe


@pytest.mark.parametrize(
    "thing",
    [
        albumentations.GaussNoise(std_range=(0.1, 0.3), p=0.5),
        albumentations.CoarseDropout(p=1),
        albumentations.RGBShift(p=1),
        albumentations.SelectiveChannelTransform([albumentations.Blur(p=1)], p=1),
        albumentations.Compose(
            [albumentations.OneOf([albumentations.Blur(p=1), albumentations.SafeRotate(p=0.5)], p=1)]
        ),
        "identity",
        TRANSFORMS["identity"],
        TRANSFORMS["identity"].apply,
        f"{HERE}:speckled",
        sample_functions.speckled,
        plan("function", f"{HERE}:darker", by=3),
    ],
    ids=kind_of,
)
def test_a_description_builds_the_same_transform(thing):
    found = describe("tried", thing)
    assert json.loads(json.dumps(found.parameters)) == found.parameters
    for draw in range(3):
        assert np.array_equal(
            view(build(found), draw=draw).pixels, view(wrap("tried", thing), draw=draw).pixels
        )


def test_registered_functions_are_described_by_name():
    assert describe("tried", TRANSFORMS["identity"].apply) == plan("registered", "identity")


def test_a_plan_is_described_under_the_name_that_is_asked_for():
    assert describe("other", plan("registered", "identity")).name == "other"


class Doubled(albumentations.ImageOnlyTransform):
    def apply(self, img, **_):
        return img


@pytest.mark.parametrize(
    "thing",
    [
        lambda pixels: pixels,
        str.upper.__get__("x"),
        Doubled(p=1),
        albumentations.Compose([Doubled(p=1)]),
        albumentations.SelectiveChannelTransform([albumentations.Blur(p=1)], channels=(0,), p=1),
        albumentations.Compose(
            [albumentations.SelectiveChannelTransform([albumentations.Blur(p=1)], channels=(0,), p=1)]
        ),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_no_file_can_say_has_no_description(thing):
    assert describe("tried", thing) is None


def test_what_was_typed_into_a_session_has_no_description(monkeypatch):
    def typed(pixels):
        return pixels

    monkeypatch.setattr(typed, "__module__", "__main__", raising=False)
    monkeypatch.setattr(typed, "__qualname__", "typed", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "typed", typed, raising=False)
    assert describe("tried", typed) is None


def test_an_unknown_name_has_no_description_and_says_so():
    with pytest.raises(UnknownNameError, match="did you mean 'identity'"):
        describe("tried", "identityy")


# perturb


def test_the_original_cannot_be_overwritten():
    pixels = picture()
    assert not view(wrap("tried", sample_functions.overwriting), pixels=pixels).pixels.any()
    assert np.array_equal(pixels, picture())


def test_a_view_is_contiguous_and_its_own():
    pixels = picture()
    found = view(wrap("tried", sample_functions.mirrored), pixels=pixels).pixels
    assert found.flags.c_contiguous
    assert np.array_equal(found, pixels[:, ::-1])
    assert not np.shares_memory(view(wrap("tried", "identity"), pixels=pixels).pixels, pixels)


def test_a_read_only_picture_can_be_changed():
    pixels = picture()
    pixels.flags.writeable = False
    assert not view(wrap("tried", sample_functions.overwriting), pixels=pixels).pixels.any()


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (sample_functions.failing, "transform 'tried' failed: ValueError: no such thing"),
        (
            lambda pixels: pixels[:3],
            "transform 'tried' returned a uint8 array of shape (3, 224, 3); expected a uint8",
        ),
        (lambda pixels: pixels / 255, "returned a float64 array of shape (224, 224, 3); expected"),
        (lambda pixels: pixels[..., 0], "returned a uint8 array of shape (224, 224); expected"),
        (lambda pixels: pixels.tolist(), "returned an object of type list; expected"),
        (lambda pixels: None, "returned an object of type NoneType; expected"),
        (albumentations.ToFloat(p=1), "returned a float32 array of shape (224, 224, 3); expected"),
        (albumentations.CenterCrop(8, 8, p=1), "returned a uint8 array of shape (8, 8, 3); expected"),
        (albumentations.Compose([albumentations.Crop(0, 0, 999, 999, p=1)]), "failed: ValueError: "),
    ],
)
def test_a_failure_is_an_error_and_never_the_original(function, text):
    with pytest.raises(TransformError, match=re.escape(text)) as caught:
        view(wrap("tried", function))
    assert "\n" not in str(caught.value)


def test_a_foreign_transform_is_checked_too():
    def foreign(pixels, /, *, rng):
        found = view(wrap("inner", "identity"))
        object.__setattr__(found, "pixels", pixels[:2])
        return found

    for transform in (foreign, wrap("tried", foreign)):
        with pytest.raises(TransformError, match="transform 'tried' returned a uint8 array of shape"):
            view(transform)


def test_a_function_that_reshapes_its_argument_is_caught():
    def reshaped(pixels):
        pixels.shape = (-1, 3)
        return pixels

    with pytest.raises(TransformError, match=r"returned a uint8 array of shape \(50176, 3\)|Deprecat"):
        view(wrap("tried", reshaped))


def test_an_interrupt_goes_through():
    def interrupted(pixels):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        view(wrap("tried", interrupted))


# pixels_digest; the library stays away until it is wanted


def test_the_digest_is_of_the_shape_and_the_bytes():
    pixels = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    assert pixels_digest(pixels) == hashlib.sha256(b"2x5x3" + bytes(range(30))).hexdigest()
    assert pixels_digest(pixels[:, ::-1]) == pixels_digest(np.ascontiguousarray(pixels[:, ::-1]))
    assert pixels_digest(pixels.reshape(5, 2, 3)) != pixels_digest(pixels)


def test_a_built_transform_travels_to_a_worker():
    transform = build(plan("albumentations", "GaussNoise"))
    assert np.array_equal(view(pickle.loads(pickle.dumps(transform))).pixels, view(transform).pixels)


def test_albumentations_is_imported_only_to_build_and_never_asks_for_its_newest_version():
    script = (
        "import os, sys\n"
        "from embshift.transforms.build import build, describe, wrap\n"
        "from embshift.transforms.plan import TransformPlan\n"
        "wrap('a', 'identity'); describe('a', len); wrap('a', lambda pixels: pixels)\n"
        "print('albumentations' in sys.modules, 'torch' in sys.modules)\n"
        "print(os.environ['NO_ALBUMENTATIONS_UPDATE'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["False", "False", "1"]
