"""What the paper's code gets wrong in silence: tools/reference_failures.py says how."""

import pytest
from shared import program

FAILURES = program("tools/reference_failures.py")
#: Where there is a right answer, it must be given; elsewhere the error be named.
RIGHT = {
    "EM that becomes NaN": {"correct"},
    "the path to a symbol is lost": {"correct"},
    "a symbol of probability zero": {"correct"},
    "tables of 24 bits or more": {"correct"},
    "the same input, twice": {"correct"},
}


@pytest.mark.parametrize("failure", FAILURES.FAILURES)
def test_what_the_reference_gets_wrong(failure, tally):
    counts = tally(f"the paper's failures: {failure}")
    lib = FAILURES.Bbans()
    expected = RIGHT.get(failure, {"named"})
    for number, act in enumerate(FAILURES.FAILURES[failure](lib)):
        outcome = FAILURES.outcome_of(act, lib.named)
        kind = "crash" if outcome == "error" else outcome
        counts.count(kind if kind in {"crash", *expected} else "wrong", number)
