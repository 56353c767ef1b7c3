"""How the manual is built as a site and as a man page: ``make docs``. Nothing in it is loaded from elsewhere."""

from importlib.metadata import version as _version

project = "Plainview"
author = "Plainview"
copyright = "the Plainview project"
release = version = _version("plainview")
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_fence_as_directive: list[str] = []
suppress_warnings = ["myst.xref_missing", "myst.header", "misc.highlighting_failure"]
html_theme = "alabaster"
html_theme_options = {"description": "Public text, kept so that it stands.", "fixed_sidebar": True}
html_show_sourcelink = False
html_copy_source = False
man_pages = [
    ("cheat-sheet", "plainview", "review what services say in plain public view", [author], 1),
    ("reference/commands", "plainview-commands", "every command of plainview", [author], 1),
]
