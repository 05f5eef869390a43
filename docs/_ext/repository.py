"""Links to what is in the repository but not in docs/.

Pages link by relative paths, as the files lie, so that the same links work on a code
host. A link to a page that the site includes, such as CHANGELOG.md, goes to that page;
one to any other file or folder of the repository goes to a page of the site that shows
it. A target that does not exist stays as it is, and Sphinx warns of it.
"""

import html
import re
from pathlib import Path
from urllib.parse import unquote

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)
PATH = re.compile(
    r"\b(?P<path>(?:docs|csrc|examples|tests|benchmarks|tools)/[\w./-]+\.(?:md|py|[ch]))\b"
    r'(?:,?\s+"(?P<section>[A-Z][^"]*)")?'
)
PICTURES = {".png", ".npz", ".svg"}
LANGUAGES = {".c": "c", ".h": "c", ".md": "markdown", ".py": "python", ".pyx": "cython"}


def included_pages(source_folder):
    """Which page shows a Markdown file from outside docs/: its path to its name."""
    pages = {ROOT / "README.md": "index"}
    for page in sorted(source_folder.glob("project/*.md")):
        for path in INCLUDE.findall(page.read_text(encoding="utf-8")):
            pages[(page.parent / path).resolve()] = (
                page.relative_to(source_folder).with_suffix("").as_posix()
            )
    return pages


class PathLinks(SphinxTransform):
    """Make links of the paths that comments and docstrings name in their text.

    A section of a page may follow, in quotes: docs/maths.md, "The message".
    """

    default_priority = 4

    def apply(self):
        for text in [*self.document.findall(nodes.Text)]:
            if not isinstance(text.parent, (nodes.paragraph, nodes.list_item)):
                continue
            pieces, last = [], 0
            for match in PATH.finditer(text):
                if not (ROOT / match["path"]).is_file():
                    continue
                pieces.append(nodes.Text(text[last : match.start()]))
                pieces.append(self.link(match, text.parent.source, text.parent.line))
                last = match.end()
            if pieces:
                pieces.append(nodes.Text(text[last:]))
                text.parent.replace(text, pieces)

    def link(self, match, source, line):
        target = f"{ROOT / match['path']}"
        if match["section"]:
            target += f"#{anchor(ROOT / match['path'], match['section'])}"
        link = addnodes.pending_xref(
            "", nodes.inline("", match[0]), refdomain=None, reftarget=target,
            reftype="myst", refdoc=self.env.docname, refexplicit=True,
        )  # fmt: skip
        link.source, link.line = source, line
        return link


def anchor(path, section):
    """The anchor of a heading, which may go on: "Message (version 1)" is "Message"."""
    section = " ".join(section.split())
    for heading in re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M):
        if f"{heading} ".startswith((f"{section} ", f"{section}:")):
            section = heading
            break
    return re.sub(r"[^\w -]", "", section.lower()).replace(" ", "-")


class RepositoryLinks(SphinxTransform):
    """Find out what relative links refer to, from the file that contains them."""

    default_priority = 5

    def apply(self):
        for node in [*self.document.findall(self.is_link)]:
            target, _, fragment = unquote(node["reftarget"]).partition("#")
            if node["refdomain"] == "doc":  # a page, which MyST has found
                if target in self.env.found_docs:
                    continue
                target, fragment = f"{target}.md", node["reftargetid"]
            here = Path(node.source or self.env.doc2path(self.env.docname)).parent
            path = (here / target).resolve()
            if target and path.exists() and path.is_relative_to(ROOT):
                self.resolve(node, path, fragment)

    @staticmethod
    def is_link(node):
        kinds = (addnodes.pending_xref, addnodes.download_reference)
        return isinstance(node, kinds) and node["reftype"] == "myst"

    def resolve(self, node, path, fragment):
        docname = self.env.repository_pages.get(path) or self.env.path2doc(path)
        if docname in self.env.found_docs:
            link = addnodes.pending_xref("", **node.attributes)
            link.update_basic_atts(node)
            link["refdomain"], link["reftarget"] = "doc", docname
            link["reftargetid"] = fragment or None
        elif path.suffix in PICTURES:
            return  # to be downloaded
        else:
            name = path.relative_to(ROOT).as_posix()
            self.env.repository_files.setdefault(self.env.docname, set()).add(name)
            link = addnodes.pending_xref(
                "", refdomain="", reftype="repository", reftarget=name,
                refdoc=self.env.docname, refexplicit=True,
            )  # fmt: skip
        link.source, link.line = node.source, node.line
        link += node.children
        node.replace_self(link)


def prepare(app):
    env = app.env
    env.repository_pages = included_pages(Path(app.srcdir))
    if not hasattr(env, "repository_files"):
        env.repository_files = {}  # of each page, those it links to


def forget(app, env, docname):
    env.repository_files.pop(docname, None)


def merge(app, env, docnames, other):
    env.repository_files.update(
        {k: v for k, v in other.repository_files.items() if k in docnames}
    )


def resolve(app, env, node, content):
    if node.get("reftype") != "repository":
        return None
    address = app.builder.get_relative_uri(node["refdoc"], page_name(node["reftarget"]))
    return nodes.reference("", "", content, internal=True, refuri=address)


def page_name(path):
    return f"source/{path}"


def pages(app):
    """Yield a page for each file and folder that pages link to."""
    linked = set().union(*app.env.repository_files.values())
    for folder in sorted(name for name in linked if (ROOT / name).is_dir()):
        linked |= {path.relative_to(ROOT).as_posix() for path in shown(ROOT / folder)}
    for name in sorted(linked):
        path = ROOT / name
        body = listing(app, path, name) if path.is_dir() else text(app, path)
        context = {"title": name, "body": f"<h1>{html.escape(name)}</h1>\n{body}"}
        yield page_name(name), context, "page.html"


def shown(folder):
    """The files of a folder that a page shows."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in LANGUAGES or path.name == "Makefile"
    ]


def listing(app, folder, name):
    items = []
    for path in shown(folder):
        to = app.env.repository_pages.get(path) or page_name(f"{name}/{path.name}")
        address = app.builder.get_relative_uri(page_name(name), to)
        items.append(f'<li><a href="{address}"><code>{path.name}</code></a></li>')
    return "<ul>\n" + "\n".join(items) + "\n</ul>"


def text(app, path):
    language = LANGUAGES.get(path.suffix, "text")
    if path.name == "Makefile":
        language = "make"
    code = path.read_text(encoding="utf-8")
    return app.builder.highlighter.highlight_block(code, language, location=str(path))


def setup(app):
    app.add_transform(PathLinks)
    app.add_transform(RepositoryLinks)
    app.connect("builder-inited", prepare)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("missing-reference", resolve)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
