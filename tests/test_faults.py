"""Faults of the machine: calls of the system that fail, programs that are killed, power
cuts, full disks. What was there stays whole until what is new is whole."""

import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from faults.acts import record
from faults.disk import Disk, states
from faults.machine import FAULTS, KILLED, TORN, Machine, calls_of, events_of
from shared import byte_hmm

import bbans

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="the shim needs Linux and a C compiler",
)

TEXT = b"It was the best of times, it was the worst of times.\n" * 40
NOISE = np.random.default_rng(0).bytes(70_000)  # of several writes
SIGNAL = np.arange(3000, dtype="<i2").tobytes()
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"))
    yield machine
    machine.close()


# ---- what is done under faults


class Act(NamedTuple):
    """Something that makes an output of inputs, or replaces one."""

    words: str
    inputs: dict[str, bytes]
    output: str
    old: bytes | None = None
    act: str = "command_line"
    stdin: str = "/dev/null"
    removes: str | None = None  # an input, when the output is there

    def prepare(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in self.inputs.items():
            (folder / name).write_bytes(content)
        if self.old is not None:
            (folder / self.output).write_bytes(self.old)

    def found(self, folder: Path) -> bytes | None:
        """The output."""
        path = folder / self.output
        return path.read_bytes() if path.exists() else None


PACKED = bbans.compress(TEXT)
MODEL = byte_hmm(2).freeze()
BOTH = {
    "compress": Act("-q1 a", {"a": NOISE}, "a.bbz"),
    "compress -f": Act("-qf a", {"a": TEXT}, "a.bbz", b"old"),
    "compress --rm": Act("-q --rm a", {"a": TEXT}, "a.bbz", removes="a"),
    "compress -m": Act(
        "-q -m m.bbm a", {"a": TEXT[:200], "m.bbm": MODEL.to_bytes()}, "a.bbz"
    ),
    "compress, stdin to stdout": Act("-q1", {"a": NOISE}, "out", stdin="a"),
    "decompress": Act("-dq a.bbz", {"a.bbz": PACKED}, "a"),
    "decompress -f": Act("-dqf a.bbz", {"a.bbz": PACKED}, "a", b"old"),
    "decompress --rm": Act("-dq --rm a.bbz", {"a.bbz": PACKED}, "a", removes="a.bbz"),
    "decompress, stdin to stdout": Act("-dq", {"a": PACKED}, "out", stdin="a"),
    "list": Act("-l a.bbz", {"a.bbz": PACKED}, "out"),
}


def appended() -> bytes:
    """A record file of several small groups."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r"
        bbans.Records.write(path, ["one", "two"], MODEL)
        with bbans.Records(path) as records:
            for k in range(4):
                records.append(f"appended {k}")
        return path.read_bytes()


APPENDED = appended()
LINES = b"".join(b"line %d of the record file\n" % k for k in range(300))
PYTHON = BOTH | {
    "compress --type": Act(
        "compress -q --type int16 a -o b", {"a": SIGNAL}, "b"
    ),
    "pack": Act("pack -q -m m.bbm a", {"a": LINES, "m.bbm": MODEL.to_bytes()}, "a.bbr"),
    "train": Act(
        "train -q -f a -o m --states 2 --iterations 1", {"a": TEXT}, "m", b"old"
    ),
    "compact": Act("r", {}, "r", APPENDED, "compact"),
    "unpack": Act("unpack r -o b", {"r": APPENDED}, "b"),
    "get": Act("get r 1:4", {"r": APPENDED}, "out"),
    "Records": Act("r", {"r": APPENDED}, "out", act="read_records"),
    "save": Act("m", {}, "m", b"old", "save"),
    "freeze": Act("m", {}, "m", b"old", "freeze"),
    "compress_file": Act("a", {"a": TEXT}, "out", act="compress_file"),
    "decompress_file": Act("a", {"a": PACKED}, "out", act="decompress_file"),
}  # fmt: skip


class Run(NamedTuple):
    """One act of one program, as often as is wanted."""

    act: Act
    start: Callable[..., int | None]  # with the folder and the faults

    def __call__(self, folder: Path, **faults: Any) -> int | None:
        streams = (self.act.stdin, "out", "err")
        return self.start(folder, *self.act.words.split(), streams=streams, **faults)


def run_of(machine: Machine, act: Act, tool: Path | None = None) -> Run:
    if tool is None:
        return Run(act, lambda folder, *words, **how: machine.act(
            folder, act.act, *words, **how
        ))  # fmt: skip
    return Run(act, lambda folder, *words, **how: machine.program(
        folder, tool, *words, **how
    ))  # fmt: skip


def outcome(
    act: Act,
    folder: Path,
    code: int | None,
    new: bytes,
    ended_by: int = signal.SIGKILL,
) -> str:
    """What came of it, as a tally counts; more words say what is wrong.

    `ended_by` is the signal that may have ended it.
    """
    said = folder / "err"  # which it may not have come to
    error = said.read_text(errors="replace") if said.exists() else ""
    found = act.found(folder)
    left = [path.name for path in folder.iterdir() if path.name.startswith(".bbans-")]
    if code is None:
        return "hang"
    if code not in (0, 1, -ended_by) or "Traceback" in error:
        return f"crash: {code}: {error}"
    if code == 1 and not error.startswith("bbans: "):
        return f"wrong: no reason: {error!r}"
    if code == 0 and found != new:
        return f"wrong: success without its output: {error}"
    if act.output == "out":
        if found is not None and not new.startswith(found):
            return "wrong: output that is not its beginning"
    elif found not in (act.old, new):
        return f"wrong: an output of {len(found or b'')} bytes: {error}"
    if left and code != -signal.SIGKILL:
        return f"wrong: left {left}: {error}"
    for name, content in act.inputs.items():
        path = folder / name
        if name == act.removes and not path.exists():
            if found != new:
                return "wrong: the input is gone"
        elif path.read_bytes() != content:
            return f"wrong: {name} has changed"
    return "named" if code == 1 else "correct"


LOST = (errno.EIO, errno.ENOSPC)  # which no program can mend


def offer_all(tally, run: Run, folder: Path, log: Path, choose) -> None:
    """Give an act each fault that `choose` takes: (number of the call, its name)."""
    act = run.act
    act.prepare(folder)
    log.unlink(missing_ok=True)
    assert run(folder, log=log) == 0, (folder / "err").read_text()
    new = act.found(folder)
    assert new not in (None, act.old)
    assert outcome(act, folder, 0, new) == "correct"
    for k, name in enumerate(calls_of(log), 1):
        for fault in choose(k, name):
            act.prepare(folder)
            code = run(folder, at=k, fault=fault)
            result = outcome(act, folder, code, new)
            if result == "correct" and name in ("write", "fsync") and fault in LOST:
                result = "wrong: success, and what it wrote is lost"
            case = f"{act.words}: call {k}, {name}: fault {fault}: {result}"
            tally.count(result.split(":")[0], case)


def one(k: int, name: str) -> list[int]:
    """One fault for each call, another in each turn."""
    return [FAULTS[name][k % len(FAULTS[name])]]


def every(k: int, name: str) -> list[int]:
    return FAULTS[name]


def kill(k: int, name: str) -> list[int]:
    return [KILLED, TORN] if name == "write" else [KILLED]


PROGRAMS = {"Python": PYTHON, "C tool": BOTH}


def forms(
    some: tuple[str, ...], few: Any, all_: Any, *, streams: bool = True
) -> list[Any]:
    """A test of some acts of each program with `few`, and slow ones of each act."""
    return [pytest.param(p, some, few, id=f"{p}-some") for p in PROGRAMS] + [
        pytest.param(p, [name], all_, id=f"{p}-{name}", marks=slow)
        for p, acts in PROGRAMS.items()
        for name, act in acts.items()
        if streams or act.output != "out"
    ]


SOME = ("compress --rm", "decompress -f")
programs = pytest.mark.parametrize("program", ["Python", "C tool"])


@pytest.fixture
def each_act(machine, request, tally, tmp_path):
    """Runs all acts of these names that a program has, under the faults chosen."""

    def run(what, program, names, choose):
        t = tally(f"faults: {what}, {program}")
        tool = request.getfixturevalue("tool") if program == "C tool" else None
        for name in names:
            start = run_of(machine, PROGRAMS[program][name], tool)
            offer_all(t, start, tmp_path / "x", tmp_path / "log", choose)

    return run


@pytest.mark.parametrize(("program", "names", "choose"), forms(SOME, one, every))
def test_each_call_fails_once(each_act, program, names, choose):
    each_act("each call of the system fails once", program, names, choose)


@pytest.mark.parametrize(("program", "names", "choose"), forms(SOME[:1], kill, kill))
def test_killed_before_each_call(each_act, program, names, choose):
    each_act("kill -9 before each call of the system", program, names, choose)


# ---- power cuts

# Of each cut, how many choices of what is there and what is not.
DRAWS = [pytest.param(2, id="few"), pytest.param(40, id="many", marks=slow)]


def put(files: dict[str, bytes], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def cut_power(run: Run, folder: Path, log: Path, draws: int):
    """Each state of the disk that a power cut may leave in the course of an act, and
    whether the act had ended."""
    log.unlink(missing_ok=True)
    disk = Disk(folder)
    assert run(folder, log=log) == 0, (folder / "err").read_text()
    events = events_of(log)
    chance = random.Random(0)
    for state in states(disk, events, chance, draws):
        yield state, state.at == len(events)


def is_kept(act: Act, files: dict[str, bytes], new: bytes, ended: bool) -> bool:
    """Whether the output is old or new, and new when that was said, or the input is
    there."""
    found = files.get(act.output)
    kept = (new,) if ended else (act.old, new)
    return found in kept and all(
        files.get(name) == content or (name == act.removes and found == new)
        for name, content in act.inputs.items()
    )


@pytest.mark.parametrize(
    ("program", "names", "draws"),
    forms(("compress --rm", "compress -f"), 2, 40, streams=False),
)
def test_power_cuts(machine, request, tally, tmp_path, program, names, draws):
    t = tally(f"faults: power cut, {program}")
    tool = request.getfixturevalue("tool") if program == "C tool" else None
    for name in names:
        act = PROGRAMS[program][name]
        folder = tmp_path / "x"
        act.prepare(folder)
        run = run_of(machine, act, tool)
        found = list(cut_power(run, folder, tmp_path / "log", draws))
        new = act.found(folder)
        assert new not in (None, act.old)
        for state, ended in found:
            kept = is_kept(act, state.files, new, ended)
            t.count("correct" if kept else "wrong", (name, state.at))


SIZES = (1, 3, 300, 1, 700, 2)  # of appends: several groups in some


@pytest.fixture
def records(tmp_path):
    """A folder with a record file, of 10 records."""
    folder = tmp_path / "x"
    folder.mkdir()
    texts = [record(k) for k in range(10)]
    bbans.Records.write(folder / "r", texts, byte_hmm(2).freeze(12), checksums=True)
    return folder


def check_records(folder: Path, promised: int) -> bool:
    """Whether what is promised is there, what else is there is whole, and more can be
    appended."""
    with bbans.Records(folder / "r", threads=1) as found:
        texts = list(found)
        n = len(texts)
        if n < promised or texts != [record(k) for k in range(n)]:
            return False
        found.append(record(n))
        return [*found] == [*texts, record(n)]


@pytest.mark.parametrize("draws", DRAWS)
def test_records_after_a_power_cut(machine, tally, tmp_path, records, draws):
    """All that was promised is there, and of what was not only whole groups."""
    t = tally("faults: power cut while records are appended")
    act = Act(" ".join(map(str, ("r", 10, *SIZES))), {}, "r", act="append")
    for state, _ in cut_power(run_of(machine, act), records, tmp_path / "log", draws):
        folder = tmp_path / "after"
        put(state.files, folder)
        check = partial(check_records, folder, max([10, *map(int, state.promised)]))
        t.offer(check, right=bool, errors=(), case=state.at)


@pytest.mark.parametrize(
    ("choose", "step"),
    [
        pytest.param(kill, 8, id="killed"),
        pytest.param(one, 9, id="fails"),
        pytest.param(every, 1, id="every", marks=slow),
    ],
)
def test_records_after_a_fault(machine, tally, tmp_path, records, choose, step):
    t = tally("faults: kills and failing calls while records are appended")
    content, folder = (records / "r").read_bytes(), tmp_path / "y"
    act = Act(
        " ".join(map(str, ("r", 10, *SIZES))), {"r": content}, "ack", act="append"
    )
    run, log = run_of(machine, act), tmp_path / "log"
    assert run(records, log=log) == 0
    for k, name in [*enumerate(calls_of(log), 1)][::step]:
        for fault in choose(k, name):
            act.prepare(folder)
            code = run(folder, at=k, fault=fault)
            case = f"call {k}, {name}: fault {fault}: {code}"
            if code not in (0, 1, -signal.SIGKILL):
                t.count("crash", case)
                continue
            said = (act.found(folder) or b"").split()
            check = partial(check_records, folder, max([10, *map(int, said)]))
            t.offer(check, right=bool, errors=(), case=case)


@pytest.mark.parametrize(
    ("choose", "step"),
    [
        pytest.param(kill, 40, id="some"),
        pytest.param(lambda k, name: kill(k, name) + one(k, name), 1, id="every",
                     marks=slow),
    ],
)  # fmt: skip
def test_training_after_a_fault(machine, tally, tmp_path, choose, step):
    """The checkpoint is whole, and leads to the model of a fit without a stop."""
    t = tally("faults: kills and failing calls in training with checkpoints")
    act = Act("m checkpoint", {}, "m", act="fit")
    run, folder, log = run_of(machine, act), tmp_path / "x", tmp_path / "log"
    act.prepare(folder)
    assert run(folder, log=log) == 0
    whole = act.found(folder)
    for k, name in [*enumerate(calls_of(log), 1)][::step]:
        for fault in choose(k, name):
            act.prepare(folder)
            code, again = run(folder, at=k, fault=fault), run(folder)
            right = code in (0, 1, -signal.SIGKILL) and again == 0
            right = right and act.found(folder) == whole
            t.count("correct" if right else "wrong", (k, name, fault, code, again))


@pytest.mark.parametrize("draws", DRAWS)
def test_training_after_a_power_cut(machine, tally, tmp_path, draws):
    t = tally("faults: power cut in training with checkpoints")
    act = Act("m checkpoint", {}, "m", act="fit")
    run, folder = run_of(machine, act), tmp_path / "x"
    act.prepare(folder)
    states = [*cut_power(run, folder, tmp_path / "log", draws)]
    whole, known = act.found(folder), []
    for state, _ in states:
        files = {name: state.files.get(name) for name in ("m", "checkpoint")}
        if files in known:
            continue
        known.append(files)
        put({n: content for n, content in files.items() if content is not None}, folder)
        code = run(folder)
        right = code == 0 and act.found(folder) == whole
        t.count("correct" if right else "wrong", state.at)


# ---- signals

SIGNALS = ("SIGKILL", "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE")


@programs
@pytest.mark.parametrize(
    "n",
    [pytest.param(2, id="few"), pytest.param(60, id="many", marks=slow)],
)
def test_signals_at_any_moment(machine, request, tally, tmp_path, program, n):
    t = tally(f"faults: signals at random moments, {program}")
    tool = request.getfixturevalue("tool") if program == "C tool" else None
    folder, chance = tmp_path / "x", random.Random(n)
    for act in (
        Act("-qf2 --rm a", {"a": NOISE}, "a.bbz", b"old", removes="a"),
        Act("-dqf a.bbz", {"a.bbz": bbans.compress(NOISE, level=2)}, "a", b"old"),
    ):
        run = run_of(machine, act, tool)
        act.prepare(folder)
        begin = time.perf_counter()
        assert run(folder) == 0
        seconds, new = time.perf_counter() - begin, act.found(folder)
        for name in SIGNALS * n:
            number = getattr(signal, name)
            act.prepare(folder)
            code = run(folder, signal=(number, chance.uniform(0, seconds)))
            result = outcome(act, folder, code, new, number)
            t.count(result.split(":")[0], (name, result))


# ---- full disks


@programs
def test_files_that_may_not_grow(machine, request, tally, tmp_path, program):
    t = tally(f"faults: no room for the output, {program}")
    tool = request.getfixturevalue("tool") if program == "C tool" else None
    act = Act("-qf1 a", {"a": NOISE}, "a.bbz", b"old")
    run, folder = run_of(machine, act, tool), tmp_path / "x"
    act.prepare(folder)
    assert run(folder) == 0
    new = act.found(folder)
    for limit in (100, 4096, 65_536, len(new) - 1, len(new)):
        act.prepare(folder)
        result = outcome(act, folder, run(folder, fsize=limit), new)
        if result != ("correct" if limit == len(new) else "named"):
            result = f"wrong: limit {limit}: {result}"
        t.count(result.split(":")[0], result)


def command_of(program: str, request: pytest.FixtureRequest) -> list[str]:
    if program == "Python":
        return [sys.executable, "-m", "bbans"]
    return [str(request.getfixturevalue("tool"))]


@programs
def test_a_full_disk(request, tmp_path, program):
    """One of 64 KB, where a user may mount it."""
    mount = (
        'mount -t tmpfs -o size=64k none "$0" && cd "$0" && head -c 25000 /dev/urandom '
        '> a && cp a b && { "$@" -q1 a; echo $?; ls -A; cmp a b; }'
    )
    words = ["unshare", "-rm", "sh", "-c", mount, str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(
        [*words, "true"], capture_output=True
    ).returncode:  # fmt: skip
        pytest.skip("no file system can be mounted here")
    done = subprocess.run(
        [*words, *command_of(program, request)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["1", "a", "b"]
    assert done.stderr == f"bbans: a.bbz: {os.strerror(errno.ENOSPC)}\n"


# ---- where it runs


@programs
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "nonsense", "HOME": None, "PATH": None},
        {"FAULTS_CLOCK": "stopped"},
        pytest.param({"LC_ALL": "ar_SA.UTF-8", "TZ": "Asia/Kathmandu"}, marks=slow),
        pytest.param({"FAULTS_CLOCK": str(-60 * 365 * 86400)}, marks=slow),
        pytest.param({"FAULTS_CLOCK": str(200 * 365 * 86400)}, marks=slow),
    ],
    ids=lambda environment: " ".join(map(str, environment.values())),
)
def test_languages_places_and_clocks(machine, request, tmp_path, program, environment):
    """The bytes are the same, whatever the name, and with a clock that is wrong."""
    given = {**os.environ, "LD_PRELOAD": str(machine.shim), **environment}
    given = {name: value for name, value in given.items() if value is not None}
    name = "İıß 漢字.txt"
    (tmp_path / name).write_bytes(TEXT)
    for word in ("-q", "-dqf"):
        done = subprocess.run(
            [*command_of(program, request), word, name + ".bbz"[: 4 * (word != "-q")]],
            cwd=tmp_path, env=given, capture_output=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / name).read_bytes() == TEXT
    assert (tmp_path / f"{name}.bbz").read_bytes() == PACKED


@programs
def test_a_folder_that_is_gone(request, tmp_path, program):
    (tmp_path / "a").write_bytes(TEXT)
    line = 'mkdir -p "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    words = ["sh", "-c", line, str(tmp_path / "gone"), *command_of(program, request)]
    if program == "Python":
        words.insert(-2, "-P")  # else Python looks for modules there
    done = subprocess.run([*words, "-q", tmp_path / "a"], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "a.bbz").read_bytes() == PACKED
    done = subprocess.run([*words, "-q"], input=TEXT, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, PACKED, b"")
    done = subprocess.run([*words, "-q", "a"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"bbans: a: {os.strerror(errno.ENOENT)}\n"


@programs
@pytest.mark.parametrize("word", ["-q1", "-dq"])
def test_sockets(request, tmp_path, program, word):
    given, wanted = NOISE, bbans.compress(NOISE, level=1)
    if word == "-dq":
        given, wanted = wanted, given
    here, there = socket.socketpair()

    def send():
        here.sendall(given)
        here.shutdown(socket.SHUT_WR)

    command = [*command_of(program, request), word]
    with here, there:
        process = subprocess.Popen(command, stdin=there, stdout=there, cwd=tmp_path)
        there.close()
        sender = threading.Thread(target=send)
        sender.start()
        with here.makefile("rb") as file:
            found = file.read()
        sender.join()
        assert (process.wait(30), found) == (0, wanted)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_folders_without_permission(machine, tally, tmp_path, mode):
    """For root too, who is without its rights here."""
    t = tally("faults: folders without permission")
    folder = tmp_path / "x"
    for act in PYTHON.values():
        if act.output == "out":
            continue
        act.prepare(folder)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        for name in ("out", "err"):
            (tmp_path / name).unlink(missing_ok=True)
        folder.chmod(mode)
        words = act.words.split()
        try:
            code = machine.act(
                folder,
                act.act,
                *words,
                drop=True,
                streams=("/dev/null", "../out", "../err"),
            )
        finally:
            folder.chmod(0o755)
        after = {path.name: path.read_bytes() for path in folder.iterdir()}
        error = (tmp_path / "err").read_text()
        right = code == 1 and before == after and error.startswith("bbans: ")
        t.count("named" if right else "wrong", (act.words, code, error))


@pytest.mark.slow
def test_a_store_whose_writer_is_killed(machine, tally, tmp_path):
    """A chunk is old, new, or an error, but nothing else."""
    zarr = pytest.importorskip("zarr")
    from bbans.integrations.zarr import BbansCodec

    t = tally("faults: kill -9 of who writes chunks of a zarr store")
    folder, log = tmp_path / "x", tmp_path / "log"
    act = Act("store 2", {}, "store", act="store")
    run = run_of(machine, act)

    def prepare():
        act.prepare(folder)
        array = zarr.create_array(
            folder / "store", shape=(4, 500), chunks=(1, 500), dtype="i4",
            serializer=BbansCodec(), compressors=None, filters=None,
        )  # fmt: skip
        array[:] = 1

    prepare()
    assert run(folder, log=log) == 0
    calls = [*enumerate(calls_of(log), 1)]
    for k, name in calls[:: len(calls) // 25]:
        prepare()
        code = run(folder, at=k, fault=TORN if name == "write" else KILLED)
        array = zarr.open_array(folder / "store", mode="r")
        for i in range(4):
            t.offer(
                partial(array.__getitem__, i),
                right=lambda row: len({*row.tolist()}) == 1 and row[0] in (1, 2),
                case=(k, name, code, i),
            )
