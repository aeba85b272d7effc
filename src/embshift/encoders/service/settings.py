"""Settings of a service: an address alone, or the table ``[service]`` of a TOML file."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from embshift.core.errors import EncoderError, UnknownNameError
from embshift.core.services import check_address, is_service_address, strip_address
from embshift.core.text_files import load_toml
from embshift.encoders.service.keys import Key, read_key
from embshift.encoders.service.secrets import (
    check_key_header,
    check_key_variable,
    check_secrets,
    holds_key,
)
from embshift.encoders.service.templates import TEMPLATES, Template, check_template, takes_many

__all__ = ["Settings", "is_this_machine", "read_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a service is asked.

    Attributes:
        url: Its address: scheme, host, port and path.
        template: What its requests look like.
        model: The model that is asked for; empty for none.
        parameters: Further fields of every request; "{key}" stands for the key, as in the template's body.
        query: Fields of the address's query; "{key}" stands for the key.
        key: The key; no representation shows it.
        key_header: The header that holds the key, "name: value with {key}"; empty for none.
        batch: Images in a request, at most.
        concurrency: Requests at a time.
        retries: Repeats of a request that fails for a reason that may pass.
        timeout: Seconds that an answer may take.
        first_wait: Seconds before the first repeat; each further wait is twice as long.
        longest_wait: Seconds that a wait may take, also where the service asks for one.
    """

    url: str
    template: Template = TEMPLATES["input"]
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    key: Key = field(default_factory=lambda: Key(""))
    key_header: str = "Authorization: Bearer {key}"
    batch: int = 8
    concurrency: int = 4
    retries: int = 5
    timeout: float = 60.0
    first_wait: float = 1.0
    longest_wait: float = 600.0


def is_this_machine(url: str, /) -> bool:
    """Return whether an address names this machine itself."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def read_settings(source: str, /) -> Settings:
    """Return the settings of a service.

    Args:
        source: Its address, or a TOML file with a table ``[service]``.

    Raises:
        EncoderError: If the file cannot be read, or a setting is wrong.
        PlanError: If the address holds more than scheme, host, port and path.
        UnknownNameError: If a setting or a template is unknown.
    """
    if is_service_address(source):
        check_address(source)
        return Settings(url=source)
    table = _load_table(source)
    check_secrets({name: table[name] for name in table if name not in _CHECKED_ALONE}, where=source)
    _check_names(table, where=source)
    typed = {name: _read_value(name, table[name], where=source) for name in table if name in _SIMPLE}
    template = _read_template(table, where=source)
    variable, over_http = typed.pop("key_variable", ""), typed.pop("key_over_http", False)
    check_key_variable(variable, where=source)
    check_key_header(typed.get("key_header", ""), where=source)
    settings = Settings(template=template, key=read_key(variable), **typed)
    _check(settings, over_http=over_http, where=source)
    return settings if takes_many(template) else replace(settings, batch=1)


_SIMPLE: Mapping[str, type] = {
    "url": str,
    "model": str,
    "parameters": dict,
    "query": dict,
    "key_variable": str,
    "key_header": str,
    "key_over_http": bool,
    "batch": int,
    "concurrency": int,
    "retries": int,
    "timeout": float,
    "first_wait": float,
    "longest_wait": float,
}
_CHECKED_ALONE = ("url", "key_variable", "key_header", "key_over_http")
_OF_TEMPLATE: Mapping[str, type] = {"template": str, "body": dict, "image": object, "answer": str}
_WORDS = {str: "a string", dict: "a table", bool: "true or false", int: "a whole number", float: "a number"}
_RANGES = {
    "batch": (1, 1024),
    "concurrency": (1, 64),
    "retries": (0, 100),
    "timeout": (0.01, 3600),
    "first_wait": (0.0, 3600),
    "longest_wait": (0.0, 86400),
}


def _load_table(source: str) -> dict[str, Any]:
    try:
        if os.path.getsize(source) > 2**20:
            raise EncoderError(f"'{source}' is larger than 1 MiB; expected the settings of a service")
        content = load_toml(Path(source))
    except OSError as error:
        raise EncoderError(
            f"'{source}' cannot be read: {error.strerror}; expected a TOML file with the table [service]"
        ) from None
    except ValueError as error:  # not UTF-8 or not TOML
        raise EncoderError(f"'{source}' is not TOML: {error}") from None
    table = content.get("service")
    if not isinstance(table, dict) or "url" not in table:
        raise EncoderError(
            f"'{source}' has no table [service] with the url of a service; a plan is given by --plan, and a"
            " preset by --preset"
        )
    return cast(dict[str, Any], table)


def _check_names(table: Mapping[str, Any], *, where: str) -> None:
    for name in table:
        if name not in _SIMPLE and name not in _OF_TEMPLATE:
            raise UnknownNameError(f"setting of a service in '{where}'", name, [*_SIMPLE, *_OF_TEMPLATE])


def _read_value(name: str, value: Any, *, where: str) -> Any:
    wanted = {**_SIMPLE, **_OF_TEMPLATE}[name]
    if wanted is float and type(value) is int:
        value = float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise EncoderError(f"{name} in '{where}' is {type(value).__name__}; expected {_WORDS[wanted]}")
    low, high = _RANGES.get(name, (-math.inf, math.inf))
    if isinstance(value, (int, float)) and not low <= value <= high:
        raise EncoderError(f"{name} in '{where}' is {value}; expected {low:g} to {high:g}")
    return value


def _read_template(table: Mapping[str, Any], *, where: str) -> Template:
    name = _read_value("template", table.get("template", "input"), where=where)
    if name not in TEMPLATES:
        raise UnknownNameError("template", name, TEMPLATES)
    own = {part: _read_value(part, table[part], where=where) for part in _PARTS if part in table}
    if not own:
        return TEMPLATES[name]
    made = replace(TEMPLATES[name], name="own", **own)
    check_template(made)
    return made


_PARTS = tuple(one.name for one in fields(Template) if one.name != "name")


def _check(settings: Settings, *, over_http: bool, where: str) -> None:
    if not is_service_address(settings.url):
        raise EncoderError(f"url in '{where}' is no address; expected https://host/path")
    check_address(settings.url)
    if not all(isinstance(value, str) for value in cast(Mapping[str, Any], settings.query).values()):
        raise EncoderError(f"query in '{where}' must hold strings alone")
    _check_key(settings, over_http=over_http, where=where)


def _check_key(settings: Settings, *, over_http: bool, where: str) -> None:
    sent = (settings.query, settings.parameters, settings.template.body, settings.template.image)
    if settings.key and not any(map(holds_key, (settings.key_header, *sent))):
        raise EncoderError(
            "key_variable is given, but neither key_header, query, parameters nor body holds {key}"
        )
    if not settings.key and any(map(holds_key, sent)):
        raise EncoderError(f"'{where}' holds {{key}}, but no key_variable is named")
    if settings.key.stands_in(str((settings.url, settings.model, *sent))):
        raise EncoderError(
            f"'{where}' holds the key itself, and a run records its settings; write {{key}} in its place"
        )
    plain = not settings.url.lower().startswith("https://") and not is_this_machine(settings.url)
    if settings.key and plain and not over_http:
        raise EncoderError(
            f"a key would be sent to {strip_address(settings.url)} without encryption; give an https address,"
            " or allow it with key_over_http = true"
        )
