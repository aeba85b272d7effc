"""The command line: every command with its options, from the parser itself."""

import argparse
from collections.abc import Iterator

from docs.refresh.markup import code, sentence, table
from embshift.cli.parser import build_parser

__all__ = ["commands", "run_options"]


def parsers() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Yield each command's name, its one line in the help, and its parser."""
    group = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {action.dest: action.help or "" for action in group._choices_actions}
    for name, parser in group.choices.items():
        yield name, summaries[name], parser


def commands() -> str:
    main = [a for a in build_parser()._actions if a.option_strings]
    parts = [table(("option", "meaning"), [(option_name(a), a.help) for a in main])]
    parts += [command(name, summary, parser) for name, summary, parser in parsers()]
    return "\n".join(parts)


def command(name: str, summary: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"## embshift {name}\n", sentence(parser.description or summary) + "\n"]
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if "--help" not in a.option_strings]
        if actions:
            title = (group.title or "").replace("positional arguments", "arguments")
            rows = [(option_name(a), option_help(a)) for a in actions]
            parts.append(f"**{title[:1].upper()}{title[1:]}**\n\n" + table(("", "meaning"), rows))
    return "\n".join(parts)


def option_name(action: argparse.Action) -> str:
    value = f"{action.metavar or choices(action)}{' …' if action.nargs in ('*', '+') else ''}"
    if action.option_strings:
        given = f" {value}" if action.nargs != 0 else ""
        return ", ".join(code(f"{option}{given}") for option in action.option_strings)
    return code(value)


def choices(action: argparse.Action) -> str:
    return "|".join(action.choices) if action.choices else action.dest.upper()


def option_help(action: argparse.Action) -> str:
    text = (action.help or "one of these").replace("%(default)s", str(action.default))
    return text.strip("()") if text.startswith("(") else text


def run_options() -> dict[str, str]:
    """Return the option of ``embshift run`` for each field of the plan that has one."""
    parser = next(parser for name, _, parser in parsers() if name == "run")
    found = {"sources": code("SOURCE")}
    for action in parser._actions:
        if action.option_strings:
            found.setdefault(action.dest, code(action.option_strings[-1]))  # --compile comes after --runtime
    return found
