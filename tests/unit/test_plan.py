"""A plan is wholly checked before any work starts, and is the same when written down and read back."""

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.errors import PlanError, UnknownNameError, UsageError
from embshift.encoders.speed.runtimes import RUNTIMES
from embshift.images import RESIZE_RULES
from embshift.measurement.plan.files import list_differences, load_plan, plan_from_content, plan_to_toml
from embshift.measurement.plan.plan import COUNTED, DEFAULTS, RULES, Plan, make_plan
from embshift.measurement.session.provenance import plan_content
from embshift.transforms import TRANSFORMS
from embshift.transforms.presets import TransformPlan, load_preset
from tests.plan_values import other_value, values_of

NINE = (
    "noise",
    "blur",
    "color_jitter",
    "shift_scale_rotate",
    "horizontal_flip",
    "elastic",
    "perspective",
    "random_brightness_contrast",
    "coarse_dropout",
)

SMALL = """
name = "small"
summary = "two"
[[transform]]
name = "fog"
albumentations = "RandomFog"
[[transform]]
name = "noise"
albumentations = "GaussNoise"
"""


def names(plan):
    return [transform.name for transform in plan.transforms]


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


class TestDefaults:
    def test_are_those_of_the_specification(self):
        plan = make_plan()
        assert plan.encoder == "openai/clip-vit-base-patch32"
        assert (plan.seed, plan.draws, plan.image_size, plan.resize) == (0, 1, (224, 224), "linear")
        assert (plan.metric_sample, plan.keep_views, plan.max_error_rate) == (2000, 8, 0.01)
        assert (plan.limit, plan.batch, plan.workers, plan.device) == (None, None, None, "auto")
        assert (plan.max_pixels, plan.max_aspect, plan.background) == (50_000_000, 20.0, (255, 255, 255))
        assert plan.preset == "paper"
        assert names(plan) == list(NINE)
        assert plan.transforms == load_preset("paper").transforms
        assert plan.metrics == (
            "cosine",
            "l2",
            "attention_similarity",
            "patch_similarity",
            "edge_similarity",
            "detail_similarity",
        )
        assert not plan.allow_pickle

    def test_can_be_read_without_a_plan(self):
        assert {name: getattr(Plan(), name) for name in DEFAULTS} == DEFAULTS

    def test_every_resize_rule_is_a_choice(self):
        assert RULES["resize"]["one_of"] == tuple(RESIZE_RULES)

    def test_every_runtime_is_a_choice(self):
        assert RULES["runtime"]["one_of"] == RUNTIMES

    def test_none_leaves_them(self):
        assert make_plan(seed=None, preset=None, transforms=None) == make_plan()

    def test_limits(self):
        limits = make_plan(max_pixels=7, max_aspect=3, background=[1, 2, 3]).limits
        assert (limits.pixels, limits.aspect, limits.background) == (7, 3.0, (1, 2, 3))


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"draws": 0}, "draws is 0; expected 1 or more"),
            ({"draws": 1.5}, "draws is 1.5; expected a whole number"),
            ({"draws": True}, "draws is True; expected a whole number"),
            ({"draws": "2"}, "draws is '2'; expected a whole number"),
            ({"limit": 0}, "limit is 0; expected 1 or more"),
            ({"limit": "all"}, "limit is 'all'; expected a whole number"),
            ({"batch": 0}, "batch is 0"),
            ({"batch": False}, "batch is False; expected a whole number"),
            ({"threads": 0}, "threads is 0"),
            ({"workers": -1}, "workers is -1; expected 0 or more"),
            ({"metric_sample": -1}, "metric_sample is -1"),
            ({"keep_views": -1}, "keep_views is -1"),
            ({"seed": -1}, "seed is -1"),
            ({"seed": 1.0}, "seed is 1.0; expected a whole number"),
            ({"max_error_rate": 1.1}, "max_error_rate is 1.1; expected a fraction from 0 to 1"),
            ({"max_error_rate": math.nan}, "max_error_rate is nan; expected a fraction"),
            ({"value_range": [5, 5]}, r"value_range is \(5, 5\); expected two rising values from 0 to 65535"),
            ({"value_range": [0, 65536]}, r"value_range is \(0, 65536\)"),
            ({"value_range": [0]}, r"value_range is \[0\]; expected 2 whole numbers"),
            ({"max_aspect": 0.5}, "max_aspect is 0.5; expected 1 or more"),
            ({"max_aspect": math.nan}, "max_aspect is nan"),
            ({"max_aspect": math.inf}, "max_aspect is inf"),
            ({"max_pixels": 0}, "max_pixels is 0"),
            ({"image_size": 7}, r"image_size is \(7, 7\); expected height and width from 8 to 4096 pixels"),
            ({"image_size": (224, 5000)}, "expected height and width from 8 to 4096"),
            ({"image_size": (224,)}, r"image_size is \(224,\); expected 2 whole numbers"),
            ({"image_size": (1, 2, 3)}, "expected 2 whole numbers"),
            ({"image_size": (224.0, 224.0)}, "expected a list in which each item is a whole number"),
            ({"image_size": ("a", "b")}, "expected a list in which each item is a whole number"),
            ({"image_size": "224"}, "image_size is '224'; expected a list"),
            ({"image_size": True}, "image_size is True"),
            ({"background": (0, 0, 256)}, "expected red, green and blue from 0 to 255"),
            ({"background": (0, 0)}, "expected 3 whole numbers"),
            ({"background": ("red", 0, 0)}, "expected a list in which each item is a whole number"),
            ({"metrics": "cosine"}, "metrics is 'cosine'; expected a list"),
            ({"metrics": [1]}, r"metrics is \[1\]; expected a list in which each item is a string"),
            ({"metrics": ["l2", "l2"]}, "metrics named twice: l2; every metric needs its own name"),
            ({"metrics": ["cosin"]}, "unknown metric 'cosin'; did you mean 'cosine'"),
            ({"encoder": 5}, "encoder is 5; expected a string"),
            ({"device": None, "encoder": ["a"]}, "encoder is .*; expected a string"),
            ({"resize": "liner"}, "unknown resize 'liner'; did you mean 'linear'"),
            ({"decode": "fast"}, "unknown decode 'fast'"),
            ({"precision": "float64"}, "unknown precision 'float64'; did you mean 'float16'"),
            ({"precision": "int8"}, "precision is int8, which changes L2 by 11 to 20 %"),
            ({"runtime": "onnx"}, "unknown runtime 'onnx'; did you mean 'openvino'"),
            ({"views": "quick"}, "unknown views 'quick'"),
            ({"views": "gpus"}, "unknown views 'gpus'; did you mean 'gpu'?"),
            ({"preset": "papper"}, "unknown preset 'papper'; did you mean 'paper'"),
            ({"preset": "no/such.toml"}, "no/such.toml cannot be read"),
            ({"transforms": ["nois"]}, "unknown transform 'nois'; did you mean 'noise'"),
            ({"transforms": "noise"}, "transforms is 'noise'; expected a list"),
            ({"transforms": ["noise", "noise"]}, "transforms named twice: noise"),
            ({"transforms": ["jpeg", "jpeg:3"]}, "'jpeg' and 'jpeg_s3' give the same views"),
            ({"transforms": ["blur:3", "noise", "blur=3"]}, "'blur_s3' and 'blur_x3' give the same views"),
            (
                {"transforms": ["identity", "blur=0"]},
                r"'identity' and 'blur_x0' .*views \(the image itself\)",
            ),
            (
                {"transforms": ["gamma=1", "noise=0"]},
                r"'gamma_x1' and 'noise_x0' .*views \(the image itself\)",
            ),
            ({"drawz": 3}, "unknown plan field 'drawz'; did you mean 'draws'"),
        ],
    )
    def test_with_what_came_and_what_was_wanted(self, options, text):
        with pytest.raises(UsageError, match=text) as caught:
            make_plan(**options)
        assert caught.value.exit_code == 2

    def test_the_beginning_of_a_name_offers_the_whole(self):
        with pytest.raises(UnknownNameError) as caught:
            make_plan(metrics=["edge"])
        assert caught.value.near[0] == "edge_similarity"


ON_CURVE = [
    one.name
    for one in load_preset("paper").transforms
    if one.name in TRANSFORMS and TRANSFORMS[one.name].strength is not None
]
"""Transforms of the paper that have a strength."""


class TestTransforms:
    def test_names_select_in_their_order(self):
        assert names(make_plan(transforms=["blur", "noise"])) == ["blur", "noise"]
        assert make_plan(transforms=["blur"]).transforms == (load_preset("paper").transforms[1],)

    @pytest.mark.parametrize("name", ON_CURVE)
    def test_one_of_the_paper_and_its_own_strength_are_the_same_views(self, name, tmp_path):
        known = TRANSFORMS[name].strength
        same = [f"{name}={known.paper}"]
        same += [f"{name}:{at}" for at in range(1, 6) if known.at(at) == known.paper]
        for other in same:
            with pytest.raises(PlanError, match=f"'{name}' and '{name}_.*' give the same views"):
                make_plan(transforms=[name, "horizontal_flip", other])
            with pytest.raises(PlanError, match="give the same views"):
                make_plan(transforms=[other, name])
        assert len(make_plan(transforms=[name, f"{name}={known.paper / 2}"]).transforms) == 2

    def test_one_transform_may_leave_the_image_as_it_is(self):
        assert names(make_plan(transforms=["blur", "identity", "noise"])) == ["blur", "identity", "noise"]
        assert names(make_plan(transforms=["blur=0", "blur", "noise"])) == ["blur_x0", "blur", "noise"]

    def test_a_preset_of_ones_own_holds_no_views_twice(self, tmp_path):
        path = tmp_path / "own.toml"
        entries = [("jpeg", 3), ("fog", 3), ("mist", 4)]
        tables = [
            f'[[transform]]\nname = "{name}"\ntransform = "jpeg"\nseverity = {at}' for name, at in entries
        ]
        path.write_text("\n".join(['name = "own"\nsummary = "s"', *tables]))
        with pytest.raises(
            PlanError, match=r"preset own\.toml: transforms 'jpeg' and 'fog' give the same views"
        ):
            make_plan(preset=path)
        path.write_text("\n".join(['name = "own"\nsummary = "s"', *tables[1:]]))
        assert names(make_plan(preset=path)) == ["fog", "mist"]

    def test_an_empty_list_means_the_preset(self):
        assert names(make_plan(transforms=[])) == list(NINE)

    def test_registered_ones_join(self):
        name = next(name for name, spec in TRANSFORMS.items() if spec.family == "control")
        plan = make_plan(transforms=["noise", name])
        assert plan.transforms[1] == TransformPlan(name=name, kind="registered", target=name)

    def test_a_preset_of_ones_own(self, small):
        assert names(make_plan(preset=small)) == ["fog", "noise"]
        assert names(make_plan(preset=Path(small))) == ["fog", "noise"]
        assert names(make_plan(preset=small, transforms=["fog"])) == ["fog"]

    def test_a_base_keeps_its_transforms_until_a_preset_is_given(self, small):
        base = make_plan(preset=small, transforms=["fog"], seed=5)
        assert names(make_plan(base=base, draws=2)) == ["fog"]
        assert make_plan(base=base, draws=2).seed == 5
        assert names(make_plan(base=base, preset="paper")) == list(NINE)


class TestFiles:
    def test_of_a_few_lines(self, tmp_path, small):
        path = tmp_path / "plan.toml"
        path.write_text('encoder = "lite"\nimage_size = 64\nmax_aspect = 3\n')
        assert load_plan(path) == make_plan(encoder="lite", image_size=(64, 64), max_aspect=3.0)
        path.write_text(f'preset = "{small}"\ntransforms = ["fog"]\n')
        assert load_plan(path) == make_plan(preset=small, transforms=["fog"])

    def test_written_out_transforms_need_no_preset(self, tmp_path):
        path = tmp_path / "plan.toml"
        path.write_text('preset = "gone.toml"\n[[transform]]\nname = "fog"\nalbumentations = "RandomFog"\n')
        assert (names(load_plan(path)), load_plan(path).preset) == (["fog"], "gone.toml")

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("seed = ", "is not TOML"),
            ("sede = 1", "unknown plan field 'sede'; did you mean 'seed'"),
            ("base = 1", "unknown plan field 'base'"),
            ("seed = 'x'", "seed is 'x'; expected a whole number"),
            ("transform = 3", r"has no \[\[transform\]\]"),
            (
                "preset = 5\n[[transform]]\nname = 'fog'\nalbumentations = 'RandomFog'",
                "preset is 5; expected a string",
            ),
            ("[[transform]]\nname = 'fog'\nalbumentations = 'RandomFg'", "RandomFog"),
        ],
    )
    def test_broken_ones(self, tmp_path, text, wanted):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        with pytest.raises(UsageError, match=wanted):
            load_plan(path)

    def test_missing_and_binary(self, tmp_path):
        with pytest.raises(
            PlanError, match="cannot be read: No such file or directory; expected a TOML file"
        ):
            load_plan(tmp_path / "no.toml")
        (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(PlanError, match="is not TOML"):
            load_plan(tmp_path / "plan.toml")

    def test_a_source_that_is_no_text_does_not_spoil_the_file(self, tmp_path):
        path = tmp_path / "plan.toml"
        path.write_text(plan_to_toml(make_plan(sources=["caf\udce9"])), encoding="utf-8")
        assert load_plan(path).sources == ("caf\ufffd",)


PARAMETERS = st.fixed_dictionaries(
    {"p": st.just(1.0)},
    optional={
        "blur_limit": st.tuples(st.sampled_from([3, 5]), st.sampled_from([7, 9])).map(list),
        "sigma_limit": st.tuples(st.floats(0.5, 1), st.floats(1, 5)).map(list),
    },
)
BLURS = st.dictionaries(st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True), PARAMETERS, min_size=1, max_size=3)
TRANSFORMS_OF_BLURS = BLURS.map(
    lambda found: tuple(
        TransformPlan(name=f"x{name}", kind="albumentations", target="GaussianBlur", parameters=values)
        for name, values in found.items()
    )
)
FIELDS = {name: values_of(name) for name in DEFAULTS if name != "transforms"}


@given(values=st.fixed_dictionaries({**FIELDS, "transforms": TRANSFORMS_OF_BLURS}))
@settings(max_examples=40, deadline=None)
def test_a_plan_is_the_same_when_read_back(tmp_path_factory, values):
    plan = Plan(**values)
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(plan_to_toml(plan), encoding="utf-8")
    assert load_plan(path) == plan
    assert plan_from_content(plan_content(plan)) == plan
    assert list_differences(plan, load_plan(path)) == []


class TestDifference:
    @pytest.fixture
    def recorded(self):
        return make_plan(batch=32, threads=2, device="cpu")

    @pytest.mark.parametrize("name", COUNTED)
    def test_each_field_that_counts_is_named(self, recorded, name):
        lines = list_differences(recorded, make_plan(base=recorded, **{name: other_value(name)}))
        assert len(lines) == 1
        assert lines[0].startswith(f"{name}: ")
        assert " in the run, " in lines[0]
        assert lines[0].endswith(" requested")

    @pytest.mark.parametrize("name", sorted({*DEFAULTS} - {*COUNTED}))
    def test_none_of_the_others_is(self, recorded, name):
        assert list_differences(recorded, make_plan(base=recorded, **{name: other_value(name)})) == []

    def test_what_was_left_open_takes_what_was_recorded(self, recorded):
        asked = dataclasses.replace(recorded, batch=None, threads=None, device="auto", precision="auto")
        assert list_differences(recorded, asked) == []

    def test_the_index_of_a_device_is_free(self, recorded):
        one, other = (dataclasses.replace(recorded, device=f"cuda:{index}") for index in range(2))
        assert list_differences(one, other) == []
        assert list_differences(one, recorded) == ["device: cuda in the run, cpu requested"]

    def test_a_changed_parameter_is_shown_by_itself(self, recorded):
        noise, *others = recorded.transforms
        changed = dataclasses.replace(noise, parameters=noise.parameters | {"std_range": [0.1, 0.2]})
        lines = list_differences(recorded, dataclasses.replace(recorded, transforms=(changed, *others)))
        assert lines[-1] == (
            "transform noise: GaussNoise {'std_range': [0.44, 0.88]} in the run,"
            " GaussNoise {'std_range': [0.1, 0.2]} requested"
        )

    def test_the_order_of_transforms_counts(self, recorded):
        turned = dataclasses.replace(recorded, transforms=recorded.transforms[::-1])
        assert list_differences(recorded, turned)[0].startswith("transforms: noise, blur")


def test_a_preset_transform_may_stand_beside_a_registered_one_of_its_name():
    chosen = make_plan(transforms=["blur", "blur:2", "blur:4", "noise", "noise:3"]).transforms
    assert [one.name for one in chosen] == ["blur", "blur_s2", "blur_s4", "noise", "noise_s3"]
