"""tools/fuzz.py: what it reads of libFuzzer's output, and how runs are added up."""

import json
from pathlib import Path

import pytest
from shared import program

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "csrc"
LOG = """\
INFO: Seed: 1
#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb
#64\tNEW    cov: 40 ft: 77 corp: 5/60b lim: 400 exec/s: 0 rss: 30Mb L: 9/9
Done 5000 runs in 2 second(s)
stat::number_of_executed_units: 5000
"""


@pytest.fixture(scope="module")
def fuzz():
    return program("tools/fuzz.py")


def test_numbers_of_a_run(fuzz):
    expected = {"executions": 5000, "edges": 40, "features": 77, "corpus": 5}
    assert fuzz.numbers(LOG) == expected
    without_the_end = LOG[: LOG.index("Done")]
    assert fuzz.numbers(without_the_end) == expected | {"executions": 64}
    assert set(fuzz.numbers("killed").values()) == {0}


def test_rows_are_added_to_those_of_before(fuzz, tmp_path):
    file = tmp_path / "rows.json"
    row = fuzz.numbers(LOG) | {"target": "hmm", "seconds": 2.5, "crashes": 0}
    fuzz.add_rows(file, [row, row | {"target": "arhmm"}])
    fuzz.add_rows(file, [row | {"edges": 41, "crashes": 1}])
    first, second = json.loads(file.read_text())
    assert first == row | {"target": "arhmm"}
    assert second == row | {
        "executions": 10000, "seconds": 5.0, "crashes": 1, "edges": 41,
    }  # fmt: skip


def test_seeds_are_few_and_of_targets(fuzz):
    seeds = CSRC / "fuzz" / "seeds"
    assert {path.name for path in seeds.iterdir()} <= set(fuzz.TARGETS)
    files = [path for path in seeds.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 100_000
    for folder in seeds.iterdir():
        assert len([*folder.iterdir()]) <= 30
