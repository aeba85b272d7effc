"""Addresses of services that return embeddings: told from paths, and checked for secrets."""

from typing import TYPE_CHECKING

from embshift.core.errors import PlanError
from embshift.core.paths import input_path

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = [
    "check_address",
    "is_service_address",
    "is_settings_file",
    "read_encoder",
    "split_web_address",
    "strip_address",
]

_SCHEMES = ("http://", "https://")


def is_service_address(text: str, /) -> bool:
    """Return whether a text starts as the address of a service, "http://" or "https://"."""
    return text.lower().startswith(_SCHEMES)


def is_settings_file(text: str, /) -> bool:
    """Return whether a text names a file of settings of a service, "….toml"."""
    return text.lower().endswith(".toml") and not is_service_address(text)


def read_encoder(text: str, /) -> str:
    """Return an encoder as it is meant: the address of a service as it is, and anything else as a path.

    Raises:
        UsageError: If it is empty, or an address of another kind.
    """
    return text if is_service_address(text) else input_path(text)


def strip_address(text: str, /) -> str:
    """Return scheme, host, port and path of an address: what can be shown and written."""
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.split("?")[0].split("#")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def split_web_address(text: str, /) -> "SplitResult | None":
    """Return the parts of a web address; None where it has no host, or a port that is none."""
    from urllib.parse import urlsplit  # only now: it delays every start of the command

    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts if host else None


def check_address(text: str, /) -> None:
    """Check that an address holds nothing but scheme, host, port and path: it is written into every run.

    A text that is no address of a service passes.

    Raises:
        PlanError: If it holds a user name, a password, a query or a fragment, or cannot be an address. The
            message repeats none of these.
    """
    if not is_service_address(text):
        return
    shown = strip_address(text)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise PlanError("the address of a service holds a character that no address has; expected https://…")
    parts = split_web_address(text)
    if parts is None:
        raise PlanError(f"'{shown}' is no address of a service; expected https://host/path")
    if "@" in parts.netloc:
        raise PlanError(
            f"the address of {shown} holds a user name or password, which would be written into the run;"
            " leave it out, put the key into an environment variable, and name that variable as key_variable"
            " in a TOML file"
        )
    if "?" in text or "#" in text:
        raise PlanError(
            f"the address of {shown} holds a query, which may hold a key and would be written into the run;"
            ' leave it out, and put it under [service.query] in a TOML file: key = "{key}" for the key'
        )
