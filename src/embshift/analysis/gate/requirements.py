"""Requirements: budgets on one line, as ``recall_at_1(jpeg_s*) >= 0.98``."""

import re
from typing import NoReturn

from embshift.analysis.gate.budgets import Budget, Refuse, make_budget
from embshift.analysis.gate.catalogue import PANEL, Kind, find_measure
from embshift.core.errors import BudgetError
from embshift.core.types import Direction

__all__ = ["SOURCE", "read_requirement"]

SOURCE = "--require"

_EXAMPLE = (
    "expected e.g. 'recall_at_1(jpeg_s*) >= 0.98', 'relative_shift(*) <= baseline + 0.01' or"
    " 'same_image_shift <= 1e-5'"
)
_FORM = re.compile(
    r"\s*(?P<statistic>\w+)\s*(?:\((?P<transforms>[^()]*)\))?\s*(?P<sign><=|>=|<|>|==|=)\s*"
    r"(?:(?P<base>baseline)\s*(?P<plus>[+-])\s*)?(?P<limit>\S+)\s*"
)


def read_requirement(text: str, /) -> Budget:
    """Read a budget from one line: ``STATISTIC(PATTERN, …) <= LIMIT``, or ``>=``.

    A difference is ``<= baseline + MARGIN`` for statistics that are lower where views are closer, and
    ``>= baseline - MARGIN`` for the others. Those of the panel take no transforms.

    Raises:
        BudgetError: If the line has another form, or a name or number is wrong.
    """

    def refuse(key: str, message: str) -> NoReturn:
        raise BudgetError(f"{SOURCE} '{text}': {message if key else f'{message}; {_EXAMPLE}'}")

    found = _FORM.fullmatch(text)
    if found is None:
        refuse("", "not a requirement")
    if found["sign"] not in ("<=", ">="):
        refuse("sign", f"'{found['sign']}'; expected <= or >=")
    try:
        limit = float(found["limit"])
    except ValueError:
        hint = ", or 'baseline - 0.01'" if found["limit"] == "baseline" else ""
        refuse("limit", f"'{found['limit']}' is not a number; expected one, e.g. 0.98{hint}")
    statistic = found["statistic"]
    budget = make_budget(
        name=text.strip(),
        source=SOURCE,
        line=None,
        scope="panel" if statistic in PANEL else "transforms",
        transforms=_read_patterns(statistic, found["transforms"], refuse=refuse),
        statistic=statistic,
        kind=_kind(found),
        limit=limit,
        allow="exact",
        refuse=refuse,
    )
    if found["base"]:
        lower = find_measure("transforms", statistic).direction is Direction.LOWER
        wanted = ("<=", "+") if lower else (">=", "-")
        if (found["sign"], found["plus"]) != wanted:
            refuse("sign", f"expected '{wanted[0]} baseline {wanted[1]} …', since that is the worse side")
    return budget


def _read_patterns(statistic: str, given: str | None, *, refuse: Refuse) -> list[str]:
    """Return what stands in parentheses; all transforms for a statistic of the panel, which has none."""
    panel = statistic in PANEL
    if given is None and not panel:
        refuse("transforms", f"no transforms; expected '{statistic}(*)', or patterns in place of *")
    if given is not None and panel:
        refuse("transforms", f"{statistic} is of the originals; expected '{statistic}' without parentheses")
    return ["*"] if given is None else [part.strip() for part in given.split(",")]


def _kind(found: re.Match[str]) -> Kind:
    if found["base"]:
        return "worse_by_at_most"
    return "at_most" if found["sign"] == "<=" else "at_least"
