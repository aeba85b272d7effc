"""Budgets: what a run must keep to, read from a TOML file."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol, TypeAlias, cast

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.gate.catalogue import KINDS, PANEL, Kind, Scope, find_measure
from embshift.analysis.gate.toml_lines import find_key, find_tables
from embshift.analysis.sampling.bootstrap import FEWEST, LEVEL
from embshift.core.errors import BudgetError
from embshift.core.paths import input_path
from embshift.core.store_addresses import is_store_address
from embshift.core.text_files import parse_toml, read_text

__all__ = ["Budget", "Gate", "Refuse", "make_budget", "read_gate"]

Undecided: TypeAlias = Literal["fail", "warn"]


class Refuse(Protocol):
    """Raises `BudgetError` for a key, with where it stands."""

    def __call__(self, key: str, message: str) -> NoReturn: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One limit.

    Attributes:
        name: What it is called in results.
        source: The file that it was read from, or ``--require``.
        line: Line of its header in that file, from 1; None for a requirement.
        scope: Whether it limits means of transforms, or the originals beside those of the baseline.
        transforms: Patterns of names of transforms, as in a shell; none for a panel.
        statistic: What is limited.
        kind: ``at_most``, ``at_least``, or ``worse_by_at_most`` for a difference to the baseline.
        limit: The limit; for a difference, how much worse the run may be, above 0.
        allow: "prepared" if pixels may differ from the baseline's.
    """

    name: str
    source: str
    line: int | None
    scope: Scope
    transforms: tuple[str, ...]
    statistic: str
    kind: Kind
    limit: float
    allow: Literal["exact", "prepared"]

    @property
    def compares(self) -> bool:
        """Whether it needs a baseline."""
        return self.scope == "panel" or self.kind == "worse_by_at_most"

    def place(self) -> str:
        """Return where it stands, for errors."""
        return f"{self.source}, line {self.line}" if self.line else f"{self.source} '{self.name}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Budgets, and how they are judged.

    Attributes:
        path: The file; None where all are requirements.
        baseline: Path of the baseline that the file names, already relative to the working folder.
        level: Coverage of the one-sided bounds, and of all that show a broken budget together.
        undecided: Whether an undecided budget fails the gate.
        min_images: Number of images below which nothing is decided.
        budgets: The budgets.
    """

    path: str | None = None
    baseline: str | None = None
    level: float = LEVEL
    undecided: Undecided = "fail"
    min_images: int = FEWEST
    budgets: tuple[Budget, ...] = ()


_GATE = ("baseline", "level", "undecided", "min_images")
_BUDGET = ("name", "scope", "transforms", "statistic", *KINDS, "allow")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A table of a budget file, for errors that name the line."""

    path: str
    text: str
    line: int

    def refuse(self, key: str, message: str) -> NoReturn:
        line = find_key(self.text, key, start=self.line) if key else max(self.line, 1)
        raise BudgetError(f"{self.path}, line {line}{f', {key}' if key else ''}: {message}")


def read_gate(path: str | Path, /) -> Gate:
    """Read a budget file.

    Raises:
        BudgetError: If it is missing or not TOML, or a key or value is wrong; file, line and key are named.
    """
    found = Path(input_path(path))
    try:
        text = read_text(found)
        content = parse_toml(text)
    except OSError as error:
        raise BudgetError(
            f"budget file {found} cannot be read: {error.strerror}; 'embshift budget RUN' writes one"
        ) from None
    except ValueError as error:  # not UTF-8 or not TOML
        raise BudgetError(f"budget file {found} is not TOML: {error}") from None
    top = _Place(path=str(found), text=text, line=0)
    _check_keys(top, content, ("gate", "budget"), what="table")
    tables = content.get("budget")
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        top.refuse("budget" if tables else "", "expected one [[budget]] or more")
    lines = find_tables(text, "budget")
    if len(lines) != len(tables):  # written as one array of inline tables
        lines = (find_key(text, "budget", start=0),) * len(tables)
    budgets = [
        _read_budget(_Place(path=str(found), text=text, line=line), one, number=number)
        for number, (line, one) in enumerate(zip(lines, tables, strict=True), start=1)
    ]
    return _read_settings(top, content.get("gate", {}), budgets, folder=found.parent)


def _read_settings(top: _Place, table: Any, budgets: Sequence[Budget], *, folder: Path) -> Gate:
    if not isinstance(table, dict):
        top.refuse("gate", "expected a table [gate]")
    values = cast(dict[str, Any], table)
    headers = find_tables(top.text, "gate")
    place = _Place(path=top.path, text=top.text, line=headers[0] if headers else 0)
    _check_keys(place, values, _GATE, what="key of [gate]")
    baseline = values.get("baseline")
    if baseline is not None and not (isinstance(baseline, str) and baseline):
        place.refuse("baseline", f"{baseline!r} is not a path; expected a baseline file or a run folder")
    level = values.get("level", LEVEL)
    if not _is_number(level) or not 0.5 < level < 1:
        place.refuse("level", f"{level!r}; expected a number above 0.5 and below 1, e.g. 0.95")
    undecided = values.get("undecided", "fail")
    if undecided not in ("fail", "warn"):
        place.refuse("undecided", f"{undecided!r}; expected 'fail' or 'warn'")
    least = values.get("min_images", FEWEST)
    if not isinstance(least, int) or isinstance(least, bool) or least < 1:
        place.refuse("min_images", f"{least!r}; expected a whole number, 1 or more")
    return Gate(
        path=top.path,
        baseline=None if baseline is None else _place_baseline(baseline, folder),
        level=float(level),
        undecided=undecided,
        min_images=least,
        budgets=tuple(budgets),
    )


def _place_baseline(baseline: str, folder: Path) -> str:
    """Return the path of a baseline that stands against the file's folder, or the address of a run."""
    return baseline if is_store_address(baseline) else str(folder / input_path(baseline))


def _read_budget(place: _Place, table: Mapping[str, Any], *, number: int) -> Budget:
    _check_keys(place, table, _BUDGET, what="key of [[budget]]")
    kinds: list[Kind] = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        count = f"{len(kinds)} limits" if kinds else "no limit"
        place.refuse(kinds[1] if kinds else "", f"{count}; expected one of {', '.join(KINDS)}")
    given = table.get("transforms", ["*"])
    patterns = [given] if isinstance(given, str) else given
    return make_budget(
        name=table.get("name", f"budget {number}"),
        source=place.path,
        line=place.line,
        scope=table.get("scope", "panel" if table.get("statistic") in PANEL else "transforms"),
        transforms=patterns,
        statistic=table.get("statistic"),
        kind=kinds[0],
        limit=table[kinds[0]],
        allow=table.get("allow", "exact"),
        refuse=place.refuse,
    )


def make_budget(
    *,
    name: Any,
    source: str,
    line: int | None,
    scope: Any,
    transforms: Any,
    statistic: Any,
    kind: Kind,
    limit: Any,
    allow: Any,
    refuse: Refuse,
) -> Budget:
    """Check values from outside, and return them as a budget.

    Args:
        name: As in `Budget`, as are all that follow.
        source: As there.
        line: As there.
        scope: As there.
        transforms: As there.
        statistic: As there.
        kind: As there.
        limit: As there.
        allow: As there.
        refuse: Raises the error for a key, with a message.
    """
    if not isinstance(name, str) or not name.strip():
        refuse("name", f"{name!r}; expected a string")
    if scope not in ("transforms", "panel"):
        refuse("scope", f"{scope!r}; expected 'transforms' or 'panel'")
    known = PANEL if scope == "panel" else COMPARED
    if not isinstance(statistic, str) or statistic not in known:
        refuse("statistic" if statistic is not None else "", _unknown("statistic", statistic, known))
    if not _are_patterns(transforms):
        refuse("transforms", f"{transforms!r}; expected names of transforms, or patterns, e.g. ['jpeg_s*']")
    if scope == "panel" and kind == "worse_by_at_most":
        refuse(kind, f"{statistic} already compares with the baseline; expected at_most or at_least")
    if scope == "panel" and transforms != ["*"]:
        refuse("transforms", "the panel is of originals; expected no transforms")
    if allow not in ("exact", "prepared"):
        refuse("allow", f"{allow!r}; expected 'exact' or 'prepared'")
    _check_limit(limit, scope=scope, statistic=statistic, kind=kind, refuse=refuse)
    return Budget(
        name=name,
        source=source,
        line=line,
        scope=scope,
        transforms=() if scope == "panel" else tuple(transforms),
        statistic=statistic,
        kind=kind,
        limit=float(limit),
        allow=allow,
    )


def _check_limit(limit: Any, *, scope: Scope, statistic: str, kind: Kind, refuse: Refuse) -> None:
    if not _is_number(limit):
        refuse(kind, f"{limit!r}; expected a number")
    low, high = find_measure(scope, statistic).bounds
    if kind == "worse_by_at_most":
        low = math.nextafter(0.0, 1.0)
    if not low <= limit <= high:
        shown = "above 0" if kind == "worse_by_at_most" else f"from {low:g} to {high:g}"
        refuse(kind, f"{limit:g} for {statistic}; expected a number {shown}")


def _check_keys(place: _Place, table: Mapping[str, Any], known: Sequence[str], *, what: str) -> None:
    for key in table:
        if key not in known:
            place.refuse(key, _unknown(what, key, known))


def _unknown(what: str, name: Any, known: Iterable[str]) -> str:
    if name is None:
        return f"no {what}; expected {', '.join(known)}"
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"expected {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def _are_patterns(value: Any) -> bool:
    """Return whether a value is one pattern or more: a budget of no transform would hold whatever the run."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
