"""What registered objects state about themselves, read from their decorators without importing them.

    @pixel_metric(name="ssim", summary="structural similarity of the gray images", bounds=(-1.0, 1.0), …)

A statement that cannot be read so raises `NotConstant`; whoever asked then reads the registry itself.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from embshift.cli.catalogue.constants import (
    NotConstant,
    Source,
    evaluate,
    imported_name,
    keywords,
    path_of,
    read_source,
)

__all__ = ["Decorator", "Family", "read_module", "read_statements"]

Decorator = tuple[str, str]
"""A module and a name in it."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Family(NamedTuple):
    """A registry, and the decorators that fill it.

    Attributes:
        home: The module that holds the registry.
        registry: The registry's name there.
        decorators: The decorators.
        fields: The keyword arguments that are read.
        blank: What a member states where neither it nor its decorator does.
    """

    home: str
    registry: str
    decorators: tuple[Decorator, ...]
    fields: tuple[str, ...]
    blank: Mapping[str, Any] = MappingProxyType({})


def read_statements(family: Family, /) -> Mapping[str, Mapping[str, Any]]:
    """Read what the members of a family state, by name in sorted order.

    Raises:
        NotConstant: If an installed package adds members, or a module registers in a way that cannot be read.
    """
    packages, group = _registry_places(family)
    if _has_entry_points(group):
        raise NotConstant(group)
    defaults = {at: _defaults(family, at) for at in family.decorators}
    found = dict[str, Mapping[str, Any]]()
    for module in _module_names(packages):
        for at, stated in read_module(read_source(module), family):
            entry = dict(family.blank) | defaults[at] | stated
            if {*entry} != {*family.fields} or entry["name"] in found:
                raise NotConstant(module)
            found[entry["name"]] = entry
    return dict(sorted(found.items()))


def _registry_places(family: Family) -> tuple[tuple[str, ...], str]:
    """Return the packages whose modules register, and the group of entry points."""
    source = read_source(family.home)
    for node in source.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call):
            stated = keywords(node.value, source)
            if isinstance(node.target, ast.Name) and node.target.id == family.registry:
                return stated["packages"], stated["group"]
    raise NotConstant(family.registry)


def _has_entry_points(group: str) -> bool:
    """Return whether an installed package may have entry points of a group.

    `importlib.metadata` tells it exactly, but to import it takes longer than everything else here.
    """
    return any(f"[{group}]" in text for folder in dict.fromkeys(sys.path) for text in _entry_points(folder))


@cache
def _entry_points(folder: str) -> tuple[str, ...]:
    """Read the entry points of every package that is installed in a folder."""
    folder = folder or "."
    if os.path.isfile(folder):
        raise NotConstant(folder)  # an archive, which is not opened here
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = list[str]()
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            with suppress(OSError), open(os.path.join(folder, name, "entry_points.txt"), "rb") as opened:
                found.append(opened.read().decode("utf-8", "replace"))
    return tuple(found)


def _module_names(packages: tuple[str, ...]) -> Iterator[str]:
    for package in packages:
        for file in sorted(os.listdir(path_of(package))):
            name, suffix = os.path.splitext(file)
            if suffix == ".py" and name != "__init__":
                yield f"{package}.{name}"


def _defaults(family: Family, decorator: Decorator) -> dict[str, Any]:
    """Return the defaults of a decorator's keyword arguments."""
    home, name = decorator
    source = read_source(home)
    for node in source.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            return {
                argument.arg: evaluate(default, source)
                for argument, default in pairs
                if default is not None and argument.arg in family.fields
            }
    raise NotConstant(name)


def read_module(source: Source, family: Family) -> list[tuple[Decorator, dict[str, Any]]]:
    """Read what the members of a family in one module state, each with its decorator.

    Raises:
        NotConstant: If the module registers, or may register, in a way that cannot be read.
    """
    if any(home == source.name for home, _ in family.decorators):
        return []  # it defines a decorator out of another
    _check_imports(source, family)
    known = {*family.decorators, (family.home, family.registry)}
    words = {name for name, origin in source.imports.items() if origin in known}
    calls = list[tuple[Decorator, ast.Call]]()
    for node, text in _texts(source):
        read = _registering_calls(node, source, family)
        if not isinstance(node, ast.ImportFrom) and _count_uses(text, words) != len(read):
            raise NotConstant(source.name)
        calls += read
    return [(at, keywords(call, source, *family.fields)) for at, call in calls]


def _texts(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every statement of a module with its whole text."""
    starts = [min(each.lineno for each in (node, *_decorators(node))) - 1 for node in source.body]
    for node, start, end in zip(source.body, starts, [*starts[1:], len(source.lines)], strict=True):
        yield node, "\n".join(source.lines[start:end])


def _decorators(node: ast.stmt) -> list[ast.expr]:
    return node.decorator_list if isinstance(node, Definition) else []


def _registering_calls(node: ast.stmt, source: Source, family: Family) -> list[tuple[Decorator, ast.Call]]:
    calls = [call for call in _decorators(node) if isinstance(call, ast.Call)]
    found = [(imported_name(call.func, source), call) for call in calls]
    return [(at, call) for at, call in found if at in family.decorators]


def _check_imports(source: Source, family: Family) -> None:
    """Raise where a module may reach the registry by another way than by a name from its home."""
    homes = {family.home, *(home for home, _ in family.decorators)}
    for node in source.body:
        reached = set[str]()
        if isinstance(node, ast.Import):
            reached = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            reached = {f"{node.module}.{name}" for name in names}
            if node.level or "*" in names:
                raise NotConstant(source.name)
        if reached & homes:
            raise NotConstant(source.name)
    parents = {home.rpartition(".")[0] for home in homes}
    if not (homes | parents).isdisjoint(_inner_imports(source)):
        raise NotConstant(source.name)


def _inner_imports(source: Source) -> Iterator[str]:
    """Yield the modules that functions of a module import."""
    for line in source.lines:
        if "import" in line or "from" in line:  # a pattern on every line takes a tenth of the list's time
            inside = re.match(r"\s+(?:from|import)\s+([\w.]+)", line)
            if inside is not None:
                yield inside[1]


def _count_uses(text: str, words: set[str]) -> int:
    """Count how often a statement uses one of the words: decorators of a family, and its registry."""
    words = {word for word in words if word in text}
    named = sum(len(re.findall(rf"(?<![.\w]){word}\b(?!\s*=[^=])", text)) for word in words)
    heads = sum(len(re.findall(rf"^@{word}\(", text, re.MULTILINE)) for word in words)
    if named == heads:
        return heads  # each is a decorator; else look at the names one by one
    statements = ast.parse(text).body
    nodes = [node for each in statements for node in ast.walk(each)]
    calls = [call for each in statements for call in _decorators(each) if isinstance(call, ast.Call)]
    # Reading from the registry registers nothing, and a variable of a function's own may bear such a name.
    read = {id(node.value) for node in nodes if isinstance(node, ast.Subscript)}
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    loaded = {id(call.func): call.func for call in calls} | {
        id(node): node for node in nodes if isinstance(node, ast.Name) and node.id not in own
    }
    return sum(
        isinstance(node, ast.Name) and node.id in words and at not in read for at, node in loaded.items()
    )
