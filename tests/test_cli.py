"""The command line, run as users run it."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from shared import (
    HEADS,
    byte_hmm,
    random_deep_ssm,
    random_observations,
    random_vae,
)

import bbans
from bbans.cli.main import main

PYTHON = [sys.executable, "-m", "bbans"]
COMMANDS = [
    "demo", "train", "compress", "decompress", "pack", "unpack", "get", "info",
    "export",
]  # fmt: skip
DATA = b"It was the best of times, it was the worst of times.\n" * 20


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def other_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "other.bbm"
    byte_hmm(2).freeze().save(path)
    return str(path)


def run(*arguments, stdin=b"", **options):
    """Run bbans; stdout and stderr are pipes, so there is no terminal."""
    options.setdefault("timeout", 60)
    return subprocess.run(
        [*PYTHON, *arguments], input=stdin, capture_output=True, **options
    )


def passes(*arguments, stdin=b"", **options):
    done = run(*arguments, stdin=stdin, **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def fails(*arguments, stdin=b"", code=1, **options):
    """The text of the error: one line, no traceback; the files stay as they are."""
    before = listing()
    done = run(*arguments, stdin=stdin, **options)
    text = done.stderr.decode()
    assert done.returncode == code, text
    assert "Traceback" not in text
    if code == 1:
        assert text.startswith("bbans: "), text
        assert text.count("\n") == 1, text
        assert text.endswith("\n")
    assert listing() == before
    return text


def listing():
    return {
        str(path): path.read_bytes() if os.access(path, os.R_OK) else None
        for path in Path().rglob("*")
        if path.is_file()
    }


def write(name, data=DATA):
    Path(name).write_bytes(data)
    return name


def damaged():
    """A container of blocks of 100 bytes, of which block 5 is damaged."""
    packed = bytearray(bbans.compress(DATA, bbans.default_model(), block_size=100))
    packed[packed.index(bbans.encode(DATA[500:600], bbans.default_model()))] ^= 1
    return bytes(packed)


# ---- help and usage


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help(command):
    text = passes(*([command] if command else []), "--help").decode()
    assert text.startswith(f"usage: bbans {command or ''}".rstrip())
    for name in COMMANDS if command is None else []:
        assert name in text
    has_progress = command not in ("unpack", "get", "info", "export")
    assert ("--quiet" in text) == has_progress


def test_version_of_the_script():
    script = Path(sysconfig.get_path("scripts")) / "bbans"
    text = subprocess.check_output([script, "--version"], text=True)
    assert text == f"bbans {bbans.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["compress", "a", "b"],
        ["compress", "--block-size", "many", "a"],
        ["train", "a"],
        ["info"],
    ],
)
def test_wrong_usage(arguments):
    assert "usage: bbans" in fails(*arguments, code=2)


# ---- compress and decompress


def test_there_and_back(other_model):
    write("book.txt")
    for model in ([], ["-m", other_model]):
        assert passes("compress", *model, "book.txt") == b""
        assert Path("book.txt").read_bytes() == DATA  # the source stays
        Path("book.txt").unlink()
        assert passes("decompress", *model, "book.txt.bbz") == b""
        assert Path("book.txt").read_bytes() == DATA
        Path("book.txt.bbz").unlink()
    assert sorted(listing()) == ["book.txt"]


def test_the_file_is_as_the_library_writes_it():
    write("a")
    passes("compress", "a", "-o", "b", "--block-size", "99")
    assert Path("b").read_bytes() == bbans.compress(DATA, block_size=99)


@pytest.mark.parametrize("dash", [["-"], []])
def test_pipes(dash):
    packed = passes("compress", *dash, stdin=DATA)
    assert packed == bbans.compress(DATA)
    assert passes("decompress", *dash, stdin=packed) == DATA


def test_to_and_from_standard_output():
    write("a")
    write("a.bbz", passes("compress", "a", "-o", "-"))
    assert passes("decompress", "a.bbz", "-o", "-") == DATA
    assert passes("compress", "-", "-o", "b", stdin=DATA) == b""
    assert Path("b").read_bytes() == Path("a.bbz").read_bytes()


def test_an_empty_file():
    write("empty", b"")
    passes("compress", "empty")
    assert passes("decompress", "empty.bbz", "-o", "-") == b""


def test_a_new_file_has_the_usual_permissions():
    passes("compress", "-", "-o", "a.bbz", stdin=DATA, umask=0o027)
    assert Path("a.bbz").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("command", "source", "target"),
    [("compress", "a", "a.bbz"), ("decompress", "b.bbz", "b")],
)
def test_an_existing_file_is_replaced_only_by_force(command, source, target):
    write(source, DATA if command == "compress" else bbans.compress(DATA))
    write(target, b"old")
    Path(target).chmod(0o600)
    assert f"{target}: exists: -f replaces it" in fails(command, source)
    passes(command, "--force", source)
    expected = DATA if command == "decompress" else bbans.compress(DATA)
    assert Path(target).read_bytes() == expected
    assert Path(target).stat().st_mode == Path(source).stat().st_mode


def test_the_target_of_a_link_is_replaced_not_the_link(tmp_path):
    (tmp_path / "in").write_bytes(b"link")
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    run("compress", tmp_path / "in", "-o", tmp_path / "link", "-f")
    assert (tmp_path / "link").is_symlink()
    out = run("decompress", tmp_path / "target", "-o", "-").stdout
    assert out == b"link"


def test_what_is_no_regular_file_is_written_to_not_replaced():
    """--force -o /dev/null must not put a file where the device was."""
    write("a")
    os.mkfifo("pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE) as reader:
        done = run("compress", "a", "--force", "-o", "pipe")
        if not Path("pipe").is_fifo() or done.returncode:
            reader.kill()  # nobody will write to it
        got = reader.communicate()[0]
    assert Path("pipe").is_fifo()
    assert got == bbans.compress(DATA) or done.returncode == 1


def test_in_place():
    write("a")
    passes("compress", "a", "--force", "-o", "a")
    assert Path("a").read_bytes() == bbans.compress(DATA)


def test_file_names_with_odd_bytes():
    name = os.fsdecode(b"-\xff\xc3\xa9 \n")
    write(name)
    passes("compress", "--", name)
    passes("decompress", "--force", "--", name + ".bbz")
    assert Path(name).read_bytes() == DATA
    fails("info", "--", name)


def test_a_long_file_name():
    name = "n" * 251  # with .bbz as long as most file systems take
    write(name)
    passes("compress", name)
    assert Path(name + ".bbz").is_file()


# ---- errors


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["compress", "missing"], "missing: No such file"),
        (["compress", "."], "Is a directory"),
        (["compress", "a", "-m", "missing.bbm"], "missing.bbm: No such file"),
        (["compress", "a", "-m", "."], "Is a directory"),
        (["compress", "a", "-m", "a"], "not a model file"),
        (["compress", "a", "-m", "a.bbz", "-o", "x"], "not a model file"),
        (["compress", "a", "--block-size", "0", "-o", "x"], "block_size must"),
        (["decompress", "missing.bbz"], "missing.bbz: No such file"),
        (["decompress", "a", "-o", "x"], "not a bbans container"),
        (["decompress", "a"], ".bbz"),
        (["decompress", "a.bbz", "-m", "a.bbz", "-o", "x"], "not a model file"),
        (["info", "missing"], "missing: No such file"),
        (["info", "."], "Is a directory"),
        (["info", "a"], "not a bbans container"),
        (["train", "missing", "-o", "x"], "missing: No such file"),
        (["train", "empty", "-o", "x"], "no data"),
        (["train", "a", "-o", "x", "--states", "0"], "n_states"),
        (["train", "a", "-o", "x", "--iterations", "-1"], "n_iter"),
        (["train", "a", "-o", "x", "--seed", "-1"], "seed"),
    ],
)
def test_errors_take_one_line(arguments, text):
    write("a")
    write("empty", b"")
    write("a.bbz", bbans.compress(DATA))
    assert text in fails(*arguments)


def test_the_error_of_an_output_names_the_output():
    write("a")
    assert "missing/x: " in fails("compress", "a", "-o", "missing/x")
    Path("dir").mkdir()
    assert "dir" in fails("compress", "a", "--force", "-o", "dir")


@pytest.mark.parametrize("wrong", [["-o", "missing/x"], ["-o", "x", "--prec", "40"]])
def test_a_wrong_output_is_noticed_before_training(wrong):
    write("a", DATA * 100)
    long = ["--states", "64", "--iterations", "300"]  # minutes
    fails("train", "a", *wrong, *long, timeout=5)


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may do anything")
def test_permissions():
    write("secret")
    Path("secret").chmod(0)
    assert "secret: Permission denied" in fails("compress", "secret")
    write("a")
    Path("locked").mkdir(mode=0o500)
    assert "Permission denied" in fails("compress", "a", "-o", "locked/x")


def test_another_model(other_model):
    model = byte_hmm(2, seed=7).freeze()
    write("a.bbz", bbans.compress(DATA, model))
    text = fails("decompress", "-m", other_model, "a.bbz")
    assert model.fingerprint.hex() in text
    assert bbans.load_model(other_model).fingerprint.hex() in text
    text = fails("decompress", "a.bbz")
    assert f"with model {model.fingerprint.hex()}, say it with -m" in text


def test_the_model_that_bbans_has():
    write("a")
    passes("compress", "-m", "english", "a")
    assert Path("a.bbz").read_bytes() == bbans.compress(DATA, bbans.default_model())
    assert passes("decompress", "a.bbz", "-o", "-") == DATA
    assert passes("decompress", "-m", "english", "a.bbz", "-o", "-") == DATA


def test_levels():
    write("a", DATA * 9)
    for level in (1, 5, 9):
        passes("compress", f"-{level}", "-f", "a")
        assert Path("a.bbz").read_bytes() == bbans.compress(DATA * 9, level=level)
    passes("compress", "-f", "a")
    assert Path("a.bbz").read_bytes() == bbans.compress(DATA * 9)
    help = passes("compress", "--help").decode()
    assert "-1 to -9, by default -5" in " ".join(help.split())
    assert "usage" in fails("compress", "-10", "a", code=2)


def test_decompress_opens_all_that_compress_writes():
    parts = [bbans.compress(DATA, m) for m in (None, bbans.default_model())]
    write("a.bbz", b"".join(parts))
    assert passes("decompress", "a.bbz", "-o", "-") == DATA * 2
    assert "2" in passes("info", "a.bbz").decode()


def test_a_model_given_as_container(other_model):
    assert "not a bbans container" in fails("decompress", other_model, "-o", "x")


@pytest.mark.parametrize("command", ["decompress", "info"])
def test_damage(command):
    output = ["-o", "old", "--force"] if command == "decompress" else []
    write("old", b"old")
    write("a.bbz", damaged())
    assert "damaged" in fails(command, "a.bbz", *output)
    write("a.bbz", bbans.compress(DATA)[:-3])
    assert "ends early" in fails(command, "a.bbz", *output)
    assert Path("old").read_bytes() == b"old"


def test_salvage_leaves_damaged_blocks_out():
    write("a.bbz", damaged())
    done = run("decompress", "--salvage", "a.bbz")
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert "block 5 " in lines[0]
    assert len(lines) == 1
    assert Path("a").read_bytes() == DATA[:500] + DATA[600:]


def test_salvage_of_a_cut_file_keeps_what_came_before():
    packed = bbans.compress(DATA, block_size=100)
    write("a.bbz", packed[: len(packed) // 2])
    done = run("decompress", "--salvage", "a.bbz")
    assert done.returncode == 1
    assert b"ends early" in done.stderr
    kept = Path("a").read_bytes()
    assert len(kept) >= 100
    assert DATA.startswith(kept)


def test_salvage_without_damage():
    write("a.bbz", bbans.compress(DATA))
    passes("decompress", "--salvage", "a.bbz")
    assert Path("a").read_bytes() == DATA


# ---- pipes that close, disks that fill, terminals


def test_a_reader_that_goes_away():
    write("a.bbz", bbans.compress(DATA * 200))
    with subprocess.Popen(
        [*PYTHON, "decompress", "a.bbz", "-o", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.read(10) == DATA[:10]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk():
    write("a")
    write("a.bbz", bbans.compress(DATA))
    for arguments in (["compress", "a", "-o", "-"], ["info", "a.bbz"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*PYTHON, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60
            )
        assert done.returncode == 1
        assert done.stderr == b"bbans: standard output: No space left on device\n"


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_at_a_terminal_only_the_bar_is_on_stderr(quiet):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [*PYTHON, "compress", *quiet, "-"],
            input=DATA, stdout=subprocess.PIPE, stderr=slave, timeout=60,
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(master, False)
        try:
            text = os.read(master, 10000)
        except OSError:  # nothing was written
            text = b""
    finally:
        os.close(master)
    assert done.returncode == 0
    assert done.stdout == bbans.compress(DATA)
    assert text.strip() == b""  # it took less than a second


# ---- info


def test_info_on_a_container():
    packed = bbans.compress(DATA, bbans.default_model(), block_size=100)
    facts = passes("info", "-", stdin=packed).decode()
    for fact in (
        "bytes", "model", bbans.default_model().fingerprint.hex(),
        str(len(DATA)), "11", str(len(packed)),
    ):  # fmt: skip
        assert fact in facts
    assert passes("info", write("a.bbz", packed)).decode() == facts


def test_info_on_arrays_of_any_shape():
    for array, shape in (([[1, 2, 3]], "1 x 3"), (7, "scalar")):
        facts = passes("info", "-", stdin=bbans.compress(array)).decode()
        assert "int64" in facts
        assert shape in facts
    assert b"bits/element" not in passes("info", "-", stdin=bbans.compress(b""))


def test_info_on_a_model(other_model):
    facts = passes("info", other_model).decode()
    assert bbans.load_model(other_model).fingerprint.hex() in facts
    assert "256" in facts
    assert "24 bits" in facts


def test_info_on_a_damaged_model(other_model):
    data = Path(other_model).read_bytes()
    assert "damaged" in fails("info", "-", stdin=data[:-1] + b"\0")
    assert "has 2091 bytes of 2100" in fails("info", "-", stdin=data[:-9])


def test_info_on_a_network():
    vectors = Path(__file__).parent / "vectors" / "network_v1.json"
    case = json.loads(vectors.read_text())["cases"][0]
    network = bbans.FrozenNetwork.from_bytes(bytes.fromhex(case["file"]))
    facts = passes("info", "-", stdin=network.to_bytes()).decode()
    assert network.fingerprint.hex() in facts
    assert "7 of -32768 .. 32767" in facts
    assert "damaged" in fails("info", "-", stdin=network.to_bytes()[:-1] + b"\0")


# ---- train


def test_train_and_use():
    write("a")
    write("b", b"It is a far, far better thing that I do.\n")
    options = ["--states", "3", "--iterations", "3", "--prec", "16", "--seed", "5"]
    text = passes("train", "a", "-", *options, "-o", "m.bbm", stdin=DATA).decode()
    assert "m.bbm" in text
    assert "bits/byte" in text
    model = bbans.load_model("m.bbm")
    assert (model.n_states, model.n_symbols, model.prec) == (3, 256, 16)
    assert model == bbans.HMM.fit([DATA, DATA], 3, n_iter=3, seed=5).freeze(16)
    passes("compress", "-m", "m.bbm", "b")
    restored = passes("decompress", "-m", "m.bbm", "b.bbz", "-o", "-")
    assert restored == Path("b").read_bytes()
    assert "model" in fails("decompress", "b.bbz", "-o", "-")


def test_train_an_autoregressive_model():
    write("a")
    options = ["--states", "2", "--order", "2", "--model-size", "2000", "--quiet"]
    long = ["--save-float", "m.npz", "-o", "m.bbm"]
    passes("train", "a", *options, "--iterations", "3", *long)
    model = bbans.load_model("m.bbm")
    assert model == bbans.ARHMM.load("m.npz").freeze()
    short = ["--iterations", "3", "--predictive", "-o", "p.bbm"]
    passes("train", "a", *options, *short)
    assert bbans.load_model("p.bbm") == model.with_mode("predictive") != model
    assert re.search(
        r"data: +bytes\nmode: +predictive\n", passes("info", "p.bbm").decode()
    )
    passes("compress", "-m", "p.bbm", "a")
    assert passes("decompress", "-m", "p.bbm", "a.bbz", "-o", "-") == DATA
    fitted = bbans.ARHMM.fit([DATA], 2, order=2, max_bytes=2000, n_iter=3)
    assert model == fitted.freeze()
    assert b"of up to 2 symbols" in passes("info", "m.bbm")
    passes("compress", "-f", "-m", "m.bbm", "a")
    assert passes("decompress", "-m", "m.bbm", "a.bbz", "-o", "-") == DATA
    assert "order must be" in fails("train", "a", "--order", "17", "-o", "n.bbm")
    assert "0 to 16, or" in fails("train", "a", "--order", "all", "-o", "n.bbm", code=2)
    limits = fails("train", "a", "--order", "auto", "--prec", "25", "-o", "n.bbm")
    assert "8 to 24" in limits
    write("b", b"a line that is much like others\n" * 100)
    lines = ["--order", "auto", "--lines", "--ends", "--model-size", "8K", "--quiet"]
    passes("train", "b", *lines, "-o", "b.bbm")
    assert Path("b.bbm").stat().st_size <= 8192
    found = bbans.load_model("b.bbm")
    assert found.n_states == 16
    assert found.ends


def test_train_a_hierarchical_model():
    write("a")
    options = ["--levels", "3,2", "--iterations", "3", "--seed", "5", "--prec", "16"]
    text = passes("train", "a", *options, "-o", "m.bbm", "--save-float", "m.npz")
    assert b"bits/byte" in text
    model = bbans.load_model("m.bbm")
    fitted = bbans.HierarchicalHMM.fit([DATA], [3, 2], n_iter=3, seed=5)
    assert model == fitted.freeze(16) == bbans.HierarchicalHMM.load("m.npz").freeze(16)
    passes("compress", "-m", "m.bbm", "a")
    assert passes("decompress", "-m", "m.bbm", "a.bbz", "-o", "-") == DATA
    assert model.fingerprint.hex() in passes("info", "m.bbm").decode()
    for levels, wrong in (
        ("1,0", "n_states"),
        ("65,64", "joint"),
        ("2," * 8 + "2", "8"),
    ):
        assert wrong in fails("train", "a", "--levels", levels, "-o", "n.bbm")
    assert "no list" in fails("train", "a", "--levels", "8x8", "-o", "n.bbm", code=2)


def test_train_does_not_replace_what_it_reads():
    write("a")
    assert "a" in fails("train", "a", "-o", "a", "--states", "1", "--iterations", "1")


def test_train_on_lines_quietly():
    write("a", b"one\ntwo\n\nthree")
    options = ["--states", "2", "--iterations", "2", "--lines", "--quiet"]
    text = passes("train", "a", *options, "-o", "m.bbm", "--save-float", "m.npz")
    assert text == b""
    lines = [b"one\n", b"two\n", b"\n", b"three"]
    expected = bbans.HMM.fit(lines, 2, n_iter=2)
    assert bbans.load_model("m.bbm") == expected.freeze()
    assert (bbans.HMM.load("m.npz").emission == expected.emission).all()
    assert sorted(listing()) == ["a", "m.bbm", "m.npz"]


def test_train_on_records_of_text():
    arhmm = partial(bbans.ARHMM.fit, order=2, max_bytes=256_000)
    write("a", "one wörd\r\n\ntwo".encode())
    lines = ["one wörd\r", "", "two"]
    text = bbans.Alphabet.utf8()
    for extra, fit, size in (
        (["--states", "2"], bbans.HMM.fit, 2),
        (["--levels", "2,2"], bbans.HierarchicalHMM.fit, [2, 2]),
        (["--states", "2", "--order", "2"], arhmm, 2),
    ):
        options = [*extra, "--iterations", "2", "--lines", "--ends", "--text", "-q"]
        passes("train", "a", *options, "-f", "-o", "m.bbm")
        model = bbans.load_model("m.bbm")
        expected = fit(lines, size, n_iter=2, alphabet=text, ends=True)
        assert model == expected.freeze()
    data = "日本, not in the training data\n".encode() * 9
    write("b", data)
    passes("compress", "-f", "-m", "m.bbm", "b")
    assert passes("decompress", "-m", "m.bbm", "b.bbz", "-o", "-") == data
    info = passes("info", "m.bbm").decode()
    assert re.search(r"ends: +the last symbol", info)
    assert re.search(r"data: +text in UTF-8\n", info)
    write("c", b"abc\xff")
    fault = fails("compress", "-m", "m.bbm", "c")
    assert "byte 0xff at position 3 is none: take a model of bytes" in fault
    fault = fails("train", "c", "--text", "-o", "n.bbm")
    assert "c: --text needs UTF-8, and byte 0xff at position 3 is none" in fault
    assert "n.bbm" not in listing()


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("3", "3")])
def test_blas_has_one_thread_unless_told(given, threads):
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    if given is not None:
        environment["OPENBLAS_NUM_THREADS"] = given
    code = "import os, _bbans_start; print(os.environ['OPENBLAS_NUM_THREADS'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode().split() == [threads]


# ---- demo


def test_demo():
    pytest.importorskip("matplotlib")
    text = passes("demo", "--iterations", "1", "-o", "figure.png").decode()
    assert "random HMM" in text
    assert "English text" in text
    assert "every message was decoded and compared" in text
    assert text.count("16384") == 2
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(listing()) == ["figure.png"]


def test_demo_without_matplotlib():
    Path("matplotlib").mkdir()
    write("matplotlib/__init__.py", b"raise ImportError('not here')\n")
    # More than is trained on, and a little to compress.
    write("text", "Gr\u00fc\u00dfe aus der Ferne. ".encode() * 300)
    done = run("demo", "--iterations", "1", "--text", "text")
    assert done.returncode == 0
    assert b"English" in done.stdout
    assert done.stderr.count(b"\n") == 1
    assert b"matplotlib" in done.stderr
    assert not list(Path().glob("*.png"))


def test_options_of_the_demos():
    for arguments in (["vae", "--text", "x"], ["--images", "3"], ["--data", "."]):
        assert "does not go with" in fails("demo", *arguments, code=2)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"too short", "6231"),
        (b"\xff" * 7000, "UTF-8"),
    ],
)
def test_demo_on_a_wrong_text(data, text):
    write("text", data)
    assert text.lower() in fails("demo", "--text", "text").lower()


def test_demo_on_a_text_of_one_character():
    """It has no information content, so there is no ratio; and no traceback."""
    write("text", b"a" * 7000)
    done = run("demo", "--iterations", "1", "--text", "text", "-o", "figure.png")
    assert b"Traceback" not in done.stderr


def test_linear_gaussian_models(directory):
    """Training, compressing and restoring files of integers."""
    x = (np.sin(np.arange(3000) * 0.1)[:, None] * [900, 400]).astype("<i2")
    write("signal.raw", x.tobytes())
    shown = passes(
        "train", "--latents", "2", "--channels", "2", "--type", "int16", "-o",
        "s.bbm", "--iterations", "3", "--noise", "laplace", "signal.raw",
    )  # fmt: skip
    assert b"2 latent, 2 observed" in shown
    passes("compress", "-m", "s.bbm", "--type", "int16", "signal.raw")
    passes("decompress", "-m", "s.bbm", "signal.raw.bbz", "-o", "again.raw")
    assert Path("again.raw").read_bytes() == x.tobytes()
    assert len(Path("signal.raw.bbz").read_bytes()) < x.nbytes / 2
    info = passes("info", "s.bbm").decode()
    for line in ("frozen linear Gaussian", "laplace", "latents:", "iconoclasm"):
        assert line in info
    assert "int16" in passes("info", "signal.raw.bbz").decode()
    write("odd", b"12345")
    assert "rows of 4 bytes" in fails(
        "train", "--latents", "1", "--channels", "2", "--type", "int16", "-o",
        "t.bbm", "odd",
    )  # fmt: skip
    fails("train", "--latents", "0", "-o", "t.bbm", "signal.raw")
    fails("compress", "-m", "s.bbm", "--type", "int16", "odd")
    assert "rows of 2" in fails("compress", "-m", "s.bbm", "odd")
    assert "hidden Markov models, not a linear" in fails("export", "s.bbm")
    assert "model has 2 observed dimensions" in fails(
        "compress", "-m", "s.bbm", "--type", "int16", "--channels", "3", "signal.raw",
        code=2,
    )  # fmt: skip
    passes("compress", "-f", "-m", "s.bbm", "--type", "int16", "--channels", "2",
           "signal.raw")  # fmt: skip


def test_hidden_markov_models_of_vectors(directory):
    """Training, compressing and restoring files of integers."""
    model = bbans.MultivariateGaussianHMM(
        [0.5, 0.5], [[0.95, 0.05], [0.05, 0.95]], [[0, 0], [300, -300]],
        [[[9, 0], [0, 9]], [[90, 60], [60, 90]]],
    )  # fmt: skip
    x = model.sample(2000, seed=0)[0].astype("<i2")
    write("signal.raw", x.tobytes())
    shown = passes(
        "train", "--gaussian", "--states", "2", "--channels", "2", "--type", "int16",
        "-o", "s.bbm", "--save-float", "s.npz", "--iterations", "9", "signal.raw",
    )  # fmt: skip
    assert b"2 states, 2 channels, full covariances" in shown
    assert b"bits/row" in shown
    assert bbans.MultivariateGaussianHMM.load("s.npz").freeze() == bbans.load_model(
        "s.bbm"
    )
    passes("compress", "-m", "s.bbm", "--type", "int16", "signal.raw")
    passes("decompress", "-m", "s.bbm", "signal.raw.bbz", "-o", "again.raw")
    assert Path("again.raw").read_bytes() == x.tobytes()
    rate = model.information_content(x) / 8
    assert rate < Path("signal.raw.bbz").stat().st_size < 1.02 * rate + 100
    info = passes("info", "s.bbm").decode()
    for line in ("hidden Markov model of vectors", "channels:", "iconoclasm"):
        assert line in info
    passes(
        "train", "--gaussian", "--covariance", "diag", "--predictive", "-o", "d.bbm",
        "--iterations", "2", "signal.raw",
    )  # fmt: skip
    info = passes("info", "d.bbm").decode()
    assert "predictive" in info
    assert "diagonal" in info
    for wrong in (["--covariance", "round"], ["--states", "65"], ["--channels", "65"]):
        fails("train", "--gaussian", *wrong, "-o", "o.bbm", "signal.raw")


def test_latent_trees(directory):
    """Training, compressing and restoring tables of bytes and of wider integers."""
    kind = np.random.default_rng(0).integers(0, 4, 2000)
    x = np.stack([kind, kind // 2, 3 - kind], axis=1)
    for dtype, extra in (("u1", []), ("<i2", ["--type", "int16"])):
        write("table.raw", x.astype(dtype).tobytes())
        shown = passes(
            "train", "--tree", "4", "--channels", "3", *extra, "--iterations", "5",
            "--predictive", "--save-float", "t.npz", "-f", "-o", "t.bbm", "table.raw",
        )  # fmt: skip
        assert b"4 states" in shown
        assert b"bits/row" in shown
        assert bbans.LatentTree.load("t.npz").sizes == (4, 4, 4)
        assert "predictive" in passes("info", "t.bbm").decode()
        passes("compress", "-f", "-m", "t.bbm", *extra, "table.raw")
        passes("decompress", "-m", "t.bbm", "table.raw.bbz", "-f", "-o", "again.raw")
        assert Path("again.raw").read_bytes() == Path("table.raw").read_bytes()
        # 2 bits a row, and the container
        assert Path("table.raw.bbz").stat().st_size < 2000 * 2.1 / 8 + 100
    write("odd", b"1234")
    assert "rows of 3 bytes" in fails(
        "train", "--tree", "2", "--channels", "3", "-o", "o.bbm", "odd"
    )
    fails("train", "--tree", "0", "-o", "o.bbm", "odd")
    fails("train", "--tree", "2", "--iterations", "0", "-o", "o.bbm", "odd")


@pytest.mark.parametrize(("options", "text"), [
    (["--type", "int16"], "--type needs --latents or --gaussian or --tree"),
    (["--channels", "1"], "--channels needs --latents or --gaussian or --tree"),
    (["--tree", "2", "--latents", "1"], "--tree does not go with --latents"),
    (["--tree", "2", "--noise", "laplace"], "--noise does not go with --tree"),
    (["--tree", "2", "--states", "64"], "--states does not go with --tree"),
    (["--noise", "laplace"], "--noise needs --latents"),
    (["--levels", "2,2", "--states", "64"], "--states does not go with --levels"),
    (["--levels", "2,2", "--order", "0"], "--order does not go with --levels"),
    (["--levels", "2,2", "--latents", "1"], "--levels does not go with --latents"),
    (["--model-size", "200000"], "--model-size needs --order"),
    (["--model-size", "9", "--order", "0"], "--model-size needs --order"),
    (["--mixing", "--states", "4"], "--states does not go with --mixing"),
    (["--mixing", "--tree", "4"], "--mixing does not go with --tree"),
    (["--latents", "1", "--order", "0"], "--order does not go with --latents"),
    (["--latents", "1", "--states", "64"], "--states does not go with --latents"),
    (["--latents", "1", "--prec", "24"], "--prec does not go with --latents"),
    (["--latents", "1", "--seed", "0"], "--seed does not go with --latents"),
    (["--latents", "1", "--model-size", "9"], "--model-size does not go with"),
    (["--latents", "1", "--lines"], "--lines does not go with --latents"),
    (["--latents", "1", "--text"], "--text does not go with --latents"),
    (["--covariance", "diag"], "--covariance needs --gaussian"),
    (["--gaussian", "--order", "2"], "--order does not go with --gaussian"),
    (["--gaussian", "--tree", "2"], "--tree does not go with --gaussian"),
    (["--ends"], "--ends needs --lines"),
])  # fmt: skip
def test_train_refuses_options_that_would_do_nothing(options, text):
    write("data")
    message = fails("train", "data", "-o", "m.bbm", *options, code=2)
    assert text in message
    assert "usage: bbans train" in message


def test_compress_refuses_channels_that_would_do_nothing(other_model):
    write("data")
    message = fails("compress", "--channels", "1", "data", code=2)
    assert "--channels needs --type" in message
    assert "usage: bbans compress" in message
    message = fails(
        "compress", "-m", other_model, "--type", "uint8", "--channels", "2", "data",
        code=2,
    )  # fmt: skip
    assert "--channels 2 conflicts with -m" in message
    assert "has 1 observed dimension\n" in message
    passes("compress", "-m", other_model, "--type", "uint8", "--channels", "1", "data")


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_the_file_is_stdin_by_default(command):
    assert "default -, stdin" in " ".join(passes(command, "--help").decode().split())


def test_arrays_with_their_headers():
    """Images in a .npy file, under a model of images."""
    images = random_observations(HEADS[0], 90, seed=1).astype(np.uint8)
    frozen = random_vae(HEADS[0], [3], seed=0).freeze(images)
    frozen.save("model.bbm")
    facts = passes("info", "model.bbm").decode()
    for text in ("variational autoencoder", "1, markov", "6 of 0 .. 1", "bernoulli"):
        assert text in facts
    np.save("images.npy", images.reshape(90, 2, 3))
    whole = Path("images.npy").read_bytes()
    passes("compress", "-m", "model.bbm", "images.npy")
    assert "90 x 2 x 3" in passes("info", "images.npy.bbz").decode()
    passes("decompress", "-m", "model.bbm", "images.npy.bbz", "-o", "again.npy")
    assert Path("again.npy").read_bytes() == whole
    passes("decompress", "-m", "model.bbm", "images.npy.bbz", "-o", "bare")
    assert Path("bare").read_bytes() == images.tobytes()
    # Without a model its bytes are coded, header and all.
    passes("compress", "images.npy", "-o", "bytes.npy.bbz")
    passes("decompress", "bytes.npy.bbz")
    assert Path("bytes.npy").read_bytes() == whole
    assert "--type" in fails("compress", "--type", "int8", "images.npy", code=2)
    write("text.npy", b"no array")
    assert "no array (.npy)" in fails("compress", "-m", "model.bbm", "text.npy")
    np.save("wide.npy", images.reshape(108, 5))
    text = fails("compress", "-m", "model.bbm", "wide.npy")
    assert "an array of shape (108, 5) has no rows of 6" in text


def test_floats(directory):
    """Bare floats of any type, and their arrays in .npy files."""
    x = np.round(np.random.default_rng(0).normal(size=(1000, 3)).cumsum(0), 2)
    bits = x.astype("<f4").view("<u4") >> 16  # bfloat16, which numpy does not have
    for name, data in [
        ("float16", x.astype("<f2")),
        ("float32be", x.astype(">f4")),
        ("float64", x.astype("<f8")),
        ("bfloat16", bits.astype("<u2")),
        ("float8_e5m2", (x.astype("<f2").view("<u2") >> 8).astype("u1")),
    ]:
        write("x", data.tobytes())
        passes("compress", "-f", "--type", name, "--channels", "3", "x")
        facts = passes("info", "x.bbz").decode()
        assert name.removesuffix("be") in facts
        assert ("big-endian" in facts) == name.endswith("be")
        assert "1000 x 3" in facts
        assert "1 floats" in facts
        assert passes("decompress", "x.bbz", "-o", "-") == data.tobytes()
    assert Path("x.bbz").stat().st_size < data.nbytes
    for name in ("bfloat16be", "float8_e4m3fnbe", "float128", "float"):
        assert "is no type" in fails("compress", "-f", "--type", name, "x", code=2)
    fails("compress", "-f", "--type", "float64", write("odd", b"1234567"))
    np.save("x.npy", x)
    passes("compress", "x.npy")
    assert "bytes of float64" in passes("info", "x.npy.bbz").decode()
    assert passes("decompress", "x.npy.bbz", "-o", "-") == Path("x.npy").read_bytes()
    bbans.save("array.bbz", x)
    passes("decompress", "array.bbz", "-o", "array.npy")
    assert np.load("array.npy").tobytes() == x.tobytes()
    text = fails("compress", "-f", "-m", "english", "--type", "float64", "x")
    assert "a model codes integers" in text


def test_info_on_a_deep_state_space_model():
    observations = random_observations(HEADS[2], 40, seed=1)
    model = random_deep_ssm(HEADS[2], 2, 3, seed=0).freeze(observations)
    data = model.to_bytes()
    facts = passes("info", write("model.bbm", data)).decode()
    for text in (
        "deep state space model",
        "4 of -20 .. 300",
        "mixture of 2 (logistic)",
    ):
        assert text in facts
    assert model.fingerprint.hex() in facts
    for n in (30, 60, len(data) - 1):
        assert "of" in fails("info", write("model.bbm", data[:n]))
    assert "followed by other data" in fails("info", write("model.bbm", data + b"x"))


def test_an_argument_that_no_name_can_have_is_refused(capsys):
    assert main(["compress", "a\0b"]) == 1
    assert "NUL" in capsys.readouterr().err
