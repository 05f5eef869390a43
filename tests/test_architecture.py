"""The floors: what each file may use; names and numbers that must agree."""

import ast
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import bbans
import bbans.errors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bbans"
CSRC = ROOT / "csrc"

# ---- floors in Python

# The files, lowest first, room by room: each imports only from those before it.
FLOORS = [
    ("", "errors _arguments _kinds _files _float_file _threads _core _lib _records"),
    ("", "_sink _lists"),
    ("distributions", "fixed_gaussian fixed_point family _cdf _law table base"),
    ("distributions", "categorical"),
    ("distributions", "location_scale counts multivariate ragged custom"),
    ("message", "codec _message message range_coder"),
    ("codecs", "base metered start compose bits_back state_space chain"),
    ("codecs", "elimination schedule finite_graph gaussian_graph hierarchy"),
    ("codecs", "side_by_side iconoclasm sequence iid multiset check importance"),
    ("frozen", "alphabet contexts engine base network hmm levels hierarchical_hmm"),
    ("frozen", "factorial_hmm arhmm"),
    ("frozen", "lgssm head network_model vae deep_ssm tree context_mixer"),
    ("frozen", "gaussian_hmm model_file"),
    ("frozen", "c_header"),
    ("networks", "nodes units graph quantise network"),
    ("networks", "channels_first state_dict torch"),
    ("models", "_parameters _data _sample _classes _start base _checkpoint topology"),
    ("models", "_forward em _training _states _start_length freeze_hmm hmm"),
    ("models", "factorial_hmm hierarchical_hmm"),
    ("models", "_integer_hmm gaussian_hmm poisson_hmm"),
    ("models", "contexts arhmm freeze_lgssm _kalman lgssm _vectors information"),
    ("models", "multivariate_gaussian_hmm"),
    ("models", "context_mixer _float_heads network_model vae deep_ssm"),
    ("models", "tree_structure tree_start tree_em latent_tree"),
    ("models", "convert"),
    ("sklearn", "_data _base categorical_hmm gaussian_hmm poisson_hmm"),
    ("formats", "container arrays bytes signals grids floats mixing cells series"),
    ("formats", "salvage tables pieces coders base_coder mixing_coder axes grid_coder"),
    ("formats", "random_access info"),
    ("files", "samples npy wav safetensors csv recognise hint"),
    ("particles", "public mean steps model filter proposals"),
    ("records", "batch packets _calls codec _find groups file facts text"),
    ("", "api compressai"),
    ("plot", "figures schedule sequences files"),
    ("distributed", "workers shards training files"),
    ("integrations", "models chunks numcodecs zarr xarray"),
    ("", "__init__"),
    ("cli", "streams options arrays compress decompress train demo_vae demo export"),
    ("cli", "info pack unpack get listing shell main"),
    ("", "__main__"),
]
SOURCES = sorted(
    path
    for suffix in ("py", "pyx", "pyi")
    for path in PACKAGE.rglob(f"*.{suffix}")
    if path.name != "_core_build.py"  # runs before there is a package
)
ADAPTERS = "integrations"  # its files are called as the package that they need
ESTIMATORS = "sklearn"  # all its files need the package that it is called as
ROOMS = {name for name, _ in FLOORS if name}


def order(floors):
    """The modules, lowest first: a room by itself is what its files are shown by."""
    modules = []
    for i, (room, names) in enumerate(floors):
        modules += [f"{room}.{name}".lstrip(".") for name in names.split()]
        if room and room not in [later for later, _ in floors[i + 1 :]]:
            modules.append(room)
    return modules


def module_of(path):
    """A file as its module is called, without "bbans."."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[1:] and parts[-1] == "__init__" else parts)


MODULES = {"_core", *map(module_of, SOURCES)}


def target(name):
    """The module of bbans that an absolute dotted name refers to, or None."""
    first, *inner = name.split(".")
    if first != "bbans":
        return None
    while inner and ".".join(inner) not in MODULES:
        inner.pop()
    return ".".join(inner) or "__init__"  # a name that bbans itself defines


def imports(tree, package="bbans"):
    """Yield each module of bbans that is imported, in functions too."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            names = [f"{base}.{alias.name}" for alias in node.names]
        yield from filter(None, map(target, names))


def parse(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":  # no Python: keep what imports Python
        statement = r"^(?:from\s+\S+\s+)?import\s+(?:\([^)]*\)|.*)"
        text = "\n".join(re.findall(statement, text, re.MULTILINE))
    return ast.parse(text)


def faults(tree, importer, floors=FLOORS):
    """What a module imports that is no lower than itself, or a room by itself."""
    modules = order(floors)
    height = {name: i for i, name in enumerate(modules)}
    inside = importer if importer in ROOMS else importer.rpartition(".")[0]
    package = f"bbans.{inside}".rstrip(".")
    return {
        name
        for name in imports(tree, package)
        if height[name] >= height[importer]
        or (name in ROOMS and importer != "__init__")
    }


def test_every_file_has_its_floor():
    modules = order(FLOORS)
    assert len(modules) == len({*modules})
    assert {*modules} >= MODULES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path))
def test_imports_go_down(path):
    assert faults(parse(path), module_of(path)) == set()


@pytest.mark.parametrize(
    ("code", "importer", "expected"),
    [
        ("import bbans.api", "frozen.hmm", {"api"}),
        ("from bbans import api", "frozen.hmm", {"api"}),
        ("from bbans.frozen.base import FrozenModel", "frozen.hmm", set()),
        ("from bbans.frozen.hmm import FrozenHMM", "frozen.base", {"frozen.hmm"}),
        ("from bbans.frozen import FrozenHMM", "api", {"frozen"}),
        ("from bbans import frozen", "__init__", set()),
        ("from ..frozen.hmm import FrozenHMM", "codecs.base", {"frozen.hmm"}),
        ("from .base import Codec", "codecs.compose", set()),
        ("from .compose import Serial", "codecs", set()),
        ("from . import compose", "codecs.base", {"codecs.compose"}),
        ("def f():\n import bbans.models.em", "frozen.hmm", {"models.em"}),
        ("if x:\n from bbans.models.em import a", "frozen.hmm", {"models.em"}),
        ("from bbans import __version__", "cli.main", set()),
        ("from bbans import HMM", "formats.info", {"__init__"}),
        ("import numpy, os.path", "errors", set()),
    ],
)
def test_the_rule_itself(code, importer, expected):
    assert faults(ast.parse(code), importer) == expected


def test_only_lib_imports_the_c_module():
    importers = [module_of(p) for p in SOURCES if "_core" in imports(parse(p))]
    assert importers == ["_lib"]


def test_numpy_cffi_and_the_standard_library_are_all_that_importing_needs():
    """matplotlib and tqdm are imported on use; an adapter is, by whom it is for."""
    needed = {*sys.stdlib_module_names, "bbans", "_bbans_start", "cffi", "numpy"}
    for path in SOURCES:
        peers = {ADAPTERS: path.stem, ESTIMATORS: ESTIMATORS}
        allowed = needed | {peers.get(path.parent.name)}
        for node in parse(path).body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            assert {name.split(".")[0] for name in names} <= allowed, path


# ---- integers

# What frozen/ uses of numpy: types of integers, and functions whose results are
# integers where their arguments are.
INTEGERS = """
append arange array array_equal ascontiguousarray asarray atleast_1d atleast_2d bincount
bool_ clip concatenate cumsum diff dtype empty flatnonzero frombuffer full iinfo int8
int16 int32 int64 integer intp maximum minimum ndarray repeat require reshape
searchsorted split uint8 uint16 uint32 uint64 unique where zeros
"""


def floats(tree):
    """Where a file makes a float, or may."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(float() | complex()):
                yield node
            case ast.Constant(str(text)) if re.fullmatch(r"[<>=]?[fd]\d?", text):
                yield node
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node
            case ast.Name("float" | "complex"):
                yield node
            case ast.Attribute(ast.Name("np"), name):
                if name not in INTEGERS.split():
                    yield node
            case ast.Call(func=ast.Attribute(ast.Name("np"), "empty" | "zeros")):
                if not node.args[1:] and "dtype" not in {k.arg for k in node.keywords}:
                    yield node
            case ast.Attribute(ast.Name("math"), name):
                if name not in ("comb", "gcd", "isqrt", "prod"):
                    yield node
            case (
                ast.ImportFrom(module="math" | "numpy")
                | ast.Import(names=[ast.alias(name="cmath" | "random" | "statistics")])
            ):
                yield node


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "frozen").glob("*.py")), ids=module_of
)
def test_frozen_models_are_integers(path):
    assert [ast.unparse(node) for node in floats(parse(path))] == []


@pytest.mark.parametrize(
    ("code", "n"),
    [
        ("x = 0.5", 1), ("x = 3 / 4", 1), ("x /= 4", 1), ("x = 3 // 4", 0),
        ("x = np.float64(3)", 1), ("x = np.log(3)", 1), ("x = np.empty(3)", 1),
        ("x = np.empty(3, np.uint32)", 0), ("x.astype('<f8')", 1), ("float(3)", 1),
        ("math.log2(8)", 1), ("math.isqrt(8)", 0), ("from math import log", 1),
        ("import random", 1), ("def f(x: float): pass", 1),
    ],
)  # fmt: skip
def test_floats_are_found(code, n):
    assert len([*floats(ast.parse(code))]) == n


# ---- models


def kinds_of(cls):
    """The names of the classes below."""
    below = {kind for sub in cls.__subclasses__() for kind in kinds_of(sub)}
    return {sub.__name__ for sub in cls.__subclasses__()} | below


def test_only_models_know_which_frozen_models_there_are():
    """All else takes whatever has their interface: no class, and no isinstance."""
    kinds = kinds_of(bbans.frozen.FrozenModel)
    assert {"FrozenHMM", "FrozenARHMM", "FrozenLGSSM"} <= kinds
    for path in SOURCES:
        name = module_of(path)
        if name.split(".")[0] not in ("frozen", "models", "particles", "__init__"):
            assert not kinds & {*re.findall(r"\w+", path.read_text("utf-8"))}, path


# ---- floors in C

# The files of csrc/, lowest first: each includes, and uses what is defined in, only
# those before it.
C_FLOORS = [
    ("", "bbans.h"),
    ("kernels", "bbans_kernels.h"),
    ("", "bbans_internal.h"),
    ("distributions", "bbans_family.h bbans_family_value.h bbans_near_normal.h"),
    ("distributions", "bbans_blend.h"),
    ("bytes", "bbans_bytes_internal.h"),
    ("kernels", "x86.h hmm_x86.h tree_x86.h network_x86.h predict_x86.h"),
    ("kernels", "family_vectors.h residual_vectors.h contexts.h guess.h"),
    ("kernels", "tree_portable.c hmm_portable.c hmm_neon.c hmm_wasm.c"),
    ("kernels", "hmm_avx2.c hmm_avx512.c"),
    ("kernels", "sparse_portable.c sparse_neon.c sparse_avx2.c"),
    ("kernels", "levels_portable.c levels_neon.c levels_avx2.c levels_avx512.c"),
    ("kernels", "factors_portable.c factors_neon.c factors_avx2.c"),
    ("kernels", "lanes_portable.c lanes_neon.c lanes_avx2.c lanes_avx512.c"),
    ("kernels", "rows_portable.c rows_neon.c rows_avx2.c rows_avx512.c"),
    ("kernels", "family_portable.c family_neon.c family_avx2.c family_avx512.c"),
    ("kernels", "bytes_words.h"),
    ("kernels", "bytes_portable.c bytes_neon.c bytes_avx2.c bytes_avx512.c"),
    ("kernels", "planes_portable.c planes_avx2.c"),
    ("kernels", "checksum_portable.c checksum_avx2.c checksum_avx512.c"),
    ("kernels", "network_portable.c network_neon.c network_avx2.c network_avx512.c"),
    ("kernels", "predict_portable.c predict_neon.c predict_avx2.c predict_avx512.c"),
    ("distributions", "bbans_logits.h bbans_logit_tables.c"),
    ("distributions", "bbans_families.c bbans_count_tables.c"),
    ("kernels", "laws_portable.c laws_avx2.c"),
    ("kernels", "residual_portable.c residual_neon.c residual_avx2.c"),
    ("kernels", "mixing_slots.h"),
    ("kernels", "mixing_portable.c mixing_avx2.c"),
    ("kernels", "dispatch.c"),
    ("message", "bbans_table.c bbans_array.c bbans_message_bytes.c bbans_message.c"),
    ("message", "bbans_range.c"),
    ("distributions", "bbans_values.h bbans_values.c bbans_symbols.c bbans_weighted.c"),
    ("distributions", "bbans_ragged.c"),
    ("distributions", "bbans_logits.c"),
    ("distributions", "bbans_mixture.h bbans_distribution.c bbans_mixture.c"),
    ("distributions", "bbans_counts.c"),
    ("message", "bbans_multiset.c"),
    ("models", "bbans_network.h bbans_network.c"),
    ("models", "bbans_state_space.h bbans_steps.h bbans_hmm.c bbans_contexts.c"),
    ("models", "bbans_chain.h bbans_conditionals.h bbans_gaussian_hmm.c"),
    ("models", "bbans_hmm_engine.c bbans_levels.h bbans_hierarchy.c"),
    ("models", "bbans_factorial.c bbans_lgssm.c bbans_schedule.c"),
    ("models", "bbans_head.h bbans_head.c bbans_latent.h bbans_latent.c"),
    ("models", "bbans_vae.c bbans_deep_ssm.c bbans_tree.h bbans_tree.c"),
    ("models", "bbans_particles.h bbans_public.c"),
    ("models", "bbans_particles.c bbans_particles_hmm.c"),
    ("bytes", "bbans_bytes_table.c bbans_bytes_encode.c bbans_bytes.c"),
    ("mixing", "bbans_mixing.h bbans_mixer.c bbans_mixing.c bbans_mixing_encode.c"),
    ("mixing", "bbans_context_mixer.c bbans_mixing_train.c"),
    ("files", "bbans_checksum.c bbans_utf8.c bbans_files.h bbans_framing.c"),
    ("signals", "bbans_signals.h bbans_signal_message.c bbans_signal_transform.c"),
    ("signals", "bbans_signal_predict.h bbans_signal_predict.c"),
    ("signals", "bbans_fixed_point.h bbans_signal_fit.c"),
    ("signals", "bbans_signal_residual.h bbans_residual_core.h"),
    ("signals", "bbans_signal_residual.c"),
    ("signals", "bbans_signal.c bbans_signal_encode.c"),
    (
        "grids",
        "bbans_grids.h bbans_grid_predict.c bbans_grid_fit.c bbans_grid_values.c",
    ),
    ("grids", "bbans_grid.c bbans_grid_encode.c"),
    ("floats", "bbans_floats.h bbans_float_planes.c"),
    ("floats", "bbans_float_convert.c bbans_float_find.c"),
    ("floats", "bbans_float_integers.c bbans_float_gather.c"),
    ("floats", "bbans_float.c bbans_float_encode.c"),
    ("files", "bbans_network_file.c"),
    ("files", "bbans_mixer_file.c bbans_mixer_pack.c"),
    ("files", "bbans_model.c bbans_model_pack.c bbans_block_model.c"),
    ("files", "bbans_writer.c bbans_pieces.c bbans_reader.c"),
    ("records", "bbans_record.c bbans_record_file.c"),
    ("", "bbans_tiny.h"),
    ("device", "bbans_tiny_internal.h bbans_tiny.c bbans_tiny_record.c"),
]
C_ORDER = [
    f"{folder}/{name}".lstrip("/")
    for folder, names in C_FLOORS
    for name in names.split()
]
OTHER_C = {"tests", "fuzz", "tools", "examples", "embedded", "build"}
C_FILES = [
    path
    for path in sorted(CSRC.rglob("*.[ch]"))
    if not OTHER_C & {*path.relative_to(CSRC).parts}
]


def c_name(path):
    return path.relative_to(CSRC).as_posix()


def c_code(path):
    """C without comments and strings."""
    text = path.read_text(encoding="ascii")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)


def c_definitions(code):
    """The visible names that a .c file defines: functions, and objects with values."""
    start = r"^(?!static\b|extern\b|typedef\b)[a-z_][\w *]*?\b\n?"
    function = start + r"(bbans_\w+)\s*\([^;{]*\{"
    value = start + r"(bbans_\w+)\s*(?:\[[^]]*\]\s*)*=[^;]"
    return {*re.findall(function, code, re.M), *re.findall(value, code, re.M)}


def c_needs(path):
    """The files of csrc/ that a file includes, or calls."""
    text = path.read_text(encoding="ascii")
    included = re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE)
    found = {c_name((path.parent / name).resolve()) for name in included}
    if path.suffix == ".c":
        used = {*re.findall(r"\bbbans_\w+", c_code(path))}
        found |= {file for name, file in DEFINED.items() if name in used}
    return found - {c_name(path)}


DEFINED = {
    name: c_name(path)
    for path in C_FILES
    if path.suffix == ".c"
    for name in c_definitions(c_code(path))
}
del DEFINED["bbans_kernel"]  # the kernels in use: who calls through it needs none


def test_the_definitions_are_found():
    """All that bbans.h and bbans_tiny.h declare is defined in one file, or there."""
    declared = set()
    for name in ("bbans.h", "bbans_tiny.h"):
        declared |= {*re.findall(r"\b(bbans_\w+)\(", c_code(CSRC / name))}
    assert declared - {*DEFINED} == {"bbans_array_of", "bbans_content_of"}


def test_every_file_of_c_has_its_floor():
    assert len(C_ORDER) == len({*C_ORDER})
    assert {c_name(path) for path in C_FILES} <= {*C_ORDER}


@pytest.mark.parametrize("path", C_FILES, ids=c_name)
def test_c_calls_go_down(path):
    name, height = c_name(path), {name: i for i, name in enumerate(C_ORDER)}
    assert {file for file in c_needs(path) if height[file] > height[name]} == set()


@pytest.mark.parametrize("path", C_FILES, ids=c_name)
def test_c_includes(path):
    text = path.read_text(encoding="ascii")
    included = re.findall(r"^\s*#\s*include\s+<(\S+)>", text, re.MULTILINE)
    allowed = {"stddef.h", "stdint.h", "string.h"}
    # Kernels are for one instruction set each, and include its intrinsics.
    if "kernels" in path.parts:
        allowed |= {"immintrin.h", "arm_neon.h", "wasm_simd128.h"}
    if path.name == "dispatch.c":  # getenv, in hosted builds, and the CPU's name
        allowed |= {"stdlib.h", "cpuid.h"}
    assert {*included} - allowed == set()


@pytest.mark.parametrize("path", C_FILES, ids=c_name)
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
        assert issubclass(getattr(bbans.errors, name), bbans.BbansError)


def test_type_checkers_see_the_public_names():
    """__init__.pyi imports what __init__.py loads on use, each from the same file."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    seen = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"bbans.{name}" for name in bbans._ROOMS}
    homes |= {name: f"{home}.{name}" for name, home in bbans._HOME.items()}
    assert seen == homes
    assert sorted(seen) == bbans.__all__


def test_public_names_are_loaded_when_used():
    names = {}
    exec("from bbans import *", names)
    assert {*bbans.__all__} <= {*names}
    assert {*bbans.__all__} <= {*dir(bbans)}
    with pytest.raises(AttributeError, match="'bbans' has no attribute 'nonesuch'"):
        bbans.nonesuch  # noqa: B018


def loaded(code):
    """The modules of bbans that running this loads."""
    code += "; import sys; print(*(n for n in sys.modules if n.split('.')[0]=='bbans'))"
    out = subprocess.check_output([sys.executable, "-c", code], text=True, cwd="/")
    return out.split()


def test_the_package_itself_loads_nothing():
    assert loaded("import bbans") == ["bbans"]


def test_what_decodes_loads_little_and_nothing_that_trains():
    assert len(loaded("import bbans.formats")) <= 20
    blob = bbans.compress("abc")
    assert len(loaded(f"import bbans; bbans.decompress({blob!r})")) <= 20
    blob = bbans.compress("abc", bbans.default_model())
    modules = loaded(f"import bbans; bbans.decompress({blob!r})")
    assert "bbans.frozen.hmm" in modules
    assert not [name for name in modules if name.startswith("bbans.models")]


def test_every_public_name_has_a_docstring():
    rooms = [getattr(bbans, room) for room in bbans._ROOMS]
    public = [(place, name) for place in (bbans, *rooms) for name in place.__all__]
    for place, name in public:
        value = getattr(place, name)
        assert inspect.getdoc(value), name
        if inspect.isclass(value):
            for member, function in vars(value).items():
                if member[0] != "_" and callable(function):
                    assert inspect.getdoc(function), f"{name}.{member}"


def test_all_of_each_module_exists():
    for path in SOURCES:
        for node in parse(path).body:
            if isinstance(node, ast.Assign) and ast.unparse(node).startswith("__all__"):
                name = module_of(path).removesuffix("__init__")
                try:
                    module = importlib.import_module(f"bbans.{name}".rstrip("."))
                except ImportError:
                    assert path.parent.name == ADAPTERS  # of what is not installed
                    continue
                for public in module.__all__:
                    assert hasattr(module, public), f"{name}: {public}"


def test_types_and_the_model_are_shipped():
    shipped = files("bbans")
    models = [f"data/{name}.bbm" for name in ("english", "text", "digits")]
    models.append("data/digit_rows.bbm")
    for name in ("py.typed", "models/_forward.pyi", *models):
        assert shipped.joinpath(name).is_file(), name


def test_versions_agree():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    header = (CSRC / "bbans.h").read_text(encoding="ascii")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    number = int(re.search(r"BBANS_VERSION = (\d+)", header).group(1))
    versions = {
        "pyproject.toml": re.search(r'^version = "([^"]+)"', project, re.M).group(1),
        "bbans.h": f"{number // 10000}.{number // 100 % 100}.{number % 100}",
        "__init__.py": bbans.__version__,
        "CITATION.cff": re.search(r"^version: (.+)$", citation, re.M).group(1),
        "installed": importlib.metadata.version("bbans"),
    }
    assert len(set(versions.values())) == 1, versions
