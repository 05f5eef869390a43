"""Faults of the machine: calls of the system that fail, programs that are killed, power
cuts, full disks. What was there stays whole until what is new is whole."""

import errno
import random
import shutil
import signal
import sys
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
LINES = b"".join(b"line %d of the record file\n" % k for k in range(300))
PYTHON = BOTH | {
    "compress --type": Act(
        "compress -q --type int16 a -o b", {"a": SIGNAL}, "b"
    ),
    "pack": Act("pack -q -m m.bbm a", {"a": LINES, "m.bbm": MODEL.to_bytes()}, "a.bbr"),
    "train": Act(
        "train -q -f a -o m --states 2 --iterations 1", {"a": TEXT}, "m", b"old"
    ),
    "save": Act("m", {}, "m", b"old", "save"),
    "freeze": Act("m", {}, "m", b"old", "freeze"),
    "compress_file": Act("a b", {"a": TEXT}, "b", b"old", "compress_file"),
    "decompress_file": Act("a b", {"a": PACKED}, "b", b"old", "decompress_file"),
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


def outcome(act: Act, folder: Path, code: int | None, new: bytes) -> str:
    """What came of it, as a tally counts; more words say what is wrong."""
    error = (folder / "err").read_text(errors="replace")
    found = act.found(folder)
    left = [path.name for path in folder.iterdir() if path.name.startswith(".bbans-")]
    if code is None:
        return "hang"
    if code not in (0, 1, -signal.SIGKILL) or "Traceback" in error:
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


SOME = ("compress --rm", "decompress -f")
FORMS = [
    pytest.param(one, SOME, id="some"),
    pytest.param(every, PYTHON, id="every", marks=pytest.mark.slow),
]
KILLS = [
    pytest.param(SOME[:1], id="some"),
    pytest.param(PYTHON, id="every", marks=pytest.mark.slow),
]
programs = pytest.mark.parametrize("program", ["Python", "C tool"])


@pytest.fixture
def each_act(machine, request, tally, tmp_path):
    """Runs all acts of these names that a program has, under the faults chosen."""

    def run(what, program, names, choose):
        t = tally(f"faults: {what}, {program}")
        acts, tool = PYTHON, None
        if program == "C tool":
            acts, tool = BOTH, request.getfixturevalue("tool")
        for name in names:
            if name in acts:
                start = run_of(machine, acts[name], tool)
                offer_all(t, start, tmp_path / "x", tmp_path / "log", choose)

    return run


@programs
@pytest.mark.parametrize(("choose", "names"), FORMS)
def test_each_call_fails_once(each_act, program, choose, names):
    each_act("each call of the system fails once", program, names, choose)


@programs
@pytest.mark.parametrize("names", KILLS)
def test_killed_before_each_call(each_act, program, names):
    each_act("kill -9 before each call of the system", program, names, kill)


# ---- power cuts

# Of each cut, how many choices of what is there and what is not.
DRAWS = [pytest.param(2, id="few"), pytest.param(40, id="many", marks=pytest.mark.slow)]


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


@programs
@pytest.mark.parametrize(
    ("draws", "names"),
    [
        pytest.param(2, ["compress --rm", "compress -f", "save"], id="few"),
        pytest.param(40, PYTHON, id="many", marks=pytest.mark.slow),
    ],
)
def test_power_cuts(machine, request, tally, tmp_path, program, draws, names):
    t = tally(f"faults: power cut, {program}")
    acts, tool = PYTHON, None
    if program == "C tool":
        acts, tool = BOTH, request.getfixturevalue("tool")
    for name in names:
        act = acts.get(name)
        if act is None or act.output == "out":
            continue
        folder = tmp_path / "x"
        act.prepare(folder)
        found = list(
            cut_power(run_of(machine, act, tool), folder, tmp_path / "log", draws)
        )
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
