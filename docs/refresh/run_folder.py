"""Tables of the run folder: columns, fields of the plan, versions that count."""

import re
from dataclasses import MISSING, Field, fields
from typing import Any

from docs.refresh.commands import run_options
from docs.refresh.docstrings import attributes
from docs.refresh.markup import code, codes, sentence, table
from embshift.measurement.plan.auto import CHOICES
from embshift.measurement.plan.plan import COUNTED, Plan
from embshift.measurement.session.provenance import versions
from embshift.runs.explained_schema import EXPLAINED
from embshift.runs.schema import EMBEDDING, SCHEMA_VERSION, TABLES, Table

__all__ = ["counted_fields", "free_fields", "schema", "version_names"]


def schema() -> str:
    parts = [f"This is schema version {SCHEMA_VERSION}.\n"]
    parts += [f"### {one.name}\n\n{sentence(one.summary)}\n\n{columns(one)}" for one in TABLES.values()]
    parts += [
        f"### explain/{one.name}\n\n{sentence(one.summary)}\n\n{columns(one)}" for one in EXPLAINED.values()
    ]
    return "\n".join(parts)


def columns(one: Table) -> str:
    rows = [(code(column.name), code(arrow_type(column.type)), column.meaning) for column in one.columns]
    return table(("column", "type", "meaning"), rows)


def arrow_type(kind: Any) -> str:
    if kind == EMBEDDING:
        return "fixed_size_list<float>[dim]"
    return re.sub(r"<\w+: ", "<", str(kind))


def counted_fields() -> str:
    return plan_table(counted=True)


def free_fields() -> str:
    return plan_table(counted=False)


def plan_table(*, counted: bool) -> str:
    meanings = attributes(Plan)
    options = run_options()
    chosen = [field for field in fields(Plan) if (field.name in COUNTED) == counted]
    rows = [(code(f.name), options.get(f.name, "–"), default(f), meanings[f.name]) for f in chosen]
    return table(("field", "option", "default", "meaning"), rows)


def default(field: Field[Any]) -> str:
    value = field.default
    if value is MISSING or value is None:
        return "chosen at the start" if field.name in CHOICES else "none"
    if field.name in ("sources", "transforms"):
        return "the preset's" if field.name == "transforms" else "none"
    return codes(value) if isinstance(value, tuple) else code(value)


def version_names() -> str:
    return "Versions that must be the same: " + codes(versions()) + ".\n"
