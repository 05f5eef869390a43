"""The API reference: a fence that documents what a module makes public.

``{public-names} bbans.models`` documents each name of `bbans.models.__all__`, called as
users should call it: `bbans.HMM`, not `bbans.models.HMM`. What another room also has
is documented there, and listed here with a link.
"""

import inspect
import re
from importlib import import_module

import bbans

FENCE = re.compile(r"^```\{public-names\} ([\w.]+)\n```$", re.MULTILINE)
# Public modules, each with a page. Where several have a name, it stands in the first.
ROOMS = [
    "errors", "distributions", "message", "codecs", "frozen", "networks", "models",
    "formats", "particles", "records", "distributed", "integrations", "sklearn",
    "compressai",
]  # fmt: skip


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
    """The public module whose page documents an object."""
    for room in ROOMS:
        module = import_module(f"bbans.{room}")
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
        options = [":members:", ":inherited-members:"]
        if kind == "exception":
            options.append(":show-inheritance:")
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
            elsewhere.append(f"{{py:obj}}`{name}`")
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


def setup(app):
    app.connect("source-read", expand)
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-skip-member", is_foreign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
