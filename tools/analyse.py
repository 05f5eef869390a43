"""What do static analysers find?  Runs them over csrc/ and the Python code; 0 is right.

    python tools/analyse.py --json analysis.json          # all of them
    python tools/analyse.py gcc cppcheck --jobs 4         # some

gcc -fanalyzer and clang's analyser, which is scan-build's and which clang-tidy runs
here, follow paths through each file; clang-tidy and cppcheck know patterns; ruff and
mypy read Python.  What is false, or meant, is in analyse.txt, or beside its line, and a
check that is wrong everywhere is left out here or in .clang-tidy: with reasons."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
STANDARD = ["-std=c99", "-I."]
# file:line:column: severity: text [check], as all of them can write.
FINDING = re.compile(r"^(?P<path>[^\s:]+):(?P<line>\d+):(?:\d+:)? (?P<text>.+)$")
CHECKS = re.compile(r"\[-?W?([\w.,-]+)\]$")
KNOWN = Path(__file__).with_suffix(".txt")


# Scopes: what a function needs is declared at its top.  Conditions: taken for constant
# within loops that change them.  Functions: static ones of headers, which the file does
# not call.  Members: of unions, or of other machines.  `continue` is an empty loop.
# Variables: structs and arrays that a function fills.
CPPCHECK_LEFT_OUT = ["variableScope", "knownConditionTrueFalse", "shadowFunction"]
CPPCHECK_LEFT_OUT += ["unusedStructMember", "redundantContinue", "ctuuninitvar"]
CPPCHECK_LEFT_OUT += ["unassignedVariable"]


@dataclass(frozen=True)
class Analyser:
    """`command` is of one file in csrc/; of none, for all at once in the root."""

    program: str
    command: Callable[[str], list[str]]
    suppressed: str  # how a line says that a finding is meant
    each_file: bool = True


ANALYSERS = {
    "gcc": Analyser(
        "gcc",
        lambda file: [
            *["gcc", *STANDARD, "-O1", "-fanalyzer", "-c", file, "-o", "/dev/null"],
            # gcc 12 does not see that a loop fills an array of vectors; clang's
            # analyser and the sanitizers look for the same.
            "-Wno-analyzer-use-of-uninitialized-value",
        ],
        "-Wanalyzer",
    ),
    "clang-tidy": Analyser(
        "clang-tidy",
        lambda file: ["clang-tidy", "--quiet", file, "--", *STANDARD],
        "NOLINT",
    ),
    "cppcheck": Analyser(
        "cppcheck",
        lambda file: [
            *["cppcheck", "--quiet", "--std=c99", "-I.", "--inline-suppr"],
            *["--enable=warning,style,performance,portability", file],
            *[f"--suppress={check}" for check in CPPCHECK_LEFT_OUT],
            # The kernels of x86, without all combinations of the macros of others.
            *["-D__GNUC__", "-D__x86_64__", "-D__SSE2__", "-U_MSC_VER"],
            "--template={file}:{line}:{column}: {severity}: {message} [{id}]",
        ],
        "cppcheck-suppress",
    ),
    "ruff": Analyser(
        "ruff",
        lambda _: ["ruff", "check", "--output-format=concise", "."],
        "noqa:",
        False,
    ),
    "mypy": Analyser("mypy", lambda _: ["mypy"], "type: ignore", False),
}


def c_files() -> list[str]:
    """The library and its program; kernels for WebAssembly need another clang."""
    found = [
        path.relative_to(CSRC).as_posix()
        for pattern in ("*/bbans_*.c", "kernels/*.c", "tools/*.c")
        for path in sorted(CSRC.glob(pattern))
    ]
    return [name for name in found if not name.endswith("_wasm.c")]


@dataclass(frozen=True, order=True)
class Finding:
    """`known` is how tools/analyse.txt would name it: by what the line says."""

    said: str
    known: tuple[str, str, str] = ("", "", "")


def finding(folder: Path, said: str) -> Finding:
    match = FINDING.match(said)
    if not match or not (folder / match["path"]).exists():
        return Finding(said)
    path = (folder / match["path"]).resolve()
    line = path.read_text("utf-8").splitlines()[int(match["line"]) - 1].strip()
    name = path.relative_to(folder).as_posix()
    checks = CHECKS.search(match["text"])
    check = checks[1].partition(",")[0] if checks else ""
    said = f"{name}:{match['line']}: {match['text']}"
    return Finding(said, (name, check, line))


def known_findings() -> set[tuple[str, str, str]]:
    """Of lines of `path: check: what the line says`, under their reason."""
    lines = KNOWN.read_text("utf-8").splitlines()
    parts = [line.split(": ", 2) for line in lines if line and line[0] != "#"]
    return {(path, check, line) for path, check, line in parts}


def analyse(analyser: Analyser, jobs: int) -> tuple[list[Finding], int]:
    """The findings, each once, though headers are seen with many files; and how many
    files there were."""
    folder, files = (CSRC, c_files()) if analyser.each_file else (ROOT, [""])

    def of(file: str) -> list[Finding]:
        command = analyser.command(file)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        lines = (done.stdout + done.stderr).splitlines()
        found = [
            each for each in lines if FINDING.match(each) and ": note: " not in each
        ]
        if done.returncode and not found:
            found = [f"{' '.join(command)}: exit status {done.returncode}", *lines]
        return [finding(folder, line.replace(f"{folder}/", "")) for line in found]

    with ThreadPoolExecutor(jobs) as pool:
        found = {each for of_file in pool.map(of, files) for each in of_file}
    return sorted(found), len(files) if analyser.each_file else len(python_files())


def python_files() -> list[Path]:
    shown = subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True)
    return [ROOT / name for name in shown.split("\n") if name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("analysers", nargs="*", default=[], help=", ".join(ANALYSERS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where rows are written")
    options = parser.parse_args()
    if unknown := set(options.analysers) - ANALYSERS.keys():
        parser.error(f"no analyser is called {', '.join(sorted(unknown))}")
    rows, total, known, seen = [], 0, known_findings(), set()
    for name in options.analysers or ANALYSERS:
        analyser = ANALYSERS[name]
        if shutil.which(analyser.program) is None:
            sys.exit(f"{analyser.program} is not installed")
        start = time.monotonic()
        all_of_it, files = analyse(analyser, options.jobs)
        found = [each.said for each in all_of_it if each.known not in known]
        seen |= {each.known for each in all_of_it}
        print(*found, sep="\n", end="\n" * bool(found))
        version = subprocess.check_output([analyser.program, "--version"], text=True)
        sources = list(CSRC.rglob("*.[ch]")) if analyser.each_file else python_files()
        rows.append(
            {
                "analyser": name,
                "version": re.findall(r"\d+\.\d[\w.]*", version)[0],
                "files": files,
                "findings": len(found),
                "suppressed": len(all_of_it)
                - len(found)
                + sum(
                    path.read_text("utf-8").count(analyser.suppressed)
                    for path in sources
                ),
                "seconds": round(time.monotonic() - start),
            }
        )
        print(*(f"{key} {value}" for key, value in rows[-1].items()), sep=", ")
        total += len(found)
    if not options.analysers:  # what nothing finds any more is to be left out
        for unseen in sorted(known - seen):
            print(f"{KNOWN.name}: not found: {': '.join(unseen)}")
            total += 1
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(total > 0)


if __name__ == "__main__":
    main()
