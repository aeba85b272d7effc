"""Studies that go on from a finished run folder, by name.

What shows a run can start a study through this registry. It may not import the study itself: measuring stands
higher, and loads torch.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from embshift.core.registry import Registry
from embshift.runs.tables import RunTables

__all__ = ["STUDIES", "RunStudy", "study"]


class RunStudy(Protocol):
    """Measures something of a run's images, and stores it in the run folder."""

    def __call__(self, run: RunTables, /, **options: Any) -> object:
        """Carry the study out."""
        ...


STUDIES: Registry[RunStudy] = Registry(
    kind="study", packages=("embshift.measurement.studies",), group="embshift.studies"
)
"""All studies of a run folder, by name."""

Study = TypeVar("Study", bound=Callable[..., object])


def study(name: str) -> Callable[[Study], Study]:
    """Register a study of a run folder.

    Args:
        name: Its name, which says what it stores.
    """

    def register(function: Study) -> Study:
        STUDIES.add(name, function)
        return function

    return register
