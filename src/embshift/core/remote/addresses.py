"""Remote addresses: told from paths, and checked for secrets, since listings and records hold them."""

import re

from embshift.core.errors import PlanError, UsageError
from embshift.core.services import split_web_address, strip_address
from embshift.core.store_addresses import SCHEMES as STORES
from embshift.core.store_addresses import split_address

__all__ = [
    "check_listed_address",
    "check_remote_address",
    "is_remote_address",
    "is_web_address",
    "join_address",
    "redact_address",
]

_SCHEMES = frozenset({*STORES, "http", "https", "hf"})
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_PINNED = re.compile(r"^hf://datasets/[^/@]+/[^/@]+@[0-9a-f]{40}/", re.IGNORECASE)
_SECRETS = frozenset(
    {
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "credential",
        "credentials",
        "hmac",
        "jwt",
        "key",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "policy",
        "pwd",
        "secret",
        "session",
        "sig",
        "signature",
        "token",
    }
)
"""Words that tell a field of a query that holds a secret, such as X-Amz-Signature or access_token."""
_ENDINGS = ("apikey", "accesskey", "secretkey", "password", "secret", "sessionid", "signature", "token")
"""Ends of such words where a field is written as one, such as accesstoken."""


def is_remote_address(text: str, /) -> bool:
    """Return whether a text starts as an address of another machine that images can be read from."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme.lower() in _SCHEMES


def is_web_address(text: str, /) -> bool:
    """Return whether a text starts as "http://" or "https://"."""
    return text.lower().startswith(("http://", "https://"))


def redact_address(text: str, /) -> str:
    """Return an address without user name, password and query, for messages."""
    return "".join(letter for letter in strip_address(text) if letter.isprintable())[:300]


def check_remote_address(text: str, /) -> None:
    """Check that an address can be written into a listing.

    Raises:
        UsageError: If it holds a user name, a password, a signature or another secret, a fragment, or cannot
            be an address. The message repeats none of these.
    """
    _check_query(text)
    if is_web_address(text):
        _check_web(text)
    elif text.lower().startswith("hf://"):
        if "@" in text.removeprefix("hf://").split("/")[0]:
            raise UsageError(f"{redact_address(text)} holds a user name or password; leave it out")
    else:
        split_address(text)


def check_listed_address(text: str, /) -> str:
    """Return an address that a list holds, if it may be written into a listing.

    One on the web that cannot be an address becomes a row with a status, as a path does that leads nowhere.

    Raises:
        UsageError: As `check_remote_address`; and if it is on the hub without the commit that it means.
    """
    if is_web_address(text):
        _check_query(text)
        _check_user(text)
        return text
    check_remote_address(text)
    if text.lower().startswith("hf://") and not _PINNED.search(text):
        raise UsageError(
            f"a list names {redact_address(text)} without a commit; write"
            " hf://datasets/OWNER/NAME@COMMIT/path, since a branch may move while the images are measured"
        )
    return text


def join_address(base: str, written: str, /) -> str:
    """Return where a path leads that a list on another machine holds.

    Args:
        base: The address of the list's folder.
        written: A relative path, of which ".." does not lead out of the folder.

    Raises:
        PlanError: If it is no such path: such a list names no file of this machine.
    """
    parts = written.split("/")
    plain = written.isprintable() and "\\" not in written and "://" not in written
    if not plain or parts[0] in ("", "~") or ".." in parts or written.lower().startswith("file:"):
        raise PlanError(
            f"the list at {redact_address(base)} names {written[:100]!r}; a list from another machine names"
            " addresses, or paths below its own folder"
        )
    below = "/".join(part for part in parts if part not in ("", "."))
    if not is_web_address(base):
        return f"{base}/{below}"
    from urllib.parse import quote  # only now: it delays every start of the command

    return check_listed_address(f"{base}/{quote(below)}")


def _check_query(text: str) -> None:
    # Only addresses on the web have fragments: a key of a store may hold "#".
    _, *queries = re.split("[?#]" if is_web_address(text) else "[?]", text)
    if not queries:
        return
    from urllib.parse import unquote  # only now: it delays every start of the command

    for field in re.split("[&;]", "&".join(queries)):
        name, mark, _ = unquote(field).partition("=")
        secret = next((word for word in _WORDS.findall(name) if _is_secret(word.lower())), None)
        if secret is not None:
            shown = "".join(filter(str.isprintable, name))[:40] if mark else secret
            raise UsageError(
                f"the address {redact_address(text)} holds a signature or key in the field '{shown}', which"
                " would be written into the run; give an address without it (s3://, gs:// and az:// take"
                " keys from the environment), or download the file"
            )


def _is_secret(word: str) -> bool:
    return word in _SECRETS or word.endswith(_ENDINGS)


def _check_user(text: str) -> None:
    if "@" in re.split("[/?#]", text.partition("://")[2])[0]:
        raise UsageError(
            f"the address {redact_address(text)} holds a user name or password, which would be written into"
            " the run; give one without, or download the file first"
        )


def _check_web(text: str) -> None:
    shown = redact_address(text)
    if not text.isprintable() or " " in text:
        raise UsageError(f"the address {shown} holds a space or control character; write it as %20")
    parts = split_web_address(text)
    if parts is None:
        raise UsageError(f"'{shown}' is no web address; expected https://host/path")
    _check_user(text)
    if "#" in text:
        raise UsageError(f"the address {shown} holds a fragment (#…), which servers never see; leave it out")
