"""The parser of the command line; every default in the help is read from the plan.

What a command needs is imported when its own parser is built, so that each command, and each mistake, is
answered at once.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from embshift.cli.options.completers import complete, no_words, paths, words
from embshift.cli.options.format_options import add_format, check_format
from embshift.cli.output.help import Help, Parser
from embshift.core.errors import UnknownNameError, UsageError
from embshift.core.version import __version__

__all__ = ["build_parser", "parse"]

Command = Callable[[argparse.Namespace], int]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of one command.

    Raises:
        UsageError: If the command or an option is not known; the nearest is offered.
        SystemExit: After help and version, and where arguments are wrong in another way.
        StorageError: If help cannot be printed, as on a full disk.
        BrokenPipeError: If the reader of the help has gone.
    """
    given = next((text for text in arguments if not text.startswith("-")), "")
    if given and given not in _COMMANDS:
        raise UnknownNameError("command", given, _COMMANDS)
    parsed, rest = build_parser(given).parse_known_args(arguments)
    if rest:
        _refuse(rest, given, parsed.parser)
    if "caption" in parsed:
        check_format(parsed)
    parsed.given = tuple(arguments)
    return parsed


def _refuse(rest: Sequence[str], command: str, parser: argparse.ArgumentParser) -> NoReturn:
    """Raise for arguments that the command does not take."""
    known: Mapping[str, argparse.Action] = vars(parser)["_option_string_actions"]
    for name in (text.partition("=")[0] for text in rest if text.startswith("-")):
        if name in known:
            raise UsageError(f"{name} stands before the command; write 'embshift {command} {name} …'")
        raise UnknownNameError("option", name, [each for each in known if each.startswith("--")])
    parser.error(f"unexpected argument '{rest[0]}'")


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Build the parser of the command ``embshift``.

    Args:
        only: The command that is needed; "" for all without their arguments, None for all.
    """
    parser = Parser(
        prog="embshift",
        formatter_class=Help,
        description="Measure and explain how image embeddings move when an image is changed.",
        epilog="A first look, with nothing to download: embshift demo",
    )
    parser.add_argument("--version", action="version", version=f"embshift {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (summary, fill) in _COMMANDS.items():
        if only and only != name:
            continue
        command = commands.add_parser(name, help=summary, description=summary, formatter_class=Help)
        command.add_argument("-q", "--quiet", action="store_true", help="print only results and errors")
        command.add_argument("-v", "--verbose", action="store_true", help="print errors with their traceback")
        if only != "":
            command.set_defaults(parser=command, command=fill(command))
    return parser


def _fill_run(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.measure import run
    from embshift.cli.options.run_options import add_run_options
    from embshift.cli.options.trust_options import add_trust_options

    parser.description = (
        "Measure how the embeddings of images move under transforms, into a run folder. The same command"
        " continues an interrupted run and returns at once when the run is finished."
    )
    add_run_options(parser)
    add_trust_options(parser, "code", "remote", "private")
    return run


def _fill_work(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.parts import work
    from embshift.cli.options.parts_options import add_work_options
    from embshift.cli.options.trust_options import add_trust_options

    parser.description = (
        "Measure the chunks of one part of a run that embshift run --prepare has begun. Several processes or"
        " machines that share the run folder measure other parts at the same time; embshift finish ends the"
        " run. The same command continues an interrupted part."
    )
    _add_run(parser)
    add_work_options(parser)
    add_trust_options(parser, "code", "remote", "private")
    return work


def _fill_finish(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.parts import finish
    from embshift.cli.options.trust_options import add_trust_options

    parser.description = (
        "Finish a run whose parts are all measured: keep views, count, and mark the run as finished. What is"
        " missing is named."
    )
    _add_run(parser)
    add_trust_options(parser, "code", "remote", "private")
    return finish


def _fill_demo(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.measure import demo

    out = parser.add_argument(
        "--out", metavar="RUN", default="demo-run", help="the run folder (default: %(default)s)"
    )
    complete(out, paths)
    return demo


def _fill_sweep(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.studies import sweep
    from embshift.cli.options.sweep_options import add_sweep_options

    parser.description = (
        "Measure transforms at several severities, all with the same draw, into a run folder. The result is a"
        " curve of the shift for each transform, the area below it, and the severity at which half of the"
        " views no longer find their original. The same command continues an interrupted run."
    )
    add_sweep_options(parser)
    return sweep


def _fill_match(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.studies import match
    from embshift.cli.options.sweep_options import add_match_options

    parser.description = (
        "Find, on one half of the images, the strengths at which transforms do equal damage; measure the"
        " other half at these strengths into a run folder, and rank the transforms. A transform that cannot"
        " reach an amount of damage is reported as such."
    )
    add_match_options(parser)
    return match


def _fill_explain(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.explain import explain
    from embshift.cli.options.explain_options import add_explain_options
    from embshift.cli.options.trust_options import add_trust_options

    parser.description = (
        "Show where in the network of its encoder the shifts of a finished run arise: by head and layer, by"
        " patch of the image, each beside what exchanging it does. Views are made again from their seeds and"
        " checked; results go into RUN/explain. The same command continues an interrupted explanation. Words,"
        " labels and captions are compared with the embeddings of the run, for every encoder, without running"
        " its network. For a folder of embshift sweep, show how far apart an image and its views are over all"
        " severities."
    )
    _add_run(parser)
    add_explain_options(parser)
    add_trust_options(parser, "code", "remote", "private")
    add_format(parser)
    return explain


def _fill_views(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.exchange import views
    from embshift.cli.options.exchange_options import add_views_options

    add_views_options(parser)
    return views


def _fill_ingest(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.exchange import ingest
    from embshift.cli.options.exchange_options import add_ingest_options

    add_ingest_options(parser)
    return ingest


def _fill_summarise(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.summaries import summarise
    from embshift.cli.options.show_options import add_show_options

    _add_run(parser)
    add_show_options(parser)
    add_format(parser)
    return summarise


def _add_run(parser: argparse.ArgumentParser) -> None:
    complete(parser.add_argument("run", metavar="RUN", help="a run folder, or its address in a store"), paths)


def _fill_compare(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.compare import compare
    from embshift.cli.options.compare_options import add_compare_options

    add_compare_options(parser)
    add_format(parser)
    return compare


def _fill_clusters(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.summaries import clusters

    _add_run(parser)
    add = parser.add_argument
    distance = add(
        "--distance",
        default="cosine",
        metavar="NAME",
        help="distance between two views of one image: cosine, euclidean, … (default: %(default)s)",
    )
    linkage = add(
        "--linkage",
        default="average",
        metavar="NAME",
        help="average, complete, single, ward, … (default: %(default)s)",
    )
    threshold = add(
        "--threshold",
        type=float,
        metavar="T",
        help="distance at which the tree is cut (default: 0.7 of its greatest height)",
    )
    complete(distance, words("cosine", "euclidean"))
    complete(linkage, words("average", "complete", "single", "ward"))
    complete(threshold, no_words)
    add_format(parser)
    return clusters


def _fill_figures(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.figures import figures
    from embshift.cli.options.figure_options import add_figures_options

    parser.description = (
        "Render a run's figures into files, each under its name in 'embshift list figures'. A figure for"
        " which the run lacks data is skipped, and the reason is printed."
    )
    _add_run(parser)
    add_figures_options(parser)
    return figures


def _fill_report(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.figures import report

    parser.description = (
        "Write the findings, every number, the images behind them and the method into one HTML file that"
        " opens without a network. Only the run folder is read."
    )
    _add_run(parser)
    complete(
        parser.add_argument(
            "--out",
            metavar="FILE",
            help="the file (default: RUN/report.html; of a run in a store, NAME-report.html here)",
        ),
        paths,
    )
    return report


def _fill_serve(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.serve import serve
    from embshift.cli.options.serve_options import add_serve_options

    add_serve_options(parser)
    return serve


def _fill_export(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.handover import export
    from embshift.cli.options.handover_options import add_export_options

    _add_run(parser)
    add_export_options(parser)
    return export


def _fill_card(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.handover import card
    from embshift.cli.options.handover_options import add_card_options

    _add_run(parser)
    add_card_options(parser)
    return card


def _fill_check(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.gate import check
    from embshift.cli.options.gate_options import add_check_options

    _add_run(parser)
    add_check_options(parser)
    return check


def _fill_budget(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.gate import budget
    from embshift.cli.options.gate_options import add_budget_options

    _add_run(parser)
    add_budget_options(parser)
    return budget


def _fill_baseline(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.gate import baseline
    from embshift.cli.options.gate_options import add_baseline_options

    _add_run(parser)
    add_baseline_options(parser)
    return baseline


def _fill_verify(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.verify import verify
    from embshift.cli.options.trust_options import add_trust_options

    parser.description = (
        "Check every file of a run folder, its listing, counts and kept views, and hash the images and the"
        " encoder again. The exit code is 0 for a sound run, 1 for an unsound one, 2 for wrong use."
    )
    _add_run(parser)
    add = parser.add_argument
    add(
        "--repair",
        action="store_true",
        help="remove broken files that can be made again; the next embshift run makes them again",
    )
    add("--folder-only", action="store_true", help="do not read the images and the encoder again")
    add_trust_options(parser, "code", "remote", "private")
    return verify


def _fill_list(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.lists import LISTED, list_names

    parser.description = "List everything that can be chosen by name, one line a kind; or one kind in detail."
    what = parser.add_argument("what", nargs="?", metavar="|".join(LISTED), help="the kind to list in detail")
    complete(what, words(*LISTED))
    return list_names


def _fill_completion(parser: argparse.ArgumentParser) -> Command:
    from embshift.cli.commands.completion import SHELLS, completion

    parser.description = (
        "Print a script with which a shell completes commands, options and names at the Tab key."
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    return completion


_COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], Command]]] = {
    "run": ("measure images into a run folder", _fill_run),
    "work": ("measure one part of a prepared run, beside others", _fill_work),
    "finish": ("finish a run whose parts are measured", _fill_finish),
    "demo": ("run the full pipeline on 36 sample photographs, with the bundled encoder", _fill_demo),
    "sweep": ("measure how the shift grows with severity", _fill_sweep),
    "match": ("compare transforms at equal damage to the image", _fill_match),
    "explain": ("show where in the network a run's shifts arise", _fill_explain),
    "views": ("write views for an encoder that runs elsewhere", _fill_views),
    "ingest": ("make a run of embeddings computed elsewhere", _fill_ingest),
    "summarise": ("print a run's table: transforms by metrics", _fill_summarise),
    "compare": ("compare runs: encoders, versions, preparations", _fill_compare),
    "clusters": ("group transforms that move embeddings alike", _fill_clusters),
    "figures": ("render a run's figures into files", _fill_figures),
    "report": ("write a run's report: one HTML file", _fill_report),
    "serve": ("open a page on which views follow a slider", _fill_serve),
    "export": ("write a run for embedding-atlas, TensorBoard or FiftyOne", _fill_export),
    "card": ("write a model card's section on a run", _fill_card),
    "check": ("hold a run against budgets, for CI", _fill_check),
    "budget": ("write a budget file with limits that a run holds", _fill_budget),
    "baseline": ("write what later runs are compared with: one file", _fill_baseline),
    "verify": ("check a run folder and its inputs", _fill_verify),
    "list": ("list transforms, metrics, encoders, presets, figures and exporters", _fill_list),
    "completion": ("print a script that completes embshift commands in a shell", _fill_completion),
}
"""Every command: its summary, and what adds its arguments and returns the function that carries it out."""
