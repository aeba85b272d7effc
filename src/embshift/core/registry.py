"""Registries: one decorated object in one file becomes a CLI choice, a docs row and a contract test.

The modules of a family's packages are imported on first use; installed packages add entries through the
entry-point group ``embshift.<family>``. Registering a taken name raises an error.
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
    """The named entries of one family.

    Attributes:
        kind: The family's name in the singular, as used in error messages.
        packages: Packages whose modules register entries when they are imported; sub-packages are not
            searched.
        group: The entry-point group for installed packages.
    """

    kind: str
    packages: tuple[str, ...]
    group: str
    _entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _complete: bool = False

    def add(self, name: str, entry: Entry) -> None:
        """Register an entry; raise `PlanError` if the name is taken."""
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
        self._complete = True  # set first, since the imported modules may look up entries themselves
        try:
            self._import_all()
        except BaseException:
            self._complete = False  # or a half-filled registry would pass for a complete one
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
                    " repair or remove that package"
                ) from error
