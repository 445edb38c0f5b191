"""Evidence: from the stored records to what a reader sees.

``statistics`` says what a few seeds say, and ``published`` holds what the papers print. ``report``
finds the best stored runs of each cell. ``claims`` judges a paper's claims by them, and ``choices``
shows what the choices change that a paper leaves open. ``table`` and ``plots`` show them,
``chapter`` opens a notebook, and ``pages`` fills the pages of the book.
"""

from fedlib.evidence.chapter import Chapter, open_chapter
from fedlib.evidence.published import PublishedValue, load_published, published_slugs
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.table import Note, Table

# The figures of ``plots`` are not among these, because they need matplotlib.
__all__ = [
    "Archive",
    "CellResult",
    "Chapter",
    "Note",
    "PublishedValue",
    "Table",
    "load_published",
    "open_chapter",
    "published_slugs",
]
