"""What every transform with a strength promises: its levels, its zero, one draw for all of them."""

import cv2
import numpy as np
import pytest

from embshift.core.errors import PlanError, TransformError
from embshift.core.types import ViewKey
from embshift.transforms import SEVERITIES, TRANSFORMS
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb
from embshift.transforms.plan import TransformPlan
from embshift.transforms.presets import load_preset, make_transform_table, read_transforms
from embshift.transforms.strength import LevelledTransform, find_level, find_stream, make_levelled_plan
from tests.unit.transforms.golden_views import picture

STRENGTHS = {name: spec.strength for name, spec in TRANSFORMS.items() if spec.strength is not None}
every_strength = pytest.mark.parametrize("name", STRENGTHS)
with_zero = pytest.mark.parametrize("name", [n for n, s in STRENGTHS.items() if s.zero is not None])
edit = pytest.mark.parametrize(
    "name", [n for n, s in STRENGTHS.items() if s.paper is None] + ["grey", "reencode"]
)


@pytest.fixture(scope="module")
def photographs(samples):
    paths = sorted(samples.glob("*.jpg"))[::3]
    read = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]
    return [cv2.resize(pixels, (224, 224)) for pixels in read]


def view(plan, *, pixels=None, image=0, draw=0):
    key = ViewKey(run_seed=0, image_id=f"{image:032x}", transform=plan.name, draw=draw)
    return perturb(picture() if pixels is None else pixels, build(plan), key=key)


def damage(plan, photographs):
    views = [view(plan, pixels=pixels, image=at).pixels for at, pixels in enumerate(photographs)]
    pairs = zip(views, photographs, strict=True)
    return np.mean([np.mean((one.astype(float) - other) ** 2) for one, other in pairs])


@every_strength
def test_a_strength_states_itself(name):
    strength = STRENGTHS[name]
    assert strength.meaning
    assert not strength.meaning.endswith(".")
    assert strength.unit
    assert len(strength.severities) == len(SEVERITIES)
    steps = np.diff(strength.severities)
    assert (steps > 0).all() or (steps < 0).all()
    assert strength.rising == (steps[0] > 0)
    ends = (*strength.severities, strength.default)
    assert all(strength.least <= each <= strength.greatest for each in ends)
    if strength.zero is not None:
        assert strength.zero == (strength.least if strength.rising else strength.greatest)


@with_zero
def test_the_zero_leaves_the_picture(name):
    plan = make_levelled_plan(name, strength=STRENGTHS[name].zero)
    assert np.array_equal(view(plan).pixels, picture())


@with_zero
def test_just_beyond_zero_little_is_changed(name, photographs):
    # The zero itself is passed over, so the function must be seen to lead there.
    strength = STRENGTHS[name]
    nearly = strength.zero + (strength.severities[0] - strength.zero) / 1000
    mild = damage(make_levelled_plan(name, severity=1), photographs)
    assert damage(make_levelled_plan(name, strength=nearly), photographs) < mild / 5


@every_strength
def test_damage_grows_with_severity(name, photographs):
    found = [damage(make_levelled_plan(name, severity=level), photographs) for level in SEVERITIES]
    assert (np.diff(found) > 0).all(), found
    assert found[0] > 0


@every_strength
def test_the_draw_is_the_same_at_every_severity(name):
    """The stream's state after the view: had a strength drawn more or less, what follows would differ."""
    for draw in range(5):
        states = set()
        for level in SEVERITIES:
            plan = make_levelled_plan(name, severity=level)
            transform = build(plan)
            streams = Streams()
            transform(picture(), rng=streams.generator(draw))
            states.add(streams.drawn())
        assert len(states) == 1


class Streams:
    """A generator whose state can be looked at after a transform has drawn from it."""

    def generator(self, seed):
        self._rng = np.random.Generator(np.random.PCG64(seed))
        return self._rng

    def drawn(self):
        state = self._rng.bit_generator.state
        return repr((state["state"], state["has_uint32"]))


@every_strength
def test_a_sweep_follows_one_stream_whatever_the_plan_calls_it(name):
    plan = make_levelled_plan(name, severity=2)
    renamed = TransformPlan(name="another", kind="registered", target=name, severity=2)
    assert find_stream(build(plan), plan.name) == find_stream(build(renamed), "another") == name
    assert np.array_equal(view(plan).pixels, view(renamed).pixels)


def test_without_a_level_the_stream_is_that_of_the_plans_name():
    plan = TransformPlan(name="mine", kind="registered", target="occlusion")
    assert find_stream(build(plan), plan.name) == "mine"
    again = TransformPlan(name="yours", kind="registered", target="occlusion")
    assert not np.array_equal(view(plan).pixels, view(again).pixels)


@every_strength
def test_columns_know_the_level(name):
    strength = STRENGTHS[name]
    by_severity = find_level(build(make_levelled_plan(name, severity=4)))
    assert (by_severity.severity, by_severity.strength) == (4, strength.severities[3])
    by_strength = find_level(build(make_levelled_plan(name, strength=strength.severities[1])))
    assert (by_strength.severity, by_strength.strength) == (None, strength.severities[1])
    plain = find_level(build(TransformPlan(name=name, kind="registered", target=name)))
    assert (plain.severity, plain.strength) == (None, strength.default)


@every_strength
@pytest.mark.parametrize("level", [{"severity": 5}, {"strength": None}], ids=["severity", "strength"])
def test_a_plan_file_says_it_again(name, level):
    asked = {key: STRENGTHS[name].severities[0] if value is None else value for key, value in level.items()}
    plan = make_levelled_plan(name, **asked)
    assert read_transforms([make_transform_table(plan)], where="here") == (plan,)


@edit
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (5, 300)], ids=str)
def test_all_sizes_are_taken(name, size):
    pixels = np.ascontiguousarray(np.resize(picture(), (*size, 3)))
    plans = [TransformPlan(name=name, kind="registered", target=name)]
    if name in STRENGTHS:
        strength = STRENGTHS[name]
        plans = [make_levelled_plan(name, strength=each) for each in (*strength.severities, strength.least)]
        plans.append(make_levelled_plan(name, strength=strength.greatest))
    for plan in plans:
        assert view(plan, pixels=pixels).pixels.shape == (*size, 3)


PAPER = [plan for plan in load_preset("paper").transforms if plan.name != "horizontal_flip"]


@pytest.mark.parametrize("plan", PAPER, ids=lambda plan: plan.name)
def test_the_papers_strength_is_the_papers_preset_to_the_last_bit(plan):
    paper = STRENGTHS[plan.name].paper
    for draw in range(3):
        ours = view(make_levelled_plan(plan.name, strength=paper), draw=draw)
        assert np.array_equal(ours.pixels, view(plan, draw=draw).pixels)


def test_a_flip_has_no_strength():
    flip = next(plan for plan in load_preset("paper").transforms if plan.name == "horizontal_flip")
    assert not isinstance(build(flip), LevelledTransform)
    assert "horizontal_flip" not in STRENGTHS


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"transform": "blur", "severity": 6}, "severity is 6; expected 1, 2, 3, 4 or 5"),
        ({"transform": "blur", "severity": True}, "'severity' must be a whole number, got True"),
        ({"transform": "blur", "severity": 2.0}, "'severity' must be a whole number, got 2.0"),
        ({"transform": "blur", "strength": "much"}, "'strength' must be a number, got 'much'"),
        ({"transform": "blur", "strength": -1}, r"strength is -1; expected 0 to 20 px \(largest standard"),
        ({"transform": "blur", "strength": float("nan")}, "strength is nan; expected 0 to 20 px"),
        (
            {"transform": "blur", "severity": 2, "strength": 7.0},
            "severity 2 is strength 2, but strength 7 is given too",
        ),
        ({"transform": "grey", "severity": 2}, "grey has no strength; leave out 'severity' and 'strength'"),
        ({"transform": "jpeg", "parameters": {"strength": 3}}, "jpeg: move 'strength' out of 'parameters'"),
        ({"albumentations": "GaussianBlur", "severity": 2}, "only a registered transform can have a"),
    ],
    ids=str,
)
def test_a_wrong_level_is_said(table, complaint):
    with pytest.raises(PlanError, match=complaint):
        read_transforms([{"name": "mine"} | table], where="here")


def test_a_hole_larger_than_the_picture_is_a_failure_that_is_seen():
    with pytest.raises(TransformError, match="coarse_dropout_s5"):
        view(make_levelled_plan("coarse_dropout", severity=5), pixels=picture()[:20, :20].copy())


@every_strength
def test_a_severity_alone_has_its_strength_written_down(name):
    (plan,) = read_transforms([{"name": "mine", "transform": name, "severity": 4}], where="here")
    assert plan.strength == STRENGTHS[name].severities[3]
