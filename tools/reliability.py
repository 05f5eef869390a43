"""What was tried to break this version, and what came of it: docs/reliability.md.

    python tools/reliability.py                  # the page, of stored rows
    python tools/reliability.py --run fuzz load  # these parts first: hours
    python tools/reliability.py --take load=rows.json

Rows are stored in docs/reliability.json, each part with the commit and the machine that
it ran on.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STORED = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
OUTCOMES = ("tried", "named", "correct", "wrong", "crash", "hang")

Row = dict[str, Any]


def figure(value: Any) -> str:
    """As it stands in a table: thousands apart, three digits of fractions."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)


def table(rows: Iterable[Row], columns: dict[str, str]) -> list[str]:
    """Of `columns`, key to heading; those of numbers to the right."""
    rows = list(rows)

    def numbers(key: str) -> bool:
        return all(isinstance(r.get(key), int | float | None) for r in rows)

    lines = ["| " + " | ".join(columns.values()) + " |"]
    lines.append("|" + "|".join("---:" if numbers(k) else "---" for k in columns) + "|")
    for row in rows:
        cells = (figure(row.get(key)).replace("|", "\\|") for key in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def added(rows: Iterable[Row]) -> list[Row]:
    """Rows of one class of input together: a test runs with more than one seed."""
    sums: dict[str, Row] = {}
    for row in rows:
        into = sums.setdefault(row["what"], dict.fromkeys(OUTCOMES, 0))
        into["what"] = row["what"]
        for key in OUTCOMES:
            into[key] += row[key]
        for key in ("input_bytes", "peak_bytes"):
            if key in row:
                into[key] = max(row[key], into.get(key, 0))
    return sorted(sums.values(), key=lambda row: row["what"])


def total(rows: Iterable[Row], *keys: str) -> Row:
    rows = list(rows)
    return {key: sum(row[key] for row in rows) for key in keys}


# ---- what the rows of a part look like


def plain(columns: dict[str, str]) -> Callable[[list[Row]], list[str]]:
    return lambda rows: table(rows, columns)


def fuzzing(rows: list[Row]) -> list[str]:
    sums = total(rows, "executions", "seconds", "crashes")
    columns = {"target": "target", "executions": "executions", "seconds": "seconds"}
    columns |= {"edges": "edges", "features": "features", "corpus": "inputs kept"}
    columns |= {"crashes": "crashes, hangs"}
    return table([*rows, {"target": "**all**", **sums}], columns)


def hostile(rows: list[Row]) -> list[str]:
    """Classes of input, the group of their names first; and bombs, with their peaks."""
    classes = added(row for row in rows if "peak_bytes" not in row)
    groups = [row["what"].partition(": ")[0] for row in classes]
    for row, group, before in zip(classes, groups, ["", *groups], strict=False):
        row["group"] = group if group != before else ""
        row["class"] = row["what"].partition(": ")[2]
    classes.append({"group": "**all**", "class": "", **total(classes, *OUTCOMES)})
    columns = {"group": "", "class": "input, or fault"} | {key: key for key in OUTCOMES}
    columns |= {"named": "named error", "correct": "right answer"}
    bombs = added(row for row in rows if "peak_bytes" in row)
    for row in bombs:
        row["peak"] = row["peak_bytes"] / 2**20
    small = {"what": "small input", "input_bytes": "bytes", "tried": "tried"}
    small |= {"named": "named error", "correct": "right answer", "peak": "peak, MiB"}
    return [
        *table(classes, columns),
        "",
        "Small input that stands for much, and the most memory that it took:",
        "",
        *table(bombs, small),
    ]


def failures(rows: list[Row]) -> list[str]:
    def said(counts: dict[str, int]) -> str:
        tried = sum(counts.values())
        words = {"named": "named error", "correct": "right answer", "wrong": "wrong"}
        words["crash"] = "other error"
        return ", ".join(f"{words[key]} {n} of {tried}" for key, n in counts.items())

    keys = ("reference", "bbans")
    rows = [row | {key: said(row[key]) for key in keys} for row in rows]
    heads = {"failure": "", "reference": "the paper's code", "bbans": "bbans"}
    return table(rows, heads)


def reached(rows: list[Row]) -> list[str]:
    """For each language, and each set of tests, folders and all of them."""
    shown = []
    for row in rows:
        shares = {
            f"% of {key}": 100 * row[f"{key}_reached"] / max(row[key], 1)
            for key in ("lines", "branches")
        }
        folder = "**all**" if row["folder"] == "all" else row["folder"]
        tests = f"{row['language']}, {row['by']}"
        shown.append(row | shares | {"folder": folder, "tests": tests})
    columns = {"tests": "", "folder": "folder", "files": "files", "lines": "lines"}
    columns |= {"% of lines": "% reached", "branches": "branches"}
    return table(shown, columns | {"% of branches": "% reached"})


def mutants(rows: list[Row]) -> list[str]:
    """Faults for each folder, as tools/mutate.py writes them."""
    folders: dict[str, Row] = {}
    for row in rows:
        folder = str(Path(row["path"]).parent)
        into = folders.setdefault(folder, {"folder": folder, "made": 0})
        into["made"] += 1
        into[row["outcome"]] = into.get(row["outcome"], 0) + 1
    found = sorted({row["outcome"] for row in rows})
    shown = [row | {key: row.get(key, 0) for key in found} for row in folders.values()]
    shown.sort(key=lambda row: row["folder"])
    shown.append({"folder": "**all**", **total(shown, "made", *found)})
    columns = {"folder": "folder", "made": "faults"}
    return table(shown, columns | {key: key.lower() for key in found})


# ---- the parts: what makes the rows of each, and what the page says of it


@dataclass(frozen=True)
class Part:
    """`command` writes rows to a file, whose name it is given last."""

    title: str
    command: str
    text: str
    shown: Callable[[list[Row]], list[str]]


FIGURES = {"what": "what", "value": "", "unit": "unit", "target": "target"}
ANALYSES = {"analyser": "", "version": "version", "files": "files"}
ANALYSES |= {"findings": "findings", "suppressed": "explained"}

PARTS = {
    "hostile": Part(
        "Hostile input, damage, faults of the machine, races",
        "pytest -m 'slow or not slow' --tally",
        """\
Each line counts a class of bad input or bad luck. A case ends in an error that
names what is wrong, or in the right answer. *Wrong* would be another answer without
an error, *crash* an error of another kind or a dead process, *hang* no answer in
time: a test with any of these fails.""",
        hostile,
    ),
    "fuzz": Part(
        "Fuzzing",
        "python tools/fuzz.py --runs 1000000 --seconds 3600 --json",
        """\
libFuzzer, under clang's sanitizers of addresses and of undefined behaviour. A
target is a decoder, a parser, an engine or a group of kernels with what must hold
besides: what was coded comes back, a message is as before after what was pushed is
popped, nothing changes after a refusal, and two instruction sets agree, of which one
is the portable one. Edges are those of the program that the inputs took; the gate
has three minutes of it.""",
        fuzzing,
    ),
    "failures": Part(
        "Where the paper's code is wrong in silence",
        "python tools/reference_failures.py --code DIR --json",
        """\
What the reference code of the paper does without an error, done to both.""",
        failures,
    ),
    "coverage": Part(
        "Coverage",
        "python tools/coverage.py --json",
        """\
Lines and branches that the tests reach. C counts by the C tests alone, with the
kernels of this machine, AVX-512's emulated, NEON's under qemu and the portable
ones; Python by `pytest`, with the processes that it starts.""",
        reached,
    ),
    "mutation": Part(
        "Faults put into the code",
        "python tools/mutate.py --limit 400 --json",
        """\
Small faults, one at a time, and whether the tests notice, of C the C tests alone.
Survivors are no faults (hints for speed, larger buffers, values that cannot occur),
what an encoder chooses, which decoders follow, or what the comparisons with plain
Python find.""",
        mutants,
    ),
    "analysis": Part(
        "Static analysis",
        "python tools/analyse.py --json",
        """\
*Explained* are findings that are false, or meant: each has its reason beside the
line, or in `tools/analyse.txt`.""",
        plain(ANALYSES),
    ),
    "load": Part(
        "Load",
        "python benchmarks/load.py --json",
        """\
Much of everything, and whether memory stays flat.""",
        plain(FIGURES),
    ),
}

HEAD = """\
# Reliability

What was done to break this version, and what came of it. `tools/reliability.py`
writes this page from the rows in `reliability.json`, each part of which one command
makes; `.ci/long` runs them all. The gate, `.ci/run`, runs a part of each before
anything lands. [SECURITY.md](../SECURITY.md) says what counts as a fault, and [the
formats](format.md) what is promised of stored data.
"""


# ---- the page


def page(stored: dict[str, Row]) -> str:
    lines = [HEAD]
    for name, part in PARTS.items():
        if name not in stored:
            continue
        of = stored[name]
        lines += [f"## {part.title}", "", part.text, ""]
        lines += [*part.shown(of["rows"]), ""]
        lines += [
            f"`{part.command} FILE`, at {of['commit']}, {of['date']}: {of['on']}.",
            "",
        ]
    peers = (ROOT / "tools" / "reliability_peers.md").read_text("utf-8")
    return "\n".join(lines) + "\n" + peers


def rows_of(file: Path) -> list[Row]:
    """A list of objects, or an object a line."""
    text = file.read_text("utf-8")
    if text.lstrip().startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]


def machine() -> str:
    names = re.findall(
        r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M
    )
    return f"{len(names)} x {names[0]}, Python {platform.python_version()}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", nargs="+", choices=PARTS, default=[], metavar="PART")
    parser.add_argument("--take", nargs="+", default=[], metavar="PART=FILE")
    options = parser.parse_args()
    stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    git = ["git", "-C", ROOT, "show", "-s", "--format=%h %cs", "HEAD"]
    commit, date = subprocess.check_output(git, text=True).split()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        taken = dict(each.split("=", 1) for each in options.take)
        for name in options.run:
            taken[name] = f"{folder}/{name}.json"
            command = [*shlex.split(PARTS[name].command), taken[name]]
            failed |= subprocess.run(command, cwd=ROOT).returncode
        for name, file in taken.items():
            rows = rows_of(Path(file))
            of = {"commit": commit, "date": date, "on": machine(), "rows": rows}
            stored[name] = of
    STORED.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(stored), "utf-8")
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
