"""What every benchmark shares: its options, its rows, its peers, and what ran it.

    parser = report.parser(__doc__)
    with report.Report(parser.parse_args()) as rows:
        rows.add("encode, avx512", 444.0, "cycles/symbol")
        rows.add("encode, to the peer's time", 0.4, "times", at_most=1)

A row is printed as soon as it is known. With --json all of them are written at the end,
as a list of objects with `what`, `value`, `unit`, `target` (a number or null) and
`holds` (true or false, null without a target). A missed target is no failure of the
benchmark: the exit status is 0.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import bbans
from bbans._lib import lib

ISAS = {0: "portable", 1: "avx2", 2: "avx512", 3: "neon", 4: "wasm"}


def use_isa(name: str | None = None) -> str | None:
    """Choose the kernels, or the best; their name, None if this machine lacks them."""
    numbers = {isa: number for number, isa in ISAS.items()}
    wanted = lib.BBANS_ISA_BEST if name is None else numbers[name]
    found = lib.bbans_isa_use(wanted)
    return ISAS[found] if name is None or found == wanted else None


def _hold_blas() -> None:
    """Start this process again, with BLAS held to one thread from its start: threads of
    BLAS that wait for each other spin, and process time counts that."""
    held = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    if not held.keys() <= os.environ.keys():
        os.execve(sys.executable, sys.orig_argv, {**held, **os.environ})


def parser(doc: str) -> argparse.ArgumentParser:
    """Options that every benchmark has; `doc` is the module's docstring."""

    def folder(text: str) -> Path:
        if not Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"{text} is not a folder")
        return Path(text).resolve()

    def new_file(text: str) -> Path:
        folder(str(Path(text).absolute().parent))  # before minutes of work are lost
        return Path(text).absolute()

    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick", action="store_true", help="less data, under a minute on two cores"
    )
    made.add_argument("--data", metavar="DIR", type=folder, help="folder of real data")
    made.add_argument(
        "--json", metavar="FILE", type=new_file, help="write the rows to FILE too"
    )
    return made


class Report:
    """The rows of one run, between `with` and its end."""

    def __init__(self, options: argparse.Namespace) -> None:
        _hold_blas()
        self.quick: bool = options.quick
        self._data: Path | None = options.data
        self._json: Path | None = options.json
        self._rows: list[dict[str, Any]] = []
        self._peers: list[str] = []

    def __enter__(self) -> Report:
        _print_row("what", "value", "unit", "target", "holds")
        _print_row("---", "---:", "---", "---:", "---")
        return self

    def add(
        self,
        what: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Print and keep a row.  A target is one bound, from above or from below."""
        value = float(value)
        if not math.isfinite(value):
            raise ValueError(f"{what}: the value is {value}; it must be finite")
        target, holds, bound = None, None, ""
        if at_most is not None:
            target, holds, bound = at_most, value <= at_most, f"<= {at_most:g}"
        elif at_least is not None:
            target, holds, bound = at_least, value >= at_least, f">= {at_least:g}"
        self._rows.append(
            {"what": what, "value": value, "unit": unit, "target": target,
             "holds": holds}
        )  # fmt: skip
        whole = value.is_integer() or abs(value) >= 10_000
        shown = f"{value:.0f}" if whole else f"{value:.4g}"
        _print_row(
            what, shown, unit, bound, {None: "", True: "yes", False: "NO"}[holds]
        )

    def skip(self, what: str, why: str) -> None:
        """Say which rows are missing, and why."""
        print(f"skipped: {what}: {why}", flush=True)

    def files(self, pattern: str, what: str) -> list[Path]:
        """The files of --data of this pattern, sorted; if none, says what it skips."""
        if self._data is None:
            self.skip(what, "no --data")
            return []
        found = sorted(path for path in self._data.glob(pattern) if path.is_file())
        if not found:
            self.skip(what, f"no {pattern} in {self._data}")
        return found

    def peer(self, module: str, what: str) -> Any:
        """An optional package, imported, or None; if absent, says what it skips."""
        package = module.split(".")[0]
        try:
            found = importlib.import_module(module)
        except ImportError:
            self.skip(what, f"{package} is not installed (pip install {package})")
            return None
        self.used(version(package))
        return found

    def used(self, peer: str) -> None:
        """Name a peer and its version at the end."""
        if peer not in self._peers:
            self._peers.append(peer)

    def program(self, name: str, what: str) -> str | None:
        """The path of an optional program, or None; if absent, says what it skips."""
        found = shutil.which(name)
        if found is None:
            self.skip(what, f"the program {name} is not installed")
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            return  # part of the rows would look like all of them
        missed = [row["what"] for row in self._rows if row["holds"] is False]
        count = sum(row["target"] is not None for row in self._rows)
        print(f"\n{count - len(missed)} of {count} targets hold", end="")
        print("".join(f"\n  missed: {what}" for what in missed))
        for name, value in machine().items():
            print(f"{name}: {value}")
        if self._peers:
            print(f"peers: {', '.join(self._peers)}")
        if self._json is not None:
            part = self._json.with_name(self._json.name + ".part")
            part.write_text(json.dumps(self._rows, indent=1) + "\n", encoding="utf-8")
            part.replace(self._json)  # all or nothing


def _print_row(what: str, value: str, unit: str, target: str, holds: str) -> None:
    print(
        f"| {what:<68} | {value:>11} | {unit:<17} | {target:>9} | {holds:<5} |",
        flush=True,
    )


def version(package: str) -> str:
    """The package's name and, if known, its version."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def first_line(*command: str) -> str:
    """What a program prints first, or "unknown"."""
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.splitlines()[0]


def machine() -> dict[str, str]:
    """What ran: processor, kernels, compiler, versions, commit."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [s for s in info.read_text().splitlines() if "model name" in s]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    return {
        "cpu": f"{cpu}, {os.cpu_count()} threads",
        "best kernels": str(use_isa()),
        "compiler": first_line("cc", "--version"),
        "python": f"{sys.version.split()[0]}, {version('numpy')}",
        "bbans": bbans.__version__,
        "commit": first_line("git", "rev-parse", "HEAD"),
    }
