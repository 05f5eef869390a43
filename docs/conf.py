"""The documentation site: ``sphinx-build -W docs build/html``.

The pages are the Markdown files of this folder, which read well on a code host too;
what makes them a site is in _ext/.
"""

import sys
from pathlib import Path

import bbans

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS)]

project = "bbans"
author = "The bbans developers"
copyright = author
version = release = bbans.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "api_reference",
    "browser_page",
    "c_manual",
    "mathml",
    "navigation",
    "pictures",
    "repository",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_ext", "pictures"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 6
# `$` is for formulas of several signs: "$5" and "$HOME" stay as they are.
myst_dmath_allow_digits = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings have shapes and units too
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_param = False  # types are words, with shapes: no names to link
napoleon_use_rtype = False
python_use_unqualified_type_names = True
smartquotes_action = "D"  # dashes alone: quotes are primes of formulas too
default_role = "py:obj"  # `name` in docstrings: a link where there is such a name
toc_object_entries = False  # pages have a heading for each name

html_theme = "furo"
html_title = "bbans"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["bbans.css"]
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5fa5",
        "color-brand-content": "#0b5fa5",
        "font-stack--monospace": "ui-monospace, SFMono-Regular, Menlo, Consolas, "
        "'DejaVu Sans Mono', monospace",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cb6ff",
        "color-brand-content": "#6cb6ff",
    },
    "navigation_with_keys": True,
}
pygments_style = "default"
pygments_dark_style = "github-dark"
