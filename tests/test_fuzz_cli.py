"""Any command line, over any files: it ends in status 0, 1 or 2, with text and never a
traceback, keeps what it reads, and leaves nothing unfinished."""

import argparse
import io
import random
import sys

import numpy as np
import pytest
from shared import byte_hmm, random_hmm, random_mixer

import bbans
from bbans.cli.main import main, parser
from bbans.cli.shell import COMMANDS

TEXT = b"one,2\ntwo,3\nthree,4\n" * 9
NUMBERS = (np.arange(90) % 7).astype(np.int16)
# Of `demo` a run takes a while, and there is little to say.
NAMES = [None, *(name for name in COMMANDS if name != "demo")]


def of_numpy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def make_files(folder):
    """Files of all kinds, right and wrong ones."""
    model, other = byte_hmm(2).freeze(12), random_hmm(2, 5)
    files = {
        "text.txt": TEXT,
        "empty": b"",
        "numbers.raw": NUMBERS.tobytes(),
        "array.npy": of_numpy(NUMBERS.reshape(9, 10)),
        "floats.npy": of_numpy(NUMBERS / 7),
        "objects.npy": of_numpy(np.array([None, "a"], object)),
        "text.bbz": bbans.compress(TEXT),
        "model.bbz": bbans.compress(TEXT, model),
        "array.bbz": bbans.compress(NUMBERS),
        "bad.bbz": bbans.compress(TEXT)[:-9] + bytes(9),
        "cut.bbz": bbans.compress(TEXT)[:40],
        "bytes.bbm": model.to_bytes(),
        "other.bbm": other.to_bytes(),
        "bad.bbm": model.to_bytes()[:-1] + b"a",
        "x\ny\x1b[1m.txt": TEXT,
        "-": b"a file of this name",
        "--": b"and this",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    bbans.Records.write(folder / "lines.bbr", TEXT.splitlines(), random_mixer(1))
    damaged = bytearray((folder / "lines.bbr").read_bytes())
    damaged[-20] ^= 1
    (folder / "bad.bbr").write_bytes(damaged)
    (folder / "folder").mkdir()
    (folder / "folder" / "inner.txt").write_bytes(TEXT)
    (folder / "link").symlink_to("link")
    return sorted(path.name for path in folder.iterdir())


WORDS = [
    "", "-", "--", "-1", "0", "1", "2", "3", "5", "9", "64", "65", "9" * 20, "1e3",
    "nan", "0.5", "1,2", "3,3", "n,3", "9,10", "0:2", "1:", ":", "5:1", "-3:-1",
    "yx", "tyxc", "time,lat", "int16", "float64", "int16be", "bfloat16",
    "datetime64[ns]", "bytes", "auto", "npy", "wav", "csv", "lines", "full", "diag",
    "gaussian", "english", "text", "model", "a b", "1K", "1M", "out", "folder/out",
    "no/such/folder", "/dev/null", "/dev/full", "\udcff", "a\0b",
    "\N{GREEK SMALL LETTER ALPHA}", "x" * 300, "%s", "{0}",
]  # fmt: skip


def options_of(name):
    """All flags of a command, and how many words follow."""
    return [
        (action.option_strings, 0 if action.nargs == 0 else 1, action.choices)
        for action in parser(name)._actions
        if action.option_strings and not isinstance(action, argparse._HelpAction)
    ]


def command_line(rng, files):
    """A command, some of its options with any words, and some names."""
    name = rng.choice(NAMES)
    words = []
    for flags, n_words, choices in rng.sample(known := options_of(name), min(
            rng.choice([0, 1, 1, 2, 3]), len(known))):  # fmt: skip
        words.append(rng.choice(flags))
        pool = rng.choice([WORDS, files, [*(choices or WORDS)]])
        words += [str(rng.choice(pool)) for _ in range(n_words)]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        words.insert(rng.randrange(len(words) + 1), rng.choice([*files * 3, *WORDS]))
    if rng.random() < 0.5 and name == "train":
        words += ["--iterations", "1", "-o", "trained"]
    return [*([name] if name else []), *words]


class Piped(io.TextIOWrapper):
    """A standard stream over bytes."""

    def __init__(self, data=b""):
        self.bytes = io.BytesIO(data)
        super().__init__(self.bytes, "utf-8", "surrogateescape", write_through=True)

    def close(self):
        """Stays open, to be looked at."""


class RefusalError(Exception):
    """A status of 1 or 2, a text that says why, and files as they were."""


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    "runs", [120, pytest.param(600, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_any_command_line_over_any_files(runs, tally, tmp_path, monkeypatch):
    count = tally("command lines: any options, any files")
    rng = random.Random(runs)
    monkeypatch.setattr("sys.argv", ["bbans"])
    monkeypatch.delenv("BBANS_MODEL", raising=False)
    for i in range(runs):
        folder = tmp_path / str(i)
        folder.mkdir()
        files = make_files(folder)
        monkeypatch.chdir(folder)
        before = listing(folder)
        words = command_line(rng, files)
        streams = {
            "stdin": Piped(rng.choice([b"", TEXT, before["text.bbz"]])),
            "stdout": Piped(),
            "stderr": Piped(),
        }
        for stream, file in streams.items():
            monkeypatch.setattr(sys, stream, file)

        def as_promised(
            status, streams=streams, before=before, words=words, folder=folder
        ):
            said = streams["stderr"].bytes.getvalue()
            after = listing(folder)
            kept = all(after.get(name) == data for name, data in before.items())
            replaces = {"-f", "--force", "--rm", "-a", "--append"} & {*words}
            return (
                status in (0, 1, 2)
                and b"Traceback" not in said
                and (status == 0 or said.strip() != b"")
                and (kept or bool(replaces))
                and not any(name.startswith(".bbans") for name in after)
            )

        def act(words=words, as_promised=as_promised):
            try:
                status = main(words)
            except SystemExit as end:
                status = end.code
            if status != 0 and as_promised(status):
                raise RefusalError
            return status

        count.offer(act, right=as_promised, errors=RefusalError, case=words)
    monkeypatch.undo()
