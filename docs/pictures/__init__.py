"""The pictures of the documentation, drawn from runs of the library.

The module ``NAME`` of this folder draws ``NAME.svg``: ``data()`` runs the library,
``draw(data)`` returns the SVG. Pages refer to it as ``../pictures/NAME.svg``.

As an extension of Sphinx, this package draws them when a site is built, into the build
folder, and lets the pages find them there.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["draw", "names", "setup"]

HERE = Path(__file__).parent
NO_PICTURES = {"style"}


def names() -> list[str]:
    """The pictures that there are."""
    found = {module.name for module in pkgutil.iter_modules([str(HERE)])}
    return sorted(found - NO_PICTURES)


def draw(folder: str | os.PathLike[str], only: Iterable[str] | None = None) -> None:
    """Draw pictures into a folder, by default all of them."""
    from .style import look  # needs matplotlib

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names() if only is None else only:
        module = importlib.import_module(f"{__name__}.{name}")
        with look():
            svg = module.draw(module.data())
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


# ---- for Sphinx


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("config-inited", _add_style)
    app.connect("builder-inited", lambda app: draw(_folder(app)))
    # Before Sphinx's own collectors (priority 500) look for the files of images.
    app.connect("doctree-read", _find_pictures, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _folder(app: Any) -> Path:
    return Path(app.doctreedir) / "pictures"


def _add_style(app: Any, config: Any) -> None:
    config.html_static_path.append(str(HERE / "static"))
    app.add_css_file("pictures.css")


def _find_pictures(app: Any, doctree: Any) -> None:
    """Point images of docs/pictures/ to where they were drawn."""
    from docutils import nodes

    page = (Path(app.srcdir) / app.env.docname).parent
    for image in doctree.findall(nodes.image):
        path = Path(os.path.normpath(page / image["uri"]))
        if path.parent == HERE and path.suffix == ".svg":
            image["uri"] = os.path.relpath(_folder(app) / path.name, page)
