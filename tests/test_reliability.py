"""docs/reliability.md is what its rows say, and says that nothing went wrong."""

import json

from shared import program

reliability = program("tools/reliability.py")
STORED = json.loads(reliability.STORED.read_text("utf-8"))


def test_the_page_is_made_of_the_rows():
    assert reliability.PAGE.read_text("utf-8") == reliability.page(STORED)


def test_no_row_has_a_wrong_answer_a_crash_or_a_hang():
    for row in STORED["hostile"]["rows"]:
        assert row["tried"] == row["named"] + row["correct"], row["what"]
    for row in STORED["fuzz"]["rows"]:
        assert row["crashes"] == 0, row["target"]
    for row in STORED["analysis"]["rows"]:
        assert row["findings"] == 0, row["analyser"]


def test_rows_of_one_class_are_added(tmp_path):
    file = tmp_path / "rows.json"
    row = dict.fromkeys(reliability.OUTCOMES, 0) | {"what": "a: b", "tried": 2}
    file.write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    assert "| a | b | 4 |" in "\n".join(reliability.hostile(reliability.rows_of(file)))
