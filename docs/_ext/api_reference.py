"""The API reference, and links to it.

``{public-names} bbans.models`` documents each name of `bbans.models.__all__`, called as
users should call it: `bbans.HMM`, not `bbans.models.HMM`. What another room also has
is documented there, and listed here with a link. Names in inline code, of any page,
are links to where they are documented.
"""

import builtins
import inspect
import re
from importlib import import_module
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

import bbans

FENCE = re.compile(r"^```\{public-names\} ([\w.]+)\n```$", re.MULTILINE)
CALL = re.compile(r"(bbans\.)?((\w+)(?:\.\w+)*)([(\[].*)?", re.DOTALL)
API = Path(__file__).resolve().parents[1] / "api"
# Public modules, each with a page.
ROOMS = sorted({path.stem for path in API.glob("*.md")} - {"index", "bbans"})


def public_names(module_name):
    """Yield (name, object, whether it is documented here) of a public module."""
    module = import_module(module_name)
    for name in sorted(module.__all__, key=str.lower):
        value = getattr(module, name)
        called = f"bbans.{name}"
        if module is not bbans and getattr(bbans, name, None) is not value:
            called = f"{module_name}.{name}"
        yield called, value, home(name, value) == module_name


def home(name, value):
    """The public module whose page documents an object: where it is defined."""
    own = getattr(value, "__module__", "").split(".")[1:2]
    for room in [*own, *ROOMS]:
        module = import_module(f"bbans.{room}") if room in ROOMS else None
        if getattr(module, name, None) is value and name in module.__all__:
            return module.__name__
    return "bbans"


def directive(name, value):
    """The lines of autodoc's directive for an object."""
    options = []
    if inspect.ismodule(value):
        kind = "module"
        options = [":members:", ":imported-members:"]
    elif inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        bases = ":show-inheritance:" if kind == "exception" else ":inherited-members:"
        options = [":members:", bases]
    elif callable(value):
        kind = "function"
    else:
        kind = "data"
    return [f".. auto{kind}:: {name}", *(f"   {line}" for line in options), ""]


def reference(module_name):
    """The names of a public module, each under a heading, by autodoc's directives."""
    lines, elsewhere = [], []
    for name, value, is_here in public_names(module_name):
        if not is_here:
            name = name.rpartition(".")[2]
            elsewhere.append(f"`{home(name, value)}.{name}`")
        elif not (module_name == "bbans" and inspect.ismodule(value)):
            heading = f"## {name.rpartition('.')[2]}"
            lines += [heading, "", "```{eval-rst}", *directive(name, value), "```", ""]
    if elsewhere and module_name != "bbans":
        lines = [f"Described elsewhere: {', '.join(elsewhere)}.", "", *lines]
    return "\n".join(lines)


def expand(app, docname, source):
    source[0] = FENCE.sub(lambda match: reference(match[1]), source[0])


def is_foreign(app, what, name, member, skip, options):
    """Leave out what classes inherit from other libraries."""
    where = getattr(getattr(member, "fget", member), "__module__", None)
    return True if where and where.split(".")[0] != "bbans" else None


def before_napoleon(app, what, name, value, options, lines):
    """Keep what napoleon and docutils would take for something else."""
    if what == "property" and lines:  # words before a colon are not its type
        lines[0] = lines[0].replace(":", "\0")
    for i, line in enumerate(lines):  # "K." is not the first item of a list
        lines[i] = re.sub(r"^(\s*)(\w)\.$", r"\1\\\2.", line)


def after_napoleon(app, what, name, value, options, lines):
    lines[:] = [line.replace("\0", ":") for line in lines]


def process_signature(app, what, name, value, options, signature, returns):
    """Show a class that is a default by its name."""
    if not signature:
        return None
    return re.sub(r"<class '([\w.]+)'>", r"\1", signature), returns


class CodeLinks(SphinxPostTransform):
    """Make links of names of bbans in inline code."""

    default_priority = 20

    def run(self):
        objects = self.env.domains.python_domain.objects
        for literal in [*self.document.findall(nodes.literal)]:
            name = next((n for n in called(literal.astext()) if n in objects), None)
            if name and not isinstance(literal.parent, nodes.reference | nodes.term):
                target = objects[name]
                link = make_refnode(
                    self.app.builder, self.env.docname, target.docname, target.node_id,
                    [literal.deepcopy()], name,
                )  # fmt: skip
                literal.replace_self(link)


def called(code):
    """Yield what a piece of code may call: "HMM.fit(x)", for one, bbans.HMM.fit."""
    match = CALL.fullmatch(code)
    if not match:
        return
    prefix, name, first, arguments = match.groups()
    if not (
        prefix or first[0].isupper() or (arguments and not hasattr(builtins, name))
    ):
        return  # may be anything
    yield f"bbans.{name}"
    for room in ROOMS:
        yield f"bbans.{room}.{name}"


def setup(app):
    app.add_post_transform(CodeLinks)
    app.connect("source-read", expand)
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("autodoc-skip-member", is_foreign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
