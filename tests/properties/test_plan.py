"""A plan goes through its files and back, whatever it is; what counts in it counts always."""

import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.errors import UsageError
from embshift.measurement.plan.files import list_differences, load_plan, plan_from_content, plan_to_toml
from embshift.measurement.plan.plan import COUNTED, DEFAULTS, Plan, make_plan
from embshift.measurement.session.provenance import plan_content
from tests.faults.amounts import amount
from tests.plan_values import values_of

# The preset must exist, and transforms are names; a device and a precision may be asked for as "auto", which
# is no difference from what was recorded.
LEFT_OUT = ("preset", "transforms", "device", "precision")
FIELDS = {name: values_of(name) for name in DEFAULTS if name not in LEFT_OUT}
fields = st.fixed_dictionaries({}, optional=FIELDS)


@given(values=fields)
@settings(max_examples=amount(full=300, quick=20), deadline=None)
def test_toml_and_json_bring_it_back(values):
    plan = make_plan(**values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.toml"
        path.write_text(plan_to_toml(plan), encoding="utf-8")
        assert load_plan(path) == plan
    assert plan_from_content(json.loads(json.dumps(plan_content(plan)))) == plan
    assert list_differences(plan, plan) == []


@given(values=fields, others=fields)
@settings(max_examples=amount(full=300, quick=20), deadline=None)
def test_a_difference_is_named_exactly_where_there_is_one(values, others):
    plan, other = make_plan(**values), make_plan(**others)
    named = {line.partition(":")[0] for line in list_differences(plan, other)}
    free = {"batch", "threads"}  # asked as None, they take what was recorded
    wanted = {
        name
        for name in COUNTED
        if getattr(plan, name) != getattr(other, name) and not (name in free and getattr(other, name) is None)
    }
    assert named == wanted


anything = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.integers())
)


@given(name=st.sampled_from(sorted({*Plan.__dataclass_fields__} - {"transforms"})), value=anything)
@settings(max_examples=amount(full=1000, quick=60), deadline=None)
def test_any_value_makes_a_plan_or_a_usage_error(name, value):
    try:
        plan = make_plan(**{name: value})
    except UsageError:
        return
    assert plan == replace(plan)


@given(text=st.text(max_size=200))
@settings(max_examples=amount(full=1000, quick=100), deadline=None)
def test_any_text_is_a_plan_file_or_a_usage_error(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with suppress(UsageError):
            assert isinstance(load_plan(path), Plan)
