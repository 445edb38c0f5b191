"""The pages of the book: marks in their text are replaced by what the store and the code hold.

``python -m fedlib.evidence.pages PAGE.md ...`` fills pages in place. To add a mark, write one file
here with a function that :func:`page_mark` enters.
"""

import importlib
import pkgutil

from fedlib.evidence.pages.marks import MARKS, Page, fill, fill_file, page_figure, page_mark

__all__ = ["MARKS", "Page", "fill", "fill_file", "page_figure", "page_mark"]

# Every file of this folder enters its marks when it is imported.
for _module in pkgutil.iter_modules(__path__):
    if _module.name != "__main__":
        importlib.import_module(f"{__name__}.{_module.name}")
