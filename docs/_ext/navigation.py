"""The navigation is what index pages link to.

The pages of its own folder that an `index.md` links to, in the order of its links,
stand below it in the navigation; so do, below the first page, the indexes of other
folders. So a page is entered in one place, where readers of the Markdown find it too,
and Sphinx warns of pages that are entered nowhere.
"""

import posixpath
import re

LINK = re.compile(r"\]\((?P<target>[^)\s:#]+)\.md(#[^)\s]*)?\)")


def below(docname, text, documents):
    """Yield the documents that stand below an index page of this text."""
    folder = posixpath.dirname(docname)
    seen = {docname}
    for match in LINK.finditer(text):
        target = posixpath.normpath(posixpath.join(folder, match["target"]))
        inside = posixpath.dirname(target) == folder
        index = not folder and posixpath.basename(target) == "index"
        if target in documents and target not in seen and (inside or index):
            seen.add(target)
            yield target


def add_toctree(app, docname, source):
    if posixpath.basename(docname) != "index" or "{toctree}" in source[0]:
        return
    entries = list(below(docname, source[0], app.env.found_docs))
    if entries:
        lines = "\n".join(f"/{name}" for name in entries)
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{lines}\n```\n"


def setup(app):
    app.connect("source-read", add_toctree)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
