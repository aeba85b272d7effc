"""One registry per family: a decorated object in one file is a CLI choice, a docs row and a contract test.

Modules beside a family's package join by being there; installed packages join through entry points of the
group ``embshift.<family>``. A taken name raises.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from embshift.core.errors import PlanError, UnknownNameError

__all__ = ["Registry"]

Entry = TypeVar("Entry")


@dataclass(slots=True, kw_only=True)
class Registry(Generic[Entry], Mapping[str, Entry]):
    """Names of one family and what they stand for.

    Attributes:
        kind: The family's word in the singular, as errors say it.
        packages: The packages whose modules register entries when imported; packages below them do not.
        group: The entry-point group for installed packages.
    """

    kind: str
    packages: tuple[str, ...]
    group: str
    _entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _complete: bool = False

    def add(self, name: str, entry: Entry) -> None:
        """Register an entry; a taken name raises `PlanError`."""
        if name in self._entries:
            raise PlanError(f"the {self.kind} '{name}' is already registered; choose another name")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> Entry:
        self._load()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        if self._complete:
            return
        self._complete = True  # first, since the modules that are imported here may look something up
        try:
            self._import_all()
        except BaseException:
            self._complete = False  # half a registry would pass for a whole one from now on
            raise

    def _import_all(self) -> None:
        for package in self.packages:
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                if not module.ispkg:
                    importlib.import_module(f"{package}.{module.name}")
        for point in entry_points(group=self.group):
            try:
                point.load()
            except ImportError as error:
                raise PlanError(
                    f"the installed {self.kind} '{point.name}' ({point.value}) cannot be imported: {error};"
                    " repair or remove the package that brings it"
                ) from error
