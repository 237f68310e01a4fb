"""Sphinx configuration of the manual: `./scripts/manual` builds it into out/manual.

The source folder is the checkout, so that links between README, CONTRIBUTING and the chapters in docs/ lead to the same
place here and in a view of the repository.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "sim")]

project = "derca-hw"
author = "derca-hw contributors"
copyright = f"2026, {author}"
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["docs/*.md", "*.md"]
exclude_patterns = [".venv", ".git", "build", "out", "sim", "derca*", "cocotb_tests", "constraints", "scripts"]

html_theme = "furo"
html_title = "derca-hw"
html_extra_path = ["front"]  # index.html, which leads to the first chapter
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
default_role = "code"
add_module_names = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False


def setup(app):
    """Stars in docstrings are parts of shapes, as in [batch, *shape]; they emphasise nothing."""
    def escape(app, what, name, obj, options, lines):
        lines[:] = [line.replace("*", r"\*") for line in lines]

    app.connect("autodoc-process-docstring", escape)
