import re
import tomllib
import warnings

import numpy as np
import pytest
import tomli_w

from embshift.core.errors import PlanError
from embshift.core.types import ViewKey
from embshift.transforms.albumentations.construction import construct_object
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb
from embshift.transforms.presets import (
    Preset,
    TransformPlan,
    list_preset_names,
    load_preset,
    make_transform_table,
    read_transforms,
)
from tests.unit.transforms.golden_views import picture

# Algorithm 1, lines 9-10, and nothing else.
ALGORITHM_1 = {
    "noise": ("GaussNoise", {"std_range": [0.44, 0.88]}),
    "blur": ("GaussianBlur", {"blur_limit": [3, 7]}),
    "color_jitter": ("ColorJitter", {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.2}),
    "shift_scale_rotate": (
        "ShiftScaleRotate",
        {"shift_limit": 0.0625, "scale_limit": 0.1, "rotate_limit": 15},
    ),
    "horizontal_flip": ("HorizontalFlip", {}),
    "elastic": ("ElasticTransform", {"alpha": 30, "sigma": 60}),
    "perspective": ("Perspective", {"scale": [0.05, 0.1]}),
    "random_brightness_contrast": (
        "RandomBrightnessContrast",
        {"brightness_limit": 0.2, "contrast_limit": 0.2},
    ),
    "coarse_dropout": (
        "CoarseDropout",
        {
            "num_holes_range": [6, 8],
            "hole_height_range": [16, 16],
            "hole_width_range": [16, 16],
            "fill": "random",
        },
    ),
}
HEAD = 'name = "mine"\nsummary = "a test"\n'
NOISE = '[[transform]]\nname = "noise"\nalbumentations = "GaussNoise"\n'


@pytest.fixture(scope="module")
def paper():
    return {plan.name: plan for plan in load_preset("paper").transforms}


@pytest.fixture
def written(tmp_path):
    def write(text, *, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


# the paper's


def test_the_paper_has_the_nine_of_algorithm_1_in_order(paper):
    assert {name: plan.target for name, plan in paper.items()} == {
        name: target for name, (target, _) in ALGORITHM_1.items()
    }
    assert list(paper) == list(ALGORITHM_1)


@pytest.mark.parametrize("name", ALGORITHM_1)
def test_what_the_paper_preset_writes_out_is_what_the_library_resolves(paper, name):
    target, arguments = ALGORITHM_1[name]
    resolved = construct_object(target, arguments).to_dict()["transform"]
    assert construct_object(target, paper[name].parameters).to_dict()["transform"] == resolved
    unwritten = {key for key, value in resolved.items() if key not in paper[name].parameters}
    assert all(resolved[key] is None for key in unwritten - {"__class_fullname__"})


@pytest.mark.parametrize("name", ALGORITHM_1)
def test_the_paper_preset_gives_algorithm_1s_pixels(paper, name):
    target, arguments = ALGORITHM_1[name]
    plain = build(TransformPlan(name=name, kind="albumentations", target=target, parameters=arguments))
    for seed in (0, 1, 2):
        key = ViewKey(run_seed=seed, image_id="0" * 32, transform=name)
        ours, theirs = (perturb(picture(), each, key=key) for each in (build(paper[name]), plain))
        assert np.array_equal(ours.pixels, theirs.pixels)
        assert ours.parameters == theirs.parameters


def test_exactly_one_warning_is_passed_over():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        construct_object("ShiftScaleRotate", {})


def test_every_bundled_preset_loads_under_its_own_name():
    assert "paper" in list_preset_names()
    for name in list_preset_names():
        found = load_preset(name)
        assert isinstance(found, Preset)
        assert found.name == name
        assert found.summary
        assert [build(plan) for plan in found.transforms]  # what loading takes for granted


# reading


def test_a_preset_is_read_from_a_file(written):
    path = written(
        HEAD
        + NOISE
        + "parameters = { std_range = [0.1, 0.2] }\n"
        + '[[transform]]\nname = "floor"\ntransform = "identity"\n'
        + '[[transform]]\nname = "dark"\nfunction = "tests.unit.transforms.sample_functions:darker"\n'
        + "parameters = { by = 3 }\n"
    )
    found = load_preset(path)
    assert load_preset(str(path)) == found
    assert (found.name, found.summary) == ("mine", "a test")
    assert [(plan.name, plan.kind, plan.target, plan.parameters) for plan in found.transforms] == [
        ("noise", "albumentations", "GaussNoise", {"std_range": [0.1, 0.2]}),
        ("floor", "registered", "identity", {}),
        ("dark", "function", "tests.unit.transforms.sample_functions:darker", {"by": 3}),
    ]


def test_a_plan_as_a_table_comes_back_the_same(paper):
    floor = TransformPlan(name="floor", kind="registered", target="identity")
    assert make_transform_table(floor) == {"name": "floor", "transform": "identity"}
    text = tomli_w.dumps({"transform": [make_transform_table(plan) for plan in paper.values()]})
    assert read_transforms(tomllib.loads(text)["transform"], where="here") == tuple(paper.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = \n", "preset mine.toml is not valid TOML: Invalid value (at line 1, column 8)"),
        (HEAD, "preset mine.toml has no [[transform]]; add at least one"),
        (HEAD + "transform = []\n", "has no [[transform]]"),
        (HEAD + "transform = [3]\n", "transform 1 is not a table; put [[transform]] above its lines"),
        (NOISE, "preset mine.toml: 'name' must be a string, got nothing"),
        ("name = 3\n" + NOISE, "'name' must be a string, got 3"),
        ('name = "mine"\n' + NOISE, "preset mine.toml: 'summary' must be a string, got nothing"),
        (
            HEAD + "summaryy = 1\n" + NOISE,
            "preset mine.toml: unknown key 'summaryy'; did you mean 'summary'?",
        ),
        (
            HEAD + NOISE + "parameterss = {}\n",
            "transform 1: unknown key 'parameterss'; did you mean 'parameters'?",
        ),
        (HEAD + NOISE + "draws = 2\n", "transform 1: unknown key 'draws'"),
        (
            HEAD + NOISE + 'transform = "identity"\n',
            "transform 1 ('noise') has albumentations and transform of albumentations, transform, function; "
            "give exactly one",
        ),
        (HEAD + '[[transform]]\nname = "noise"\n', "transform 1 ('noise') has none of albumentations,"),
        (HEAD + NOISE + NOISE, "preset mine.toml has 2 transforms named 'noise'; names must differ"),
        (HEAD + NOISE.replace('"noise"', '"original"'), "'original' is the name of the untouched image"),
        (HEAD + NOISE.replace('"noise"', '"Loud Noise"'), "'Loud Noise' cannot name a transform; use"),
        (HEAD + NOISE.replace('"noise"', '"../noise"'), "'../noise' cannot name a transform"),
        (
            HEAD + '[[transform]]\nalbumentations = "Blur"\n',
            "transform 1: 'name' must be a string, got nothing",
        ),
        (HEAD + NOISE + "parameters = 3\n", "transform 1 ('noise'): 'parameters' must be a table, got 3"),
        (
            HEAD + NOISE.replace("GaussNoise", "GausNoise"),
            "transform 1 ('noise'): unknown class of albumentations 'GausNoise'; did you mean 'GaussNoise'",
        ),
        (HEAD + NOISE.replace("GaussNoise", "Lambda"), "unknown class of albumentations 'Lambda'"),
        (HEAD + NOISE.replace("GaussNoise", "BasicTransform"), "unknown class of albumentations"),
        (HEAD + NOISE.replace("GaussNoise", "from_dict"), "unknown class of albumentations 'from_dict'"),
        (
            HEAD + NOISE + "parameters = { std_rage = [0.1, 0.2] }\n",
            "transform 1 ('noise'): unknown parameter of GaussNoise 'std_rage'; did you mean 'std_range'",
        ),
        (HEAD + NOISE + "parameters = { strict = true }\n", "unknown parameter of GaussNoise 'strict'"),
        (
            HEAD + NOISE + "parameters = { std_range = [0.1, 7.0] }\n",
            "transform 1 ('noise'): GaussNoise refuses its parameters: 1 validation error",
        ),
        (HEAD + NOISE + "parameters = { p = 2 }\n", "GaussNoise refuses its parameters"),
        (
            HEAD + NOISE.replace("GaussNoise", "MotionBlur") + "parameters = { blur_limit = [4, 8] }\n",
            "MotionBlur ignores or changes a parameter: blur_limit: Non-zero kernel sizes must be odd",
        ),
        (
            HEAD + '[[transform]]\nname = "floor"\ntransform = "identityy"\n',
            "transform 1 ('floor'): unknown transform 'identityy'; did you mean 'identity'?",
        ),
        (
            HEAD + '[[transform]]\nname = "mine"\nfunction = "no_such_package:thing"\n',
            "transform 1 ('mine'): cannot import no_such_package: ModuleNotFoundError",
        ),
    ],
)
def test_every_defect_of_a_preset_is_told(written, text, message):
    with pytest.raises(PlanError, match=re.escape(message)):
        load_preset(written(text))


def test_a_defect_stops_before_the_first_picture(written):
    path = written(HEAD + NOISE + '[[transform]]\nname = "late"\ntransform = "identityy"\n')
    with pytest.raises(PlanError, match=re.escape("transform 2 ('late')")):
        load_preset(path)


def test_a_missing_or_unreadable_file_is_told(tmp_path):
    with pytest.raises(PlanError, match=r"preset .*none\.toml cannot be read: No such file or directory"):
        load_preset(tmp_path / "none.toml")
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        load_preset(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(PlanError, match=r"preset latin\.toml is not valid TOML: 'utf-8' codec"):
        load_preset(tmp_path / "latin.toml")


def test_an_unknown_preset_offers_the_nearest():
    wanted = r"unknown preset 'papr'; did you mean 'paper'\?; the name of a file must end in \.toml"
    with pytest.raises(PlanError, match=wanted):
        load_preset("papr")
