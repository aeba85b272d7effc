"""Things by name, where an unknown name raises an error that suggests the nearest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from embshift.core.errors import UnknownNameError

__all__ = ["Named", "find_position"]

Thing = TypeVar("Thing")


class _UnknownKeyError(UnknownNameError, KeyError):
    """The same for a mapping: `Mapping.get` and the operator ``in`` wait for a KeyError."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message in quotes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Named(Mapping[str, Thing], Generic[Thing]):
    """A mapping from names that raises `UnknownNameError` for an unknown one.

    Attributes:
        kind: What the names stand for, for the error message, e.g. "metric".
        things: The things by name.
    """

    kind: str
    things: Mapping[str, Thing]

    def __getitem__(self, name: str) -> Thing:
        if name not in self.things:
            raise _UnknownKeyError(self.kind, name, self.things)
        return self.things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.things)

    def __len__(self) -> int:
        return len(self.things)


def find_position(names: Sequence[str], name: str, *, kind: str) -> int:
    """Return the position of a name.

    Args:
        names: The known names, in order.
        name: The name.
        kind: What the names stand for, for the error message.

    Raises:
        UnknownNameError: If the name is not among them; the nearest are suggested.
    """
    if name not in names:
        raise UnknownNameError(kind, name, names)
    return names.index(name)
