"""The benchmarks run, and write rows of one form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
HELPERS = {"clock", "engine", "made", "report"}
SCRIPTS = sorted({path.stem for path in FOLDER.glob("*.py")} - HELPERS)
CHEAP = ["gaussian", "packets"]
NEEDS = {
    "cluster": "distributed",
    "sklearn_hmm": "hmmlearn",
    "wasm": "ziglang",
    "zarr_store": "zarr",
}


def run(name, *options):
    command = [sys.executable, FOLDER / f"{name}.py", *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_benchmark_has_the_common_options(name):
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in ("--quick", "--data", "--json"))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in CHEAP else pytest.mark.slow)
     for name in SCRIPTS],
)  # fmt: skip
def test_a_quick_run_writes_rows(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{name} measures against it")
    file = tmp_path / "rows.json"
    done = run(name, "--quick", "--json", file)
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    assert rows
    assert [*tmp_path.iterdir()] == [file]
    for row in rows:
        assert row.keys() == {"what", "value", "unit", "target", "holds"}
        assert isinstance(row["value"], float)
        assert (row["target"] is None) == (row["holds"] is None)
    names = [row["what"] for row in rows]
    assert len(set(names)) == len(names)
    assert all(name in done.stdout for name in names)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--data", "absent"], "absent is not a folder"),
        (["--json", "absent/rows.json"], "absent is not a folder"),
    ],
)
def test_bad_options_are_refused_before_work_begins(options, text, tmp_path):
    done = run("packets", *options)
    assert done.returncode == 2
    assert text in done.stderr


def test_missing_data_are_named(tmp_path):
    done = run("packets", "--quick", "--data", tmp_path)
    assert f"skipped: sensors: no sensors/*.npy in {tmp_path}" in done.stdout


def test_targets_bound_from_above_or_below(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from report import Report, parser\n"
        "with Report(parser(__doc__).parse_args()) as rows:\n"
        "    rows.add('a', 2, 'ms', at_most=1)\n"
        "    rows.add('b', 2, 'ms', at_least=1)\n"
        "    rows.add('c', 2, 'ms')\n"
        "    assert rows.peer('no_such_peer', 'its rows') is None\n"
    )
    done = subprocess.run(
        [sys.executable, script, "--json", tmp_path / "rows.json"],
        env={"PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["holds"] for row in rows] == [False, True, None]
    assert [row["target"] for row in rows] == [1, 1, None]
    assert "1 of 2 targets hold\n  missed: a\n" in done.stdout
    assert "skipped: its rows: no_such_peer is not installed" in done.stdout
