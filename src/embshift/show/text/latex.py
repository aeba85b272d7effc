"""Tables in LaTeX: booktabs rules, plain columns, ASCII alone, every name escaped."""

import math
import re
import statistics
import unicodedata
from collections.abc import Iterable, Sequence

from embshift.core.errors import PlanError

__all__ = ["escape_latex", "frame_latex", "latex", "latex_row", "latex_tabular"]

_LABEL = re.compile(r"[A-Za-z0-9_.:-]+")

_SIGNS = {character: f"\\{character}" for character in "_%&#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "\u00a0": "~",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "·": r"$\cdot$",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "τ": r"$\tau$",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "∞": r"$\infty$",
    "✓": r"$\ast$",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}
"""Characters that mean something to LaTeX, or that its first fonts lack."""

_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
"""Combining accents that stand over a letter in every LaTeX font."""

_LIGATURES = re.compile(r"(?<=[-'?!,])(?=[-'`,])")
"""Places where two characters of a name would become another one, such as the dash of "a--b"."""

_NUMBER = re.compile(r"[-−+<>(\[]?\s?\d|[–*]?$|none$|undefined$")
_ESTIMATE = re.compile(r"(-?\d+\.\d+) \((-?\d+\.\d+) to (-?\d+\.\d+)\)")
_MOST = 4
"""Decimal places at most, which are those of the cells."""


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is, in ASCII; what its fonts lack becomes U+ and a number."""
    parts = _LIGATURES.split(text)
    return "{}".join("".join(_escape(one) for one in part) for part in parts)


def _escape(character: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    if " " <= character <= "~":
        return character
    letter, *accents = unicodedata.normalize("NFD", character)
    if len(accents) == 1 and letter.isascii() and letter.isalpha() and accents[0] in _ACCENTS:
        return f"\\{_ACCENTS[accents[0]]}{{{letter}}}"
    return f"U+{ord(character):04X}"


def latex(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a LaTeX ``tabular`` with booktabs rules.

    Estimates with intervals are rounded, column by column, to two digits of the median half of an interval.
    Columns of numbers are aligned on the right.
    """
    found = [list(row) for row in rows]
    columns = [_round_estimates([row[at] for row in found]) for at in range(len(header))]
    kinds = ["l" if at == 0 or not _is_numeric(column) else "r" for at, column in enumerate(columns)]
    cells = [
        [_write_cell(cell, numeric=kind == "r") for cell, kind in zip(row, kinds, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    return latex_tabular("".join(kinds), [escape_latex(name) for name in header], cells)


def latex_tabular(columns: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a ``tabular`` of cells that are LaTeX already.

    Args:
        columns: One letter for each column: l, r or c.
        header: Cells of the first row.
        rows: Cells of the other rows.
    """
    return "\n".join(
        [
            f"\\begin{{tabular}}{{{columns}}}",
            *("\\toprule", latex_row(header), "\\midrule"),
            *(latex_row(row) for row in rows),
            *("\\bottomrule", "\\end{tabular}"),
        ]
    )


def latex_row(cells: Sequence[str]) -> str:
    """Write one row of cells that are LaTeX already."""
    # After the end of a row, LaTeX takes a star or a bracket as an argument of that end.
    first = f"{{}}{cells[0]}" if cells[0][:1] in ("*", "[") else cells[0]
    return f"{' & '.join([first, *cells[1:]])} \\\\"


def _is_numeric(column: Sequence[str]) -> bool:
    return all(_NUMBER.match(cell) for cell in column)


def _write_cell(cell: str, *, numeric: bool) -> str:
    if not numeric:
        return escape_latex(cell)
    signed = re.sub(r"(?<![\d.e])-(?=\d)", "−", cell)
    parts = re.split(r"(\d)e([+-]?)0*(\d+)", signed)
    text = escape_latex(parts[0])
    for at in range(1, len(parts), 4):
        digit, sign, power, rest = parts[at : at + 4]
        text += f"{digit}$\\times 10^{{{sign.replace('+', '')}{power}}}${escape_latex(rest)}"
    return text


def _round_estimates(column: Sequence[str]) -> list[str]:
    halves = [(float(high) - float(low)) / 2 for cell in column for _, low, high in _ESTIMATE.findall(cell)]
    known = [one for one in halves if one > 0]
    if not known:
        return list(column)
    places = min(max(1 - math.floor(math.log10(statistics.median(known))), 0), _MOST)
    return [_ESTIMATE.sub(lambda found: _round_estimate(found, places), cell) for cell in column]


def _round_estimate(found: re.Match[str], places: int) -> str:
    # A cell with fewer decimals, as of large numbers, keeps them: no digit is invented.
    given = min(len(text.partition(".")[2]) for text in found.groups())
    value, low, high = (f"{float(text):.{min(places, given)}f}" for text in found.groups())
    return f"{value} ({low} to {high})"


def frame_latex(tabular: str, *, caption: str = "", label: str = "", command: str = "") -> str:
    r"""Put a ``tabular`` into a ``table`` where it has a caption or a label, below what made it.

    Args:
        tabular: The table.
        caption: Text of ``\caption``.
        label: Name for ``\label``.
        command: The command that printed the table, for a comment.

    Raises:
        PlanError: If the label holds a character that LaTeX does not take in one.
    """
    if label and not _LABEL.fullmatch(label):
        raise PlanError(f"label is {label!r}; expected letters, digits and -_.:, e.g. tab:shifts")
    head = [f"% {_flatten(command)}", "% needs \\usepackage{booktabs}"] if command else []
    if not caption and not label:
        return "\n".join([*head, tabular])
    named = [f"\\caption{{{escape_latex(caption)}}}"] if caption else []
    named += [f"\\label{{{label}}}"] if label else []
    return "\n".join([*head, "\\begin{table}", "\\centering", *named, tabular, "\\end{table}"])


def _flatten(command: str) -> str:
    """Return a command in one line: a comment ends with its line."""
    return "".join(one if one.isprintable() else " " for one in command)
