"""Names of compared runs: the shortest that tell all of them apart."""

from collections.abc import Sequence
from pathlib import Path

from embshift.runs.tables import RunTables

__all__ = ["name_runs"]


def name_runs(runs: Sequence[RunTables]) -> tuple[str, ...]:
    """Return the runs' encoders if these differ, else their folders, else their paths.

    Args:
        runs: The runs, each another folder.
    """
    paths = [run.folder.resolve() for run in runs]
    encoders = [Path(str(run.info["encoder"]["name"])).name for run in runs]
    for names in (encoders, [path.name for path in paths]):
        if len(set(names)) == len(names):
            return tuple(names)
    return tuple(str(path) for path in paths)
