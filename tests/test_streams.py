"""The command line on streams and files of every kind: nothing lost, nothing added."""

import contextlib
import errno
import io
import os
import signal
import stat
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest
from shared import byte_hmm

import bbans
from bbans import api
from bbans.cli import main as program
from bbans.frozen import FrozenModel

fcntl = pytest.importorskip("fcntl", reason="needs POSIX")
termios = pytest.importorskip("termios", reason="needs POSIX")

PYTHON = [sys.executable, "-m", "bbans"]
SCRIPT = [str(Path(sysconfig.get_path("scripts")) / "bbans")]
DATA = b"It was the best of times, it was the worst of times.\n" * 20
NOISE = os.urandom(200_000)  # several times what a pipe holds, also compressed
LITTLE = ["--states", "1", "--iterations", "1"]


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


def write(name, data=DATA, mode=0o644):
    path = Path(name)
    path.write_bytes(data)
    path.chmod(mode)
    return name


def mode_of(name):
    return stat.S_IMODE(os.stat(name).st_mode)


def main(*arguments):
    """The command line in this process: the exit code."""
    try:
        return program.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


# ---- non-blocking pipes


def slowly(arguments, data):
    """Run bbans between pipes that do not block; give and take in parts.

    Each part is written when the one before has been read, so that bbans finds
    nothing; and nothing is read until all is written, so that it finds no room.
    """
    (source, feed), (drain, sink) = os.pipe(), os.pipe()
    os.set_blocking(source, False)
    os.set_blocking(sink, False)
    with subprocess.Popen(
        [*PYTHON, *arguments], stdin=source, stdout=sink, stderr=subprocess.PIPE
    ) as process:
        os.close(sink)

        def run():
            waiting = bytearray(4)
            with open(feed, "wb", 0) as file:
                for start in range(0, len(data), 1 + len(data) // 3):
                    part = data[start : start + 1 + len(data) // 3]
                    while part:
                        part = part[file.write(part) :]
                    while process.poll() is None:
                        fcntl.ioctl(source, termios.FIONREAD, waiting)
                        if not any(waiting):
                            break
                        time.sleep(0.01)
                    time.sleep(0.05)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.3)
        with open(drain, "rb") as file:
            out = file.read()
        thread.join()
        os.close(source)
        error = process.stderr.read()
    return out, error, process.returncode


def test_compress_and_decompress_on_non_blocking_pipes():
    packed = bbans.compress(NOISE)
    assert slowly(["compress", "-"], NOISE) == (packed, b"", 0)
    assert slowly(["decompress", "/dev/stdin"], packed) == (NOISE, b"", 0)


def test_signals_on_non_blocking_pipes():
    data = NOISE[:6000]
    packed, error, code = slowly(["compress", "--type", "int16"], data)
    assert (error, code) == (b"", 0)
    assert slowly(["decompress"], packed) == (data, b"", 0)


def test_info_on_a_non_blocking_pipe(capsys):
    write("a.bbz", bbans.compress(NOISE))
    assert main("info", "a.bbz") == 0
    expected = capsys.readouterr().out.encode()
    assert slowly(["info", "-"], Path("a.bbz").read_bytes()) == (expected, b"", 0)


def test_train_on_non_blocking_pipes():
    model, error, code = slowly(["train", "-", "-o", "-", "-q", *LITTLE], NOISE)
    assert (error, code) == (b"", 0)
    expected = bbans.HMM.fit([NOISE], 1, n_iter=1).freeze()
    assert FrozenModel.from_bytes(model) == expected


def test_a_model_from_a_non_blocking_pipe():
    model = byte_hmm(64).freeze()
    write("a")
    out, error, code = slowly(
        ["compress", "-m", "/dev/stdin", "a", "-o", "-"], model.to_bytes()
    )
    assert (error, code) == (b"", 0)
    assert bbans.decompress(out, model) == DATA


# ---- closed streams

CLOSED = ["0", "1", "2", "01", "02", "12", "012"]
# Runs commands, and notes their exit codes. What writes to the number of standard
# error, as C code may, must hit no other file.
DRIVER = """
import os, sys
from bbans import api
from bbans.cli.main import main
compress_file = api.compress_file
def noisy(*arguments, **options):
    try:
        os.write(2, b"noise")
    except OSError:
        pass
    compress_file(*arguments, **options)
api.compress_file = noisy
codes = []
for line in sys.argv[1:]:
    try:
        codes.append(main(line.split()))
    except SystemExit as end:
        codes.append(end.code)
with open("codes", "w") as file:
    file.write(repr(codes))
"""


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_streams(closed):
    """In every combination: named files work, standard output has data only."""
    packed = bytearray(bbans.compress(DATA, bbans.default_model(), block_size=100))
    packed[packed.index(bbans.encode(DATA[500:600], bbans.default_model()))] ^= 1
    write("a")
    write("bad.bbz", packed)
    lines = [
        "compress a -o a.bbz",
        "compress nonesuch -o x",
        "compress --nonsense",
        "compress a b -o x",
        "train a -q -o m.bbm " + " ".join(LITTLE),
        "decompress --salvage bad.bbz -o -",
        "compress - -o b.bbz",
        "info bad.bbz",
    ]
    redirections = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        [
            *("bash", "-c", f'exec "$@" {redirections}', "-"),
            *(sys.executable, "-c", DRIVER, *lines),
        ],
        input=DATA,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    no_input = "0" in closed
    assert Path("codes").read_text() == str([0, 1, 2, 2, 0, 1, int(no_input), 1])
    salvaged = DATA[:500] + DATA[600:]
    assert done.stdout == (b"" if "1" in closed else salvaged)
    assert Path("a.bbz").read_bytes() == bbans.compress(DATA)
    assert Path("b.bbz").exists() == (not no_input)
    assert Path("a").read_bytes() == DATA
    assert Path("bad.bbz").read_bytes() == packed
    assert (b"block 5 is damaged" in done.stderr) == ("2" not in closed)


@pytest.mark.parametrize("arguments", [["--help"], ["compress", "-h"], ["--version"]])
@pytest.mark.parametrize("output", ["/dev/full", "&-"])
def test_help_that_nobody_gets_is_an_error(arguments, output):
    if output == "/dev/full" and not Path(output).exists():
        pytest.skip("needs /dev/full")
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" >{output}', "-", *PYTHON, *arguments],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"bbans: standard output: ")
    assert done.stderr.count(b"\n") == 1


def test_training_outlives_its_report(monkeypatch):
    """What was trained for hours is there, though the last line cannot be printed."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    write("a")
    with open("/dev/full", "w") as full, contextlib.redirect_stdout(full):
        assert main("train", "a", "-o", "m.bbm", *LITTLE) == 1
    bbans.load_model("m.bbm")
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "__stdout__", None)
    assert main("train", "a", "-f", "-o", "m.bbm", *LITTLE) == 0


# ---- full disks


def test_an_output_that_becomes_too_large(capsys):
    resource = pytest.importorskip("resource")
    write("a", NOISE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert main("compress", "a", "-o", "b") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert capsys.readouterr().err == f"bbans: b: {os.strerror(errno.EFBIG)}\n"
    assert os.listdir() == ["a"]


# ---- signals


def default_signals():
    for number in program.FATAL:
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"])
@pytest.mark.parametrize("ignored", [False, True])
def test_signals(name, ignored):
    """They end bbans as they end other programs, without a trace; or are ignored."""
    number = getattr(signal, name)

    def prepare():
        resource = pytest.importorskip("resource")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        default_signals()
        if ignored:  # as by nohup
            signal.signal(number, signal.SIG_IGN)

    with subprocess.Popen(
        [*PYTHON, "compress", "-", "-o", "out"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=prepare,
    ) as process:
        process.stdin.write(NOISE[:70_000])
        process.stdin.flush()
        while not os.listdir():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        error = process.communicate(timeout=60)[1]
    assert error == b""
    assert process.returncode == (0 if ignored else -number)
    assert os.listdir() == (["out"] if ignored else [])


@pytest.mark.parametrize("program", [PYTHON, SCRIPT])
def test_an_interrupt_of_the_imports_has_no_traceback(program, tmp_path):
    fake = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    write("numpy.py", fake.encode())
    done = subprocess.run(
        [*program, "-c"],
        input=DATA,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_the_package_itself_leaves_interrupts_alone():
    code = (
        "import signal; from bbans.cli.main import main; main(['info', 'x']); "
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler; "
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_an_interrupt_of_a_caller_is_the_callers(monkeypatch):
    """Within another program the exception comes through, and the file goes."""
    write("a")

    def interrupt(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(api, "compress_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        main("compress", "a")
    assert os.listdir() == ["a"]


# ---- output onto input


def onto(line):
    done = subprocess.run(
        ["bash", "-c", line, "-", *PYTHON], capture_output=True, timeout=60
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    "line",
    [
        'exec "$@" compress - < a >> a',
        'exec "$@" compress - < a 1<> a',
        'exec "$@" compress a -o - >> b',
        'exec "$@" decompress a.bbz -o /dev/stdout >> a.bbz',
        'exec "$@" train a - -o - < /dev/null >> a',
    ],
)
def test_standard_output_that_is_also_read(line):
    write("a")
    write("a.bbz", bbans.compress(DATA))
    os.link("a", "b")
    code, error = onto(line)
    assert code == 1
    assert "standard output is a file that is read" in error
    assert Path("a").read_bytes() == DATA
    assert Path("a.bbz").read_bytes() == bbans.compress(DATA)


def test_the_null_device_may_be_both():
    with open("/dev/null", "r+b") as null:
        done = subprocess.run(
            [*PYTHON, "compress", "-"], stdin=null, stdout=null, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "a", "-f", "-o", "a"],
        ["train", "a", "-f", "-o", "m.bbm", "--save-float", "link"],
        ["compress", "a", "-f", "-m", "m.bbm", "-o", "m.bbm"],
        ["export", "m.bbm", "-f", "--c-header", "m.bbm"],
        ["demo", "--text", "a", "-o", "a"],
        ["compress", "fifo", "-o", "fifo"],
    ],
)
def test_force_does_not_replace_what_is_needed(arguments, capsys):
    write("a")
    byte_hmm(1).freeze(15).save("m.bbm")
    model = Path("m.bbm").read_bytes()
    os.symlink("a", "link")
    os.mkfifo("fifo")
    number = os.open("fifo", os.O_RDWR)  # so that opening it does not wait
    assert main(*arguments) == 1
    os.close(number)
    assert "is a file that is read: say another output" in capsys.readouterr().err
    assert Path("a").read_bytes() == DATA
    assert Path("m.bbm").read_bytes() == model


@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_a_file_may_be_compressed_in_place_by_another_name(make):
    write("a")
    make("a", "b")
    assert main("compress", "a", "-o", "b") == 1
    assert main("compress", "a", "-f", "-o", "b") == 0
    assert Path("b").read_bytes() == bbans.compress(DATA)
    assert Path("b").is_symlink() == (make is os.symlink)
    assert Path("a").read_bytes() == (DATA if make is os.link else bbans.compress(DATA))


# ---- what is no regular file


def test_no_file_is_made_beside_a_stream():
    write("a")
    done = subprocess.run(
        [*PYTHON, "compress", "/dev/stdin"], input=DATA, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, bbans.compress(DATA))
    code, error = onto('exec "$@" compress /dev/fd/3 3< a')
    assert code == 1
    assert "/dev/fd/3 is no regular file" in error
    assert not list(Path("/dev").glob("*.bbz"))
    code, error = onto('exec "$@" compress <(cat a) -o b')
    assert (code, error) == (0, "")
    assert Path("b").read_bytes() == bbans.compress(DATA)


def test_two_commands_without_force():
    write("a", b"a" * 1000)
    write("b", b"b" * 1000)
    running = [
        subprocess.Popen(
            [*PYTHON, "compress", name, "-o", "out"], stderr=subprocess.PIPE
        )
        for name in "ab"
    ]
    errors = [process.communicate(timeout=60)[1] for process in running]
    codes = [process.returncode for process in running]
    assert sorted(codes) == [0, 1]
    assert errors[codes.index(1)] == b"bbans: out: exists: -f replaces it\n"
    winner = Path("ab"[codes.index(0)]).read_bytes()
    assert bbans.decompress(Path("out").read_bytes()) == winner
    assert sorted(os.listdir()) == ["a", "b", "out"]


# ---- permissions and times

TIME = 1_000_000_000_123_456_000


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o440])
@pytest.mark.parametrize("type_", [[], ["--type", "int16"]])
def test_outputs_are_like_the_file(mode, type_):
    write("a", DATA, mode)
    os.utime("a", ns=(TIME, TIME))
    assert main("compress", *type_, "a") == 0
    write("b", b"old", 0o600 if mode == 0o644 else 0o644)
    assert main("decompress", "a.bbz", "-f", "-o", "b") == 0
    for name in ("a.bbz", "b"):
        assert mode_of(name) == mode
        assert os.stat(name).st_mtime_ns == TIME
    assert Path("b").read_bytes() == DATA


@pytest.mark.parametrize(
    ("modes", "expected"),
    [((0o644, 0o644), 0o644), ((0o644, 0o600), 0o600), ((0o444, 0o640), 0o640)],
)
def test_models_are_as_private_as_their_data(modes, expected):
    names = [write(f"data{n}", DATA, mode) for n, mode in enumerate(modes)]
    write("m.bbm", b"old", 0o644)
    outputs = ["-f", "-o", "m.bbm", "--save-float", "m.npz"]
    assert main("train", *names, "-q", *LITTLE, "--prec", "15", *outputs) == 0
    assert main("export", "m.bbm", "--c-header", "m.h") == 0
    assert [mode_of(name) for name in ("m.bbm", "m.npz", "m.h")] == [expected] * 3
    bbans.HMM.load("m.npz")


def test_train_keeps_the_float_model_that_exists(capsys):
    write("a")
    write("m.npz", b"old")
    long = ["--states", "64", "--iterations", "100000"]
    for name, text in (("m.npz", "m.npz: exists"), ("missing/m.npz", "missing/m.npz")):
        assert main("train", "a", "-o", "m.bbm", "--save-float", name, *long) == 1
        assert text in capsys.readouterr().err
    assert Path("m.npz").read_bytes() == b"old"
    assert sorted(os.listdir()) == ["a", "m.npz"]


# ---- mistakes

MISTAKES = [
    # arguments, exit code, words on standard error
    ("nonsense", 1, ["bbans: nonsense: No such file or directory\n"]),
    ("--nonsense compress a", 2, ["usage: bbans [OPT", "arguments: --nonsense\n"]),
    ("compress -0 a", 2, ["usage: bbans compress", "arguments: -0\n"]),
    ("decompress -9 a.bbz", 2, ["usage: bbans decompress", "arguments: -9\n"]),
    ("info -1 a.bbz", 2, ["usage: bbans info", "arguments: -1\n"]),
    ("train -9 a -o x", 2, ["usage: bbans train", "arguments: -9\n"]),
    ("export -9 m.bbm", 2, ["usage: bbans export", "arguments: -9\n"]),
    ("compress --best a", 2, ["usage: bbans compress", "arguments: --best\n"]),
    ("compress a b", 2, ["usage: bbans compress", "arguments: b\n"]),
    ("compress \x1b[31m \x1b[0m", 2, ["arguments: \\x1b[0m\n"]),
    ("compress --\x07", 2, ["arguments: --\\x07\n"]),
    ("compress -o", 2, ["usage: bbans compress", "-o/--output", "expected one"]),
    ("compress --block-size x a", 2, ["--block-size", "'x'"]),
    ("compress --block-size -5 a -o x", 2, ["--block-size", "expected one"]),
    ("compress --block-size=-5 a -o x", 1, ["--block-size -5: block_size must be"]),
    ("compress missing", 1, ["bbans: missing: No such file"]),
    ("compress .", 1, ["bbans: .: Is a directory"]),
    ("compress fifo", 1, ["bbans: fifo is no regular file", "say -o"]),
    ("decompress fifo.bbz", 1, ["bbans: fifo.bbz is no regular file", "say -o"]),
    ("compress \x1b[31m", 1, ["bbans: \\x1b[31m: No such file"]),
    ("compress two\nlines", 1, ["bbans: two\\nlines: No such file"]),
    ("compress \u202ea", 1, ["bbans: \\u202ea: No such file"]),
    ("compress a -o ", 1, ["bbans: '': No such file"]),
    ("compress a -o missing/x", 1, ["bbans: missing/x: No such file"]),
    ("compress a -o new/", 1, ["bbans: new/: No such file"]),
    ("compress a -o dir -f", 1, ["bbans: dir: Is a directory"]),
    ("compress a -o loop -f", 1, ["bbans: loop: Too many levels"]),
    ("compress a", 1, ["bbans: a.bbz: exists: -f replaces it"]),
    ("compress a -m a -o x", 1, ["bbans: a: not a model file"]),
    ("compress a -m dir -o x", 1, ["bbans: dir: Is a directory"]),
    ("compress --type int16 odd -o x", 1, ["bbans: odd: 5 bytes", "int16"]),
    ("decompress a", 1, ["bbans: a does not end in .bbz: say -o"]),
    ("decompress a -o x", 1, ["bbans: a: not a bbans container"]),
    ("decompress cut.bbz", 1, ["bbans: cut.bbz: ", "ends early"]),
    ("decompress --salvage cut.bbz -o x", 1, ["bbans: cut.bbz: ", "ends early"]),
    ("decompress b.bbz -m m.bbm -o x", 1, ["bbans: b.bbz: data was compressed with"]),
    ("info a", 1, ["bbans: a: not a bbans container"]),
    ("info cut.bbm", 1, ["bbans: cut.bbm: ", "bytes of"]),
    ("export a", 1, ["bbans: a: not a model file"]),
    ("train empty -o x", 1, ["bbans: empty: no data to train on"]),
    ("train a - - -o x", 1, ["standard input", "twice"]),
    ("train a -o x --save-float ./x", 2, ["--save-float", "--output"]),
    ("train a -o x --latents 65", 1, ["--latents 65: ", "1 to 64"]),
    ("train a -o x --latents 0", 1, ["--latents 0: ", "1 to 64"]),
    ("train a -o x --latents 1 --channels 65", 1, ["--channels 65: ", "1 to 64"]),
    ("train a -o x --states 0", 1, ["--states 0: n_states", "1 to 4096"]),
    ("train a -o x --states 4097", 1, ["--states 4097: ", "1 to 4096"]),
    ("train a -o x --order 17", 1, ["--order 17: ", "0 to 16"]),
    ("train a -o x --order 1 --model-size -1", 2, ["--model-size: "]),
    ("train a -o x --prec 7", 1, ["--prec 7: ", "8 to 28"]),
    ("train a -o x --prec 8 --states 257", 1, ["--prec 8: 257 states need 9 bits"]),
    ("train a -o x --iterations -1", 1, ["--iterations -1: n_iter", "at least 0"]),
    ("train a -o x --seed -1", 1, ["--seed -1: seed", "at least 0"]),
    ("demo --seed -1", 1, ["--seed -1: "]),
    ("demo --iterations -1", 1, ["--iterations -1: "]),
    ("demo --text missing", 1, ["bbans: missing: No such file"]),
]


@pytest.mark.parametrize(("line", "code", "words"), MISTAKES)
def test_mistakes(line, code, words, capsys, monkeypatch):
    write("a")
    write("a.bbz", bbans.compress(DATA))
    write("cut.bbz", bbans.compress(DATA)[:-3])
    write("odd", b"12345")
    write("empty", b"")
    os.mkdir("dir")
    os.mkfifo("fifo")
    os.mkfifo("fifo.bbz")
    os.symlink("loop", "loop")
    model = byte_hmm(1).freeze()
    model.save("m.bbm")
    write("b.bbz", bbans.compress(DATA, byte_hmm(1, seed=1).freeze()))
    write("cut.bbm", model.to_bytes()[:-3])
    for name in ("HMM", "ARHMM", "LGSSM"):  # nothing is trained
        if "twice" not in words:
            monkeypatch.setattr(getattr(bbans, name), "fit", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DATA)))
    before = sorted(os.listdir())
    assert main(*(line.split(" ") if line else [])) == code
    out, error = capsys.readouterr()
    assert out == ""
    for word in words:
        assert word in error
    assert error.endswith("\n")
    if code == 1:
        assert error.count("\n") == 1
    if "--salvage" not in line:
        assert sorted(os.listdir()) == before
