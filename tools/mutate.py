"""Which faults would the tests not notice?  Makes small ones, one at a time, and runs
the tests that concern the file; what survives them is a hole in them, or no fault.

    python tools/mutate.py --limit 400 --jobs 2 --json faults.jsonl
    python tools/mutate.py --since v0.1.0 'csrc/records/*.c' bbans/records/*.py
    make -C csrc BUILD=/tmp/b CFLAGS="-O1 -DCHECK_SHARE=8" check &&
        python tools/mutate.py --build /tmp/b --tests 3 'csrc/models/*.c'    # quick

It works in copies, of csrc/ and of the installed package; results are kept as they
come, so that the same command goes on where it stopped.  A fault in C is tried by the
C tests alone, one in Python or Cython by the test files that mention the file's names
most."""

import argparse
import contextlib
import dataclasses
import functools
import itertools
import json
import math
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = ["csrc/bbans_internal.h", "csrc/*/bbans_*.[ch]", "csrc/kernels/*.[ch]"]
PATTERNS += ["bbans/**/*.py", "bbans/**/*.pyx"]
# Data, declarations, and what is no part of the package when the tests run.
LEFT_OUT = {"csrc/distributions/bbans_families.c", "bbans/_core_build.py"}
OTHERS = ["wasm"] if platform.machine() == "aarch64" else ["wasm", "neon"]
LEFT_OUT |= {
    path.relative_to(ROOT).as_posix()
    for name in OTHERS
    for path in (ROOT / "csrc").glob(f"*/*_{name}.[ch]")
}
C_OPTIONS = "-O1 -DCHECK_SHARE=8"  # as many trials as the gate has
TEST_FILES = 6  # for a fault in Python
PYTEST = ["-m", "pytest", "-n0", "-x", "-q", "-p", "no:cacheprovider"]
PYTEST += ["--hypothesis-seed=0"]

C_BLANK = (
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'"
    r"|^[ \t]*#(?:\\\n|[^\n])*"
)
PYTHON_BLANK = (
    r"\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*"
)
SPACED = r"(?<=\s)(?:%s)(?=\s)"  # an operator of two operands, in both languages
BOTH = {
    "comparison": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    "sign": {"+": "-", "-": "+", "+=": "-=", "-=": "+="},
    "shift": {"<<": ">>", ">>": "<<"},
}
C_ONLY = {"logic": {"&&": "||", "||": "&&", "&": "|", "|": "&"}}
PYTHON_ONLY = {"logic": {"and": "or", "or": "and"}}
NUMBER = r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*\b)(?!\.\d)"
SWAPPED = r"(?<=\w\()([\w.]+), ([\w.]+)(?=[,)])"
C_DECLARATION = (
    r"(?:const|static|typedef|enum|struct|unsigned|u?int\w*|size_t|char|double|void"
    r"|__m\w+|__mmask\w+|bbans_\w+ (?=[*\w]+(?: =|,|;|\[))|case|default|else|assert)\b"
)
C_STATEMENT = rf"(?<=[;{{}}])\s*(?!{C_DECLARATION})(\w[^;{{}}]*;)"
PYTHON_STATEMENT = (
    r"^[ \t]+(raise\b.*|return|break|continue|[\w.]+\(.*\)"
    r"|[\w.\[\]]+ (?:[-+*/|&]|<<|>>)= .*|\w+[.\[].*\w\]? = .*)$"
)


@functools.cache  # a run keeps to the text that it began with
def text_of(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One replacement in one file."""

    path: str
    start: int
    old: str
    new: str
    kind: str
    line: int
    crc: int  # of the file: a result is one of this text

    def apply(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.start + len(self.old) :]


def faults(path: str) -> list[Fault]:
    """All that this program can do to a file."""
    text = text_of(path)
    in_c = path.endswith((".c", ".h"))
    blank = re.sub(
        C_BLANK if in_c else PYTHON_BLANK,
        lambda match: re.sub(r"[^\n]", " ", match[0]),
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    found = []

    def add(kind: str, start: int, end: int, new: str) -> None:
        line = blank.count("\n", 0, start) + 1
        whole = blank.splitlines()[line - 1]
        if kind != "statement" and not re.search("[a-zA-Z_]{2}", whole):
            return  # a row of a table
        if re.search(r"assert|^\s*(?:from|import|(?:c|cp)?def|class) ", whole):
            return
        crc = zlib.crc32(text.encode())
        found.append(Fault(path, start, text[start:end], new, kind, line, crc))

    for kind, pairs in (BOTH | (C_ONLY if in_c else PYTHON_ONLY)).items():
        for match in re.finditer(SPACED % "|".join(map(re.escape, pairs)), blank):
            add(kind, *match.span(), pairs[match[0]])
    for match in re.finditer(NUMBER, blank):
        add("bound", *match.span(1), str(int(match[1], 0) + 1))
    for match in re.finditer(SWAPPED, blank):
        if match[1] != match[2]:
            add("arguments", *match.span(), f"{match[2]}, {match[1]}")
    statements = C_STATEMENT if in_c else PYTHON_STATEMENT
    for match in re.finditer(statements, blank, flags=re.MULTILINE):
        before = blank[max(blank.rfind(c, 0, match.start(1)) for c in "{}\n") :]
        opened = before[: match.start(1) - len(blank)]  # a part of `for (;;)`?
        if all(part.count("(") == part.count(")") for part in (match[1], opened)):
            lines = "\n" * match[1].count("\n")
            add("statement", *match.span(1), (";" if in_c else "pass") + lines)
    return found


def lines_since(commit: str, path: str) -> set[int]:
    """Those that the commit has not."""
    command = ["git", "diff", "--unified=0", commit, "--", path]
    shown = subprocess.check_output(command, cwd=ROOT, text=True, errors="replace")
    hunks = re.findall(r"^@@ \S+ \+(\d+)(?:,(\d+))? @@", shown, re.MULTILINE)
    return {int(a) + n for a, count in hunks for n in range(int(count or 1))}


def chosen(
    patterns: list[str], seed: int, limit: int, since: str | None = None
) -> list[Fault]:
    """Some of all files, more of large ones; then file by file."""
    paths = {p.relative_to(ROOT).as_posix() for q in patterns for p in ROOT.glob(q)}
    order = []
    for path in sorted(paths - LEFT_OUT):
        all_of_it = faults(path)
        if since is not None:
            recent = lines_since(since, path)
            all_of_it = [fault for fault in all_of_it if fault.line in recent]
        if not all_of_it:
            continue
        random.Random(f"{seed} {path}").shuffle(all_of_it)
        share = math.sqrt(len(all_of_it))
        order += [((n + 1) / share, fault) for n, fault in enumerate(all_of_it)]
    order.sort(key=lambda item: (item[0], item[1].path))
    return sorted(
        (fault for _, fault in order[:limit]),
        key=lambda fault: (fault.path, fault.start),
    )


def run(command: list[str | Path], limit: int = 900, **options: Any) -> tuple[str, str]:
    """Passed, failed or "time limit", which is of CPU seconds; and what was printed."""
    limited = ["sh", "-c", 'ulimit -t "$0" && exec "$@"', str(limit)]
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        process = subprocess.Popen(
            limited + [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
        try:
            status = process.wait(30 * limit)
        except subprocess.TimeoutExpired:
            status = -signal.SIGXCPU
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it started
            process.wait()
        out.seek(0)
        late = status in (-signal.SIGXCPU, -signal.SIGKILL)
        return (
            "passed" if status == 0 else "time limit" if late else "failed",
            out.read(),
        )


class Copy:
    """A folder in which files are changed and tests run.  Its kinds write(path, text),
    build(path): "built", "invalid", or "same" if what comes out is as before; name the
    tests(path), and run a test(name)."""

    limit: int  # CPU seconds of a test; none takes a third of it
    trusted: ClassVar[set[str]] = set()  # tests that were seen to pass

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed = ""

    def attempt(self, fault: Fault) -> tuple[str, str]:
        """An outcome, and by which test."""
        if self.changed not in ("", fault.path):  # faults of a file follow each other
            self.write(self.changed, text_of(self.changed))
        if self.changed != fault.path:
            self.build(fault.path)
        self.changed = fault.path
        self.write(fault.path, fault.apply(text_of(fault.path)))
        outcome = self.build(fault.path)
        if outcome != "built":
            return outcome, ""
        for test in self.tests(fault.path):
            outcome, output = self.test(test)
            if outcome == "passed":
                self.trusted.add(test)
                continue
            if test not in self.trusted:
                self.try_without(fault.path, test)
            failed = re.search(r"^FAILED \S*?(test_\S+)", output, re.MULTILINE)
            return "killed", failed[1] if failed else f"{test}, {outcome}"
        return "SURVIVED", ""

    def try_without(self, path: str, test: str) -> None:
        """A test that fails without a fault too tells nothing."""
        self.write(path, text_of(path))
        self.build(path)
        outcome, output = self.test(test)
        if outcome != "passed":
            sys.exit(f"without any fault, {test}: {outcome}\n{output}")
        self.trusted.add(test)


class CCopy(Copy):
    """csrc/ and what its tests are made from."""

    limit = 60
    made: Path | None = None  # a build to begin with
    most: int | None = None  # tests

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for part in ("csrc", "tools", "tests/vectors"):
            shutil.copytree(ROOT / part, folder / part)
        if self.made:
            shutil.copytree(self.made, folder / "build")
        self.objects: dict[str, bytes] = {}

    def make(self, target: str) -> tuple[str, str]:
        build = self.folder / "build"
        options = [
            f"BUILD={build}",
            f"CFLAGS={C_OPTIONS}",
            "WARNINGS=-w",
            build / target,
        ]
        return run(["make", "-s", "-C", self.folder / "csrc", *options])

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, "utf-8")

    def build(self, path: str) -> str:
        if self.make("libbbans.a")[0] != "passed":
            return "invalid"
        if path.endswith(".h"):
            return "built"
        code = (self.folder / "build" / path[5:-2]).with_suffix(".o").read_bytes()
        if path == self.changed and code == self.objects[path]:
            return "same"
        if path != self.changed:
            self.objects[path] = code
        return "built"

    def tests(self, path: str) -> list[str]:
        """All C tests: the ones of the file's own name first, then those that mention
        most what it defines."""
        words = set(re.split(r"[_./]", path)) - {"bbans"}
        own = {f"test_{word}" for word in words}
        if "kernels" in words:
            own = {"test_kernels"}
        defined = set(re.findall(r"\bbbans_\w+(?=\()", text_of(path)))

        def rank(test: Path) -> tuple[bool, int, bool]:
            calls = re.findall(r"\bbbans_\w+(?=\()", test.read_text("utf-8"))
            mentioned = sum(call in defined for call in calls)
            return test.stem not in own, -mentioned, test.stem == "test_kernels"

        names = [
            p.stem for p in sorted((ROOT / "csrc/tests").glob("test_*.c"), key=rank)
        ]
        return names[: self.most]

    def test(self, name: str) -> tuple[str, str]:
        outcome, output = self.make(name)
        if outcome != "passed":
            return outcome, output
        return run([self.folder / "build" / name], self.limit)


class PythonCopy(Copy):
    """The installed package, before that one on the path; Cython's parts rebuilt."""

    limit = 200

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        installed = Path(sysconfig.get_path("platlib")) / "bbans"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(installed, folder / "bbans", ignore=ignored)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",  # a stale one may look new
        }
        self.source = folder / "source"

    def write(self, path: str, text: str) -> None:
        if path.endswith(".pyx") and not self.source.exists():
            for part in ("bbans", "csrc", "packaging"):
                shutil.copytree(ROOT / part, self.source / part)
            for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
                shutil.copy(ROOT / name, self.source)
        folder = self.source if path.endswith(".pyx") else self.folder
        (folder / path).write_text(text, "utf-8")

    def build(self, path: str) -> str:
        cython = path.endswith(".pyx") or self.changed.endswith(".pyx")
        if cython and self.source.exists():
            options = ["--build-lib", self.folder, "--build-temp", self.source / "temp"]
            command = [sys.executable, "setup.py", "-q", "build_ext", *options]
            if run(command, cwd=self.source)[0] != "passed":
                return "invalid"
        return "built"

    def tests(self, path: str) -> list[str]:
        """The one of its name, then those that mention what it defines, or
        what those define that import it, or those in turn, most."""
        texts = {p: p.read_text("utf-8") for p in (ROOT / "bbans").rglob("*.py")}
        mentioned: Counter[str] = Counter()
        level = {ROOT / path}
        for weight in (100, 10, 1):
            names = "|".join(
                name
                for module in level
                for name in re.findall(
                    r"^(?: {4})?(?:def|class|cdef class) ([A-Za-z]\w{4,})",
                    module.read_text(),
                    re.MULTILINE,
                )
            )
            for test in (ROOT / "tests").glob("test_*.py"):
                found = re.findall(
                    rf"\b(?:{names or '(?!)'})\b", test.read_text("utf-8")
                )
                mentioned[test.name] += weight * len(found)
            stems = "|".join(module.stem for module in level)
            imports = rf"^\s*(?:from|import) .*\b(?:{stems})\b"
            level = {p for p in texts if re.search(imports, texts[p], re.MULTILINE)}
        for name in ("architecture", "c_library"):  # which need no installed package
            mentioned[f"test_{name}.py"] = 0
        own = f"test_{Path(path).stem.strip('_')}.py"
        if own in mentioned:
            mentioned[own] += 10**9
        return [name for name, count in mentioned.most_common(TEST_FILES) if count]

    def test(self, name: str) -> tuple[str, str]:
        options = ["--rootdir", ROOT, "-c", ROOT / "pyproject.toml"]
        command = [sys.executable, *PYTEST, *options, ROOT / "tests" / name]
        return run(command, self.limit, cwd=self.folder, env=self.environment)


def table(results: list[dict[str, object]]) -> str:
    rows: dict[str, Counter[str]] = {}
    for result in results:
        path = str(result["path"])
        row = "pyx" if path.endswith(".pyx") else str(Path(path).parent)
        for name in (row, "all"):
            rows.setdefault(name, Counter())[str(result["outcome"])] += 1
    outcomes = ["killed", "SURVIVED", "same", "invalid"]
    lines = [f"{'':16}" + "".join(f"{name:>10}" for name in outcomes)]
    for name in sorted(rows, key=lambda name: (name == "all", name)):
        lines.append(f"{name:16}" + "".join(f"{rows[name][o]:10}" for o in outcomes))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("patterns", nargs="*", default=PATTERNS, help="of files")
    parser.add_argument("--since", metavar="COMMIT", help="in lines that it has not")
    parser.add_argument("--limit", type=int, default=100, help="how many faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--build", type=Path, help="of csrc/, to begin with")
    parser.add_argument("--tests", type=int, help="of C, a fault; else all")
    parser.add_argument("--json", type=Path, help="where results are, a line each")
    options = parser.parse_args()
    CCopy.made, CCopy.most = options.build, options.tests
    wanted = chosen(options.patterns, options.seed, options.limit, options.since)
    done = []
    if options.json and options.json.exists():
        done = [json.loads(line) for line in options.json.read_text().splitlines()]
    known = {(r["path"], r["start"], r["new"], r["crc"]): r for r in done}
    results = []

    def work(_: int) -> None:
        with tempfile.TemporaryDirectory(prefix="mutate-") as name:
            copies: dict[type[Copy], Copy] = {}
            for fault in itertools.chain.from_iterable(groups):
                kind = CCopy if fault.path.startswith("csrc") else PythonCopy
                if kind not in copies:
                    folder = Path(name) / kind.__name__
                    folder.mkdir()
                    copies[kind] = kind(folder)
                outcome, by = copies[kind].attempt(fault)
                result = {**dataclasses.asdict(fault), "outcome": outcome, "by": by}
                results.append(result)
                if options.json:
                    with options.json.open("a") as out:
                        out.write(json.dumps(result) + "\n")
                where = f"{fault.path}:{fault.line}"
                change = f"{fault.old!r} -> {fault.new!r}"
                print(f"{outcome:9}{where}: {change} {by}", flush=True)

    new = []
    for fault in wanted:
        key = (fault.path, fault.start, fault.new, fault.crc)
        if key in known:
            results.append(known[key])
        else:
            new.append(fault)
    # Shared by the workers: each takes the faults of one file at a time.
    groups = iter([list(g) for _, g in itertools.groupby(new, lambda f: f.path)])
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(work, range(options.jobs)))
    print(table(results))
    for result in sorted(results, key=lambda r: (r["path"], r["line"])):
        if result["outcome"] == "SURVIVED":
            print("{path}:{line}: {kind}: {old!r} -> {new!r}".format(**result))


if __name__ == "__main__":
    main()
