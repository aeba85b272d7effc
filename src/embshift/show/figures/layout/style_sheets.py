"""Style sheets of matplotlib on top of the style of figures, read from a name or a file."""

import logging
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import fontManager
from matplotlib.style import available
from matplotlib.style import library as bundled

from embshift.core.errors import UnknownNameError, UsageError
from embshift.core.paths import find_path

__all__ = ["read_style"]

_KEPT = re.compile(
    r"font\.(family|serif|sans-serif|monospace|cursive|fantasy)"
    r"|axes\.(linewidth|grid|grid\.axis|spines\.\w+)"
    r"|grid\.(color|linestyle|linewidth|alpha)"
    r"|[xy]tick\.(direction|major\.width)"
    r"|(patch|hatch)\.linewidth"
    r"|savefig\.(dpi|transparent)"
    r"|(svg|pdf)\.fonttype"
)
"""Settings that a style may change. Sizes, places and colours of text are measured or chosen for contrast."""

_LARGEST = 1_000_000
"""Bytes of a style sheet; matplotlib's own have at most 3,000."""

_GENERIC = ("serif", "sans-serif", "monospace", "cursive", "fantasy")
_FALLBACK = "DejaVu Sans"


def read_style(sheet: str | Path, /) -> dict[str, Any]:
    """Read the settings of a style sheet that figures follow; the others are left out.

    Args:
        sheet: A name in ``matplotlib.style.available``, or the path of a style sheet.

    Raises:
        UnknownNameError: If it is neither a style that matplotlib knows nor a file.
        UsageError: If the file cannot be read or parsed, or none of its fonts is installed.
    """
    # Only names that matplotlib bundles: `style.use` also imports packages and opens addresses.
    found = bundled[str(sheet)] if str(sheet) in bundled else _read_file(sheet)
    kept = {str(key): value for key, value in found.items() if _KEPT.fullmatch(key)}
    return kept | _choose_fonts(kept, sheet=sheet)


def _read_file(sheet: str | Path) -> mpl.RcParams:
    found = _find_file(sheet)
    try:
        if found.stat().st_size > _LARGEST:
            raise UsageError(f"style '{sheet}' is larger than 1 MB; expected a style sheet of matplotlib")
        return _parse_file(found, sheet=sheet)
    except OSError as error:
        raise UsageError(f"style '{sheet}' cannot be read: {error.strerror}") from error


def _parse_file(path: Path, *, sheet: str | Path) -> mpl.RcParams:
    try:
        with _collected_warnings() as warnings:
            read = mpl.rc_params_from_file(path, fail_on_error=True, use_default_template=False)
    except OSError:
        raise
    except Exception as error:  # the validators of matplotlib raise whatever a value makes them raise
        raise UsageError(f"style '{sheet}' cannot be parsed: {_first_line(error)}") from error
    if warnings:
        raise UsageError(f"style '{sheet}' cannot be parsed: {_first_line(warnings[0])}")
    return read


def _find_file(sheet: str | Path) -> Path:
    """Return the path of a style sheet; a device or pipe is refused before it is opened."""
    try:
        found = find_path(sheet)
    except OSError as error:
        raise UsageError(f"style '{sheet}' cannot be read: {error.strerror}") from error
    if found is None:
        if Path(sheet).suffix == ".mplstyle" or Path(sheet).name != str(sheet):
            raise UsageError(f"style '{sheet}': no such file")
        raise UnknownNameError("style", str(sheet), available)
    if not Path(found).is_file():
        raise UsageError(f"style '{sheet}' is not a file; expected a style sheet of matplotlib")
    return Path(found)


def _first_line(what: object) -> str:
    return next((line.strip() for line in str(what).splitlines() if line.strip()), "not a style sheet")


@contextmanager
def _collected_warnings() -> Generator[list[str]]:
    """Collect what matplotlib logs about lines that it skips, in place of printing it."""
    messages = list[str]()

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("matplotlib"), Collecting(level=logging.WARNING)
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _choose_fonts(kept: dict[str, Any], *, sheet: str | Path) -> dict[str, Any]:
    """Return the installed fonts that a style asks for, and after them the one that has every character."""
    defaults = {str(key): value for key, value in mpl.rcParamsDefault.items()}
    families = [one for one in kept.get("font.family", ()) for one in _list_families(one, defaults | kept)]
    if not families:
        return {}
    installed = {font.name for font in fontManager.ttflist}
    found = [family for family in families if family in installed]
    if not found:
        asked = ", ".join(dict.fromkeys(families))
        raise UsageError(f"style '{sheet}' asks for a font that is not installed: {asked}")
    return {"font.family": list(dict.fromkeys((*found, _FALLBACK)))}


def _list_families(family: str, settings: Mapping[str, Any]) -> list[str]:
    return list(settings[f"font.{family}"]) if family in _GENERIC else [family]
