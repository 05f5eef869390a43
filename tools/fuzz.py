"""Fuzz the C library: libFuzzer under clang's sanitizers over csrc/fuzz/fuzz_*.c.

    python tools/fuzz.py                                # each target for a few seconds
    python tools/fuzz.py --seconds 3600 --corpus DIR --json rows.json message hmm
    python tools/fuzz.py --coverage --corpus DIR --json coverage.json
    python tools/fuzz.py --keep --corpus DIR            # the seeds that git has

A target starts from its seeds, csrc/fuzz/seeds/TARGET/, what it makes itself, and what
an earlier run has left in DIR/TARGET/. An input that crashes it is kept in DIR/crashes/
(or csrc/build/crashes/), and makes the exit status 1. Rows of `--json` have `target`,
`executions`, `seconds`, `edges`, `features`, `corpus` and `crashes`; executions,
seconds and crashes are added to those that the file has.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CSRC = Path(__file__).resolve().parents[1] / "csrc"
TARGETS = sorted(path.stem[5:] for path in (CSRC / "fuzz").glob("fuzz_*.c"))
OPTIONS = ["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=2048"]
# Each target bounds its inputs itself: csrc/fuzz/seeds.c.
OPTIONS += ["-max_len=1048576", "-len_control=0"]
PROFILE = "-g -O1 -fprofile-instr-generate -fcoverage-mapping"
KEPT, KEPT_BYTES = 12, 1500  # seeds of a target in git, and the longest of them
ADDED = ("executions", "seconds", "crashes")

Row = dict[str, Any]


def numbers(log: str) -> Row:
    """What libFuzzer's output says of a run."""
    states = re.findall(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/", log, re.M)
    stat = re.search(r"^stat::number_of_executed_units:\s*(\d+)", log, re.M)
    executions, edges, features, corpus = states[-1] if states else (0, 0, 0, 0)
    return {
        "executions": int(stat[1] if stat else executions),
        "edges": int(edges),
        "features": int(features),
        "corpus": int(corpus),
    }


def add_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write the rows over those of the same targets, to whose counts they are added."""
    known: dict[str, Row] = {}
    if file.exists():
        known = {row["target"]: row for row in json.loads(file.read_text())}
    for row in rows:
        before = known.get(row["target"], {})
        known[row["target"]] = row | {
            key: round(row[key] + before.get(key, 0), 1) for key in ADDED
        }
    ordered = [known[target] for target in sorted(known)]
    file.write_text(json.dumps(ordered, indent=1) + "\n")


class Fuzzing:
    def __init__(self, options: argparse.Namespace, corpora: Path):
        self.options = options
        self.corpora = corpora
        self.crashes = (options.corpus or options.build) / "crashes"

    def make(self, goal: str, folder: Path, *variables: str) -> None:
        """Build what links the targets."""
        names = " ".join(f"fuzz_{target}" for target in self.options.targets)
        command = ["make", f"-j{self.options.jobs}", goal, f"BUILD={folder}"]
        command += [f"CC={self.options.cc}", f"FUZZ_TARGETS={names}", *variables]
        subprocess.run(command, check=True, cwd=CSRC, stdout=subprocess.DEVNULL)

    def corpus(self, target: str) -> Path:
        folder = self.corpora / target
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def inputs(self, target: str) -> list[str]:
        """Its folders of inputs, and its dictionary."""
        seeds = CSRC / "fuzz" / "seeds" / target
        words = CSRC / "fuzz" / f"{target}.dict"
        found = [str(self.corpus(target))]
        found += [str(seeds)] if seeds.exists() else []
        return found + ([f"-dict={words}"] if words.exists() else [])

    def fuzz(self, target: str) -> Row:
        self.crashes.mkdir(parents=True, exist_ok=True)
        before = set(self.crashes.glob(f"{target}-*"))
        command = [self.options.build / "asan" / f"fuzz_{target}", *OPTIONS]
        command += [f"-artifact_prefix={self.crashes}/{target}-"]
        command += [f"-max_total_time={self.options.seconds}"]
        command += [f"-runs={self.options.runs}"] if self.options.runs else []
        start = os.times().elapsed
        done = subprocess.run(
            [*command, *self.inputs(target)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        seconds = os.times().elapsed - start
        found = set(self.crashes.glob(f"{target}-*")) - before
        if done.returncode != 0:
            found_names = "\n".join(map(str, found))
            sys.stderr.write(f"{done.stdout[-6000:]}\n{found_names}\n")
        row = {"target": target, **numbers(done.stdout), "seconds": round(seconds, 1)}
        row["crashes"] = int(done.returncode != 0)
        print(*(f"{key} {value}" for key, value in row.items()), sep=", ", flush=True)
        return row

    def coverage(self, target: str) -> Path:
        """The profile of the target's corpus and seeds."""
        folder = self.options.build / "coverage"
        raw = folder / f"{target}.profraw"
        files = [str(path) for path in self.corpus(target).iterdir()]
        files += [str(p) for p in (CSRC / "fuzz" / "seeds" / target).glob("*")]
        subprocess.run(
            ["xargs", "-0", folder / f"standalone_fuzz_{target}", "-runs=500"],
            input="\0".join(files),
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LLVM_PROFILE_FILE": f"{raw}.%p"},
        )
        return raw

    def cover(self, targets: list[str], run: Callable[..., Any]) -> list[Row]:
        """Lines, branches and functions of each file that the corpora reach."""
        folder = self.options.build / "coverage"
        self.make("standalone", folder, f"CFLAGS={PROFILE}")
        for raw in folder.glob("*.profraw*"):
            raw.unlink()
        list(run(self.coverage, targets))
        profile = folder / "all.profdata"
        raws = folder.glob("*.profraw*")
        subprocess.run(
            [self.tool("llvm-profdata"), "merge", "-o", profile, *raws], check=True
        )
        programs = [f"-object={folder}/standalone_fuzz_{name}" for name in targets]
        command = [self.tool("llvm-cov"), "export", "-summary-only", *programs]
        done = subprocess.run(
            [*command, f"-instr-profile={profile}"], check=True, stdout=subprocess.PIPE
        )
        rows = []
        for file in json.loads(done.stdout)["data"][0]["files"]:
            name = Path(file["filename"]).resolve().relative_to(CSRC).as_posix()
            if name.split("/")[0] in ("fuzz", "tests"):
                continue
            row = {"file": name}
            for what in ("lines", "branches", "functions"):
                row[what] = file["summary"][what]["count"]
                row[f"{what}_covered"] = file["summary"][what]["covered"]
            rows.append(row)
        for what in ("lines", "branches", "functions"):
            count = sum(row[what] for row in rows)
            covered = sum(row[f"{what}_covered"] for row in rows)
            print(f"{what}: {covered} of {count}, {100 * covered / count:.1f} %")
        return rows

    def tool(self, name: str) -> str:
        """The program of LLVM beside the compiler."""
        cc = self.options.cc.split()[-1]
        done = subprocess.run(
            [cc, f"-print-prog-name={name}"],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout.strip()

    def keep(self, target: str) -> None:
        """Choose seeds for git: few and short ones that together reach most."""
        kept = CSRC / "fuzz" / "seeds" / target
        with tempfile.TemporaryDirectory() as name:
            small, least = Path(name, "small"), Path(name, "least")
            small.mkdir()
            least.mkdir()
            for path in (*self.corpus(target).iterdir(), *kept.glob("*")):
                if path.stat().st_size <= KEPT_BYTES:
                    shutil.copy(path, small)
            program = self.options.build / "asan" / f"fuzz_{target}"
            subprocess.run(
                [program, *OPTIONS, "-merge=1", least, small],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            # A merge takes short ones first: the last reach most by themselves.
            chosen = sorted(least.iterdir(), key=lambda path: path.stat().st_size)
            step = max(1, -(-len(chosen) // KEPT))
            kept.mkdir(parents=True, exist_ok=True)
            for path in kept.glob("[0-9]*"):  # what found a fault has a name
                path.unlink()
            for number, path in enumerate(chosen[::-1][::step]):
                shutil.copyfile(path, kept / f"{number:02}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, help="for each target (default: 5)")
    parser.add_argument("--total", type=int, help="seconds for all of them together")
    parser.add_argument("--runs", type=int, help="executions of each, if time allows")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="where inputs stay")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add rows to it")
    parser.add_argument("--build", type=Path, default=CSRC / "build", metavar="DIR")
    parser.add_argument("--built", action="store_true", help="targets are built")
    parser.add_argument("--cc", default="clang", help="the compiler (default: clang)")
    parser.add_argument(
        "--coverage", action="store_true", help="of the corpora, no run"
    )
    parser.add_argument("--keep", action="store_true", help="choose seeds for git")
    options = parser.parse_args()
    for target in options.targets:
        if target not in TARGETS:
            parser.error(f"no target {target}; there are {', '.join(TARGETS)}")
    options.targets = options.targets or TARGETS
    options.build = options.build.resolve()
    if options.seconds is None:
        share = (options.total or 0) * options.jobs // len(options.targets)
        options.seconds = max(share, 1) if options.total else 5
    return options


def main() -> int:
    options = arguments()
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        fuzzing = Fuzzing(options, options.corpus or Path(scratch))
        if options.coverage:
            rows = fuzzing.cover(options.targets, pool.map)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n")
            return 0
        if not options.built:
            fuzzing.make("fuzzers", options.build)
        if options.keep:
            list(pool.map(fuzzing.keep, options.targets))
            return 0
        rows = list(pool.map(fuzzing.fuzz, options.targets))
    if options.json:
        add_rows(options.json, rows)
    return int(any(row["crashes"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
