"""The case file that is handed over: a BagIt bag that a stranger can check (design sections 5 and 10)."""

from data.export.build import Export, ExportFailed, make_export
from data.export.selection import Selection

__all__ = ["Export", "ExportFailed", "Selection", "make_export"]
