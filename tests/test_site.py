"""The documentation: it builds without a warning, and no link in it is broken.

Links are checked twice: in the pages that Sphinx makes, and in the Markdown as it lies
in the repository, where a code host shows it.
"""

import html.parser
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import bbans

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MARKDOWN = sorted(
    path
    for folder in (ROOT, DOCS, ROOT / "examples", ROOT / "csrc", ROOT / "js")
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)


# ---- links in the repository

FENCE = re.compile(r"^[ ]*(```+|~~~+).*?^[ ]*\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def prose(text):
    """Markdown without its code."""
    return re.sub(r"(`+)[^`].*?\1", "``", FENCE.sub("", text), flags=re.DOTALL)


def anchors(text):
    """The anchors that a code host gives to headings."""
    found, seen = set(), Counter()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def broken_links(path, text):
    """Yield the relative links of a Markdown file that lead nowhere."""
    for target in LINK.findall(prose(text)):
        parts = urlsplit(target)
        if parts.scheme:
            continue
        file = path.parent / unquote(parts.path) if parts.path else path
        drawn = file.parent.resolve() == DOCS / "pictures" and file.suffix == ".svg"
        found = (file.with_suffix(".py") if drawn else file).exists()
        if found and parts.fragment and file.suffix == ".md":
            found = parts.fragment in anchors(file.read_text(encoding="utf-8"))
        if not found:
            yield target


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_in_the_repository(path):
    assert list(broken_links(path, path.read_text(encoding="utf-8"))) == []


def test_broken_links_are_found():
    text = (
        "# A title\n[a](README.md) [b](#a-title) [c](https://example.org) `[d](none)`\n"
        "```sh\n[e](none)\n```\n[f](none.md) [g](README.md#none) [h](#none)\n"
    )
    found = list(broken_links(ROOT / "CONTRIBUTING.md", text.replace("#a-t", "#set-t")))
    assert found == ["#set-title", "none.md", "README.md#none", "#none"]


# ---- the site


class Page(html.parser.HTMLParser):
    """The ids of a page, and what it refers to."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = Counter(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids[value] += 1
            elif name in ("href", "src") and value:
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    for package in ("sphinx", "myst_parser", "furo", "matplotlib"):
        pytest.importorskip(package, reason=f"the site needs {package}")
    if not (ROOT / "js" / "bbans.wasm").exists():
        pytest.importorskip("ziglang", reason="the page for browsers needs ziglang")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    command += ["-j", "2", "-d", folder / "doctrees", DOCS, folder / "html"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


def test_site_has_no_broken_link(site, pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto", "data"):
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            target = target.resolve()
            fragment = unquote(parts.fragment)
            found = target.is_file()
            if found and fragment and target in pages:
                found = fragment in pages[target].ids
            if not found:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_site_loads_nothing_from_elsewhere(site, pages):
    """Pages read without a network: scripts, styles and pictures are their own."""
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<(script|img|iframe)[^>]*src=.https?:", text), path
        assert not re.search(r"<link[^>]*stylesheet[^>]*href=.https?:", text), path
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text(encoding="utf-8"), path


# ---- the references


def public_modules():
    """All modules whose __all__ users may rely on, bbans first."""
    yield "bbans"
    for found in pkgutil.walk_packages(bbans.__path__, "bbans."):
        if not any(part.startswith("_") for part in found.name.split(".")[1:]):
            yield found.name


def documented_rooms():
    fence = re.compile(r"^```\{public-names\} ([\w.]+)$", re.MULTILINE)
    for path in sorted((DOCS / "api").glob("*.md")):
        yield from fence.findall(path.read_text(encoding="utf-8"))


def test_every_room_has_a_page():
    rooms = {name for name in public_modules() if name.count(".") <= 1}
    public = {
        name
        for name in rooms
        if name not in ("bbans.api", "bbans.cli", "bbans.files")
        and hasattr(importlib.import_module(name), "__all__")
    }
    assert sorted(documented_rooms()) == sorted(public)


def test_every_public_name_is_described_once(pages):
    described = Counter()
    for path, page in pages.items():
        if path.parent.name == "api":
            described.update(
                {name.removeprefix("module-"): n for name, n in page.ids.items()}
            )
    for room in documented_rooms():
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if room == "bbans" and inspect.ismodule(value):
                continue
            called = {
                f"{other}.{name}"
                for other in documented_rooms()
                if getattr(importlib.import_module(other), name, None) is value
            }
            found = {one: described[one] for one in called if described[one]}
            assert list(found.values()) == [1], (room, name, found)


@pytest.mark.parametrize("header", ["bbans.h", "bbans_tiny.h"])
def test_every_function_in_c_is_described_once(header, pages, site):
    text = (ROOT / "csrc" / header).read_text(encoding="ascii")
    functions = re.findall(r"^BBANS_API [^;{]*?\b(\w+)\(", text, re.MULTILINE)
    page = pages[site / ("tiny.html" if "tiny" in header else "c.html")]
    assert functions
    assert {name: page.ids[f"c.{name}"] for name in functions} == dict.fromkeys(
        functions, 1
    )
