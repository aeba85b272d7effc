"""The fixture ``embshift_check`` for pytest, which registers it through an entry point.

pytest imports this module at every start in an environment with embshift, so it imports nothing else.
"""

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from embshift.analysis.gate.record import CheckRecord

__all__ = ["embshift_check"]


class _Check(Protocol):
    def __call__(self, run: Any, budget: Any = None, /, **options: Any) -> "CheckRecord": ...


@pytest.fixture(scope="session")
def embshift_check() -> _Check:
    """Return a function that fails the test where a run does not hold its budgets.

    It takes what `embshift.check` takes, and returns its record.
    """

    def hold(run: Any, budget: Any = None, /, **options: Any) -> "CheckRecord":
        __tracebackhide__ = True
        # Only a test that asks for it waits for numpy and pyarrow.
        from embshift.analysis.gate.check import check
        from embshift.show.gate.words import headline, rank_checks, sentence

        record = check(run, budget, **options)
        if not record.passed:
            content = record.content()
            wrong = [one for one in rank_checks(content) if one["verdict"] != "holds"]
            pytest.fail("\n".join([headline(content), *map(sentence, wrong)]), pytrace=False)
        return record

    return hold
