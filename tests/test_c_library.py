"""csrc/ as a library of its own: built, installed, moved, linked, amalgamated; and
that C and Python write the same files and read each other's."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reference import write_part
from shared import ALL_BYTES, name_in_c, random_hierarchy, random_hmm

import bbans
from bbans import Alphabet, compress, compress_file, decompress
from bbans._lib import RAISES, ffi, lib
from bbans.errors import CorruptError, TruncatedError
from bbans.formats import GridCoder
from bbans.formats.coders import ByteCoder, ModelCoder, SignalCoder
from bbans.formats.container import Header
from bbans.formats.pieces import INT24, Run, encode_pieces
from bbans.frozen import FrozenModel
from bbans.records.groups import RecordBytes

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
ENGLISH = ROOT / "bbans" / "data" / "english.bbm"
HEADER = "".join((CSRC / n).read_text("ascii") for n in ("bbans.h", "bbans_tiny.h"))
FUNCTIONS = set(re.findall(r"^BBANS_API [^(]*?(bbans_\w+)\(", HEADER, re.MULTILINE))
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]

needs_unix = pytest.mark.skipif(sys.platform != "linux", reason="for ELF and GNU make")


def needs(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}")


def run(*command, cwd=None, **environment):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **{k: str(v) for k, v in environment.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


LINES = [f"{i}: it was the age of wisdom {i}" for i in range(700)]

# ---- building: without vectors, whose kernels take nearly all of the time, where
# what is tested is the way to the library

PORTABLE = "-O0 -DBBANS_PORTABLE"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What `make install` makes in a folder with a space, moved to another."""
    folder = tmp_path_factory.mktemp("make")
    prefix = folder / "old place"
    run(
        "make", "-C", CSRC, "-j4", f"BUILD={folder / 'build'}", "CFLAGS=-O0",
        f"PREFIX={prefix}", f"LIBDIR={prefix}/lib/deep", "install",
    )  # fmt: skip
    return prefix.rename(folder / "new place")


@pytest.fixture(scope="module")
def cmade(tmp_path_factory):
    """What CMake installs in a folder with a space, moved to another."""
    folder = tmp_path_factory.mktemp("cmake")
    build, prefix = folder / "build", folder / "old place"
    run(
        "cmake", "-S", CSRC, "-B", build, f"-DCMAKE_C_FLAGS_RELEASE={PORTABLE}",
        "-DCMAKE_INSTALL_LIBDIR=lib",
    )  # fmt: skip
    run("cmake", "--build", build, "-j4")
    run("cmake", "--install", build, "--prefix", prefix)
    return prefix.rename(folder / "new place")


@pytest.fixture(scope="module")
def example(made):
    """An example, linked by pkg-config with the moved library."""
    return link_example(made / "lib/deep", made.parent / "text")


def link_example(libdir, program):
    """Compile the example of the program's name."""
    path = {"PKG_CONFIG_PATH": libdir / "pkgconfig"}
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "bbans", **path))
    assert (
        run("pkg-config", "--modversion", "bbans", **path) == bbans.__version__ + "\n"
    )
    source = CSRC / "examples" / f"{program.name}.c"
    run("cc", *STRICT, source, *flags, f"-Wl,-rpath,{libdir}", "-o", program)
    return program


def round_trip(program, tmp_path):
    (tmp_path / "text").write_bytes(b"All happy families are alike. " * 9)
    run(program, "c", ENGLISH, "text", "text.bbz", cwd=tmp_path)
    run(program, "d", ENGLISH, "text.bbz", "copy", cwd=tmp_path)
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "text").read_bytes()


@needs_unix
@needs("cc", "make", "nm", "pkg-config")
def test_the_shared_library_exports_the_header_and_nothing_else(made):
    library = made / "lib/deep/libbbans.so"
    lines = run("nm", "-D", "--defined-only", library).splitlines()
    assert {line.split()[-1] for line in lines} == FUNCTIONS
    assert len(FUNCTIONS) > 50
    major, minor, _ = bbans.__version__.split(".")
    assert os.readlink(library) == f"libbbans.so.{major}.{minor}"
    assert library.resolve().name == f"libbbans.so.{bbans.__version__}"


@needs_unix
@needs("cc", "make", "pkg-config")
def test_make(example, tmp_path):
    round_trip(example, tmp_path)


@needs_unix
@needs("cc", "make", "pkg-config")
@pytest.mark.parametrize("name", ["sequence", "codec", "particles"])
def test_the_other_examples(made, name, tmp_path):
    """They code and decode, and fail where something else comes back."""
    program = link_example(made / "lib/deep", tmp_path / name)
    assert re.fullmatch(r"\d+ \w+ in \d+ bytes.*: \d+\.\d+ bits each\n", run(program))


@needs_unix
@needs("cc", "make", "pkg-config")
def test_the_example_of_images(made, tmp_path):
    """Images and films are arrays in Python, both ways."""
    program = link_example(made / "lib/deep", tmp_path / "image")
    y, x = np.indices((60, 50))
    noise = np.random.default_rng(0).integers(0, 5, (4, 60, 50))
    grey = 3 * y + x + 8 * np.arange(4)[:, None, None] % 13 + noise
    for array in (
        grey[0].astype("u1"),
        (grey[0] * 200).astype("u2"),
        grey.astype("u1"),
        (grey[..., None] * [1, 200, 90]).astype("u2"),
        (grey[:1, :, :, None] // 2 + [1, 9, 5]).astype("u1")[0],
    ):
        is_colour = array.shape[-1] == 3
        frames = array.reshape(-1, 60, 50, *array.shape[-1:] * is_colour)
        kind, most = "56"[is_colour], (256**array.itemsize) - 1
        (tmp_path / "x.pnm").write_bytes(b"".join(
            f"P{kind}\n# a frame\n50 60\n{most}\n".encode()
            + frame.astype(frame.dtype.newbyteorder(">")).tobytes()
            for frame in frames
        ))  # fmt: skip
        shown = run(program, "c", "x.pnm", "x.bbz", cwd=tmp_path)
        assert shown.startswith(f"{array.nbytes} bytes to ")
        blob = (tmp_path / "x.bbz").read_bytes()
        assert len(blob) < 0.7 * array.nbytes
        back = decompress(blob)
        assert back.dtype == array.dtype
        assert np.array_equal(back, array)
        (tmp_path / "y.bbz").write_bytes(compress(array, SignalCoder(1)))
        for name in "xy":
            run(program, "d", f"{name}.bbz", "z.pnm", cwd=tmp_path)
            lines = (tmp_path / "x.pnm").read_bytes().replace(b"# a frame\n", b"")
            assert (tmp_path / "z.pnm").read_bytes() == lines
    for wrong, message in [
        (b"P4\n8 8\n\0", "no PGM or PPM"),
        (b"P5\n8 8\n1023\n" + bytes(128), "255 or 65535"),
        (b"P5\n8 8\n255\n" + bytes(63), "ends early"),
        (b"P5\n8 0\n255\n", "damaged header"),
        (b"P5\n1 1\n255\n1P6\n1 1\n255\n123", "no film"),
        (b"P5\n3 1\n255\n123P5\n3 1\n255\n123", "3 columns"),
    ]:
        (tmp_path / "w.pnm").write_bytes(wrong)
        done = subprocess.run(
            [program, "c", "w.pnm", "w.bbz"], cwd=tmp_path, capture_output=True
        )
        assert done.returncode == 1
        assert message in done.stderr.decode()


@needs_unix
@needs("cc", "make", "pkg-config")
def test_the_example_of_lines(made, tmp_path):
    lines = [f"t={20 + k % 7}.{k % 10} h={40 + k % 3}%" for k in range(100)]
    model = bbans.ARHMM.fit(lines, 2, order=2, n_iter=2, ends=True).freeze()
    model.save(tmp_path / "model.bbm")
    (tmp_path / "readings").write_text("".join(line + "\n" for line in lines))
    codes = bbans.RecordCodec(model).encode_many(lines)
    program = link_example(made / "lib/deep", tmp_path / "lines")
    assert run(program, "model.bbm", "readings", "3", "99", cwd=tmp_path) == (
        f"100 records of {sum(map(len, lines)) + 100} bytes in "
        f"{sum(map(len, codes))}\n{lines[3]}\n{lines[99]}\n"
    )


@needs_unix
@needs("cc", "make", "pkg-config")
def test_the_example_of_records(made, tmp_path):
    """Its files are those of Python, both ways."""
    program = link_example(made / "lib/deep", tmp_path / "records")
    path = tmp_path / "x.bbr"
    run(program, "new", path, ENGLISH)
    texts = ["It was the best of times,", "", "it was \u00e9 \U0001f600"]
    for i, text in enumerate(texts):
        assert run(program, "append", path, text).startswith(f"record {i}: ")
    with bbans.Records(path) as records:
        assert (records.kind, records.model) == ("text", bbans.default_model())
        assert [*records] == texts
        records.extend(LINES)
        size = path.stat().st_size
    for k, text in enumerate(texts + LINES):
        if k < 5 or k > 600:
            assert run(program, "get", path, k) == f"{text}\n"
    done = subprocess.run([program, "get", path, "1000"], capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")
    with open(path, "r+b") as file:  # an append that was stopped
        file.truncate(size - 5)
    n = len(bbans.Records(path))
    packed = tmp_path / "packed.bbr"
    bbans.Records.write(packed, texts, bbans.default_model())  # whose model is packed
    assert run(program, "append", packed, "more").startswith("record 3: ")
    assert run(program, "get", packed, 2) == f"{texts[2]}\n"
    assert run(program, "append", path, "after it").startswith(f"record {n}: ")
    assert run(program, "append", path, "and more").startswith(f"record {n + 1}: ")
    with bbans.Records(path) as records:
        assert [*records] == [*(texts + LINES)[:n], "after it", "and more"]


def test_record_files_in_c(tmp_path):
    """bbans_records_get, with little room for the record, and what it refuses."""
    path, c = tmp_path / "x.bbr", InC(bbans.default_model())
    for checksums in (False, True):
        bbans.Records.write(path, LINES, bbans.default_model(), checksums=checksums)
        data = bytearray(path.read_bytes())
        held = RecordBytes(bytes(data), "x")
        size = lib.bbans_record_work_bytes(c.model)
        work = ffi.new("uint64_t[]", size // 8 + 1)
        out, n = ffi.new("uint8_t[]", 99), ffi.new("size_t *")

        def get(k, held=held, cap=99, work=work, size=size, out=out, n=n):
            status = lib.bbans_records_get(held._c, k, c.model, out, cap, n, work, size)
            return status or bytes(ffi.buffer(out, n[0])).decode()

        assert [get(k) for k in range(len(LINES))] == LINES
        assert get(len(LINES)) == lib.BBANS_ERR_SIZE
        assert get(7, cap=3) == lib.BBANS_ERR_CAPACITY
        assert n[0] > 3
        message = held.message(300)
        at = data.index(message)
        data[at + 3] ^= 1
        held = RecordBytes(bytes(data), "x")
        wrong = {k for k in range(len(LINES)) if get(k, held) != LINES[k]}
        assert 300 in wrong
        assert len(wrong) == (1 if checksums else 256)
        assert {get(k, held) for k in wrong} == {lib.BBANS_ERR_CORRUPT}


@needs_unix
@needs("cc", "cmake", "pkg-config")
def test_cmake_installs_a_pkg_config_file(cmade, tmp_path):
    round_trip(link_example(cmade / "lib", cmade.parent / "text"), tmp_path)


@needs_unix
@needs("cc", "cmake")
@pytest.mark.parametrize("shared", ["ON", "OFF"])
def test_cmake_package(cmade, shared, tmp_path):
    build = tmp_path / "build"
    run(
        "cmake", "-S", CSRC / "examples", "-B", build, f"-DCMAKE_PREFIX_PATH={cmade}",
        f"-DBUILD_SHARED_LIBS={shared}",
    )  # fmt: skip
    run("cmake", "--build", build)
    needed = run("objdump", "-p", build / "text") if shutil.which("objdump") else None
    assert needed is None or ("libbbans.so" in needed) == (shared == "ON")
    round_trip(build / "text", tmp_path)
    run(build / "sequence")
    assert (build / "image").exists()
    run(build / "codec")
    run(build / "particles")


@needs_unix
@needs("cc", "cmake")
def test_cmake_subdirectory(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(f"""
        cmake_minimum_required(VERSION 3.15)
        project(parent VERSION 7.8.9 LANGUAGES C)
        set(CMAKE_BUILD_TYPE Debug)
        set(CMAKE_C_FLAGS "{PORTABLE}")
        add_subdirectory("{CSRC.as_posix()}" bbans EXCLUDE_FROM_ALL)
        add_executable(text "{(CSRC / "examples" / "text.c").as_posix()}")
        target_link_libraries(text PRIVATE bbans::bbans)
    """)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build")
    run("cmake", "--build", tmp_path / "build", "-j4")
    round_trip(tmp_path / "build" / "text", tmp_path)


@needs("g++")
def test_the_header_is_cpp(tmp_path):
    (tmp_path / "x.cpp").write_text(
        "#include <bbans.h>\n"
        "int main() { bbans_hmm hmm = bbans_hmm(); return bbans_hmm_bytes(1, 1) == 0 "
        "? BBANS_OK : (int)hmm.states; }\n"
    )
    flags = ["-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}"]
    run("g++", *flags, "-c", tmp_path / "x.cpp", "-o", tmp_path / "x.o")


@needs_unix
@needs("cc", "make", "pkg-config")
def test_the_guide(tmp_path):
    """Its commands, in a copy of the clone."""
    guide = (ROOT / "docs" / "guide" / "c.md").read_text("utf-8")
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", guide, re.M | re.S))
    for folder in ("csrc", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("README.md", "LICENSE", "bbans/data/english.bbm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    run("bash", "-euc", commands, cwd=tmp_path, HOME=tmp_path / "home", CFLAGS=PORTABLE)


# ---- the amalgamation


@pytest.fixture(scope="module")
def amalgamated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amalgamation")
    script = ROOT / "tools" / "amalgamate.py"
    run(sys.executable, script, folder / "all")
    run(sys.executable, script, "--decoder", folder / "decoder")
    return folder


# The kernels are parsed here, and compiled below.
@pytest.mark.parametrize("flag", ["-fsyntax-only", "-DBBANS_PORTABLE"])
@pytest.mark.parametrize("variant", ["all", "decoder"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_amalgamation_compiles(amalgamated, compiler, variant, flag, tmp_path):
    source = amalgamated / variant / "bbans.c"
    run(compiler, *STRICT, flag, "-c", source, "-o", tmp_path / "bbans.o")


@needs_unix
@needs("cc")
def test_amalgamation_works(amalgamated, tmp_path):
    folder = amalgamated / "all"
    sources = [CSRC / "examples" / "text.c", folder / "bbans.c"]
    run("cc", *STRICT, f"-I{folder}", *sources, "-o", tmp_path / "program")
    round_trip(tmp_path / "program", tmp_path)


DECODE = """
#include "bbans.h"
#include <string.h>
static const uint8_t file[] = {%s}, data[] = {%s};
static uint64_t memory[100000], work[600000];
int main(void)
{
    uint8_t out[1000];
    bbans_model model;
    size_t n;

    return bbans_model_parse(&model, file, sizeof file) != 0 ||
           bbans_model_build(&model, memory, sizeof memory) != 0 ||
           bbans_decompress(&model, data, sizeof data, work, sizeof work, out,
                            sizeof out, &n) != 0 ||
           n != 1000 || memcmp(out, "%s", 8) != 0;
}
"""


@needs_unix
@needs("cc", "nm")
def test_the_decoder_decodes_and_cannot_encode(amalgamated, tmp_path):
    model = random_hmm(5, ALL_BYTES)
    text = b"01234567" * 125
    files = [",".join(map(str, d)) for d in (model.to_bytes(), compress(text, model))]
    (tmp_path / "main.c").write_text(DECODE % (*files, "01234567"))
    folder = amalgamated / "decoder"
    source = folder / "bbans.c"
    run("cc", *STRICT, f"-I{folder}", "-c", source, "-o", tmp_path / "o.o")
    run("cc", *STRICT, f"-I{folder}", "main.c", "o.o", "-o", "main", cwd=tmp_path)
    run(tmp_path / "main")
    lines = run("nm", "-g", "--defined-only", tmp_path / "o.o").splitlines()
    names = {line.split()[-1] for line in lines}
    assert "bbans_decompress" in names
    encoders = {n for n in names if re.search("encode|writer|compress_bound", n)}
    assert encoders == {"bbans_utf8_encode"}
    header = (folder / "bbans.h").read_text("ascii")
    declared = set(re.findall(r"(bbans_\w+)\(", header))
    assert names & FUNCTIONS == declared & FUNCTIONS


# ---- Python and C meet: the example


TEXTS = {
    "empty": "",
    "short": "it was the best of times",
    "long": "It was the epoch of belief; it was the epoch of incredulity. " * 1100,
    "wide": "naïve façade, Ὀδύσσεια 😀 " * 50,
}


@needs_unix
@needs("cc", "make", "pkg-config")
@pytest.mark.parametrize(
    "kind", ["bytes", "characters", "utf8", "utf8 and an end", "a packed file"]
)
@pytest.mark.parametrize("name", TEXTS)
def test_example_and_command_write_the_same(example, name, kind, tmp_path):
    text = TEXTS[name]
    if kind == "bytes":
        model = bbans.default_model()
    elif kind == "a packed file":
        model = bbans.ARHMM.fit(TEXTS.values(), 2, order=2, n_iter=1).freeze()
    elif kind != "characters":
        model = random_hmm(5, Alphabet.utf8(ends=kind != "utf8"))
    else:
        alphabet = Alphabet("".join(sorted(set("".join(TEXTS.values())))))
        model = random_hmm(5, alphabet)
    model.save(tmp_path / "m.bbm")
    (tmp_path / "text").write_bytes(text.encode())
    sink = io.BytesIO()
    compress_file(io.BytesIO(text.encode()), sink, model)
    (tmp_path / "python.bbz").write_bytes(sink.getvalue())
    run(example, "c", "m.bbm", "text", "c.bbz", cwd=tmp_path)
    assert (tmp_path / "c.bbz").read_bytes() == sink.getvalue()
    run(example, "d", "m.bbm", "python.bbz", "copy", cwd=tmp_path)
    assert (tmp_path / "copy").read_bytes() == text.encode()
    (tmp_path / "str.bbz").write_bytes(compress(text, model))
    run(example, "d", "m.bbm", "str.bbz", "copy", cwd=tmp_path)
    assert (tmp_path / "copy").read_bytes() == text.encode()


@needs_unix
@needs("cc", "make", "pkg-config")
def test_example_says_what_is_wrong(example, tmp_path):
    random_hmm(5, ALL_BYTES).save(tmp_path / "other.bbm")
    data = compress("text", bbans.default_model())
    for name, content, model, message in [
        ("a", data, tmp_path / "other.bbm", "another model"),
        ("b", data[:-1], ENGLISH, "ends early"),
        ("c", data[:30] + b"?" + data[31:], ENGLISH, "damaged"),
        ("d", b"text" * 10, ENGLISH, "not a file of this format"),
        ("e", compress(np.arange(3)), ENGLISH, "an array"),
    ]:
        (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            [example, "d", model, name, "out"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1
        assert message in done.stderr
        assert not (tmp_path / "out").exists()


# ---- Python and C meet: the functions

STORED = json.loads((ROOT / "tests" / "vectors" / "container_v3.json").read_text())
MODELS = {
    model["name"]: FrozenModel.from_bytes(bytes.fromhex(model["file"]))
    for model in STORED["models"]
}
# Values that each can code.
VALUES = {
    "bytes": range(7),
    "index": range(5),
    "some": [-(2**40), -1, 0, 300],
    "rows": range(-50, 90),
}
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]


class InC:
    """Containers in C, under a model of Python or none."""

    def __init__(self, model=None):
        self.model = ffi.NULL
        if model is None:
            return
        self.bytes = ffi.from_buffer("uint8_t[]", model.to_bytes())
        self.model = ffi.new("bbans_model *")
        assert lib.bbans_model_parse(self.model, self.bytes, len(self.bytes)) == 0
        size = lib.bbans_model_bytes(self.model)
        self.memory = ffi.new("uint64_t[]", size // 8 + 1)
        assert lib.bbans_model_build(self.model, self.memory, size) == 0

    def compress(
        self, element, data, n, block, level=5, unit=(0, 0), channels=0, axis=0, grid=()
    ):
        content = ffi.new("bbans_content *", [element, *unit, axis, channels])
        if grid:
            content.grid = list(grid)
        longest = min(n, block)
        size = lib.bbans_writer_work_bytes(self.model, content, level, longest, 7)
        work = ffi.new("uint64_t[]", size // 8 + 1)
        out = bytearray(lib.bbans_compress_bound(element, n, block))
        used = ffi.new("size_t *")
        status = lib.bbans_compress(
            self.model, content, ffi.from_buffer(data), n, block, level,
            work, size, ffi.from_buffer("uint8_t[]", out), len(out), used,
        )  # fmt: skip
        return status, bytes(out[: used[0]])

    def decompress(self, data):
        """Status, reader, and the elements."""
        source = ffi.from_buffer("uint8_t[]", data)
        reader = ffi.new("bbans_reader *")
        status = lib.bbans_container_check(reader, source, len(data))
        if status:
            return status, reader, b""
        size = lib.bbans_reader_work_bytes(reader, self.model)
        work = ffi.new("uint64_t[]", size // 8 + 1)
        out = bytearray(reader.elements * lib.bbans_element_bytes(reader.element))
        n = ffi.new("size_t *")
        status = lib.bbans_decompress(
            self.model, source, len(data), work, size, ffi.from_buffer(out),
            reader.elements, n,
        )  # fmt: skip
        return status, reader, bytes(out)


def values_of(name, dtype, n=300):
    bounds = np.iinfo(dtype)
    fits = [v for v in VALUES[name] if bounds.min <= v <= bounds.max]
    return np.random.default_rng(3).choice(fits, n).astype(dtype)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("code", range(8), ids=DTYPES)
def test_arrays(name, code):
    x = values_of(name, DTYPES[code])
    for mode in ("iconoclasm", "predictive"):
        model = MODELS[name].with_mode(mode)
        c = InC(model)
        assert name_in_c(c.model) == model.fingerprint
        for block in (2**16, 78, 2):
            blob = compress(x, model, block_size=block)
            assert c.compress(16 + code, x, x.size, block) == (0, blob)
            status, reader, data = c.decompress(blob)
            assert (status, data) == (0, x.tobytes())
            assert (reader.element, reader.elements) == (16 + code, x.size)


@pytest.mark.parametrize("name", ["index", "some", None])
@pytest.mark.parametrize(
    ("dtype", "element", "unit"),
    [
        ("?", 24, (0, 0)),
        ("M8", 25, (0, 1)),
        ("M8[ns]", 25, (10, 1)),
        ("m8[25s]", 26, (7, 25)),
        ("m8[2147483647as]", 26, (13, 2**31 - 1)),
    ],
)
def test_booleans_dates_and_durations(name, dtype, element, unit):
    if name is None:
        x, model = np.random.default_rng(0).integers(0, 2, 300), None
        x = x if element == 24 else x * 2**40 + np.iinfo("i8").min
    else:
        x, model = values_of(name, "i8"), MODELS[name]
        x = x % 2 * (x >= 0) if element == 24 else x
    x = x.astype("?") if element == 24 else x.view(dtype)
    stored = x.view("u1" if element == 24 else "i8")
    for block in (2**16, 78):
        blob = compress(x, model or ByteCoder(), block_size=block)
        assert InC(model).compress(element, stored, 300, block, unit=unit) == (0, blob)
        status, reader, data = InC(model).decompress(blob)
        assert (status, data) == (0, stored.tobytes())
        assert (reader.element, reader.unit, reader.multiplier) == (element, *unit)


@pytest.mark.parametrize("channels", [1, 3, 70])
@pytest.mark.parametrize(
    ("dtype", "element", "unit"),
    [
        ("?", 24, (0, 0)),
        ("u1", 16, (0, 0)),
        (">i2", 19 + 128, (0, 0)),
        ("u8", 22, (0, 0)),
        ("M8[D]", 25, (4, 1)),
        (">m8[25s]", 26 + 128, (7, 25)),
    ],
)
def test_signals_of_every_kind(channels, dtype, element, unit):
    """C and Python write the same, whichever axis is time."""
    steps = np.random.default_rng(0).integers(0, 3, (90, channels))
    x = steps % 2 if dtype == "?" else np.cumsum(steps, axis=0) % 200
    integers = {"?": "u1"}.get(dtype, dtype if dtype[-1] != "]" else "<i8")
    stored = np.ascontiguousarray(x, np.dtype(integers).newbyteorder("="))
    x = x.astype(bool) if dtype == "?" else x.astype(f"{integers}")
    if dtype[-1] == "]":
        x = x.view(f"<{dtype.lstrip('>')}").astype(dtype)
    x = x if channels > 1 else x[:, 0]
    for level in (1, 5):
        for block in (2**16, 40 * channels):
            given = {"level": level, "unit": unit, "channels": channels}
            c = InC().compress(element, stored, x.size, block, **given)
            coder = SignalCoder(level, axis=0)
            blob = compress(x, coder, block_size=block)
            assert c == (0, blob)
            status, _, data = InC().decompress(blob)
            assert (status, data) == (0, stored.tobytes())
            if channels > 1:
                c = InC().compress(element, stored, x.size, block, axis=1, **given)
                coder = SignalCoder(level, axis=1)
                assert c == (0, compress(x.T, coder, block_size=block))


def some_floats(element, n):
    """Decimals, noise and what is no number, by their bits, of a type of floats."""
    rng = np.random.default_rng(element)
    wide = {27: "f2", 28: "f4", 29: "f8"}.get(element, "f4")
    x = (rng.integers(0, 90, n).cumsum() / 10).astype(wide)
    x[n // 3 : n // 2] = rng.normal(size=n // 2 - n // 3)
    x[n // 2 : n // 2 + 5] = [np.nan, np.inf, -np.inf, -0.0, 0.0]
    bits = x.view(f"u{x.itemsize}")
    if element == 30:
        return (bits >> 16).astype("u2")
    return (bits >> 24).astype("u1") if element > 30 else bits


def as_an_array(bits, element, big_endian=False):
    """What Python is given for them: an array, and the type, if numpy has none."""
    if element >= 30:
        return bits, {30: "bfloat16", 31: "float8_e4m3fn", 32: "float8_e5m2"}[element]
    return bits.view(f"f{bits.itemsize}").astype(
        f"{'<>'[big_endian]}f{bits.itemsize}"
    ), None


@pytest.mark.parametrize("level", [1, 5, 9])
@pytest.mark.parametrize("element", [27, 28, 29, 30, 31, 32, 155, 156, 157])
def test_floats_of_every_kind(element, level):
    """C and Python write the same, as series, channels and planes of bytes."""
    bits = some_floats(element & 127, 1200)
    x, dtype = as_an_array(bits, element & 127, element > 127)
    for channels, coder in (
        (0, ByteCoder(level=level)),
        (1, SignalCoder(level)),
        (3, SignalCoder(level, axis=0)),
    ):
        shaped = x.reshape(-1, 3) if channels == 3 else x
        for block in (1200, 360):
            blob = compress(shaped, coder, block_size=block, dtype=dtype)
            given = {"level": level, "channels": channels}
            assert InC().compress(element, bits, 1200, block, **given) == (0, blob)
            status, reader, data = InC().decompress(blob)
            assert (status, data) == (0, bits.tobytes())
            assert reader.element | reader.big_endian << 7 == element
            assert list(reader.shape)[: reader.axes] == list(shaped.shape)


# The axes of an array in the file, in letters, with its grid and shape in C.
GRIDS = {
    "yx": ((40, 30), (40, 30, 1, 0)),
    "yxc": ((20, 18, 3), (20, 18, 3, 0)),
    "tyx": ((7, 12, 16), (12, 16, 1, 0)),
    "tyxc": ((5, 9, 8, 2), (9, 8, 2, 0)),
}


@pytest.mark.parametrize("axes", GRIDS)
@pytest.mark.parametrize("element", [16, 17, 19, 19 + 128, 22, 24, 28, 29 + 128, 30])
def test_grids_of_every_kind(axes, element):
    """C and Python write the same."""
    shape, grid = GRIDS[axes]
    *_, y, x = np.indices(shape[: len(axes) - axes.count("c")])
    smooth = (y * 3 + x + np.random.default_rng(0).integers(0, 4, y.shape)) % 120
    smooth = smooth[..., None] + np.arange(3)[: grid[2]] if "c" in axes else smooth
    dtype, n = None, smooth.size
    if element & 127 >= 27:
        bits = (smooth / 8).astype("f8" if element & 127 == 29 else "f4")
        bits = bits.view("u8") if bits.itemsize == 8 else bits.view("u4")
        bits = (bits >> 16).astype("u2") if element == 30 else bits
        array, dtype = as_an_array(bits, element & 127, element > 127)
    else:
        bits = smooth.astype(
            ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "?"][element % 128 - 16]
        )
        array = bits.astype(bits.dtype.newbyteorder(">")) if element > 127 else bits
    frame = grid[0] * grid[1] * grid[2]
    blocks = [n, frame * 3] if "t" in axes else [n, frame // grid[0] * 7]
    for level in (5, 9) if element in (16, 28) else (1, 5):
        for block in blocks:
            coder = GridCoder(axes, level)
            blob = compress(array, coder, block_size=block, dtype=dtype)
            given = {"level": level, "grid": grid}
            assert InC().compress(element, bits, n, block, **given) == (0, blob)
            status, reader, data = InC().decompress(blob)
            assert (status, data) == (0, bits.tobytes())
            assert list(reader.shape)[: reader.axes] == list(shape)


NUMBERS = [*range(16, 24), *range(27, 33), INT24]


@pytest.mark.parametrize("element", NUMBERS)
def test_files_in_pieces(element):
    """C reads what Python makes of bytes and numbers, of either order and layout."""
    width = 3 if element == INT24 else Header(element).dtype.itemsize
    for big_endian, planar, channels in (
        (False, False, 1), (True, False, 2), (False, True, 3), (True, True, 3)
    ):  # fmt: skip
        n, (least, most) = 96, (0, 100) if element % 2 == 0 else (-50, 50)
        x = np.random.default_rng(element).integers(least, most, n).cumsum() % 120
        if element in (27, 28, 29):
            x = (x / 10).astype(f"<f{width}").view(f"<u{width}")
        elif width == 1:  # or bytes are as good
            x = np.arange(n) if element < 27 else np.arange(n) // 32
        octs = x.astype("<u8").view("u1").reshape(-1, 8)[:, :width]
        octs = octs[:, ::-1] if big_endian else octs
        run = Run(n * width, element, channels, big_endian, planar)
        data = b"a header" * 3 + octs.tobytes() + b"and an end"
        runs = [Run(24), run, Run(10)]
        blocks = []
        for _ in range(2):
            block = encode_pieces(np.frombuffer(data, "u1"), runs, 5)
            blocks.append((len(data), lib.BBANS_METHOD_PIECES, block))
        assert len(block) < len(data)
        file = write_part(0, b"\0", blocks)
        assert InC().decompress(file)[::2] == (0, data * 2)
        check_damaged_pieces(len(data), block, element)
        assert InC().decompress(write_part(16, b"\0", blocks, [2 * len(data)]))[0] == (
            lib.BBANS_ERR_CORRUPT
        )


def check_damaged_pieces(n, block, seed):
    """Under a right checksum: C restores what Python does, or neither does."""
    rng = np.random.default_rng(seed)
    for _ in range(30):
        damaged = bytearray(block)
        for _ in range(rng.integers(1, 3)):
            at = rng.integers(len(damaged)) if rng.random() < 0.5 else rng.integers(32)
            damaged[at % len(damaged)] ^= 1 << rng.integers(8)
        if rng.random() < 0.2:
            del damaged[int(rng.integers(len(damaged))) :]
        file = write_part(0, b"\0", [(n, lib.BBANS_METHOD_PIECES, bytes(damaged))])
        status, _, data = InC().decompress(file)
        try:
            expected = decompress(file)
        except CorruptError:
            assert status in (lib.BBANS_ERR_CORRUPT, lib.BBANS_ERR_VERSION)
        else:
            assert (status, data) == (0, expected)


def test_what_c_says_of_the_axis():
    x = values_of("index", "i2", 30).reshape(2, 3, 5)
    for axis, shape in ((0, [2, 3, 5]), (1, [3, 2, 5]), (2, [5, 2, 3])):
        blob = compress(x, SignalCoder(level=1, axis=axis))
        status, reader, data = InC().decompress(blob)
        assert (status, reader.axis, reader.axes) == (0, axis, 3)
        assert list(reader.shape)[:3] == shape
        assert data == np.moveaxis(x, axis, 0).tobytes()


def test_shapes_and_byte_order():
    model, x = MODELS["index"], values_of("index", ">i2")
    blob = compress(x.reshape(3, 1, 100), model)
    status, reader, data = InC(model).decompress(blob)
    assert (status, data) == (0, x.astype("i2").tobytes())
    assert list(reader.shape)[: reader.axes] == [3, 1, 100]
    assert reader.big_endian == 1
    assert InC(model).decompress(compress(x[:1].reshape(()), model))[0] == 0
    code = 19 + lib.BBANS_ELEMENT_BIG_ENDIAN
    status, blob = InC(model).compress(code, x.astype("i2"), x.size, 100)
    assert (status, blob) == (0, compress(x, model, block_size=100))
    assert decompress(blob, model).dtype == ">i2"


def test_text_and_bytes():
    text = "a e€😀 " * 20
    for name, element, data in [
        ("bytes", 0, text.encode()),
        ("bytes", 1, text.encode()),
        ("text", 2, text.encode("utf-32")[4:]),
    ]:
        model = MODELS[name]
        n = len(data) // lib.bbans_element_bytes(element)
        status, blob = InC(model).compress(element, data, n, 50)
        expected = text if element else text.encode()
        assert status == 0
        assert decompress(blob, model) == expected
        assert compress(expected, model, block_size=50) == blob
        assert InC(model).decompress(blob)[2] == data


@pytest.mark.parametrize("ends", [False, True])
def test_text_by_its_utf8(ends):
    text = "a e€😀 " * 20
    data = text.encode()
    model = random_hmm(3, Alphabet.utf8(ends))
    for block in (2**16, 7):
        blob = compress(text, model, block_size=block)
        assert InC(model).compress(1, data, len(data), block) == (0, blob)
        assert InC(model).decompress(blob)[::2] == (0, data)
        assert decompress(blob, model) == text
    for element, wrong in ((0, data), (2, text.encode("utf-32-le")), (1, b"a\xff")):
        n = len(wrong) // lib.bbans_element_bytes(element)
        status, _ = InC(model).compress(element, wrong, n, 50)
        assert status == lib.BBANS_ERR_SYMBOL


@pytest.mark.parametrize(
    ("symbols", "data", "element"),
    [
        (Alphabet.utf8(), "x" * 40, 1),
        (ALL_BYTES, b"x" * 40, 0),
        (Alphabet("ax"), "x" * 40, 2),
        (Alphabet(200), np.full(40, 7, np.int16), 19),
        (Alphabet([2, 7, 9]), np.full(40, 7, np.int16), 19),
    ],
)
def test_the_end_of_a_record_is_no_element(symbols, data, element):
    """No encoder writes it among data; both decoders say so."""
    alphabet = symbols.with_ends()
    model = bbans.HMM.fit([data], 1, alphabet=alphabet, n_iter=1).freeze()

    class Wrong(ModelCoder):
        """Puts one where the last element was."""

        end = True

        def encode(self, steps):
            x = self.model.alphabet.units.encode(steps)
            x[-1] = alphabet.end if self.end else x[-1]
            return self.model.encode_message(x).to_bytes()

        def shortest(self, steps, start=0):
            return self.method, self.encode(steps)

    coder = Wrong(model)
    with pytest.raises(CorruptError, match=f"index {alphabet.end} at position 39 is"):
        decompress(compress(data, coder), model)
    assert InC(model).decompress(compress(data, coder))[0] == lib.BBANS_ERR_CORRUPT
    coder.end = False
    assert InC(model).decompress(compress(data, coder))[0] == 0
    if element == 19:
        outside = np.full(3, 200 if alphabet.values is None else 10, np.int16)
        status, _ = InC(model).compress(element, outside, 3, 50)
        assert status == lib.BBANS_ERR_SYMBOL


@pytest.mark.parametrize("level", range(1, 10))
def test_bytes_and_text_without_a_model(level):
    """C and Python take the same coder for them, and for an array the byte coder."""
    data = (b"all happy families " + bytes(range(60))) * 40
    coder = ByteCoder(level=level)
    for element, given in ((0, data), (1, data.decode())):
        status, blob = InC().compress(element, data, len(data), 1000, level)
        assert (status, blob) == (0, compress(given, level=level, block_size=1000))
        assert InC().decompress(blob)[2] == data
    by_frequencies = compress(data.decode(), coder, block_size=1000)
    assert (len(blob) < len(by_frequencies)) == (level > 2)
    x = np.arange(5000, dtype="u4") // 7
    status, blob = InC().compress(20, x, x.size, 999, level)
    assert (status, blob) == (0, compress(x, coder, block_size=999))
    assert InC().decompress(blob)[2] == x.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_signals(dtype):
    """Python writes them, both read them."""
    bounds = np.iinfo(dtype)
    steps = np.random.default_rng(0).normal(size=(700, 3)).cumsum(axis=0)
    for middle in (0, bounds.max - 40, bounds.min + 40):
        x = steps.astype(int).astype(object) + middle
        x = np.clip(x, bounds.min, bounds.max).astype(dtype)
        blob = compress(x, SignalCoder(), block_size=600)
        status, reader, data = InC().decompress(blob)
        assert (status, data) == (0, x.tobytes())
        assert reader.methods >> lib.BBANS_METHOD_SIGNAL & 1
        assert list(reader.shape)[: reader.axes] == [700, 3]


def test_parts_of_both():
    model, c = MODELS["bytes"], InC(MODELS["bytes"])
    parts = [b"aa e", b"", b" e e aa" * 5, b"e"]
    blobs = [
        compress(parts[0]),
        c.compress(0, parts[1], 0, 10)[1],
        c.compress(0, parts[2], len(parts[2]), 10)[1],
        compress(parts[3], model),
    ]
    whole = b"".join(blobs)
    assert decompress(whole, model) == b"".join(parts)
    status, reader, data = c.decompress(whole)
    assert (status, data, reader.parts) == (0, b"".join(parts), 4)


@pytest.mark.parametrize(
    ("element", "name", "data"),
    [
        (0, "index", b"\0\7"),
        (0, "some", b"\0\3"),
        (16, "some", b"\0\3"),
        (23, "some", np.array([0, -129])),
        (22, "some", np.array([2**64 - 1], np.uint64)),  # not -1
        (22, "rows", np.array([0, 2**63], np.uint64)),
        (0, "text", b"a"),
        (16, "text", b"a"),
        (1, "index", b"\0"),
        (2, "index", np.array([0], np.uint32)),
        (2, "text", np.array([4], np.uint32)),
        (3, "bytes", b"\0"),
    ],
)
def test_what_a_model_cannot_code(element, name, data):
    status, _ = InC(MODELS[name]).compress(element, data, len(data), 10)
    assert status == lib.BBANS_ERR_SYMBOL


def damaged(data):
    """Every byte changed, every cut, and bytes that follow."""
    for i in range(len(data)):
        for bit in (1, 16, 128):
            yield data[:i] + bytes([data[i] ^ bit]) + data[i + 1 :]
        yield data[:i]
    yield data + b"\0"
    yield data + data[:20]


ENDS_OR_CORRUPT = {TruncatedError, CorruptError}


def error_of(function, *arguments):
    try:
        function(*arguments)
    except bbans.BbansError as error:
        return type(error)
    return None


def test_both_readers_refuse_a_container_for_the_same_reason():
    model = MODELS["bytes"]
    blobs = [
        compress(b"\0\1\2\3\4" * 20, model, block_size=60),
        compress(np.arange(20) // 3, SignalCoder()),
        compress(b"ab") + compress(b"abab" * 50, level=1),
        compress(b"ab"),
    ]
    for blob in blobs:
        for data in damaged(blob):
            if data == blobs[3]:  # a part by itself
                continue
            errors = [
                RAISES.get(InC(model).decompress(data)[0]),
                error_of(decompress, data, model),
            ]
            assert errors[0] is not None
            # Where a length is damaged, one may look further than the other.
            if len(data) == len(blob) and set(errors) <= ENDS_OR_CORRUPT:
                continue
            assert errors[0] == errors[1]
    other = compress("text", MODELS["bytes"].with_mode("predictive"))
    assert InC(model).decompress(other)[0] == lib.BBANS_ERR_WRONG_MODEL
    assert error_of(decompress, other, model) == RAISES[lib.BBANS_ERR_WRONG_MODEL]


@pytest.mark.parametrize(
    ("model", "numbers_end"), [(MODELS["some"], 24), (random_hierarchy((3, 2), 4), 32)]
)
def test_both_readers_refuse_a_model_for_the_same_reason(model, numbers_end):
    blob = model.to_bytes()
    for data in damaged(blob):
        source = ffi.from_buffer("uint8_t[]", data)
        status = lib.bbans_model_parse(ffi.new("bbans_model *"), source, len(data))
        assert status != 0
        if data[:8] == blob[:8] and data[8:numbers_end] != blob[8:numbers_end]:
            continue  # counts: both refuse, but may notice different faults first
        assert RAISES.get(status) == error_of(FrozenModel.from_bytes, data)


def test_status_codes_have_texts_and_exceptions():
    codes = [getattr(lib, name) for name in dir(lib) if name.startswith("BBANS_ERR_")]
    assert sorted(codes) == list(range(-len(codes), 0))
    for code in codes:
        assert b"unknown" not in ffi.string(lib.bbans_status_text(code))
        assert code in RAISES or code == lib.BBANS_ERR_NULL
