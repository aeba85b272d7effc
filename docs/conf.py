"""Sphinx settings. The generated parts of the pages are written by ``python -m docs.refresh``."""

import embshift

project = "embshift"
author = "The embshift authors"
project_copyright = author
version = release = embshift.__version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"embshift {release}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
