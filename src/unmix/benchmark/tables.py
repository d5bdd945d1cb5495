"""One kind of table, as Markdown and as HTML.

What stands in a table is decided in `unmix.benchmark.layout`; here is only how it is written.
Names come from files, so they are escaped: in Markdown by backslashes, in HTML by entities.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from unmix.benchmark.results import Stat

__all__ = ["Cell", "Row", "Table", "cell", "mark_best", "md", "to_html", "to_markdown"]

NONE = "–"


@dataclass(frozen=True)
class Cell:
    """Text, its kind ("", "best", "failed", "over", "quiet"), and the number behind it.

    `value` is None where the cell is not to be compared with others.
    """

    text: str = NONE
    kind: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """Leading texts and cells; `kind` is "", "first" (a rule above), "other" (others' figures)."""

    head: tuple[str, ...]
    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a title and notes below.

    `columns` names the leading columns and then the cells; `groups` spans the latter, one (name,
    width) a group, and is empty where there are none.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    leads: int = 1
    groups: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def cell(found: Stat | None, digits: int) -> Cell:
    """Mean ± standard deviation; what failed is said, and not compared with what did not.

    >>> cell(Stat(0.12345, 0.0041, 3, 0), 3).text, cell(Stat(0.5, None, 1, 0), 2).text
    ('0.123 ± 0.004', '0.50')
    >>> cell(Stat(0.5, None, 1, 2), 2).text, cell(Stat(None, None, 0, 1), 3).text
    ('0.50 (2 failed)', 'failed')
    """
    if found is None or (found.mean is None and not found.failed):
        return Cell()
    if found.mean is None:
        return Cell("failed", "failed")
    text = number(found.mean, digits)
    if found.std is not None:
        fixed = "e" not in text
        text += f" ± {found.std:.{digits}f}" if fixed else f" ± {found.std:.1e}"
    if found.failed:
        return Cell(f"{text} ({found.failed} failed)", "failed")
    return Cell(text, "", found.mean)


def number(value: float, digits: int) -> str:
    """Fixed digits, or three significant ones where those would show nothing or too much.

    >>> number(0.0274, 3), number(0.0, 3), number(0.00012, 3), number(123456.0, 3)
    ('0.027', '0.000', '1.2e-4', '1.2e5')
    """
    if value and (abs(value) < 0.5 * 10.0**-digits or abs(value) >= 1e5):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.{digits}f}"


def mark_best(rows: Sequence[Row], columns: int, higher: bool = False) -> tuple[Row, ...]:
    """Mark the best value of each column and all that read the same; others' rows are left out."""
    marked = [list(row.cells) for row in rows]
    for j in range(columns):
        own = [
            (row[j].value, i)
            for i, row in enumerate(marked)
            if not rows[i].kind.startswith("other") and row[j].value is not None
        ]
        if len(own) < 2:
            continue
        best = (max if higher else min)(own, key=lambda o: o[0] or 0.0)
        shown = _mean_text(marked[best[1]][j].text)
        for _, i in own:
            old = marked[i][j]
            if _mean_text(old.text) == shown and not old.kind:
                marked[i][j] = Cell(old.text, "best", old.value)
    return tuple(Row(r.head, tuple(c), r.kind) for r, c in zip(rows, marked, strict=True))


def _mean_text(text: str) -> str:
    return text.split(" ")[0]


def to_markdown(table: Table) -> str:
    """Pipe table under a heading, the best values bold."""
    names = [*table.columns[: table.leads]]
    groups = [g for g, width in table.groups for _ in range(width)]
    for i, column in enumerate(table.columns[table.leads :]):
        group = groups[i] if i < len(groups) else ""
        names.append(f"{group}, {column}" if group and column else group or column)
    lines = [f"### {md(table.title)}", "", _line([md(n) for n in names])]
    lines.append(_line(["---"] * table.leads + ["---:"] * (len(names) - table.leads)))
    for row in table.rows:
        lines.append(_line([*map(md, row.head), *map(_md_cell, row.cells)]))
    for note in table.notes:
        lines += ["", md(note)]
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(c or ' ' for c in cells)} |"


def _md_cell(found: Cell) -> str:
    text = md(found.text)
    if found.kind == "best":
        mean, _, spread = text.partition(" ")
        return f"**{mean}** {spread}".strip()
    return text


def md(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line.

    >>> print(md("a|b *c*\n<i>_d_"))
    a\|b \*c\* &lt;i>\_d\_
    """
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)


def to_html(table: Table) -> Markup:
    """The same table as HTML; the spread stands small under its mean."""
    lead = table.columns[: table.leads]
    rest = table.columns[table.leads :]
    top = ""
    if table.groups:
        spans = "".join(
            f'<th class="group" colspan="{width}">{escape(name)}</th>'
            for name, width in table.groups
        )
        top = f'<tr><th colspan="{table.leads}"></th>{spans}</tr>'
    names = "".join(f"<th>{escape(n)}</th>" for n in lead)
    names += "".join(f'<th class="num">{escape(n)}</th>' for n in rest)
    body = "".join(_html_row(row) for row in table.rows)
    notes = "".join(f'<p class="hint">{escape(note)}</p>' for note in table.notes)
    return Markup(
        f'<h3 id="{escape(table.name)}">{escape(table.title)}</h3>'
        f'<div class="scroll"><table class="scores"><thead>{top}<tr>{names}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{notes}"
    )


def _html_row(row: Row) -> str:
    kind = f' class="{row.kind}"' if row.kind else ""
    last = "" if row.cells else ' class="why"'  # a table of words: the last column may wrap
    heads = "".join(
        f"<td{last if i == len(row.head) - 1 else ''}><bdi>{escape(h)}</bdi></td>"
        for i, h in enumerate(row.head)
    )
    return f"<tr{kind}>{heads}{''.join(_html_cell(c) for c in row.cells)}</tr>"


def _html_cell(found: Cell) -> str:
    mean, _, more = found.text.partition(" ")
    lines = [line for line in re.split(r" ?(\(.*\))", more) if line]
    more = "".join(f"<small>{escape(line)}</small>" for line in lines)
    kind = f" {found.kind}" if found.kind else ""
    return f'<td class="num{kind}">{escape(mean)}{more}</td>'
