"""A header and rows as Markdown, LaTeX and comma-separated values."""

import csv
import io
from collections.abc import Iterable, Sequence

__all__ = ["comma_separated", "latex", "markdown"]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; numbers to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def latex(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A ``tabular`` with the rules of booktabs; what TeX would read as commands is escaped."""
    body = [f"{' & '.join(_tex(cell) for cell in row)} \\\\" for row in rows]
    return "\n".join(
        [
            f"\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            "\\toprule",
            f"{' & '.join(_tex(cell) for cell in header)} \\\\",
            "\\midrule",
            *body,
            "\\bottomrule",
            "\\end{tabular}",
        ]
    )


_TEX = {character: f"\\{character}" for character in "_%&#${}"} | {
    "±": r"$\pm$",
    "–": "--",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def comma_separated(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table for spreadsheets; no cell can run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_safe(cell) for cell in header])
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().rstrip("\n")


def _safe(cell: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; a quote before it makes it text."""
    formula = cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not _is_number(cell))
    return f"'{cell}" if formula else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
