"""Which lines and branches do the tests reach?  Builds C and Python with counters, runs
the tests, and says for each folder how many of its lines and branches ran.

    python tools/coverage.py --json coverage.json    # the C tests, then pytest: long
    python tools/coverage.py c --show                # C alone, and lines not reached
    python tools/coverage.py --work FOLDER --report  # what an earlier run left there

C is counted by gcov in several builds, whose counts are added: this machine's kernels,
AVX-512 emulated, none but the portable ones, and NEON's under qemu.  Python is counted
by coverage.py, with the programs that tests start; lines of Cython by gcov, as C that
knows them.  Needs gcc, and for Python an environment in which bbans and its tests are
installed, and `coverage`.  C that neither gcov nor a machine here can run is named."""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNTED = "-O1 --coverage -DCHECK_SHARE=16"
NEON = "aarch64-linux-gnu-"
# Of make in csrc/: its arguments; the prefix of compiler and gcov.
BUILDS: dict[str, tuple[list[str], str]] = {
    "native": (["CC=gcc", f"CFLAGS={COUNTED}", "check"], ""),
    "emulated": (["CC=gcc --coverage", "emulate"], ""),
    "portable": (
        ["CC=gcc", "FEW_ONLY=1", f"CFLAGS={COUNTED} -DBBANS_PORTABLE", "check"],
        "",
    ),
    "neon": (
        [
            f"CC={NEON}gcc -static",
            "RUN=qemu-aarch64-static",
            "FEW_ONLY=1",
            f"CFLAGS={COUNTED}",
            "check",
        ],
        NEON,
    ),
}
RC = """[run]
branch = true
source_pkgs = bbans, _bbans_start
parallel = true
data_file = {work}/data/coverage
patch = subprocess, _exit
concurrency = multiprocessing, thread
disable_warnings =
    no-data-collected, module-not-measured, module-not-imported, couldnt-parse
[paths]
bbans =
    {made}/bbans
    {programs}/../lib/*/site-packages/bbans
    {root}/bbans
"""


@dataclass
class File:
    """How often each line ran, and each way out of its branches."""

    lines: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    ways: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, line: int, count: int, ways: list[int]) -> None:
        self.lines[line] += count
        both = itertools.zip_longest(self.ways[line], ways, fillvalue=0)
        self.ways[line] = [a + b for a, b in both]

    def row(self) -> dict[str, int]:
        ways = [count for each in self.ways.values() for count in each]
        return {
            "lines": len(self.lines),
            "lines_reached": sum(map(bool, self.lines.values())),
            "branches": len(ways),
            "branches_reached": sum(map(bool, ways)),
        }

    def missed(self) -> list[int]:
        return sorted(line for line, count in self.lines.items() if not count)


Files = dict[str, File]
Row = dict[str, str | int]


def run(command: Iterable[str | Path], log: Path, **options: object) -> bool:
    """Whether it passed; what it says is kept."""
    with log.open("w") as out:
        words = [str(word) for word in command]
        done = subprocess.run(words, stdout=out, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    if done.returncode:
        print(f"failed, see {log}: {' '.join(words)}", file=sys.stderr)
    return bool(done.returncode == 0)


def add_gcov(files: Files, folder: Path, root: Path, gcov: str = "gcov") -> None:
    """Adds the counts of all objects in a folder, built from the sources in `root`."""
    notes = sorted(folder.rglob("*.gcno"))
    for start in range(0, len(notes), 40):
        command = [gcov, "--json-format", "--branch-probabilities", "--stdout"]
        done = subprocess.run(
            command + list(map(str, notes[start : start + 40])),
            capture_output=True,
            check=True,
        )
        for text in done.stdout.splitlines():
            unit = json.loads(text)
            for file in unit["files"]:
                path = Path(unit["current_working_directory"], file["file"]).resolve()
                if root not in path.parents:
                    continue  # the compiler's headers
                name = path.relative_to(root).as_posix()
                for line in file["lines"]:
                    ways = [
                        way["count"] for way in line["branches"] if not way["throw"]
                    ]
                    files[name].add(line["line_number"], line["count"], ways)


def count_c(work: Path, report: bool) -> tuple[Files, bool]:
    """The library and its program, by the C tests."""
    files: Files = defaultdict(File)
    passed = True
    for name, (arguments, prefix) in BUILDS.items():
        build = work / name
        if not report and shutil.which(f"{prefix}gcc"):
            build.mkdir(exist_ok=True)
            command = ["make", "-s", "-k", "-C", ROOT / "csrc", f"BUILD={build}"]
            log = work / f"{name}.log"
            passed &= run([*command, "WARNINGS=-w", *arguments], log)
        add_gcov(files, build, ROOT, f"{prefix}gcov")
    return only_product(files), passed


def only_product(files: Files) -> Files:
    """Without tests, and what is made of the sources."""
    left_out = ("csrc/tests/", "csrc/build/")
    return {
        name: file
        for name, file in sorted(files.items())
        if name.startswith("csrc/") and not name.startswith(left_out)
    }


def count_python(work: Path, report: bool, pytest: list[str]) -> tuple[Files, bool]:
    """The package, Cython and its C included, by pytest."""
    source, made, passed = work / "source", work / "lib", True
    rc, programs = work / "rc", Path(sys.executable).parent
    coverage = [programs / "coverage"]
    if not report:
        for name in subprocess.check_output(
            ["git", "ls-files", "-z"], cwd=ROOT, text=True
        ).split("\0")[:-1]:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
        (work / "data").mkdir(exist_ok=True)
        rc.write_text(RC.format(work=work, made=made, programs=programs, root=ROOT))
        build = ["setup.py", "-q", "build", "--build-lib", made, "--build-temp"]
        options = {**os.environ, "BBANS_COVERAGE": "1"}
        command = [sys.executable, *build, work / "temp"]
        if not run(command, work / "build.log", cwd=source, env=options):
            return {}, False
        tool = work / "tool"
        counted = ["make", "-s", "-C", ROOT / "csrc", f"BUILD={tool}", "tool"]
        counted += ["WARNINGS=-w", "CFLAGS=-O1 --coverage -DBBANS_PORTABLE"]
        passed = run(counted, work / "tool.log")
        # The built package comes before the installed one, whose programs are used.
        passed &= run(
            [*coverage, "run", f"--rcfile={rc}", programs / "pytest", *pytest],
            work / "pytest.log",
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(made),
                "PYTHONDONTWRITEBYTECODE": "1",
                "BBANS_C_TOOL": str(tool / "bbans"),
            },
        )
    run([*coverage, "combine", "--keep", f"--rcfile={rc}"], work / "combine.log")
    out = work / "coverage.json"
    run([*coverage, "json", f"--rcfile={rc}", "-o", out], work / "json.log")
    files: Files = defaultdict(File)
    for path, found in json.loads(out.read_text())["files"].items():
        if made not in Path(path).resolve().parents:
            continue
        file = files[Path(path).resolve().relative_to(made).as_posix()]
        for count, key in enumerate(("missing", "executed")):
            for line in found[f"{key}_lines"]:
                file.add(line, count, [])
            for line, _ in found[f"{key}_branches"]:
                file.ways[line].append(count)
    add_gcov(files, work / "temp", source)
    add_gcov(files, work / "tool", ROOT)
    for name in [name for name in files if name.endswith(".pyx")]:
        files[name].ways.clear()  # they are those of C
    return dict(files), passed


def rows_of(files: Files, language: str, by: str) -> list[Row]:
    """One for each folder, and one for all of them."""
    folders: dict[str, list[File]] = defaultdict(list)
    for name, file in files.items():
        folders[str(Path(name).parent)].append(file)
        folders["all"].append(file)
    rows: list[Row] = []
    for folder, inside in sorted(folders.items(), key=lambda f: (f[0] == "all", f[0])):
        row: Row = {"language": language, "by": by, "folder": folder}
        counts = [file.row() for file in inside]
        row["files"] = len(inside)
        row |= {key: sum(count[key] for count in counts) for key in counts[0]}
        rows.append(row)
    return rows


def said(row: Row) -> str:
    parts = [f"{row['language']:6} {row['by']:9} {row['folder']:20}"]
    for what in ("lines", "branches"):
        whole = int(row[what])
        if whole > 0:
            share = int(row[f"{what}_reached"]) / whole
            parts.append(f"{share:7.2%} of {whole:6} {what}")
    return " ".join(parts)


def ranges(lines: list[int]) -> str:
    """3-5, 9"""
    parts = []
    for _, each in itertools.groupby(enumerate(lines), lambda item: item[1] - item[0]):
        group = [line for _, line in each]
        parts.append(f"{group[0]}-{group[-1]}" if len(group) > 1 else str(group[0]))
    return ", ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "part", nargs="?", choices=["c", "python", "both"], default="both"
    )
    parser.add_argument("--work", type=Path, help="folder for builds and counts, kept")
    parser.add_argument(
        "--report", action="store_true", help="run nothing: what is in --work"
    )
    parser.add_argument(
        "--show", action="store_true", help="the lines that are not reached"
    )
    parser.add_argument("--json", type=Path, help="where rows are written")
    parser.add_argument(
        "--pytest", nargs=argparse.REMAINDER, default=[], help="arguments"
    )
    options = parser.parse_args()
    rows: list[Row] = []
    by_c: Files = {}
    shown: Files = {}
    passed = True
    with tempfile.TemporaryDirectory(prefix="coverage-") as name:
        work = (options.work or Path(name)).resolve()
        work.mkdir(exist_ok=True)
        if options.part != "python":
            by_c, passed = count_c(work, options.report)
            rows += rows_of(by_c, "C", "C tests")
            shown |= by_c
        if options.part != "c":
            files, well = count_python(work, options.report, options.pytest)
            passed &= well
            for language, ending in (("Python", ".py"), ("Cython", ".pyx")):
                these = {
                    name: file
                    for name, file in files.items()
                    if name.endswith(ending) and name.startswith(("bbans/", "_bbans"))
                }
                rows += rows_of(these, language, "pytest")
                shown |= these
            both: Files = defaultdict(File)
            for found in (by_c, only_product(files)):
                for path, file in found.items():
                    for line, count in file.lines.items():
                        both[path].add(line, count, file.ways[line])
            rows += rows_of(both, "C", "all tests")
    unseen = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("kernels/*_neon.c", "kernels/*_wasm.c")  # of other machines
        for path in (ROOT / "csrc").glob(pattern)
    } - by_c.keys()
    if by_c and unseen:
        print("not counted:", *sorted(unseen))
    if options.show:
        for path, file in sorted(shown.items()):
            if missed := file.missed():
                print(f"{path}: {ranges(missed)}")
    for row in rows:
        print(said(row))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
