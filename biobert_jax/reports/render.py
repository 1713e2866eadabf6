"""A table as text for a terminal, Markdown, LaTeX, HTML or CSV; what cells hold is escaped."""

import csv
import html
import io
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

FORMATS = ("terminal", "markdown", "latex", "csv")

_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "…": r"\ldots{}",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Table(NamedTuple):
    """Cells as text.

    Attributes:
      title: one line.
      header: of the columns.
      rows: of cells.
      left: how many columns from the left are text; the others are numbers, set right.
      notes: lines below it.
      emphasised: (row, column) of cells to set in bold.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    notes: Sequence[str] = ()
    emphasised: frozenset[tuple[int, int]] = frozenset()


def render(table: Table, form: str, width: int | None = None) -> str:
    """A table in one of FORMATS; `width` in characters is for a terminal."""
    if form == "terminal":
        return to_terminal(table, width)
    return {"markdown": to_markdown, "latex": to_latex, "csv": to_csv}[form](table)


def plain(text: str) -> str:
    """Text on one line, without control characters, which can do harm on a terminal."""
    flat = " ".join(str(text).split())
    return "".join(c for c in flat if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def to_terminal(table: Table, width: int | None = None) -> str:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=Text(plain(table.title)), title_justify="left")
    for i, name in enumerate(table.header):
        drawn.add_column(Text(plain(name)), justify="left" if i < table.left else "right")
    for r, row in enumerate(table.rows):
        cells = [
            Text(plain(cell), style="bold" if (r, c) in table.emphasised else "")
            for c, cell in enumerate(row)
        ]
        drawn.add_row(*cells)
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(drawn)
    for note in table.notes:
        console.print(Text(plain(note)))
    return out.getvalue()


def to_markdown(table: Table) -> str:
    lines = [f"**{markdown(table.title)}**", ""] if table.title else []
    rule = ["---" if i < table.left else "---:" for i in range(len(table.header))]
    for r, row in enumerate([table.header, rule, *table.rows]):
        cells = list(row) if row is rule else [markdown(cell) for cell in row]
        for c, cell in enumerate(cells):
            if (r - 2, c) in table.emphasised and cell:
                cells[c] = f"**{cell}**"
        lines.append(f"| {' | '.join(cells)} |")
    for note in table.notes:
        lines += ["", markdown(note)]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A table environment; needs the packages booktabs and textcomp."""
    columns = "l" * table.left + "r" * (len(table.header) - table.left)
    lines = [r"\begin{table}[ht]", r"\centering\small", rf"\caption{{{latex(table.title)}}}"]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [" & ".join(map(latex, table.header)) + r" \\", r"\midrule"]
    for r, row in enumerate(table.rows):
        cells = [
            rf"\textbf{{{latex(cell)}}}" if (r, c) in table.emphasised else latex(cell)
            for c, cell in enumerate(row)
        ]
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.notes:
        notes = r" \\ ".join(map(latex, table.notes))
        lines.append(rf"\par\smallskip\begin{{minipage}}{{\linewidth}}\footnotesize {notes}")
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_html(table: Table) -> str:
    def cell(tag: str, r: int, c: int, text: str) -> str:
        kinds = [] if c < table.left else ["number"]
        kinds += ["best"] if (r, c) in table.emphasised else []
        kind = f' class="{" ".join(kinds)}"' if kinds else ""
        scope = {"th": ' scope="col"'}.get(tag, "") if r < 0 else ' scope="row"'
        return f"<{tag}{kind}{scope if tag == 'th' else ''}>{escape(text)}</{tag}>"

    head = "".join(cell("th", -1, c, name) for c, name in enumerate(table.header))
    body = [
        "<tr>"
        + "".join(cell("th" if c == 0 else "td", r, c, text) for c, text in enumerate(row))
        + "</tr>"
        for r, row in enumerate(table.rows)
    ]
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in table.notes)
    return (
        f"<h3>{escape(table.title)}</h3>\n"
        f'<div class=scroll tabindex=0><table aria-label="{escape(table.title)}">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{chr(10).join(body)}</tbody></table></div>\n"
        f"{notes}\n"
    )


def to_csv(table: Table) -> str:
    """Comma-separated values; text that a spreadsheet would take for a formula is quoted by '."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([[_spreadsheet(plain(c)) for c in row] for row in (table.header, *table.rows)])
    return out.getvalue()


def markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", plain(text))


def latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in plain(text))


def escape(text: str) -> str:
    return html.escape(plain(text))


def _spreadsheet(text: str) -> str:
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
