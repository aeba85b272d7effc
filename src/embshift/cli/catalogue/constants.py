"""Values of expressions in the package's own source files, read without running them.

Strings, f-strings, numbers, tuples, sums, ``math.inf``, members of an enumeration, arguments of a dataclass
and constants of a module, also imported ones, can be read. Everything else raises `NotConstant`.
"""

import ast
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

__all__ = [
    "NotConstant",
    "Source",
    "evaluate",
    "imported_name",
    "keywords",
    "parse_source",
    "path_of",
    "read_source",
]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class NotConstant(Exception):
    """Only running the code tells this value."""


class Source(NamedTuple):  # here and below: a dataclass takes milliseconds to define
    """A parsed module of the package.

    Attributes:
        name: Its dotted name.
        lines: Its text, line by line.
        body: Its statements; bodies of functions may be left out.
        imports: Where each imported name comes from: a module and a name in it.
    """

    name: str
    lines: list[str]
    body: list[ast.stmt]
    imports: Mapping[str, tuple[str, str]]


def path_of(name: str, /) -> str:
    """Return where a module or a sub-package lies, without a suffix.

    Args:
        name: Its dotted name.
    """
    return os.path.join(_PACKAGE, *name.split(".")[1:])


@cache
def read_source(name: str, /) -> Source:
    """Parse a module of the package.

    Args:
        name: Its dotted name, e.g. "embshift.metrics.edge".

    Raises:
        NotConstant: If its source file is not there, e.g. because the package is inside an archive.
    """
    path = path_of(name)
    file = os.path.join(path, "__init__.py") if os.path.isdir(path) else f"{path}.py"
    try:
        with open(file, encoding="utf-8") as opened:
            return parse_source(name, opened.read())
    except (OSError, ValueError, SyntaxError) as error:
        raise NotConstant(name) from error


def parse_source(name: str, text: str, /) -> Source:
    """Parse the text of a module."""
    lines = text.splitlines()
    body = _parse(lines)
    found = [node for node in body if isinstance(node, ast.ImportFrom) and not node.level]
    imports = {
        alias.asname or alias.name: (node.module or "", alias.name) for node in found for alias in node.names
    }
    return Source(name=name, lines=lines, body=body, imports=imports)


def _parse(lines: list[str]) -> list[ast.stmt]:
    try:
        return ast.parse("\n".join(_without_bodies(lines))).body
    except SyntaxError:  # e.g. a string in a function that has a line without indentation
        return ast.parse("\n".join(lines)).body


def _without_bodies(lines: list[str]) -> Iterator[str]:
    """Yield the lines with "..." in place of what functions do, which takes a third of the time to parse."""
    where = "outside"
    for line in lines:
        if where == "body" and line[:1] in ("", " ", "\t"):
            yield ""
            continue
        if where == "body":
            where = "outside"
        if line.startswith(("def ", "async def ")):
            where = "signature"
        if where == "signature" and line.endswith(":"):
            where = "body"
            line += " ..."
        yield line


def imported_name(node: ast.expr, source: Source) -> tuple[str, str]:
    """Return the module and the name there that a plain name stands for; empty strings for anything else."""
    if not isinstance(node, ast.Name):
        return "", ""
    return source.imports.get(node.id, (source.name, node.id))


def keywords(call: ast.Call, source: Source, /, *names: str) -> dict[str, Any]:
    """Return the values of a call's keyword arguments.

    Args:
        call: The call.
        source: The module that it stands in.
        *names: The keywords that are wanted; all where none is given.

    Raises:
        NotConstant: If the call has positional or unpacked arguments, or a wanted value is not a constant.
    """
    if call.args or any(each.arg is None for each in call.keywords):
        raise NotConstant(ast.unparse(call))
    given = {cast(str, each.arg): each.value for each in call.keywords}
    return {name: evaluate(node, source) for name, node in given.items() if not names or name in names}


def evaluate(node: ast.expr, source: Source, /) -> Any:
    """Return the value of an expression.

    Raises:
        NotConstant: If only running the code tells it.
    """
    read = _READERS.get(type(node))
    if read is None:
        raise NotConstant(ast.unparse(node))
    return read(node, source)


def _tuple(node: ast.Tuple, source: Source) -> Any:
    return tuple(evaluate(each, source) for each in node.elts)


def _signed(node: ast.UnaryOp, source: Source) -> Any:
    value = evaluate(node.operand, source)
    if not isinstance(node.op, ast.USub) or not isinstance(value, (int, float)):
        raise NotConstant(ast.unparse(node))
    return -value


def _sum(node: ast.BinOp, source: Source) -> Any:
    left, right = evaluate(node.left, source), evaluate(node.right, source)
    if not isinstance(node.op, ast.Add) or type(left) is not type(right):
        raise NotConstant(ast.unparse(node))
    return left + right


def _formatted(node: ast.JoinedStr, source: Source) -> Any:
    return "".join(str(evaluate(part, source)) for part in node.values)


def _field(node: ast.FormattedValue, source: Source) -> Any:
    if node.conversion != -1 or node.format_spec is not None:
        raise NotConstant(ast.unparse(node.value))
    return evaluate(node.value, source)


def _name(node: ast.Name, source: Source) -> Any:
    """Return the value of a constant of this module, or of the one that it is imported from."""
    home, name = imported_name(node, source)
    if home != source.name:
        if not home.startswith("embshift."):
            raise NotConstant(ast.unparse(node))
        return _name(ast.Name(name), read_source(home))
    return evaluate(_assigned(source.body, name), source)


def _assigned(body: list[ast.stmt], name: str) -> ast.expr:
    """Return the one value that a name is given in the statements."""
    found = list[ast.expr]()
    for each in body:
        targets = [each.target] if isinstance(each, ast.AnnAssign) else getattr(each, "targets", [])
        if isinstance(each, (ast.Assign, ast.AnnAssign)) and each.value is not None:
            found += [each.value for target in targets if isinstance(target, ast.Name) and target.id == name]
    if len(found) != 1:
        raise NotConstant(name)
    return found[0]


def _attribute(node: ast.Attribute, source: Source) -> Any:
    """Return ``math.inf``, or the value of a member of an enumeration."""
    if isinstance(node.value, ast.Name) and node.value.id == "math" and hasattr(math, node.attr):
        return getattr(math, node.attr)
    home, members = _class(node.value, source)
    return evaluate(_assigned(members.body, node.attr), home)


def _call(node: ast.Call, source: Source) -> Any:
    """Return the arguments that a dataclass is made from."""
    _class(node.func, source)
    return SimpleNamespace(**keywords(node, source))


def _class(node: ast.expr, source: Source) -> tuple[Source, ast.ClassDef]:
    home, name = imported_name(node, source)
    if home.startswith("embshift."):
        found = read_source(home)
        for each in found.body:
            if isinstance(each, ast.ClassDef) and each.name == name:
                return found, each
    raise NotConstant(ast.unparse(node))


_READERS: Mapping[type[ast.expr], Callable[[Any, Source], Any]] = {
    ast.Constant: lambda node, source: node.value,
    ast.Tuple: _tuple,
    ast.UnaryOp: _signed,
    ast.BinOp: _sum,
    ast.JoinedStr: _formatted,
    ast.FormattedValue: _field,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
}
