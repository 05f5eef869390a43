"""The C reference, made of the comments in a header.

``{c-header} csrc/bbans.h`` becomes the header's parts and sections, each with its
declarations and what the comment before them says. Comments are plain text; a list in
them is names with what they mean in a column beside.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```\{c-header\} (\S+)\n```$", re.MULTILINE)
PIECE = re.compile(
    r"/\*(?P<comment>.*?)\*/"
    r"|(?P<directive>^#(?:[^\n]*\\\n)*[^\n]*)"
    r"|(?P<inline>^static inline [^{]*\n\{.*?^\}$)"
    r"|(?P<linkage>extern \"C\" \{|\})"
    r"|(?P<declaration>[^\s#/](?:\{(?:[^{}]|\{[^{}]*\})*\}|/\*.*?\*/|[^;{}])*;[^\n]*)"
    r"|(?P<blank>\n[ ]*\n)",
    re.MULTILINE | re.DOTALL,
)
PART = re.compile(r"\s*={20,}\s*(.*?)\s*={20,}\s*", re.DOTALL)
SECTION = re.compile(r"\s*-{4} (.*?) -+\s*")
FUNCTION = re.compile(r"(?:\w+_API|static inline) ([^{]*\b(\w+)\([^()]*\));", re.DOTALL)
NAMES = re.compile(r"\bBBANS_\w+\b(?=\s*(?:=|,|\n|/|\}))")
IDENTIFIER = re.compile(r"\b(?:bbans|BBANS)_\w+\b|`[^`]+`")
ENTRY = re.compile(r"(?P<name>\S(?:.*?\S)?)[ ]{2,}(?P<text>\S.*)")


class Item(NamedTuple):
    """A comment, with the declarations that follow it without an empty line."""

    comment: str
    declarations: list[str]
    encoder: bool  # left out by BBANS_DECODER_ONLY


@cache
def sections(path):
    """A header as a list of (part, section, items); the first is its introduction."""
    text = (ROOT / path).read_text(encoding="ascii")
    found = [("", "", [])]
    comment, declarations, conditions = "", [], []

    def flush():
        nonlocal comment, declarations
        if comment or declarations:
            encoder = "BBANS_DECODER_ONLY" in " ".join(conditions)
            found[-1][2].append(Item(comment, declarations, encoder))
        comment, declarations = "", []

    for piece in PIECE.finditer(text):
        kind, content = piece.lastgroup, piece[piece.lastgroup]
        if kind in ("blank", "linkage"):
            flush()
        elif kind == "directive":
            flush()
            follow(content, conditions)
        elif kind == "inline":
            declarations.append(content[: content.index("\n{")] + ";")
        elif kind == "declaration":
            declarations.append(content)
        elif title := PART.fullmatch(plain(content)):
            flush()
            found.append((title[1], "", []))
        elif title := SECTION.fullmatch(content):
            flush()
            found.append((found[-1][0], title[1], []))
        elif not content.strip().startswith(("clang-format", "cffi:")):
            flush()
            comment = plain(content)
    flush()
    return found


def follow(line, conditions):
    """Keep the conditions that preprocessor lines open."""
    if line.startswith("#if"):
        conditions.append(line)
    elif line.startswith("#el"):
        conditions[-1] = line
    elif line.startswith("#endif"):
        conditions.pop()


def plain(comment):
    """A comment without its stars."""
    lines = [re.sub(r"^ ?\* ?", "", line) for line in comment.split("\n")]
    lines = [line for line in lines if not line.startswith("SPDX-")]
    return "\n".join(line.rstrip() for line in lines).strip()


def names(declaration):
    """What a declaration declares: functions, types, constants."""
    if function := FUNCTION.match(declaration):
        return [function[2]]
    body = re.sub(r"/\*.*?\*/", "", declaration, flags=re.DOTALL)
    own = re.findall(r"\}\s*(\w+);$|^typedef \w+ \(\*(\w+)\)\(", body.strip())
    own = ["".join(pair) for pair in own]
    own = own or re.findall(r"^(?:typedef )?(?:struct|union|enum) (\w+)", body)
    return [*own, *NAMES.findall(body)]


@cache
def anchors(path):
    """Where each name of a header is documented: its id on the page."""
    found = {}
    for _, _, items in sections(path):
        for item in items:
            for declaration in item.declarations:
                declared = names(declaration)
                for name in declared:
                    found.setdefault(name, f"c.{declared[0]}")
    return found


# ---- pages


def expand(app, docname, source):
    """Write the header's headings, and a directive below each."""

    def pages(match):
        lines, last = [], ""
        for number, (part, section, _) in enumerate(sections(match[1])):
            if part != last:
                lines.append(f"## {part}\n")
                last = part
            if section:
                lines.append(f"{'###' if part else '##'} {section}\n")
            lines.append(f"```{{c-section}} {match[1]} {number}\n```\n")
        return "\n".join(lines)

    source[0] = FENCE.sub(pages, source[0])


class CSection(SphinxDirective):
    """The items of one section of a header."""

    required_arguments = 2

    def run(self):
        path, number = self.arguments
        self.env.note_dependency(ROOT / path)
        self.anchors = anchors(path)
        result = []
        for item in sections(path)[int(number)][2]:
            result += self.item(item)
        return result

    def item(self, item):
        body = [*self.prose(item.comment)]
        if item.encoder and item.declarations:
            note = "Not in builds with `BBANS_DECODER_ONLY`."
            body += self.prose(note)
        if not item.declarations:
            return body
        functions = [FUNCTION.match(one) for one in item.declarations]
        if all(functions):
            return [self.description([" ".join(f[1].split()) for f in functions], body)]
        code = "\n".join(item.declarations)
        block = nodes.literal_block(code, code, language="c")
        ids = [f"c.{names(one)[0]}" for one in item.declarations if names(one)]
        return [nodes.container("", block, *body, ids=ids, classes=["c-type"])]

    def description(self, signatures, body):
        """A description of functions, by Sphinx's own directive for C."""
        described = self.parse_text_to_nodes(
            "```{eval-rst}\n.. c:function:: " + "\n   ".join(signatures) + "\n```"
        )
        for node in described:
            if isinstance(node, addnodes.desc):
                node[-1].extend(body)
                return node
        raise AssertionError(signatures)

    def prose(self, text):
        """Yield the nodes of a comment."""
        for chunk in re.split(r"\n\s*\n", text) if text else ():
            lines = chunk.split("\n")
            if entries := self.entries(lines):
                yield entries
                continue
            runs = []
            for line in lines:
                indented = line.startswith(" ")
                if not runs or runs[-1][0] != indented:
                    runs.append((indented, []))
                runs[-1][1].append(line)
            for indented, run in runs:
                if not indented:
                    yield nodes.paragraph("", "", *self.inline(" ".join(run)))
                else:
                    yield self.entries(run) or nodes.literal_block(
                        "\n".join(run), "\n".join(run), language="text"
                    )

    def entries(self, lines):
        """A list of names with what they mean, or None if lines are none."""
        margin = min(len(line) - len(line.lstrip()) for line in lines)
        lines = [line[margin:] for line in lines]
        found, column = [], None
        for line in lines:
            entry = ENTRY.fullmatch(line)
            if entry and not line.startswith(" "):
                if column not in (None, entry.start("text")):
                    return None
                column = entry.start("text")
                found.append((entry["name"], [entry["text"]]))
            elif found and line[:column].isspace() and not line[column].isspace():
                found[-1][1].append(line[column:])
            else:
                return None
        result = nodes.definition_list(classes=["c-list"])
        for name, text in found:
            meaning = nodes.paragraph("", "", *self.inline(" ".join(text)))
            result += nodes.definition_list_item(
                "",
                nodes.term("", "", nodes.literal(name, name)),
                nodes.definition("", meaning),
            )
        return result

    def inline(self, text):
        """Yield text, with links where it has names of the header."""
        last = 0
        for match in IDENTIFIER.finditer(text):
            yield nodes.Text(text[last : match.start()])
            name = match[0].strip("`")
            word = nodes.literal(name, name)
            target = self.anchors.get(name)
            yield nodes.reference("", "", word, refid=target) if target else word
            last = match.end()
        yield nodes.Text(text[last:])


def resolve(app, env, node, content):
    """A link of a type in a signature, to where the header's page has the type."""
    if node.get("refdomain") != "c":
        return None
    for page in sorted(Path(app.srcdir).glob("*.md")):
        for header in FENCE.findall(page.read_text(encoding="utf-8")):
            if target := anchors(header).get(node["reftarget"]):
                address = app.builder.get_relative_uri(node["refdoc"], page.stem)
                address = f"{address}#{target}"
                return nodes.reference("", "", content, internal=True, refuri=address)
    return None


def setup(app):
    app.connect("source-read", expand)
    app.connect("missing-reference", resolve)
    app.add_directive("c-section", CSection)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
