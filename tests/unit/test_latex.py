"""Tables in LaTeX: whatever a name holds, they compile in a plain article and print the name."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embshift.cli.main import main
from embshift.cli.options.show_options import SHOWS
from embshift.core.errors import PlanError
from embshift.show.text.latex import escape_latex, frame_latex, latex
from tests.synthetic_runs import NINE, Wanted, make_run

HOSTILE = (
    "a_b%c&d#e$f{g}h\\i~j^k",
    "[5pt]",
    "*star",
    "\\input{/etc/passwd}",
    "\\end{tabular}",
    "a--b---c ?`!`",
    '<<x>> |y| "z" `w\'',
    "%",
    "é ü ç ő ł ß æ Å ñ ż ğ",
    "\u6d4b\u8bd5 \U0001f600 \u202e",
    "line\nbreak\r\ttab\x00\x1b[31m",
    "^^M^^00",
    "{}}{",
    "",
    "-5 −5 1e-05 ≥ ≤ → ± × … · ° µ τ – — “q” ‘q’ ∞ ✓",
)


@given(st.text(max_size=40))
def test_escaped_text_is_printable_ascii_in_which_nothing_is_left_to_execute(text):
    found = escape_latex(text)
    assert re.fullmatch(r"[ -~]*", found)
    plain = re.sub(r"\\(text[a-z]+|dots|ss|ae|AE|oe|OE|o|O|l|L)\{\}", "", found)
    plain = re.sub(r"\$(\\[a-z]+|\^\\circ|-)\$", "", plain)
    plain = re.sub(r"\\[`'^~=u.\"rHvc]\{[A-Za-z]\}", "", plain)
    plain = re.sub(r"\\[_%&#${}]", "", plain).replace("{}", "")
    assert not set(plain.replace("~", "") if "\u00a0" in text else plain) & set(r"\{}$&#^_%~")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "a_b%c&d#e$f{g}h\\i~j^k",
            r"a\_b\%c\&d\#e\$f\{g\}h\textbackslash{}i\textasciitilde{}j"
            r"\textasciicircum{}k",
        ),
        ("a--b", "a-{}-b"),
        ("Ünal ł", r"\"{U}nal \l{}"),
        ("\u6d4b\n", "U+6D4BU+000A"),
        ("<1>", r"\textless{}1\textgreater{}"),
    ],
)
def test_a_text_is_escaped(text, written):
    assert escape_latex(text) == written


def test_a_row_never_begins_with_what_latex_takes_as_an_argument():
    lines = latex(["transform", "n"], [["[5pt]", "1"], ["*", "2"]]).splitlines()
    assert lines[4:6] == [r"{}[5pt] & 1 \\", r"{}* & 2 \\"]


def test_intervals_are_rounded_to_two_digits_of_their_half_and_minus_signs_are_signs():
    rows = [
        ["a", "-0.1234 (-0.2001 to -0.0999)", "1.20e-05", "x"],
        ["b", "0.5000 (0.4000 to 0.6100)", "–", ""],
    ]
    text = latex(["transform", "difference", "p", "why"], rows)
    assert "{lrrl}" in text
    assert r"a & $-$0.123 ($-$0.200 to $-$0.100) & 1.20$\times 10^{-5}$ & x \\" in text
    assert r"b & 0.500 (0.400 to 0.610) & -- &  \\" in text


def test_no_digit_is_invented():
    assert "2000.1 (1999.9 to 2000.2)" in latex(["a", "b"], [["x", "2000.1 (1999.9 to 2000.2)"]])


def test_a_caption_or_a_label_makes_a_table_below_its_command():
    text = frame_latex("TABULAR", caption="50 % of a_b", label="tab:x", command="embshift x\n\\evil")
    assert text.splitlines() == [
        r"% embshift x \evil",
        r"% needs \usepackage{booktabs}",
        *(r"\begin{table}", r"\centering", r"\caption{50 \% of a\_b}", r"\label{tab:x}"),
        *("TABULAR", r"\end{table}"),
    ]
    assert frame_latex("TABULAR") == "TABULAR"
    with pytest.raises(PlanError, match="expected letters, digits"):
        frame_latex("TABULAR", label="a}b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    names = ("a_b%c&d", "[5pt]", *NINE[:2])
    return make_run(
        tmp_path_factory.mktemp("latex") / "run", Wanted(transforms=names, draws=2, explained=True)
    ).folder


COMMANDS = [*(["summarise", "--show", show] for show in SHOWS), ["clusters"]]
COMMANDS += [["explain", "--read-only", "--show", show] for show in ("shares", "layers", "heads", "words")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_table_has_its_caption_its_label_and_the_command_that_made_it(command, folder, capsys):
    given = [command[0], str(folder), *command[1:], "--format", "latex"]
    assert main([*given, "--caption", "A_b", "--label", "tab:a"]) == 0
    lines = capsys.readouterr().out.rstrip("\n").splitlines()
    assert lines[0].startswith(f"% embshift {command[0]} ")
    assert lines[2:6] == [r"\begin{table}", r"\centering", r"\caption{A\_b}", r"\label{tab:a}"]
    assert lines[-1] == r"\end{table}"
    columns = len(re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", lines[6])[1])
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) > 1
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {columns}


@pytest.mark.parametrize(
    "command", [["summarise"], ["clusters"], ["compare"], ["explain"], ["sweep"], ["match"]]
)
def test_a_caption_belongs_to_latex(command, capsys):
    assert main([*command, "run", "--caption", "a"]) == 2
    assert "--caption belongs to --format latex" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_hostile_tables_compile_and_print_their_names(tmp_path):
    letters = [chr(at) for at in range(0xA0, 0x180)] + [chr(at) for at in range(0x20, 0x7F)]
    tables = [
        latex(["transform", *HOSTILE[:2]], [[name, name, "-0.1 (-0.2 to 0.1)"] for name in HOSTILE]),
        latex(["a", "b"], [[one, f"x{one}"] for one in letters[:150]]),
        latex(["a", "b"], [[one, f"x{one}"] for one in letters[150:]]),
    ]
    framed = [
        frame_latex(one, caption=" ".join(HOSTILE), label=f"t:{at}", command="a\nb")
        for at, one in enumerate(tables)
    ]
    document = ["\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\scriptsize"]
    text = "\n\\clearpage\n".join([*document, *framed, *tables, "\\end{document}"])
    (tmp_path / "a.tex").write_text(text, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "a.tex"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert found.returncode == 0, found.stdout[-1500:].decode("utf-8", "replace")
    assert b"Missing character" not in found.stdout + (tmp_path / "a.log").read_bytes()
