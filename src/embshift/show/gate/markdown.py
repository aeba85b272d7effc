"""Markdown for the summary of a CI job: the result, and the worst five checks with their numbers."""

import re
from urllib.parse import quote

from embshift.core.words import count_noun
from embshift.show.gate.words import (
    Check,
    Content,
    headline,
    name_check,
    rank_checks,
    spell_bound,
    spell_value,
)
from embshift.show.text.markup import markdown
from embshift.show.text.words import make_visible

__all__ = ["MARK", "WORST", "write_markdown"]

MARK = "<!-- embshift check -->"
"""First line of the file, by which embshift knows that it may replace it."""

WORST = 5
"""Checks that are shown."""

_SYMBOLS = {"holds": "✅ holds", "broken": "❌ broken", "undecided": "❔ undecided"}

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#~&])")


_IN_LINKS = "!#$%&'*+,/:;=?@[]~"
"""What stays in an address; blanks, brackets and quotation marks would end a link of Markdown."""


def write_markdown(content: Content, *, link: str = "") -> str:
    """Write the record as Markdown.

    Args:
        content: The JSON record.
        link: Address of more, e.g. of the job's artifacts; left out where empty.
    """
    ranked = rank_checks(content)
    shown = ranked[:WORST]
    header = ("budget", "check", "verdict", "value", "bound", "limit", "images", "would decide")
    lines = [
        MARK,
        f"### {_SYMBOLS[content['verdict']].split()[0]} embshift: {headline(content)}",
        "",
        markdown(header, [_row(check) for check in shown]),
        "",
    ]
    if len(ranked) > len(shown):
        lines += [f"{count_noun(len(ranked) - len(shown), 'more check')} in the JSON record.", ""]
    lines += [_describe(content), *(f"- {escape(note)}" for note in content["notes"])]
    lines += [f"- [more]({quote(link, safe=_IN_LINKS)})"] if link else []
    return "\n".join(lines) + "\n"


def _row(check: Check) -> tuple[str, ...]:
    needed = check["images_needed"]
    return (
        escape(check["budget"]),
        escape(name_check(check)),
        _SYMBOLS[check["verdict"]],
        spell_value(check),
        spell_bound(check) if check["scope"] == "transforms" else "",
        f"{check['limit']:g}".replace("-", "−"),
        f"{check['n']:,}",
        f"{needed:,} images" if needed else escape(check["reason"]),
    )


def _describe(content: Content) -> str:
    run, baseline = content["run"], content["baseline"]
    line = f"- run `{_code(run['path'])}`, encoder `{_code(run['encoder'])}`"
    if baseline is not None and not content["null"]:
        line += f"\n- baseline `{_code(baseline['path'])}`, encoder `{_code(baseline['encoder'])}`"
    return line


def escape(text: str) -> str:
    """Return a text from outside as Markdown that shows it; the table escapes its own bars."""
    return _SPECIAL.sub(r"\\\1", make_visible(" ".join(text.split())))


def _code(text: str) -> str:
    return make_visible(" ".join(text.split())).replace("`", "'")
