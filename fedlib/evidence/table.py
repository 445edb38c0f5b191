"""What a notebook shows in a cell: a note or a table."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from fedlib.evidence.links import as_html, escaped


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 seed``, ``2 seeds``.

    Parameters
    ----------
    count
        How many there are.
    noun
        The noun in the singular; its plural must end with an s.
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


@dataclass(frozen=True)
class Note:
    """A statement at the head of a chapter, with warnings that the reader must not overlook.

    A notebook shows it as HTML, everything else as text.

    Attributes
    ----------
    text
        The statement. It may be a :class:`~fedlib.evidence.links.Linked` text.
    warnings
        Each warning is shown on a line of its own.
    command
        A command that does what the statement says, which the reader can copy. It may be empty.
    """

    text: str
    warnings: tuple[str, ...] = ()
    command: str = ""

    def _repr_html_(self) -> str:
        lines = [f"<p>{as_html(self.text)}</p>"]
        lines += [f"<p><strong>{html.escape(line)}</strong></p>" for line in self.warnings]
        if self.command:
            lines.append(f'<pre class="fedlib-command">{html.escape(self.command)}</pre>')
        kind = "warning" if self.warnings else "note"
        return f'<div class="fedlib-note fedlib-{kind}">{"".join(lines)}</div>'

    def __repr__(self) -> str:
        command = [self.command] if self.command else []
        return "\n".join([self.text, *(f"! {line}" for line in self.warnings), *command])


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML, and everything else as aligned text.

    Attributes
    ----------
    css
        The CSS classes of the whole table.
    header, rows
        The cells, as plain text. A cell may have several lines. The HTML has the links of a
        :class:`~fedlib.evidence.links.Linked` text. A head that begins with a line break belongs to
        the group that the head before it names in its first line.
    caption
        What stands above the table, if it is not empty.
    classes
        The CSS class of a cell, such as a verdict's, by (row, column).
    compact
        Whether the lines of the table are never broken.
    anchors
        The anchors of rows, which links can lead to, by row.
    """

    css: ClassVar[str] = "fedlib-table"

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    classes: Mapping[tuple[int, int], str] = field(default_factory=dict)
    compact: bool = False
    anchors: Mapping[int, str] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        caption = ""
        if self.caption:
            # The block within stays in sight where a wide table scrolls.
            caption = f"<caption><div>{html.escape(self.caption)}</div></caption>"
        head = _html_head(self.header)
        body = "".join(map(self._html_row, range(len(self.rows))))
        kind = f"{self.css} fedlib-compact" if self.compact else self.css
        return (
            f'<div class="{kind}"><table>{caption}<thead>{head}</thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _html_row(self, row: int) -> str:
        """Return the HTML of a row."""
        cells = []
        for column, cell in enumerate(self.rows[row]):
            name = self.classes.get((row, column))
            attribute = f' class="{name}"' if name else ""
            cells.append(f"<td{attribute}>{as_html(cell)}</td>")
        anchor = self.anchors.get(row)
        start = f'<tr id="{anchor}">' if anchor else "<tr>"
        return f"{start}{''.join(cells)}</tr>"

    def __repr__(self) -> str:
        flat = [[cell.replace("\n", " | ") for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*flat, strict=True)]
        lines = [self.caption] if self.caption else []
        for row in flat:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


def _html_head(header: tuple[str, ...]) -> str:
    """Return the rows of a table's head: one, or two if columns stand in groups."""

    if not any(cell.startswith("\n") for cell in header):
        return f"<tr>{''.join(f'<th>{escaped(cell)}</th>' for cell in header)}</tr>"
    groups, single = [], []
    for number, cell in enumerate(header):
        group, _, name = cell.partition("\n")
        size = 1
        while number + size < len(header) and header[number + size].startswith("\n"):
            size += 1
        if cell.startswith("\n"):
            single.append(f"<th>{escaped(name)}</th>")
        elif size == 1:
            groups.append(f'<th rowspan="2">{escaped(cell)}</th>')
        else:
            spans = f'colspan="{size}" scope="colgroup" class="fedlib-group"'
            groups.append(f"<th {spans}>{escaped(group)}</th>")
            single.append(f"<th>{escaped(name)}</th>")
    return f"<tr>{''.join(groups)}</tr><tr>{''.join(single)}</tr>"
