"""The layers: what each file may import; names and numbers that must agree."""

import ast
import importlib
import importlib.metadata
import inspect
import re
from importlib.resources import files
from pathlib import Path

import pytest

import bbans
import bbans.errors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bbans"
CSRC = ROOT / "csrc"

SOURCES = sorted(
    p.relative_to(PACKAGE).as_posix()
    for p in PACKAGE.rglob("*.py*")
    if p.suffix in (".py", ".pyx")
)
MODULES = {name.rsplit(".", 1)[0].replace("/", ".") for name in SOURCES} | {"_core"}


def module(name):
    """The module of bbans that an absolute dotted name refers to, or None."""
    parts = name.split(".")
    if parts[0] != "bbans":
        return None
    inner = parts[1:]
    while inner:
        dotted = ".".join(inner)
        if dotted in MODULES or f"{dotted}.__init__" in MODULES:
            return dotted
        inner.pop()
    return "__init__"  # a name that bbans itself defines


def imports(tree, package, context=""):
    """Yield (context, module) for each import of a module of bbans."""
    for node in ast.iter_child_nodes(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            if module(name):
                yield context, module(name)
        inner = context
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{node.name}():"
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            inner = "?"
        yield from imports(node, package, inner)


def parse(name):
    text = (PACKAGE / name).read_text(encoding="utf-8")
    if name.endswith(".pyx"):  # no Python: keep what imports Python
        statement = r"^(?:from\s+\S+\s+)?import\s+(?:\([^)]*\)|.*)"
        text = "\n".join(re.findall(statement, text, re.MULTILINE))
    return ast.parse(text)


def test_only_lib_imports_the_c_module():
    importers = [
        name
        for name in SOURCES
        if "_core" in [target for _, target in imports(parse(name), "bbans")]
    ]
    assert importers == ["_lib.py"]


def test_numpy_and_the_standard_library_are_all_that_importing_needs():
    """matplotlib and tqdm are imported on use."""
    for name in SOURCES:
        tree = parse(name)
        for node in tree.body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {n.split(".")[0] for n in names} & {"tqdm", "matplotlib"}, name


# ---- C

C_FILES = sorted(p for p in CSRC.rglob("*.[ch]") if "tests" not in p.parts)
C_FILES = [
    p for p in C_FILES if not {"fuzz", "examples", "embedded", "build"} & set(p.parts)
]


def c_code(path):
    """C without comments and strings."""
    text = path.read_text(encoding="ascii")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)


def test_there_is_c_to_check():
    assert len(C_FILES) > 5


@pytest.mark.parametrize("path", C_FILES, ids=lambda p: p.name)
def test_c_includes(path):
    text = path.read_text(encoding="ascii")
    included = re.findall(r"^\s*#\s*include\s+(\S+)", text, re.MULTILINE)
    allowed = r'"((\.\./)?(\w+/)?)?bbans\w*\.h"|<(stddef|stdint|string)\.h>'
    # Kernels are for one instruction set each, and include its intrinsics.
    if "kernels" in path.parts:
        allowed += r'|"(\w+_)?x86\.h"|<(immintrin|arm_neon)\.h>'
    if path.name == "dispatch.c":  # getenv, in hosted builds
        allowed += r"|<stdlib\.h>"
    assert [name for name in included if not re.fullmatch(allowed, name)] == []


@pytest.mark.parametrize("path", C_FILES, ids=lambda p: p.name)
def test_c_neither_allocates_nor_prints_nor_rounds(path):
    banned = r"\b(\w*alloc|free|printf|fprintf|abort|exit|errno|float|double)\b"
    assert re.findall(banned, c_code(path)) == []


# ---- names and versions


def test_every_error_is_exported():
    errors = {
        name
        for name, value in vars(bbans.errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert errors == set(bbans.errors.__all__)
    for name in errors:
        assert getattr(bbans, name) is getattr(bbans.errors, name)
        assert issubclass(getattr(bbans, name), bbans.BbansError)


def test_all_is_sorted_and_complete():
    # As ruff sorts: constants and then classes before functions.
    key = [(not name.isupper(), not name[0].isupper(), name) for name in bbans.__all__]
    assert key == sorted(key)
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name in imported if name[0] != "_"} == set(bbans.__all__)
    for name in bbans.__all__:
        assert hasattr(bbans, name)


def test_every_public_name_has_a_docstring():
    for name in bbans.__all__:
        value = getattr(bbans, name)
        assert inspect.getdoc(value), name
        if inspect.isclass(value):
            for member, function in vars(value).items():
                if member[0] != "_" and callable(function):
                    assert inspect.getdoc(function), f"{name}.{member}"


def test_all_of_each_module_exists():
    for name in SOURCES:
        for node in parse(name).body:
            if isinstance(node, ast.Assign) and ast.unparse(node).startswith("__all__"):
                dotted = "bbans." + name.removesuffix(".py").replace("/", ".")
                dotted = dotted.removesuffix(".__init__")
                value = importlib.import_module(dotted)
                for public in ast.literal_eval(node.value):
                    assert hasattr(value, public), f"{name}: {public}"


def test_types_and_the_model_are_shipped():
    shipped = files("bbans")
    for name in ("py.typed", "models/_forward.pyi", "data/english.bbm"):
        assert shipped.joinpath(name).is_file(), name


def test_versions_agree():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    header = (CSRC / "bbans.h").read_text(encoding="ascii")
    number = int(re.search(r"BBANS_VERSION = (\d+)", header).group(1))
    versions = {
        "pyproject.toml": re.search(r'^version = "([^"]+)"', project, re.M).group(1),
        "bbans.h": f"{number // 10000}.{number // 100 % 100}.{number % 100}",
        "__init__.py": bbans.__version__,
        "installed": importlib.metadata.version("bbans"),
    }
    assert len(set(versions.values())) == 1, versions
