"""Secrets among the settings of a service: refused where they stand in the file, since a run records it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from embshift.core.errors import EncoderError

__all__ = ["check_key_header", "check_key_variable", "check_secrets", "holds_key"]

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET = re.compile(
    r"(.*(key|token|secret|password|passwd|pwd|passphrase|auth|authorization|bearer|credentials?|signature)"
    r"|pass|sig)"
)
_HELD = re.compile(r"\s*(bearer\s+[^\s{]|[a-z][a-z0-9+.-]*://[^/?#\s{]*@)", re.IGNORECASE)
"""How a text begins that holds a secret whatever its name: a header's scheme, or an address with a user."""

_SHORTEST = 1_000_000  # a whole number below it is a count, such as of tokens
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+:[ -~]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Value(NamedTuple):
    """A value of the settings.

    Attributes:
        path: Names of the fields that lead to it, joined by dots.
        named: Whether one of the names says that it is a secret.
        value: The value.
    """

    path: str
    named: bool
    value: Any


def check_secrets(table: Mapping[str, Any], /, *, where: str) -> None:
    """Check that no setting is a secret itself.

    A setting is taken for one by its name: one with a word such as key, token, secret, password, auth or
    signature. "{key}" stands for the key that an environment variable holds.

    Args:
        table: Settings, nested as in the file.
        where: The file, for the error.

    Raises:
        EncoderError: If a secret stands in the file. The message names the field, and repeats no value.
    """
    for each in _list_values(table, path="", named=False):
        if _is_secret(each):
            raise EncoderError(
                f"{each.path} in '{where}' holds the key itself, and a run records its settings; put it into"
                " an environment variable, name that variable as key_variable, and write {key} where the key"
                " is to stand: in key_header, query, parameters or body"
            )


def holds_key(content: Any, /) -> bool:
    """Return whether "{key}" stands anywhere in a setting."""
    values = _list_values({"": content}, path="", named=False)
    return any("{key}" in each.value for each in values if isinstance(each.value, str))


def check_key_header(text: str, /, *, where: str) -> None:
    """Check the header that holds the key.

    Raises:
        EncoderError: If it is no header, or lacks "{key}". The message does not repeat it.
    """
    if text and not (_HEADER.fullmatch(text) and "{key}" in text):
        raise EncoderError(
            f"key_header in '{where}' must be as \"Authorization: Bearer {{key}}\", with {{key}} for the key,"
            " or empty"
        )


def check_key_variable(name: str, /, *, where: str) -> None:
    """Check the name of the variable with the key; someone may have put the key itself there.

    Raises:
        EncoderError: If it can be no such name. The message does not repeat it.
    """
    if name and not _VARIABLE.fullmatch(name):
        raise EncoderError(
            f"key_variable in '{where}' is not the name of an environment variable, such as MY_KEY; the key"
            " itself is not written there"
        )


def _list_values(content: Any, *, path: str, named: bool) -> Iterator[_Value]:
    if isinstance(content, Mapping):
        for name, value in cast(Mapping[str, Any], content).items():
            inner = f"{path}.{name}" if path else name
            yield from _list_values(value, path=inner, named=named or _names_secret(name))
    elif isinstance(content, (list, tuple)):
        for value in cast(Sequence[Any], content):
            yield from _list_values(value, path=path, named=named)
    else:
        yield _Value(path, named, content)


def _names_secret(name: str) -> bool:
    return any(_SECRET.fullmatch(word.lower()) for word in _WORDS.findall(name))


def _is_secret(found: _Value) -> bool:
    if isinstance(found.value, str):
        named = found.named and found.value.strip() and "{key}" not in found.value
        return bool(named or _HELD.match(found.value))
    return found.named and not isinstance(found.value, bool) and _is_long(found.value)


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and abs(value) >= _SHORTEST
