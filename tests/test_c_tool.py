"""The bbans in C: the bytes, options, texts and exit codes of the one in Python."""

import errno
import io
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from shared import (
    byte_hmm,
    random_hierarchy,
    random_hmm,
    random_lgssm,
    random_mixer,
    random_tree,
)

import bbans
from bbans.cli import main as program
from bbans.files import recognise
from bbans.formats.coders import ByteCoder, CodecCoder, ModelCoder, SignalCoder
from bbans.frozen import FrozenModel, FrozenTree

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
DATA = b"It was the best of times, it was the worst of times.\n" * 20
OTHER = bytes(range(256)) * 3
PACKED, OTHER_PACKED = bbans.compress(DATA), bbans.compress(OTHER)
TIME = 1_000_000_000_123_456_000
ENGLISH = ROOT / "bbans" / "data" / "english.bbm"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not (shutil.which("cc") and shutil.which("make")),
    reason="no C compiler, or no GNU make",
)


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("BBANS_MODEL", "BBANS_MODEL_PATH"):
        monkeypatch.delenv(name, raising=False)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


@pytest.fixture
def run(tool):
    """Runs it: the exit code, and what it wrote."""

    def run(*words, stdin=b"", **options):
        done = subprocess.run(
            [tool, *map(str, words)],
            input=stdin, capture_output=True, timeout=60, **options,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr.decode()

    return run


@pytest.fixture
def ok(run):
    """Runs it where nothing is to be said; returns what it wrote."""

    def ok(*words, stdin=b"", **options):
        code, out, error = run(*words, stdin=stdin, **options)
        assert (code, error) == (0, "")
        return out

    return ok


@pytest.fixture
def fails(run):
    """Runs it where something is wrong; returns the line about it."""

    def fails(*words, code=1, stdin=b"", **options):
        got, _, error = run(*words, stdin=stdin, **options)
        assert got == code, error
        lines = error.splitlines()
        assert len(lines) == code
        assert lines[-1].startswith("bbans: ")
        return lines[-1].removeprefix("bbans: ")

    return fails


def write(name, data=DATA, mode=0o644):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return name


def read(name):
    return Path(name).read_bytes()


def names():
    return sorted(str(path) for path in Path().rglob("*"))


def in_python(data, coder=None, level=5, block_size=None):
    """What Python makes of a file of bytes."""
    sink = io.BytesIO()
    if coder is None:
        coder = recognise.file_coder(data, "bytes", level)
    elif isinstance(coder, FrozenModel):
        coder = ModelCoder(coder, level)
    bbans.compress_file(io.BytesIO(data), sink, coder, block_size=block_size)
    return sink.getvalue()


# ---- the same bytes

TEXT = b"".join(b"%d: it was the age of wisdom %d\n" % (i, i * i) for i in range(300))


@pytest.mark.parametrize("level", range(1, 10))
def test_bytes_are_those_of_python(ok, level):
    rng = np.random.default_rng(level)
    noise = rng.integers(0, 256, 70_000, dtype=np.uint8).tobytes()
    for data in (b"", b"a", TEXT, noise[:300] if level > 2 else noise, DATA):
        packed = in_python(data, level=level)
        assert ok(f"-{level}", stdin=data) == packed
        assert ok("-d", stdin=packed) == data


def check_blocks(ok, level, size, lengths):
    whole = np.tile(np.arange(251, dtype=np.uint8), size // 100).tobytes()
    for n in lengths:
        packed = in_python(whole[:n], level=level)
        assert ok(f"-{level}", stdin=whole[:n]) == packed
        assert ok(f"-{level}", "-c", write("a", whole[:n])) == packed
        assert ok("-d", stdin=packed) == whole[:n]


@pytest.mark.parametrize("level", [1, 2])
def test_blocks_are_those_of_python(ok, level):
    """Of streams and files that end before, with and after a block."""
    size = 1 << 20
    check_blocks(ok, level, size, [size - 1, size, size + 1, 2 * size])


@pytest.mark.slow
def test_long_blocks_are_those_of_python(ok):
    size = 1 << 22
    check_blocks(ok, 3, size, [size + 1])


LETTERS = "\nab\u00e9\u20ac\U0001f600"
# Of every type that codes bytes or text, in both modes, with every kind of alphabet.
MODELS = {
    "english": bbans.default_model,
    "predictive": lambda: byte_hmm(3).freeze(predictive=True),
    "integers": lambda: random_hmm(3, 256, seed=1),
    "letters": lambda: random_hmm(3, bbans.Alphabet(LETTERS), seed=2),
    "utf8": lambda: random_hmm(2, bbans.Alphabet(256, "text"), seed=4),
    "arhmm": lambda: bbans.ARHMM.fit(TEXT, 2, order=2, n_iter=2).freeze(),
    "hierarchy": lambda: random_hierarchy((2, 3), 256, seed=5),
    "lgssm": lambda: random_lgssm(2, 1, 6).freeze(),
    "rows": lambda: random_lgssm(2, 3, 7).freeze(),
    "tree": lambda: random_tree(3, 2, (9, 256, 4), seed=8),
    "mixer": lambda: random_mixer(9),
    "text": bbans.text_model,
}


def data_for(model):
    """Bytes that it codes, of text more than a block; and a few."""
    rng = np.random.default_rng(0)
    if model.kind == "text":
        letters = LETTERS if model.alphabet.values is not None else "x\u00e9\U0001f600"
        text = "".join(rng.choice([*letters], 66_000))
        return text.encode(), text[:50].encode()
    if isinstance(model, FrozenTree):
        rows = rng.integers(0, [9, 256, 4], (900, 3)).astype(np.uint8)
    else:
        rows = rng.integers(0, 256, (900, model.width), dtype=np.uint8)
    return rows.tobytes(), rows[:60].tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_bytes_under_models_are_those_of_python(ok, name):
    model = MODELS[name]()
    model.save("model.bbm")
    long, short = data_for(model)
    for level, data in ((5, long), (1, short), (5, b"")):
        packed = in_python(data, model, level)
        assert ok(f"-{level}m", "model.bbm", stdin=data) == packed
        assert ok("-dm", "model.bbm", stdin=packed) == data


# ---- options, texts and exit codes are those of Python

SCENARIOS = """
a | -k a | -v a | -9v a | -1 -9 a | -91 a | a b | a -9 b -q | -- -a | ./-a | - | -c a
-c a b | -ca.bbz | a.bbz | -q a.bbz | -c a.bbz | -f a.bbz | -kf a b | empty -v
--rm a | --rm -k a | -k --rm -v a | --rm -c a | --rm -o out a | -o out a | -oout a
--output out a | --output=out a | -o - a | -o out a b | -o out -c a | -o out -t p.bbz
-o out -l p.bbz | -o old a | -fo old a | -o folder/out a | -o missing/out a
-o folder a | -o . a | old | -f old | --stdout a | --keep a | --force old
--quiet a.bbz | --verbose a | missing | missing a | folder | folder a | -r folder
-rv folder | -rq folder a | --recursive folder | -r folder/ | -rc folder
-r --rm folder | -rd folder | -rdv folder | -rt folder | -r missing | -rl folder/deep
-d p.bbz | -dk p.bbz | -dv p.bbz | -dvf p.bbz q.bbz | -d --rm -f p.bbz | -dc p.bbz
-dc p.bbz q.bbz | -dcv p.bbz | -d a | -dq a | -dc a | -dcf a | -dcf empty p.bbz a
-df a | -d missing.bbz | -d missing | -d .bbz | -d folder | -d junk.bbz p.bbz
-d cut.bbz | -do out p.bbz | -do out a | -do - p.bbz | -dfo q p.bbz | -d two.bbz
-dc two.bbz | -d behind.bbz | --decompress p.bbz | -t p.bbz | -tv p.bbz q.bbz | -t a
-t cut.bbz p.bbz | -t changed.bbz | -tq junk.bbz | --test p.bbz | -dt p.bbz
-td p.bbz | -tf a | -l p.bbz | -l p.bbz q.bbz | -lq p.bbz q.bbz | -l two.bbz e.bbz
-lv p.bbz | -l a | -l missing p.bbz | -ldt p.bbz | --list p.bbz | -l under.bbz
-l signal.bbz p.bbz | -l points.bbz p.bbz | -T0 a | -T 2 a | --threads=3 a
--threads 1 a | -T x a | -T -1 a | -T | -T1000000 a | -m english a | -menglish a
--model=english a | --model english -v a | -m nothing.bbm a | -m a a | -m folder a
-d under.bbz | -dm english under.bbz | -d other.bbz | -dm english other.bbz
-dm one.bbm -f other.bbz | -dm one.bbm under.bbz | -m one.bbm a
-tm one.bbm other.bbz | -m letters.bbm a | -m letters.bbm word | -m utf8.bbm b
-m utf8.bbm word | -x a | -0 a | --nope a | --nope=1 a | --rm=1 a | -5x a
--decompres p.bbz | -V | --version | -o | -m | --output | link | -f link | --rm link
-d link.bbz | -dc link.bbz | signal.bbz | -d signal.bbz | -dc codec.bbz | name\n
-v name\x1b[1m | -c /dev/null | /dev/null | -o /dev/null a | -d axis.bbz
-dco x p.bbz | --rm -fo a a | - - | -t p.bbz - -
"""
WORDS = [
    line.split()
    for line in SCENARIOS.replace("\n\n", "\n").replace("\n", " | ").split(" | ")
    if line.strip()
]


def test_a_list_waits_for_a_pipe_that_does_not_block(tool):
    write("a.bbz", PACKED)
    words = ["-lq", *["a.bbz"] * 3000]  # several times what a pipe holds
    drain, sink = os.pipe()
    os.set_blocking(sink, False)
    with subprocess.Popen([tool, *words], stdout=sink, stderr=sink) as process:
        os.close(sink)
        time.sleep(0.1)
        with open(drain, "rb") as file:
            lines = file.read().splitlines()
    assert process.returncode == 0
    assert len(lines) == 3000
    assert all(line.endswith(b"a.bbz") for line in lines)


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_a_link_to_nothing_is_followed(ok, force):
    write("a")
    os.mkdir("deep")
    os.symlink("deep/other", "link")
    os.symlink(os.path.abspath("target"), "deep/other")
    ok(*force, "a", "-o", "link")
    assert read("target") == PACKED
    assert os.path.islink("link")
    assert os.path.islink("deep/other")


def test_a_loop_of_links_stays(fails):
    write("a")
    os.symlink("loop", "loop")
    assert fails("-f", "a", "-o", "loop") == f"loop: {os.strerror(errno.ELOOP)}"
    assert os.path.islink("loop")


@pytest.mark.parametrize("closed", ["0", "1", "2", "01", "02", "12", "012"])
def test_closed_streams(tool, closed):
    """Named files work, and no file takes the number of a stream."""
    write("a")
    write("bad.bbz", PACKED[:-1])

    def run(*words):
        redirections = " ".join(f"{number}>&-" for number in closed)
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {redirections}', "-", tool, *words],
            input=DATA, capture_output=True, timeout=60,
        )  # fmt: skip

    assert run("-q", "a").returncode == 0
    assert read("a.bbz") == PACKED
    done = run("-qo", "b")
    assert done.returncode == int("0" in closed)
    assert Path("b").exists() == ("0" not in closed)
    for words in (["-dcq", "bad.bbz"], ["-dfqo", "a", "bad.bbz"], ["nonesuch"]):
        done = run(*words)
        assert done.returncode == 1
        assert (done.stderr == b"") == ("2" in closed)
        assert DATA.startswith(done.stdout)
    assert run("-qc", "a").returncode == int("1" in closed)
    assert read("a") == DATA
    assert read("bad.bbz") == PACKED[:-1]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with files of all sorts."""
    folder = tmp_path_factory.mktemp("files")
    one, letters = byte_hmm(2, seed=1).freeze(), random_hmm(2, bbans.Alphabet("ehl"))
    for name, data in {
        "a": DATA, "b": OTHER, "empty": b"", "-a": DATA, "old": b"before",
        "word": b"hello", "a.bbz": b"no container", ".bbz": PACKED, "p.bbz": PACKED,
        "q.bbz": OTHER_PACKED,
        "e.bbz": bbans.compress(b""), "junk.bbz": b"x" * 99, "cut.bbz": PACKED[:-9],
        "two.bbz": PACKED + OTHER_PACKED, "behind.bbz": PACKED + b"behind",
        "changed.bbz": PACKED[:40] + b"?" + PACKED[41:],
        "under.bbz": bbans.compress(DATA, bbans.default_model()),
        "other.bbz": bbans.compress(DATA, one),
        "signal.bbz": bbans.compress(np.arange(99, dtype=">i2")),
        "points.bbz": bbans.compress("ehl", random_hmm(2, bbans.Alphabet("ehl"))),
        "codec.bbz": bbans.compress(DATA, CodecCoder("mine", Mine())),
        "folder/x": DATA, "folder/y.bbz": PACKED, "folder/deep/z": OTHER,
        "folder/deep/w.bbz": OTHER_PACKED, "folder/A": DATA[:50],
        "name\n": DATA, "name\x1b[1m": DATA, "link.target": DATA,
    }.items():  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o640)
        os.utime(path, ns=(TIME, TIME))
    (folder / "link").symlink_to("link.target")
    (folder / "link.bbz").symlink_to("p.bbz")
    (folder / "folder" / "link").symlink_to("x")
    one.save(folder / "one.bbm")
    letters.save(folder / "letters.bbm")
    random_hmm(2, bbans.Alphabet.utf8()).save(folder / "utf8.bbm")
    return folder


class Mine:
    def encode(self, data):
        return data.tobytes()[:10]

    def decode(self, data, n):
        return np.zeros(n, np.uint8)


def tree():
    """All that is in this folder: contents, permissions and times."""
    found = {}
    for path in sorted(Path().rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        # Neither is that of a folder in which a file appears.
        kept = stat.S_ISDIR(status.st_mode) or status.st_mtime_ns
        found[str(path)] = data, status.st_mode, kept
    return found


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_the_same_as_in_python(run, files, words, monkeypatch, capsysbinary, directory):
    words = [word.replace("\\n", "\n").replace("\\x1b", "\x1b") for word in words]
    for name in ("python", "c"):
        shutil.copytree(files, directory / name, symlinks=True)
    monkeypatch.chdir(directory / "python")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DATA)))
    try:
        code = program.main(words)
    except SystemExit as end:
        code = end.code
    out, error = capsysbinary.readouterr()
    wanted = tree()
    monkeypatch.chdir(directory / "c")
    got = run(*words, stdin=DATA)
    assert got[0] == code, got[2]
    if code == 2:
        assert got[2].splitlines()[-1] == error.decode().splitlines()[-1]
    else:
        assert got[2].splitlines() == error.decode().splitlines()
    assert got[1] == out
    assert {k: v[0] for k, v in tree().items()} == {k: v[0] for k, v in wanted.items()}
    assert tree() == wanted


def test_help_names_the_options_that_there_are(ok, fails):
    """Those of Python, and no others; its usage is in the man page."""
    text = ok("--help").decode()
    assert text == ok("-h").decode()
    assert text.startswith("usage: bbans ")
    assert max(map(len, text.splitlines())) <= 80
    # An option begins a line, as -T, --threads N.
    line = re.compile(r"^ +(?:-(\w), )?--([a-z]+)(?: [A-Z]+)?  ", re.MULTILINE)
    found = {name: letter for letter, name in line.findall(text)}
    wanted = {
        name.removeprefix("--"): "".join(action.option_strings[:-1])[1:]
        for action in program.parser()._actions
        for name in action.option_strings
        if name.startswith("--")
    }
    assert found == wanted
    source = (CSRC / "tools" / "options.c").read_text()
    assert set(re.findall(r"\{(?:'\w'|0), \"(\w+)\"", source)) == set(found)
    for name in set(found) - {"help", "version"}:
        takes_one = name in ("output", "model", "threads")
        error = fails(f"--{name}", "--nope", code=2)
        assert error.endswith("one argument" if takes_one else ": --nope")
    assert fails("-x", code=2) == "error: unrecognized arguments: -x"
    assert ok("-V") == f"bbans {bbans.__version__}\n".encode()


# ---- files


def test_modes_times_and_owners_are_kept(ok):
    os.utime(write("a", mode=0o604), ns=(TIME, TIME))
    ok("a")
    os.unlink("a")
    ok("-d", "a.bbz")
    for name in ("a", "a.bbz"):
        status = os.stat(name)
        assert stat.S_IMODE(status.st_mode) == 0o604
        assert status.st_mtime_ns == TIME
    # Of a stream they are those of any new file; of a stream in place of a file too.
    os.umask(0o027)
    ok("-o", "new", stdin=DATA)
    assert stat.S_IMODE(os.stat("new").st_mode) == 0o640


def test_links_and_other_names_of_files(ok, tool):
    write("target", b"old")
    os.symlink("target", "out")
    ok("-fo", "out", write("a"))
    assert os.readlink("out") == "target"
    assert read("target") == PACKED
    ok("-fo", write("same"), "same")  # in place
    assert read("same") == PACKED
    with open("a.both", "w+b") as both:
        both.write(DATA)
        both.seek(0)
        text = "standard output: is a file that is read: say another output"
        done = subprocess.run(
            [tool, "-f"], stdin=both, stdout=both, stderr=subprocess.PIPE
        )
        assert (done.returncode, done.stderr) == (1, f"bbans: {text}\n".encode())
    assert read("a.both") == DATA


def test_models_are_found(ok, fails, tool, files, directory):
    alone = shutil.copy(tool, directory / "bbans")
    data = in_python(DATA, bbans.default_model())
    words = [alone, "-cm", "english", files / "a"]

    def found(**environment):
        done = subprocess.run(words, capture_output=True, env=environment)
        return done.returncode == 0 and done.stdout == data

    error = subprocess.run(words, capture_output=True).stderr
    assert error.startswith(b"bbans: english: this model is not where bbans is: ")
    assert found(BBANS_MODEL_PATH=f"/none::{ENGLISH.parent}:/")
    shutil.copy(ENGLISH, directory)
    assert found()
    (directory / "share" / "bbans").mkdir(parents=True)
    shutil.move(directory / "english.bbm", directory / "share" / "bbans")
    (directory / "bin").mkdir()
    words[0] = shutil.move(alone, directory / "bin")
    assert found()
    # The variable is what -m is by default, but not for what needs none.
    english = {**os.environ, "BBANS_MODEL": "english"}
    assert ok("-c", files / "a", env=english) == data
    assert ok("-dc", files / "p.bbz", env=english) == DATA
    assert ok("-c", files / "a", env={**english, "BBANS_MODEL": ""}) == PACKED
    assert "No such file" in fails("-c", files / "a", env={"BBANS_MODEL": "none.bbm"})


def test_damaged_models(fails, tool):
    plain = byte_hmm(2).freeze().to_bytes()
    packed = read(tool.parent / "text.bbm")
    for data, text in {
        b"": "model file ends early",
        b"x" * 99: "not a model file: it does not start with its magic",
        plain[:-1]: "model file ends early",
        plain[:50] + bytes([plain[50] ^ 1]) + plain[51:]: "model file is damaged",
        plain[:4] + b"\x63" + plain[5:]: "model file has a version or codes that this "
        "release does not know",
        packed[:900]: "model file is damaged",
    }.items():
        assert fails("-m", write("m.bbm", data), "-c", write("a")) == f"m.bbm: {text}"


# ---- what Python makes of arrays and of files that it recognises


def test_arrays_are_restored_as_their_elements(ok, fails):
    rng = np.random.default_rng(0)
    for dtype in ("u1", "<i2", ">i2", ">u4", "<i8", "<f4", ">f8", "?"):
        array = rng.integers(0, 2, (70, 3)).astype(dtype)
        for coder in (None, ByteCoder(), SignalCoder()):
            packed = bbans.compress(array, coder)
            assert ok("-d", stdin=packed) == array.tobytes()
            name = array.dtype.name
            assert f"  {name}  " in ok("-l", "-q", stdin=packed).decode()
    write("x.npy.bbz", packed)
    text = "x.npy.bbz: holds an array, of which bbans in Python makes a .npy file"
    assert fails("-d", "x.npy.bbz").startswith(text)
    assert ok("-dc", "x.npy.bbz") == array.tobytes()
    packed = bbans.compress(array, SignalCoder(axis=1))
    assert "bbans in Python restores it" in fails("-d", stdin=packed)


def test_files_that_python_recognises(ok, fails):
    array = np.cumsum(np.random.default_rng(0).integers(-9, 9, 3000)).astype("<i2")
    np.save("x.npy", array)
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(read("x.npy")), sink)
    write("y.npy.bbz", sink.getvalue())
    assert b"  pieces  " in ok("-lq", "y.npy.bbz")
    ok("-d", "y.npy.bbz")
    assert read("y.npy") == read("x.npy")
    text = "".join(f"{i},{i * i},{i % 7}\n" for i in range(3000)).encode()
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(text), sink)
    error = fails("-d", stdin=sink.getvalue())
    assert error == (
        "standard input: holds a table (.csv): bbans in Python restores it"
    )
    assert b"  pieces  " in ok("-lq", stdin=sink.getvalue())
    assert ok("-d", stdin=ok(stdin=text)) == text


def test_parts_of_all_sorts(ok, fails):
    hmm = random_hmm(2, bbans.Alphabet(LETTERS))
    hmm.save("m.bbm")
    parts = [
        bbans.compress(DATA), bbans.compress("\u00e9\u20ac", hmm), bbans.compress(b""),
        bbans.compress("\u00e9", bbans.default_model()), bbans.compress(OTHER, level=1),
    ]  # fmt: skip
    whole = DATA + "\u00e9\u20ac\u00e9".encode() + OTHER
    assert ok("-dm", "m.bbm", stdin=b"".join(parts)) == whole
    row = ok("-lq", stdin=b"".join(parts)).decode().split()
    assert row[1:6] == ["-", "-", "4", "bytes", "mixing+model+stored"]
    array = bbans.compress(np.arange(9))
    error = fails("-d", stdin=parts[0] + array)
    assert error == "standard input: part 1 cannot be joined to those before it"


# ---- what goes wrong


def test_a_full_disk_and_a_closed_output(fails, tool):
    big = write("big", os.urandom(1 << 20))
    packed = in_python(read(big), level=1)
    for words, data in (["-1"], read(big)), (["-d"], packed):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [tool, *words], input=data, stdout=full, stderr=subprocess.PIPE
            )
        assert done.returncode == 1
        assert done.stderr == b"bbans: standard output: No space left on device\n"
        closed = lambda: os.close(1)  # noqa: E731
        done = subprocess.run(
            [tool, *words], input=data, stderr=subprocess.PIPE, preexec_fn=closed
        )
        assert done.returncode == 1
        assert done.stderr == b"bbans: standard output: Bad file descriptor\n"
        done = subprocess.run(
            ["sh", "-c", '"$0" "$@" 2> error | true; cat error', tool, *words],
            input=data, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert done.stdout == b""
    assert fails("-1o", "/dev/full", big) == "/dev/full: No space left on device"
    assert "Bad file" in fails(preexec_fn=lambda: os.close(0))


def test_a_limit_of_a_file_is_an_error(ok, tool):
    """It does not end the program, which others would find unfinished."""
    write("big", os.urandom(1 << 20))
    write("small")
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 100; exec "$0" "$@"', tool, "-1", "big", "small"],
        stderr=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (1, b"bbans: big.bbz: File too large\n")
    assert names() == ["big", "small", "small.bbz"]


def test_nothing_unfinished_is_left(tool):
    """By an error, and by signals, after which others see that it was one."""
    write("cut.bbz", PACKED + OTHER_PACKED[:-3])
    assert subprocess.run([tool, "-dq", "cut.bbz"], stderr=subprocess.PIPE).returncode
    assert names() == ["cut.bbz"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with subprocess.Popen([tool, "-1o", "out"], stdin=subprocess.PIPE) as process:
            for _ in range(400):  # until there is one
                if len(names()) == 2:
                    break
                time.sleep(0.01)
            (name,) = set(names()) - {"cut.bbz"}
            assert re.fullmatch(r"\.bbans-[0-9a-f]{16}", name)
            assert stat.S_IMODE(os.stat(name).st_mode) == 0o644
            process.send_signal(number)
            assert process.wait(20) == -number
        assert names() == ["cut.bbz"]


def test_terminals(tool):
    """Take no compressed data, but by force; nothing is read from one by itself."""
    main, side = pty.openpty()
    try:
        for words, code, text in (
            (["-c", write("a")], 1, b"standard output: a terminal takes no compressed "
             b"data: -f writes it, -o OUT a file"),
            (["-dc", write("p.bbz", PACKED)], 0, b""),
            (["-cf", "a"], 0, b""),
        ):  # fmt: skip
            done = subprocess.run(
                [tool, *words], stdin=subprocess.DEVNULL, stdout=side,
                stderr=subprocess.PIPE,
            )  # fmt: skip
            assert done.returncode == code
            assert done.stderr == (b"bbans: " + text + b"\n") * bool(text)
        done = subprocess.run([tool], stdin=side, capture_output=True)
        assert done.returncode == 2
        assert b"stdin is a terminal: say FILE" in done.stderr
    finally:
        os.close(main)
        os.close(side)


def test_streams_take_little_memory(tool):
    """Of any length; and a file that claims much, and ends, takes none of it."""

    def kilobytes(script, *words):
        code = f"import os, resource, subprocess, sys\n{script}\n"
        code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, tool, *words],  # it counts, too
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return int(done.stdout)

    stream = "p = subprocess.Popen(sys.argv[1:], stdin=-1, stdout=subprocess.DEVNULL)\n"
    stream += "for _ in range(60): p.stdin.write(os.urandom(1 << 20))\n"
    stream += "p.stdin.close(); assert p.wait() == {}"
    assert kilobytes(stream.format(0), "-1") < 24_000
    write("claims", in_python(b"", level=1)[:11] + bytes([0x80, 0x80, 0x80, 8, 0]) * 2)
    whole = "assert subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode"
    assert kilobytes(whole, "-t", "claims") < 24_000


@pytest.mark.parametrize("kind", ["bytes", "mixing", "model", "array", "pieces"])
def test_any_damage_is_an_error(run, kind):
    data = TEXT[:400]
    packed = {
        "bytes": lambda: in_python(data, level=1),
        "mixing": lambda: in_python(data),
        "model": lambda: in_python(data, bbans.default_model()),
        "array": lambda: bbans.compress(np.arange(300, dtype=">i2").reshape(100, 3)),
        "pieces": lambda: read("wave.bbz"),
    }
    if kind == "pieces":
        np.save("x.npy", np.arange(300))
        with open("x.npy", "rb") as source, open("wave.bbz", "wb") as sink:
            bbans.compress_file(source, sink)
    good = packed[kind]()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(good), 12):
        for damaged in (
            good[:at], good[:at] + good[at + 1 :], good[:at] + b"\0" + good[at:],
            good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :],
        ):  # fmt: skip
            if damaged != good:
                code, _, error = run("-t", stdin=damaged)
                assert code == 1
                assert error.startswith("bbans: standard input: ")
                assert error.count("\n") == 1


def in_python_salvaged(data):
    """What Python restores, and what it says."""
    sink, errors = io.BytesIO(), []
    bbans.decompress_file(io.BytesIO(data), sink, salvage=errors.append)
    lines = [f"bbans: standard input: {error}" for error in errors]
    return int(bool(errors)), sink.getvalue(), lines


def test_what_is_salvaged_is_that_of_python(run, fails):
    """All other blocks, and a line for each that is lost."""
    good = bbans.compress(OTHER, ByteCoder(), block_size=200)
    good += bbans.compress(DATA, ByteCoder(), block_size=300)
    rng = np.random.default_rng(0)
    for at in sorted({*rng.integers(12, len(good), 15), 12, len(good) - 1}):
        for damaged in (
            good[:at], good[:at] + good[at + 1 :], good[:at] + b"\2" + good[at:],
            good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :],
        ):  # fmt: skip
            code, out, error = run("-dc", "--salvage", stdin=damaged)
            assert (code, out, error.splitlines()) == in_python_salvaged(damaged)
    write("x.bbz", good[:12] + b"\0" + good[13:])
    assert run("-d", "--salvage", "--rm", "x.bbz")[0] == 1
    assert read("x") == in_python_salvaged(read("x.bbz"))[1]
    assert fails("--salvage", "x.bbz", code=2) == "error: --salvage goes with -d or -t"
