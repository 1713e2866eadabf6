"""Settings of the documentation as pages: `make docs` builds it with Sphinx.

https://www.sphinx-doc.org/en/master/usage/configuration.html has what each is."""

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the modules of this checkout are those that are described

project = "biobert_jax"
author = "The biobert_jax maintainers"
release = re.search(r'__version__ = "(.+)"', (ROOT / "biobert_jax/__init__.py").read_text())[1]

extensions = [
    "myst_nb",  # Markdown and notebooks
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["report/*"]  # a page by itself, which is copied as it is

myst_heading_anchors = 4  # links to headings, named as GitHub names them
myst_enable_extensions = ["colon_fence"]

# Notebooks are run by tests. BIOBERT_DOCS_RUN=1 runs them for the pages too, which then show what
# comes out.
nb_execution_mode = "force" if os.environ.get("BIOBERT_DOCS_RUN") else "off"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"  # system fonts; nothing comes from other servers
html_title = f"biobert_jax {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

REPORT = "report/index.html"


def setup(app):
    app.connect("autodoc-process-docstring", backticks_are_code, priority=400)  # before napoleon
    app.connect("doctree-resolved", open_the_report)
    app.connect("build-finished", copy_the_report)


def backticks_are_code(app, what, name, obj, options, lines):
    """Docstrings have `code` as Markdown has it; reStructuredText wants two backticks."""
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)(\w?)", _code, "\n".join(lines))
    lines[:] = text.split("\n")


def _code(match):
    return f"``{match[1]}``" + (f"\\ {match[2]}" if match[2] else "")


def open_the_report(app, doctree, docname):
    """Turns links that would download the report into links that open it."""
    from docutils import nodes
    from sphinx import addnodes

    for node in list(doctree.findall(addnodes.download_reference)):
        if node["reftarget"] == REPORT:
            to = "../" * docname.count("/") + REPORT
            node.replace_self(nodes.reference("", "", *node.children, refuri=to))


def copy_the_report(app, error):
    if error is None and app.builder.format == "html":
        shutil.copytree(
            Path(app.srcdir) / "report", Path(app.outdir) / "report", dirs_exist_ok=True
        )
