"""Fits that were stopped, at any moment, go on to the same bits."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bbans import (
    ARHMM,
    HMM,
    LGSSM,
    Alphabet,
    FactorialHMM,
    GaussianHMM,
    HierarchicalHMM,
    LatentTree,
    MultivariateGaussianHMM,
    PoissonHMM,
    errors,
)
from bbans._float_file import read_model, write_model
from bbans.cli.main import main
from bbans.models import _checkpoint, em
from bbans.models.topology import Topology

RNG = np.random.default_rng(0)
LINES = [bytes(RNG.integers(97, 105, n).astype(np.uint8)) for n in range(5, 65)]
COUNTS = [RNG.poisson(5, 200) + 3 for _ in range(10)]
ROWS = RNG.integers(0, 3, (300, 6))
HOW = {"n_iter": 6, "tol": 0}
FITS = {
    "HMM": lambda **how: HMM.fit(LINES, 4, **HOW, **how),
    "GaussianHMM": lambda **how: GaussianHMM.fit(COUNTS, 3, **HOW, **how),
    "PoissonHMM": lambda **how: PoissonHMM.fit(COUNTS, 3, **HOW, **how),
    "FactorialHMM": lambda **how: FactorialHMM.fit(LINES, [2, 2], **HOW, **how),
    "HierarchicalHMM": lambda **how: HierarchicalHMM.fit(LINES, [2, 2], **HOW, **how),
    "ARHMM": lambda **how: ARHMM.fit(LINES, 2, order=2, **HOW, **how),
    "LGSSM": lambda **how: LGSSM.fit(COUNTS[:3], 1, **HOW, **how),
    "MultivariateGaussianHMM": lambda **how: MultivariateGaussianHMM.fit(
        ROWS, 3, **HOW, **how
    ),
    "LatentTree": lambda **how: LatentTree.fit(
        ROWS, 3, epochs=6, batch=60, seed=np.random.default_rng(3), **how
    ),
}


class StoppedError(Exception):
    """What ends a fit in the middle."""


def assert_same(model, other):
    """Of the same class, bits and history."""
    assert type(model) is type(other)
    mine, others = model._arrays(), other._arrays()
    assert mine.keys() == others.keys()
    for name, array in mine.items():
        assert np.array_equal(array, others[name]), name
    assert model.history == other.history


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


@pytest.fixture
def always(monkeypatch):
    """Write after each update, however long that takes."""
    monkeypatch.setattr(_checkpoint, "_SHARE", 0)


def stop_after(monkeypatch, n_writes):
    """Let the fit end after so many writes of its checkpoint."""
    written = []

    def write(*arguments):
        real(*arguments)
        written.append(1)
        if len(written) == n_writes:
            raise StoppedError

    real = _checkpoint.write_model
    monkeypatch.setattr(_checkpoint, "write_model", write)


# ---- the same bits


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", FITS)
def test_a_fit_that_stops_after_any_update_goes_on_to_the_same_bits(kind, path):
    fit = FITS[kind]
    expected = fit()
    for n_writes in range(1, 7):
        path.unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, n_writes)
            with pytest.raises(StoppedError):
                fit(checkpoint=path)
        assert_same(fit(checkpoint=path, resume=True), expected)
        assert_same(fit(checkpoint=path, resume=True), expected)  # of one that ended


FIT = """
import sys
import numpy as np
from bbans import HMM
x = np.random.default_rng(0).integers(0, 8, (40, 300))
print("begun", flush=True)
model = HMM.fit(list(x), 24, n_iter=120, tol=0, checkpoint=sys.argv[1], resume=True)
model.save(sys.argv[2])
print(model.history)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_a_process_that_is_killed_at_any_moment(path, tmp_path):
    def run(name):
        command = [sys.executable, "-c", FIT, path, tmp_path / name]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=tmp_path
        )

    with run("whole") as process:
        expected = process.stdout.read()
    assert process.returncode == 0
    path.unlink()
    chance = random.Random(0)
    kills = 0
    for _ in range(5):
        with run("parts") as process:
            assert process.stdout.readline() == "begun\n"
            time.sleep(chance.uniform(0, 0.4))
            process.kill()
        kills += process.returncode == -signal.SIGKILL
    with run("parts") as process:
        found = process.stdout.read()
    assert kills > 0
    assert found == expected
    assert_same(HMM.load(tmp_path / "parts"), HMM.load(tmp_path / "whole"))


@pytest.mark.usefixtures("always")
def test_a_callback_that_raises_and_data_from_a_function(path):
    def fit(**how):
        return HMM.fit(lambda: iter(LINES), 4, **HOW, **how)

    def stop(model):
        if len(model.history) == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(checkpoint=path, callback=stop)
    seen = []
    model = fit(
        checkpoint=path, resume=True, threads=1,
        callback=lambda model: seen.append(len(model.history)),
    )  # fmt: skip
    assert seen == [4, 5, 6, 7]
    assert_same(model, FITS["HMM"]())


def test_a_fit_that_has_ended_does_no_work(path, monkeypatch):
    expected = FITS["HMM"](checkpoint=path)
    monkeypatch.setattr(em, "expect", None)
    assert_same(FITS["HMM"](checkpoint=path, resume=True), expected)


def test_a_checkpoint_that_is_not_there_begins_anew_and_one_that_is_can_be(path):
    expected = FITS["HMM"]()
    assert_same(FITS["HMM"](checkpoint=path, resume=True), expected)
    other = HMM.fit(LINES, 4, seed=1, checkpoint=path, **HOW)
    assert_same(other, HMM.fit(LINES, 4, seed=1, **HOW))


def test_writing_takes_a_part_of_the_time(path, monkeypatch):
    """The cost of the first write is told as an hour: no update is worth another."""
    written = []

    def write(*arguments):
        written.append(1)
        clock[0] += 3600.0
        real(*arguments)

    real, clock = _checkpoint.write_model, [1e6]
    monkeypatch.setattr(_checkpoint, "write_model", write)
    monkeypatch.setattr(_checkpoint.time, "monotonic", lambda: clock[0])
    FITS["HMM"](checkpoint=path)
    assert len(written) == 2  # after the first update, and at the end
    assert json.loads(_checkpoint.read_model(path, "")[1]["state"].item())["done"]


# ---- of another fit


START = HMM.random(4, 256, seed=0)
OTHERS = {
    "n_iter": {"n_iter": 7},
    "tol": {"tol": 0.5},
    "pseudo_count": {"pseudo_count": 0.5},
    "alphabet": {"alphabet": Alphabet(250, kind="bytes")},
    "seed": {"seed": np.random.default_rng(0)},
    "init": {"init": HMM(*START._parameters, alphabet=Alphabet(256, kind="bytes"))},
    "topology": {"topology": Topology.left_to_right(4)},
    "dtype": {"dtype": np.float32},
    "n_states": {"n_states": 5},
    "data": {"sequences": LINES[1:]},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_checkpoint_of_another_fit_says_what_differs(name, path):
    how = {"sequences": LINES, "n_states": 4, **HOW}
    HMM.fit(**how, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(errors.ModelError, match=f"another fit: {name} was .*, and is"):
        HMM.fit(**(how | OTHERS[name]), checkpoint=path, resume=True)
    assert path.read_bytes() == before


def test_all_that_differs_is_told(path):
    FITS["HMM"](checkpoint=path)
    match = "n_iter was 6 there, and is 7; tol was 0 there, and is 0.5: pass the same"
    with pytest.raises(errors.ModelError, match=match):
        HMM.fit(LINES, 4, n_iter=7, tol=0.5, checkpoint=path, resume=True)


def test_a_checkpoint_of_another_class(path):
    FITS["HMM"](checkpoint=path)
    with pytest.raises(errors.ModelError, match="fit was HMM there, and is FactorialH"):
        FITS["FactorialHMM"](checkpoint=path, resume=True)


# ---- files that are none


def test_files_that_are_no_checkpoints(path):
    fit = FITS["HMM"]
    fit(checkpoint=path)
    whole = path.read_bytes()
    with pytest.raises(errors.FormatError, match=r"not a saved HMM: .* a checkpoint"):
        HMM.load(path)
    for content, error in (
        (whole[:-100], errors.TruncatedError),
        (b"", errors.FormatError),
        (b"some text", errors.FormatError),
    ):
        path.write_bytes(content)
        with pytest.raises(error):
            fit(checkpoint=path, resume=True)
        assert path.read_bytes() == content
    START.save(path)
    with pytest.raises(errors.FormatError, match=r"a model that HMM\.load reads"):
        fit(checkpoint=path, resume=True)
    for at in range(100, len(whole) - 100, 997):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        try:
            model = fit(checkpoint=path, resume=True)
        except errors.FormatError:
            continue
        assert_same(model, fit())  # what a zip archive does not check, nobody reads


@pytest.mark.parametrize("kind", ["HMM", "LGSSM", "LatentTree"])
@pytest.mark.parametrize(
    "change",
    [
        {"state": []},
        {"facts": 5},
        {"history": None},
        {"history": 3},
        {"history": [["low"]]},
        {"models": {}},
        {"models": 4},
        {"size": None},
        {"rng": {}},
    ],
    ids=str,
)
def test_a_state_that_says_other_things(path, kind, change):
    """Or nothing, under checksums that are right: it is damaged, or not asked."""
    FITS[kind](checkpoint=path)
    name, arrays = read_model(path, "a checkpoint")
    state = json.loads(arrays["state"].item())
    for key, value in change.items():
        if key in arrays:
            arrays[key] = np.array(json.dumps(value).encode())
        elif key in state:
            state[key] = value
            arrays["state"] = np.array(json.dumps(state).encode())
    write_model(path, name, arrays)
    asked = {"LGSSM": "size rng", "HMM": "rng", "LatentTree": "size"}[kind].split()
    if change.keys() & {*asked}:
        assert_same(FITS[kind](checkpoint=path, resume=True), FITS[kind]())
    else:
        with pytest.raises(errors.CorruptError, match="damaged file"):
            FITS[kind](checkpoint=path, resume=True)


def test_a_checkpoint_of_another_version(path, monkeypatch):
    monkeypatch.setattr(_checkpoint, "_VERSION", 99)
    FITS["HMM"](checkpoint=path)
    monkeypatch.undo()
    with pytest.raises(errors.VersionError, match="version 99, this reads 1"):
        FITS["HMM"](checkpoint=path, resume=True)


def test_what_cannot_be_a_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        FITS["HMM"](checkpoint=tmp_path / "absent" / "x")
    with pytest.raises(IsADirectoryError):
        FITS["HMM"](checkpoint=tmp_path)
    with pytest.raises(errors.ModelError, match="resume needs a checkpoint"):
        FITS["HMM"](resume=True)
    with pytest.raises(errors.ModelError, match="checkpoint must be a path, not 3"):
        FITS["HMM"](checkpoint=3)


def test_a_checkpoint_that_cannot_be_looked_at_is_not_begun_anew(path, monkeypatch):
    FITS["HMM"](checkpoint=path)
    before = path.read_bytes()
    stat = os.stat

    def refuse(name, *rest, **options):
        if os.fspath(name) == str(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
        return stat(name, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        with pytest.raises(PermissionError):
            FITS["HMM"](checkpoint=path, resume=True)
    assert path.read_bytes() == before


# ---- from the shell


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", [[], ["--levels=2,2"], ["--order=1"], ["--tree=2"]])
def test_bbans_train(kind, path, tmp_path, monkeypatch, capsys):
    data, model = tmp_path / "data", tmp_path / "model.bbm"
    data.write_bytes(b"".join(LINES))
    state = ["--states=3"] if not kind or "order" in kind[0] else []
    command = ["train", "-q", str(data), "-o", str(model), "--iterations=5"]
    command += [*kind, *state]
    assert main(command) == 0
    expected = model.read_bytes()
    command += ["-f", f"--checkpoint={path}"]
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(StoppedError):
            main(command)
    assert model.read_bytes() == expected
    assert main([*command, "--resume"]) == 0
    assert model.read_bytes() == expected
    assert capsys.readouterr().err == ""


def test_bbans_train_refuses_what_would_be_lost(path, tmp_path, capsys):
    data, model = tmp_path / "data", tmp_path / "model.bbm"
    data.write_bytes(b"".join(LINES))
    path.write_text("something of somebody")
    command = ["train", "-q", str(data), "-o", str(model), "--states=2"]
    for more, text in (
        ([f"--checkpoint={path}"], "say --resume to go on from it, or --force"),
        ([f"--checkpoint={path}", "--resume"], "not a checkpoint"),
    ):
        assert main([*command, *more]) == 1
        assert text in capsys.readouterr().err
    for more, text in (
        (["--resume"], "--resume needs --checkpoint"),
        ([f"--checkpoint={data}"], "is read or written too"),
        ([f"--checkpoint={model}"], "is read or written too"),
    ):
        with pytest.raises(SystemExit):
            main([*command, *more])
        assert text in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", str(data), "-o", str(model), "--mixing", "--checkpoint=x"])
    assert "--checkpoint does not go with --mixing" in capsys.readouterr().err
    assert path.read_text() == "something of somebody"
    assert not model.exists()
    assert {*os.listdir(tmp_path)} == {data.name, path.name}
