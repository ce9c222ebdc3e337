"""Sphinx configuration: `make docs`."""

import os
import sys
from pathlib import Path

os.environ.pop("MPLBACKEND", None)  # notebooks keep their own, which shows figures on the page
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import glmbayes

project = "glmbayes"
author = "The glmbayes developers"
copyright = "2026, the glmbayes developers"
version = release = glmbayes.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "api_pages",
]
exclude_patterns = ["_build", "_ext"]

# notebooks: MyST files with {code-cell}s, run afresh by every build in a folder of their own
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 600  # seconds a cell: the first build ever compiles
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# reference
default_role = "py:obj"
autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = True
numpydoc_show_class_members = False
add_module_names = False

# look
html_theme = "pydata_sphinx_theme"
html_title = "glmbayes"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "logo": {"text": "glmbayes"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
