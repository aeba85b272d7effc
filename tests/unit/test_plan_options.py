"""The types of options that editors complete: those of the plan, as generated."""

import inspect
from typing import get_type_hints

import pytest

import embshift
from docs.refresh.plan_options import PATH, write_options
from embshift.measurement.plan.options import PlanOptions
from embshift.measurement.plan.plan import DEFAULTS
from embshift.measurement.studies.match import measure_matched
from embshift.measurement.studies.sweep import measure_sweep


def test_every_field_of_the_plan_has_a_type():
    assert set(get_type_hints(PlanOptions)) == set(DEFAULTS) - {"sources", "transforms"}


def test_the_module_is_as_generated():
    assert PATH.read_text(encoding="utf-8") == write_options(), "run: python -m docs.refresh"


@pytest.mark.parametrize("function", [embshift.measure, measure_sweep, measure_matched])
def test_calls_take_them(function):
    kinds = inspect.signature(function).parameters.values()
    (options,) = (one for one in kinds if one.kind is inspect.Parameter.VAR_KEYWORD)
    assert "PlanOptions" in str(options.annotation)
