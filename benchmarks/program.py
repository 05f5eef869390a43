"""A text from the command line: bbans without and with a model, gzip and bzip2.

War and Peace, trained on its first 48 kB, from war_and_peace of --data; without, the
help of pydoc, which differs between versions of Python, trained on its first 48 kB.
Times are the processor seconds of whole processes, medians of runs in turns. Every
result is decompressed and compared.
"""

from __future__ import annotations

import pydoc_data.topics
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from clock import seconds
from report import Report, parser

TRAINING_BYTES = 48_000


def texts(rows: Report, folder: Path) -> tuple[Path, Path]:
    """The text, and the one to train on."""
    text = rows.files("war_and_peace/war_and_peace_books*.txt", "War and Peace")
    training = rows.files("war_and_peace/war_and_peace_48k*.txt", "its first 48 kB")
    if text and training:
        return text[0], training[0]
    data = "\n".join(pydoc_data.topics.topics.values()).encode()
    (folder / "pydoc").write_bytes(data)
    (folder / "pydoc_48k").write_bytes(data[:TRAINING_BYTES])
    return folder / "pydoc", folder / "pydoc_48k"


def run(command: list[str], source: Path, target: Path) -> None:
    with source.open("rb") as stdin, target.open("wb") as stdout:
        subprocess.run(command, stdin=stdin, stdout=stdout, check=True)


def children() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    with (
        Report(parser(__doc__).parse_args()) as rows,
        tempfile.TemporaryDirectory() as f,
    ):
        folder = Path(f)
        text, training = texts(rows, folder)
        model = str(folder / "model.bbm")
        bbans = [sys.executable, "-I", "-m", "bbans"]  # -I: the installed one
        train = [*bbans, "train", "-q", str(training), "-o", model]
        (time,) = seconds(partial(subprocess.run, train, check=True), repeats=1,
                          timer=children)  # fmt: skip
        rows.add(f"training on {training.name}", time, "s")
        coders = {
            "bbans, no model": (
                [*bbans, "compress", "-q"],
                [*bbans, "decompress", "-q"],
            ),
            f"bbans, trained on {training.name}": (
                [*bbans, "compress", "-q", "-m", model],
                [*bbans, "decompress", "-q", "-m", model],
            ),
        }
        for tool in ("gzip", "bzip2"):
            if found := rows.program(tool, tool):
                coders[f"{tool} -9"] = [found, "-9", "-c"], [found, "-dc"]
        files = {name: (folder / f"{i}.packed", folder / f"{i}.back")
                 for i, name in enumerate(coders)}  # fmt: skip
        times = seconds(
            *(partial(run, coders[n][0], text, files[n][0]) for n in coders),
            *(partial(run, coders[n][1], *files[n]) for n in coders),
            repeats=3 if rows.quick else 9,
            timer=children,
        )
        length = text.stat().st_size
        rows.add(f"{text.name}, plain", length, "bytes")
        for i, (name, (packed, back)) in enumerate(files.items()):
            assert back.read_bytes() == text.read_bytes()
            size = packed.stat().st_size
            rows.add(f"{name}, size", size, "bytes")
            rows.add(f"{name}, rate", 8 * size / length, "bits/byte")
            rows.add(f"{name}, compress", times[i], "s")
            rows.add(f"{name}, decompress", times[i + len(coders)], "s")


if __name__ == "__main__":
    main()
