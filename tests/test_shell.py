"""bbans FILE...: every option of gzip and zstd, alone and together."""

import io
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from shared import byte_hmm, random_hmm

import bbans
from bbans import _threads
from bbans.cli import main as program
from bbans.cli import options as cli_options
from bbans.cli import shell as shell_module
from bbans.formats import coders
from bbans.formats.container import FLOAT_NAMES, Header, array_header

PYTHON = [sys.executable, "-m", "bbans"]
DATA = b"It was the best of times, it was the worst of times.\n" * 20
OTHER = bytes(range(256)) * 3
PACKED, OTHER_PACKED = bbans.compress(DATA), bbans.compress(OTHER)
TIME = 1_000_000_000_123_456_000
EXISTS = "exists: -f replaces it"


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BBANS_MODEL", raising=False)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


@pytest.fixture
def bbans_(monkeypatch, capsysbinary):
    """Runs the command line here: the exit code, and what it wrote."""

    def run(*words, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = program.main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        out, error = capsysbinary.readouterr()
        return code, out, error.decode()

    return run


@pytest.fixture
def ok(bbans_):
    """Runs it where nothing is to be said; returns what it wrote."""

    def run(*words, stdin=b""):
        code, out, error = bbans_(*words, stdin=stdin)
        assert (code, error) == (0, "")
        return out

    return run


@pytest.fixture
def fails(bbans_):
    """Runs it where something is wrong; returns the lines about it."""

    def run(*words, code=1, stdin=b""):
        got, out, error = bbans_(*words, stdin=stdin)
        assert got == code, error
        assert out == b""
        assert error.endswith("\n")
        assert "Traceback" not in error
        lines = error.removesuffix("\n").split("\n")
        if code == 1:
            assert all(line.startswith("bbans: ") for line in lines)
        return [line.removeprefix("bbans: ") for line in lines]

    return run


def write(name, data=DATA, mode=0o644):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return name


def read(name):
    return Path(name).read_bytes()


def names():
    return sorted(str(path) for path in Path().rglob("*") if not path.is_dir())


# ---- files and back


def test_a_file_and_back(ok):
    assert ok(write("a")) == b""
    assert names() == ["a", "a.bbz"]  # FILE stays
    assert read("a.bbz") == PACKED
    os.unlink("a")
    for option in ("-d", "--decompress"):
        assert ok(option, "a.bbz") == b""
        assert names() == ["a", "a.bbz"]
        assert read("a") == DATA
        os.unlink("a")


def test_several_files_and_options_between_them(ok):
    ok(write("a"), "-9", write("b", OTHER), "-q")
    assert read("a.bbz") == bbans.compress(DATA, level=9)
    assert read("b.bbz") == bbans.compress(OTHER, level=9)
    os.unlink("a")
    os.unlink("b")
    ok("a.bbz", "-d", "b.bbz", "-T1")
    assert (read("a"), read("b")) == (DATA, OTHER)


def test_stdin_to_stdout(ok):
    for words in ([], ["-"], ["-c"], ["-", "-c"], ["-o", "-"]):
        assert ok(*words, stdin=DATA) == PACKED
        assert ok("-d", *words, stdin=PACKED) == DATA
    assert ok("-o", "x", stdin=DATA) == b""
    assert read("x") == PACKED
    assert ok(stdin=b"") == bbans.compress(b"")
    assert ok("-d", stdin=bbans.compress(b"")) == b""
    assert names() == ["x"]


def test_files_are_known_by_what_they_hold(ok):
    np.save("x.npy", np.arange(5000).reshape(50, 100))
    whole = read("x.npy")
    ok("x.npy")
    assert len(read("x.npy.bbz")) < 500
    os.unlink("x.npy")
    ok("-d", "x.npy.bbz")
    assert read("x.npy") == whole
    bbans.save("y.npy.bbz", np.arange(9, dtype="i2"))
    ok("-d", "y.npy.bbz")
    assert np.array_equal(np.load("y.npy"), np.arange(9, dtype="i2"))
    assert ok("-dc", "y.npy.bbz") == np.arange(9, dtype="<i2").tobytes()


@pytest.mark.parametrize("level", range(1, 10))
def test_levels(level, ok):
    write("a", DATA * 3)
    assert ok(f"-{level}c", "a") == bbans.compress(DATA * 3, level=level)
    assert ok("-9", f"-{level}", "-c", "a") == ok(f"-9{level}c", "a")


def test_keep_and_rm(ok):
    for keep in ("-k", "--keep", "-9k"):
        ok(keep, "-f", write("a"))
        assert names() == ["a", "a.bbz"]
    ok("-f", "--rm", "a")
    assert names() == ["a.bbz"]
    ok("-d", "--rm", "a.bbz")
    assert names() == ["a"]
    assert read("a") == DATA
    ok("--rm", "-k", "a")  # the last counts
    assert names() == ["a", "a.bbz"]
    ok("-k", "--rm", "-f", "a")
    assert names() == ["a.bbz"]


def test_rm_removes_nothing_whose_output_is_no_file(ok, fails):
    write("a")
    write("a.bbz", PACKED)
    ok("--rm", "-c", "a")
    ok("--rm", "-o", "-", "a")
    ok("--rm", "-o", "/dev/null", "a")
    ok("--rm", "-dc", "a.bbz")
    ok("--rm", "-t", "a.bbz")
    ok("--rm", "-l", "a.bbz")
    assert EXISTS in fails("--rm", "a")[0]
    assert names() == ["a", "a.bbz"]
    ok("--rm", "-fo", "a", "a")  # in place
    assert read("a") == PACKED


def test_rm_keeps_what_changed_meanwhile(fails, monkeypatch):
    write("a")
    unlink, fsync = os.unlink, os.fsync

    def change(number):
        fsync(number)
        with open("a", "ab") as file:
            file.write(b"more")

    monkeypatch.setattr(os, "fsync", change)
    assert fails("--rm", "a") == ["a: changed while it was read: kept"]
    assert names() == ["a", "a.bbz"]
    assert read("a").startswith(DATA + b"more")
    assert read("a.bbz") == PACKED
    monkeypatch.setattr(os, "fsync", fsync)
    steps = []
    monkeypatch.setattr(os, "fsync", lambda n: steps.append("sync") or fsync(n))
    monkeypatch.setattr(os, "unlink", lambda n: steps.append(n) or unlink(n))
    assert program.main(["--rm", "-f", "a"]) == 0
    assert steps == ["sync", "sync", "a"]  # the file, its directory, and then


def test_rm_of_a_link(ok):
    write("target")
    os.symlink("target", "link")
    ok("--rm", "link")
    assert names() == ["link.bbz", "target"]
    assert read("link.bbz") == PACKED


@pytest.mark.parametrize("words", [["-o", "x"], ["-ox"], ["--output=x"]])
def test_output(words, ok):
    ok(*words, write("a"))
    assert read("x") == PACKED
    ok("-df", *words, "x")
    assert read("x") == DATA


def test_output_takes_one_file(fails):
    write("a")
    write("b")
    for words in (["a", "b"], ["-c", "a"], ["-t", "a"], ["-l", "a"]):
        lines = fails("-o", "x", *words, code=2)
        assert "usage: bbans [OPTION ...] [FILE ...]" in lines[0]
        assert "error: -o" in lines[-1]
    assert names() == ["a", "b"]


def test_an_output_without_a_name(fails):
    write("a")
    write("a.bbz", PACKED)
    for words in (["a"], ["-d", "a.bbz"], ["-d", "--rm", "a.bbz"]):
        assert fails("-o", "", *words) == ["'': No such file or directory"]
    assert names() == ["a", "a.bbz"]


@pytest.mark.parametrize("option", ["-c", "--stdout"])
def test_stdout(option, ok):
    write("a")
    write("b", OTHER)
    both = ok(option, "a", "b")
    assert both == PACKED + OTHER_PACKED
    write("a.bbz", PACKED)
    write("b.bbz", OTHER_PACKED)
    assert ok(option, "-d", "a.bbz", "b.bbz") == DATA + OTHER
    assert names() == ["a", "a.bbz", "b", "b.bbz"]


def test_force(ok, fails):
    write("a")
    write("a.bbz", b"old", 0o600)
    assert fails("a") == [f"a.bbz: {EXISTS}"]
    assert read("a.bbz") == b"old"
    for option in ("-f", "--force"):
        ok(option, "a")
        assert read("a.bbz") == PACKED
    write("a", b"old")
    assert fails("-d", "a.bbz") == [f"a: {EXISTS}"]
    ok("-df", "a.bbz")
    assert read("a") == DATA
    ok("-f", "a.bbz")  # again
    assert bbans.decompress(read("a.bbz.bbz")) == PACKED


def test_force_lets_it_be_cat(ok, fails):
    write("a.bbz", PACKED)
    write("plain", OTHER)
    write("empty", b"")
    write("short", b"\x89b")
    assert ok("-dcf", "a.bbz", "plain", "empty", "short") == DATA + OTHER + b"\x89b"
    assert ok("-dfc", stdin=OTHER) == OTHER
    assert ok("-dfc", stdin=PACKED) == DATA
    assert "plain: not a bbans container" in fails("-dc", "plain")[0]


def test_test(ok, fails, bbans_):
    write("a.bbz", PACKED)
    write("odd name", OTHER_PACKED)
    for option in ("-t", "--test", "-dt"):
        assert ok(option, "a.bbz", "odd name") == b""
    assert ok("-t", stdin=PACKED) == b""
    assert bbans_("-tv", "a.bbz")[2] == (
        f"bbans: a.bbz: {len(PACKED)} bytes, {len(DATA)} restored: OK\n"
    )
    bad = bytearray(bbans.compress(DATA, level=1, block_size=100))
    bad[len(bad) // 2] ^= 1
    write("bad.bbz", bad)
    write("cut.bbz", PACKED[:-3])
    write("none.bbz", b"not one")
    lines = fails("-t", "bad.bbz", "cut.bbz", "a.bbz", "none.bbz", "gone.bbz")
    assert [line.split(":")[0] for line in lines] == [
        "bad.bbz", "cut.bbz", "none.bbz", "gone.bbz",
    ]  # fmt: skip
    for line, words in zip(
        lines,
        ["damaged", "ends early", "not a bbans container", "No such"],
        strict=True,
    ):
        assert words in line
    assert names() == ["a.bbz", "bad.bbz", "cut.bbz", "none.bbz", "odd name"]


# ---- quiet and verbose


def test_verbose(bbans_):
    write("a")
    code, out, error = bbans_("-v", "a")
    percent = f"{100 * len(PACKED) / len(DATA):.1f} %"
    sizes = f"{len(DATA)} -> {len(PACKED)} bytes"
    assert (code, out) == (0, b"")
    assert error == f"bbans: a: {sizes} ({percent}): a.bbz\n"
    code, out, error = bbans_("-dv", "-o", "b", "a.bbz")
    assert error == f"bbans: a.bbz: {len(PACKED)} -> {len(DATA)} bytes: b\n"
    code, out, error = bbans_("--verbose", stdin=DATA)
    assert out == PACKED
    assert error == f"bbans: standard input: {sizes} ({percent}): standard output\n"
    assert bbans_("-v", stdin=b"")[2].count("%") == 0


def test_a_hint_is_for_those_who_ask(bbans_, ok):
    x = np.rint(3000 * np.sin(np.arange(90_000) / 30)).astype("<i2")
    write("x", x.tobytes())
    assert ok("-c", "x") == bbans.compress(x.tobytes())
    assert "--type int16" in bbans_("-vc", "x")[2]


def test_quiet(bbans_):
    write("a")
    write("a.bbz", PACKED)
    for option in ("-q", "--quiet"):
        assert bbans_(option, "a.bbz") == (0, b"", "")
        assert bbans_(option, "-d", "a") == (1, b"", "")
        code, _, error = bbans_(option, "-d", "missing.bbz")
        assert (code, error) == (1, "bbans: missing.bbz: No such file or directory\n")


# ---- suffixes


def test_what_ends_in_bbz_already(bbans_):
    write("a.bbz", PACKED)
    done = bbans_("a.bbz")
    assert done == (0, b"", "bbans: a.bbz: already ends in .bbz: skipped\n")
    assert names() == ["a.bbz"]
    twice = bbans.compress(PACKED)
    assert bbans_("-c", "a.bbz") == (0, twice, "")
    assert bbans_("-o", "b", "a.bbz") == (0, b"", "")
    assert read("b") == twice


def test_what_does_not_end_in_bbz(ok, fails):
    write("a.txt", PACKED)
    write("b.bbz", PACKED)
    assert fails("-d", "a.txt", "b.bbz") == ["a.txt: does not end in .bbz: skipped"]
    assert names() == ["a.txt", "b", "b.bbz"]  # the others are done
    assert ok("-dc", "a.txt") == DATA
    ok("-do", "x", "a.txt")
    assert read("x") == DATA
    assert fails("-d", "missing") == ["missing: No such file or directory"]
    write(".bbz", PACKED)
    assert fails("-d", ".bbz") == [".bbz: does not end in .bbz: skipped"]


# ---- directories


def tree():
    write("d/b")
    write("d/a", OTHER)
    write("d/c.bbz", PACKED)
    write("d/below/deep/x")
    os.mkdir("d/empty")
    os.symlink("b", "d/link")
    os.symlink("../elsewhere", "d/folder")
    write("elsewhere/y")


@pytest.mark.parametrize("option", ["-r", "--recursive"])
def test_directories(option, ok):
    tree()
    before = names()
    assert ok(option, "d") == b""
    added = ["d/a.bbz", "d/b.bbz", "d/below/deep/x.bbz"]
    assert names() == sorted(before + added)
    for name in added:
        os.unlink(name.removesuffix(".bbz"))
    os.unlink("d/link")
    ok(option, "-d", "d", "--rm")
    assert names() == [
        "d/a", "d/b", "d/below/deep/x", "d/c", "elsewhere/y",
    ]  # fmt: skip
    assert (read("d/a"), read("d/b"), read("d/c")) == (OTHER, DATA, DATA)


def test_directories_with_other_options(ok, bbans_, fails):
    tree()
    ok("-rq", "d")
    lines = ok("-lr", "d").decode().splitlines()
    assert [line.split()[-1] for line in lines] == [
        "name", "d/a.bbz", "d/b.bbz", "d/below/deep/x.bbz", "d/c.bbz", "(total)",
    ]  # fmt: skip
    assert ok("-tr", "d") == b""
    assert ok("-dcr", "d") == OTHER + 3 * DATA
    assert ok("-rc", "d/below", "d/a") == PACKED + OTHER_PACKED
    error = bbans_("-rvf", "d")[2]
    assert "d/c.bbz: already ends in .bbz" not in error  # -f takes it
    assert "bbans: d/c.bbz: already ends in .bbz" in bbans_("-rv", "d")[2]
    assert fails("-r", "missing") == ["missing: No such file or directory"]


def test_a_directory_without_r(fails):
    tree()
    before = names()
    write("a")
    for option in ("-q", "-d", "-t", "-l"):
        lines = fails(option, "d")
        assert lines == ["d: Is a directory: -r takes what is in it"]
    assert fails("d", "a") == ["d: Is a directory: -r takes what is in it"]
    assert names() == sorted([*before, "a", "a.bbz"])


def test_a_directory_that_cannot_be_read(fails, monkeypatch):
    write("d/a")
    write("e/a")
    scandir = os.scandir

    def refuse(folder):
        if folder == "d":
            raise PermissionError(13, os.strerror(13), folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert fails("-r", "d", "e") == ["d: Permission denied"]
    assert names() == ["d/a", "e/a", "e/a.bbz"]


# ---- --list


def table(text):
    return [line.split() for line in text.decode().splitlines()]


def test_list(ok):
    write("a.bbz", PACKED)
    write("b.bbz", bbans.compress(OTHER * 99, level=1, block_size=9999))
    head, a, b, total = table(ok("-l", "a.bbz", "b.bbz"))
    assert head == ["compressed", "uncompressed", "ratio", "blocks", "holds", "coder",
                    "name"]  # fmt: skip
    n = len(read("b.bbz"))
    ratio = [f"{a / b:.3f}" for a, b in ((len(DATA), len(PACKED)), (768 * 99, n))]
    assert a == [str(len(PACKED)), str(len(DATA)), ratio[0], "1", "bytes", "mixing",
                 "a.bbz"]  # fmt: skip
    assert b[:4] == [str(n), str(768 * 99), ratio[1], "8"]
    packed, plain = len(PACKED) + n, len(DATA) + 768 * 99
    assert total == [str(packed), str(plain), f"{plain / packed:.3f}", "9", "(total)"]
    assert table(ok("--list", "a.bbz")) == [head, a]
    assert table(ok("-lq", "a.bbz", "b.bbz")) == [a, b]


def test_list_of_a_stream(ok):
    data = PACKED + OTHER_PACKED
    write("a.bbz", data)
    (_, row), (_, piped) = table(ok("-l", "a.bbz")), table(ok("-l", stdin=data))
    assert row[:-1] == piped[:-1]
    assert piped[-1] == "-"
    assert row[1:4] == [str(len(DATA + OTHER)), f"{len(DATA + OTHER) / len(data):.3f}",
                        "2"]  # fmt: skip
    for stdin in (subprocess.PIPE, open("a.bbz", "rb")):  # noqa: SIM115
        with subprocess.Popen(
            [*PYTHON, "-lq"], stdin=stdin, stdout=subprocess.PIPE
        ) as process:
            out, _ = process.communicate(data if stdin is subprocess.PIPE else None)
        assert out.decode().split() == piped


def test_list_of_many_blocks(ok):
    """Of which it looks at some, over all of the file."""
    write("a.bbz", bbans.compress(bytes(3000) + os.urandom(3000), block_size=1))
    (row,) = table(ok("-lq", "a.bbz"))
    assert row[1:6:2] == ["6000", "6000", "stored"]


@pytest.mark.parametrize(
    ("data", "holds", "coder", "plain"),
    [
        (np.arange(9000, dtype="i2"), "int16", "signal", 18000),
        (np.zeros((3, 0), "f4"), "float32", "-", 0),
        (np.arange(3).astype("M8[25s]"), "datetime64[25s]", None, 24),
        (np.ones(9, bool), "bool", None, 9),
        ("text " * 99, "text", None, 495),
        ("\ud800", "text", None, None),
        (b"", "bytes", "-", 0),
    ],
)
def test_list_of_other_kinds(data, holds, coder, plain, ok):
    write("a.bbz", bbans.compress(data))
    (row,) = table(ok("-lq", "a.bbz"))
    assert row[1] == ("-" if plain is None else str(plain))
    assert row[4] == holds
    assert coder in (None, row[5])


def test_list_of_what_is_none(fails, bbans_):
    write("a", DATA)
    write("m.bbz", byte_hmm(1).freeze().to_bytes())
    write("cut.bbz", PACKED[:-3])
    write("b.bbz", PACKED)
    code, out, error = bbans_("-l", "a", "m.bbz", "cut.bbz", "b.bbz", "gone")
    assert code == 1
    lines = error.splitlines()
    assert [line.split(":")[1] for line in lines] == [" a", " m.bbz", " cut.bbz",
                                                      " gone"]  # fmt: skip
    assert "this is a bbans model file" in lines[1]
    assert table(out)[-1][-1] == "b.bbz"


def test_list_names_on_one_line(ok):
    write("two\nlines.bbz", PACKED)
    assert ok("-lq", "two\nlines.bbz").endswith(b"  two\\nlines.bbz\n")


def test_a_type_is_called_as_numpy_does():
    types = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]
    types += ["?", "f2", "f4", "f8", "M8[s]", "M8[25ns]", "m8[Y]", "m8", "M8", ">i4"]
    for name in types:
        dtype = np.dtype(name)
        header = array_header(dtype)
        assert header.type_name == dtype.name
        assert header.array_dtype == dtype
        assert header.itemsize == header.dtype.itemsize == dtype.itemsize
    for element, name in FLOAT_NAMES.items():
        assert Header(element).type_name == name


# ---- threads


def test_threads_do_not_change_bytes(ok):
    data = np.random.default_rng(0).integers(0, 9, 3_500_000, np.uint8).tobytes()
    write("a", data)
    packed = bbans.compress(data, level=1)
    for words in (["-T1"], ["-T", "3"], ["-T0"], ["--threads=2"], []):
        assert ok("-1c", *words, "a") == packed
        assert ok("-dc", *words, stdin=packed) == data


@pytest.mark.parametrize("word", ["x", "-1", "", "1.5", "9999999"])
def test_threads_that_are_none(word, fails):
    assert "threads" in fails(f"--threads={word}", write("a"), code=2)[-1]


def test_threads_are_bounded_by_memory(monkeypatch):
    monkeypatch.setattr(_threads, "usable", lambda: 64)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert _threads.fitting(memory) == 1
    assert _threads.fitting(memory // 4 // 3 + 1) <= 3
    assert _threads.fitting(1) == 64
    called = []
    monkeypatch.setattr(
        cli_options, "fitting", lambda n_bytes: called.append(n_bytes) or 1
    )
    write("a")
    assert program.main(["-1", "a"]) == program.main(["-f", "a"]) == 0
    assert called[0] < called[1]


def test_levels_are_those_of_the_library():
    assert cli_options.LEVEL_DEFAULT == coders.LEVEL_DEFAULT
    assert cli_options.LEVEL_MAX == coders.LEVEL_MAX


# ---- models


def test_models(ok, fails, monkeypatch, bbans_):
    model = byte_hmm(2).freeze()
    model.save("m.bbm")
    packed = bbans.compress(DATA, model)
    write("a")
    for words in (["-m", "m.bbm"], ["-mm.bbm"], ["--model=m.bbm"]):
        assert ok("-c", *words, "a") == packed
        assert ok("-dc", *words, stdin=packed) == DATA
    line = fails("-d", stdin=packed)[0]
    assert line.startswith("standard input: data was compressed with model ")
    assert line.endswith(f"{model.fingerprint.hex()}, say it with -m")
    monkeypatch.setenv("BBANS_MODEL", "m.bbm")
    assert ok("-c", "a") == packed
    assert ok("-d", stdin=packed) == ok("-d", stdin=PACKED) == DATA
    assert ok("-t", stdin=packed) == b""
    english = bbans.compress(DATA, bbans.default_model())
    assert ok("-cm", "english", "a") == english  # -m counts more
    assert ok("-dc", stdin=english) == DATA
    assert table(ok("-lq", stdin=english))[0][5] == "model"
    monkeypatch.setenv("BBANS_MODEL", "missing.bbm")
    missing = ["missing.bbm: No such file or directory"]
    assert fails("a") == fails("-d", stdin=packed) == missing
    assert ok("-d", stdin=PACKED) == DATA  # needs none
    with monkeypatch.context() as short:
        short.setattr("bbans.cli.options.MODEL_BYTES_MAX", 1000)
        assert fails("-m", "/dev/zero", "a") == [
            "/dev/zero: is too long for a model file"
        ]
    monkeypatch.setenv("BBANS_MODEL", "")
    assert ok("-c", "a") == PACKED
    assert fails("-m", "a", "a") == [
        "a: not a model file: it does not start with its magic"
    ]
    byte_hmm(2, seed=3).freeze().save("other.bbm")
    text = fails("-dcm", "other.bbm", stdin=packed)[0]
    assert "not with model" in text
    assert text.startswith("standard input: ")


def test_files_under_a_model_come_back_to_the_byte(ok):
    """Arrays too, header and all."""
    byte_hmm(2).freeze().save("m.bbm")
    np.save("x.npy", np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4)))
    whole = read("x.npy")
    ok("--rm", "-m", "m.bbm", "x.npy")
    ok("-d", "-m", "m.bbm", "x.npy.bbz")
    assert read("x.npy") == whole


def test_a_model_that_cannot_code_a_file(fails):
    random_hmm(2, "ab").save("ab.bbm")
    write("good", b"abba")
    write("bad", b"abc")
    lines = fails("-m", "ab.bbm", "bad", "good")
    assert len(lines) == 1
    assert lines[0].startswith("bad: ")
    assert names() == ["ab.bbm", "bad", "good", "good.bbz"]


def test_an_array_whose_bytes_a_model_cannot_code(ok, fails):
    random_hmm(2, [0, 1, 2]).save("small.bbm")
    array = np.array([[0, 2], [1, 0]])
    np.save("x.npy", array)
    (line,) = fails("-m", "small.bbm", "x.npy")
    assert line.startswith("x.npy: symbol 147 at position 0 is not in ")
    assert "`bbans compress -m` codes the array" in line
    ok("compress", "-m", "small.bbm", "x.npy")  # as it says
    ok("-dfm", "small.bbm", "x.npy.bbz")
    assert (np.load("x.npy") == array).all()


def test_a_record_file_is_not_restored_but_unpacked(fails):
    write("app.bbr")
    (line,) = fails("-d", "app.bbr")
    assert line.endswith("skipped; `bbans unpack` restores a record file")


# ---- words


def test_a_first_word_that_is_a_command(ok, fails, bbans_):
    write("compress")
    write("info", PACKED)
    assert ok("compress", "compress", "-o", "-") == PACKED
    assert b"bbans container of bytes" in ok("info", "info")
    for words in (["--", "compress"], ["./compress"], ["-k", "compress"]):
        ok("-f", *words)
        assert read("compress.bbz") == PACKED
        os.unlink("compress.bbz")
    ok("--", "compress")
    assert names() == ["compress", "compress.bbz", "info"]
    for command in shell_module.COMMANDS:
        code, out, _ = bbans_(command, "--help")
        assert code == 0
        assert out.startswith(f"usage: bbans {command}".encode())


def test_help_and_version(ok):
    text = ok("--help").decode()
    assert text == ok("-h").decode()
    assert text.startswith("usage: bbans [OPTION ...] [FILE ...]\n")
    for command, about in shell_module.COMMANDS.items():
        assert f"  {command:12} {about}\n" in text
    assert max(map(len, text.splitlines())) < 80
    assert ok("--version") == ok("-V") == f"bbans {bbans.__version__}\n".encode()


@pytest.mark.parametrize(
    "words",
    [["--nonsense"], ["-x"], ["-0", "a"], ["--decomp", "a"], ["-o"], ["-T"],
     ["a", "-z"], ["-cx", "a"], ["-m"]],
)  # fmt: skip
def test_wrong_usage(words, fails):
    write("a")
    assert "usage: bbans [OPTION ...] [FILE ...]" in fails(*words, code=2)[0]
    assert names() == ["a"]


def test_odd_names(ok, fails):
    odd = ["-d", "--rm", " ", "two\nlines", "-9", os.fsdecode(b"\xff"), "a b", "*"]
    for name in odd:
        write(name)
    ok("-1", "--", *odd)
    assert names() == sorted(odd + [f"{name}.bbz" for name in odd])
    for name in odd:
        os.unlink(name)
    ok("-d", "--", *[f"{name}.bbz" for name in odd])
    assert [read(name) for name in odd] == [DATA] * len(odd)
    ok("-t", "./--rm.bbz")
    assert fails("two\nlines.") == ["two\\nlines.: No such file or directory"]
    assert fails("\x1b[31m") == ["\\x1b[31m: No such file or directory"]
    assert fails(os.fsdecode(b"\xff.")) == ["\\xff.: No such file or directory"]
    assert fails("") == ["'': No such file or directory"]


FLAGS = {
    "c": "--stdout", "d": "--decompress", "f": "--force", "k": "--keep",
    "q": "--quiet", "v": "--verbose", "r": "--recursive",
}  # fmt: skip


@pytest.mark.parametrize("flags", [*itertools.combinations(FLAGS, 3)])
def test_flags_are_combined_in_any_order(flags, bbans_):
    """Letters together, letters apart and names do the same."""
    write("a")
    write("b.bbz", PACKED)
    done = []
    for words in (
        ["-" + "".join(flags)],
        ["-" + "".join(flags[::-1])],
        [f"-{flag}" for flag in flags],
        [FLAGS[flag] for flag in flags],
    ):
        result = bbans_(*words, "a", "b.bbz")
        files = {name: read(name) for name in names()}
        done.append((result, files))
        for name in {*files} - {"a", "b.bbz"}:
            os.unlink(name)
    assert all(one == done[0] for one in done)
    (code, out, error), files = done[0]
    if "d" not in flags:
        assert code == 0
        written = {*files} - {"a", "b.bbz"}
        expected = {"a.bbz"} | ({"b.bbz.bbz"} if "f" in flags else set())
        assert written == (set() if "c" in flags else expected)
    elif {"c", "f"} <= {*flags}:
        assert (code, out) == (0, DATA * 2)
    else:
        assert code == 1
    assert ("v" in flags and "q" not in flags) <= (error != "")


# ---- errors


def test_errors_do_not_stop_it(fails):
    write("a")
    write("b.bbz", b"broken")
    write("c.bbz", PACKED)
    os.mkfifo("fifo")
    lines = fails("missing", "fifo", "a", "b.bbz", "-q")
    assert lines == ["missing: No such file or directory"]
    assert read("a.bbz") == PACKED
    lines = fails("-d", "b.bbz", "c.bbz", "missing.bbz")
    assert lines[0].startswith("b.bbz: not a bbans container")
    assert lines[1] == "missing.bbz: No such file or directory"
    assert read("c") == DATA


def test_what_is_no_regular_file(fails, ok):
    write("a")
    os.mkfifo("fifo")
    assert fails("fifo") == ["fifo: is no regular file: skipped"]
    assert fails("/dev/null") == ["/dev/null: is no regular file: skipped"]
    assert ok("-c", "/dev/null") == bbans.compress(b"")
    assert fails("a", "-o", "missing/x") == ["missing/x: No such file or directory"]
    assert ok("/dev/stdin", stdin=DATA) == PACKED


def test_an_output_that_is_read(fails):
    write("a")
    byte_hmm(1).freeze().save("m.bbm")
    before = read("m.bbm")
    assert "is a file that is read" in fails("-fm", "m.bbm", "a", "-o", "m.bbm")[0]
    assert read("m.bbm") == before


def test_no_memory(fails, monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("bbans.api.compress_file", full)
    assert fails(write("a")) == ["a: not enough memory"]
    assert names() == ["a"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o440, 0o755])
def test_mode_and_time(mode, ok):
    write("a", DATA, mode)
    os.utime("a", ns=(TIME, TIME))
    ok("a")
    os.unlink("a")
    ok("-d", "a.bbz")
    for name in ("a", "a.bbz"):
        status = os.stat(name)
        assert (status.st_mode & 0o777, status.st_mtime_ns) == (mode, TIME)


# ---- concatenation


def test_files_one_behind_the_other(ok, fails):
    bbans.save("array.bbz", np.arange(3, dtype="u1"))
    parts = [DATA, OTHER, b"", b"last"]
    packed = [bbans.compress(part, level=1) for part in parts]
    packed.append(bbans.compress("text \u00e9 ", bbans.default_model()))
    packed.append(bbans.compress("\ud800"))
    whole = b"".join(parts) + "text \u00e9 \ud800".encode("utf-8", "surrogatepass")
    blob = b"".join(packed)
    write("all.bbz", blob)
    assert ok("-d", stdin=blob) == ok("-dc", "all.bbz") == whole
    assert ok("-t", "all.bbz") == b""
    assert ok("decompress", "all.bbz", "-o", "-") == whole
    assert table(ok("-lq", "all.bbz"))[0][3:5] == ["5", "bytes"]
    assert b"parts:        6" in ok("info", "all.bbz")
    assert bbans.decompress(blob) == whole
    write("mixed.bbz", PACKED + read("array.bbz"))
    assert "part 1 is an array of uint8, which cannot be joined" in fails(
        "-t", "mixed.bbz"
    )[0]  # fmt: skip
    write("tail.bbz", PACKED + b"no container")
    assert "followed by other data" in fails("-t", "tail.bbz")[0]
    damaged = bytearray(blob)
    damaged[len(packed[0]) + len(packed[1]) // 2] ^= 1
    write("damaged.bbz", damaged)
    assert "of part 1 is damaged" in fails("-t", "damaged.bbz")[0]


def test_salvage_of_files_one_behind_the_other(bbans_):
    packed = [bbans.compress(part, level=1) for part in (DATA, OTHER, DATA)]
    damaged = bytearray(b"".join(packed))
    damaged[len(packed[0]) + len(packed[1]) // 2] ^= 1
    write("a.bbz", damaged)
    code, out, error = bbans_("decompress", "--salvage", "a.bbz", "-o", "-")
    assert (code, out) == (1, DATA * 2)
    assert "block 0 of part 1 is damaged" in error


# ---- processes


def test_cat_and_pipes(ok):
    write("a", OTHER * 2000)
    write("b")
    line = 'cat <("$@" -1c a) <("$@" < b) | "$@" -d | cmp - <(cat a b)'
    done = subprocess.run(
        ["bash", "-c", line, "-", *PYTHON], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stream_takes_little_memory():
    """However long it is, with two threads and numpy."""
    script = (
        "import sys; from _bbans_start import main; code = main(); "
        "print(open('/proc/self/status').read(), file=sys.stderr); sys.exit(code)"
    )
    data = (OTHER * 4000 + os.urandom(3_000_000)) * 10
    for words, stdin in ((["-1"], data), (["-d"], bbans.compress(data, level=1))):
        done = subprocess.run(
            [sys.executable, "-c", script, "-T2", *words],
            input=stdin, capture_output=True, check=True,
        )  # fmt: skip
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stderr.decode())
        assert int(peak) < 100_000


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["-l", "a.bbz"], ["-V"]])
def test_what_starts_without_numpy(words):
    write("a.bbz", PACKED)
    code = (
        "import sys; from _bbans_start import main; sys.argv[1:] = sys.argv[1:]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *{'numpy', 'tqdm', 'concurrent.futures', 'shutil'} "
        "& {*sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, check=True
    )
    assert done.stdout
    assert done.stderr.split() == [b"loaded:"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["-c", "a", "b"], ["-dc", "a.bbz"], ["-l", "a.bbz"]])
def test_a_full_disk(words):
    write("a")
    write("b")
    write("a.bbz", PACKED)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PYTHON, "--rm", *words], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr == b"bbans: standard output: No space left on device\n"
    assert names() == ["a", "a.bbz", "b"]


@pytest.mark.parametrize(
    ("words", "closed", "code"),
    [
        (["a", "b"], "0", 0), (["a", "b"], "012", 0), (["-c", "a"], "1", 1),
        (["-d", "x.bbz"], "01", 0), (["-l", "x.bbz"], "1", 1), (["-v", "a"], "2", 0),
        (["missing", "a"], "2", 1), ([], "0", 1), (["-d"], "0", 1),
    ],
)  # fmt: skip
def test_closed_streams(words, closed, code):
    write("a")
    write("b")
    write("x.bbz", PACKED)
    redirections = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {redirections}', "-", *PYTHON, *words],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""
    assert (read("a"), read("b"), read("x.bbz")) == (DATA, DATA, PACKED)
    if "a" in words and "-c" not in words:
        assert read("a.bbz") == PACKED


def test_a_reader_that_goes_away():
    noise = os.urandom(300_000)
    write("a", noise)
    with subprocess.Popen(
        [*PYTHON, "-c", "a", "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.read(4) == PACKED[:4]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("words", [["-o", "out"], ["--rm", "fifo", "-o", "out"]])
def test_signals_leave_nothing(name, words):
    number = getattr(signal, name)
    os.mkfifo("fifo")
    with subprocess.Popen(
        [*PYTHON, "-1", *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        feed = open("fifo", "wb") if "fifo" in words else process.stdin  # noqa: SIM115
        feed.write(os.urandom(70_000))
        feed.flush()
        while not [name for name in os.listdir() if name.startswith(".bbans-")]:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == -number
        assert process.stderr.read() == b""
        if feed is not process.stdin:
            feed.close()
    assert names() == ["fifo"]


def at_a_terminal(words, stdin, stdout):
    """Run where these are a terminal; the exit code, and what appeared there."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PYTHON, *words],
            stdin=slave if stdin else subprocess.DEVNULL,
            stdout=slave if stdout else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        os.close(slave)
        error = process.stderr.read().decode()
        code = process.wait(60)
        try:
            shown = os.read(master, 100_000)
        except OSError:  # nothing was written
            shown = b""
    finally:
        os.close(master)
    return code, shown, error


def test_terminals():
    write("a")
    write("a.bbz", PACKED)
    code, _, error = at_a_terminal([], True, False)
    assert code == 2
    assert "error: stdin is a terminal: say FILE" in error
    code, shown, error = at_a_terminal(["-c", "a"], False, True)
    assert (code, shown) == (1, b"")
    assert error == (
        "bbans: standard output: a terminal takes no compressed data: -f writes it, "
        "-o OUT a file\n"
    )
    code, shown, error = at_a_terminal(["-cf", "a"], False, True)
    assert (code, error) == (0, "")
    assert shown.startswith(PACKED[:4])
    code, shown, error = at_a_terminal(["-dc", "a.bbz"], False, True)
    assert (code, error) == (0, "")
    assert shown.replace(b"\r\n", b"\n") == DATA


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_appears_after_a_second(quiet, monkeypatch):
    from bbans.cli import streams

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    clock = iter([0.0, 0.5, 2.0, 3.0])
    monkeypatch.setattr(streams, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", Terminal())
    with streams.progress_bar(None, quiet) as update:
        if quiet:
            assert update is None
            return
        update(1000)
        assert sys.stderr.getvalue() == ""
        update(500)
        assert "1.50k" in sys.stderr.getvalue()
        update(500)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with streams.progress_bar(None, False) as update:
        assert update is None
