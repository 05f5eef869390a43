"""The page that runs the library in a browser, js/page/, as try/ of the site."""

import importlib.util
from pathlib import Path

from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
logger = logging.getLogger(__name__)


def add_page(app, error):
    if error or app.builder.format != "html":
        return
    spec = importlib.util.spec_from_file_location("page", ROOT / "js/page/build.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    if page.can_build():
        page.build(Path(app.outdir) / "try")
    else:
        logger.info("no page to try in the browser: pip install ziglang")


def setup(app):
    app.connect("build-finished", add_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
