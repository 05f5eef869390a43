"""What came of bad input, counted: `pytest --tally FILE` keeps the counts of each class
of input as a line of JSON, for docs/reliability.md."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bbans import BbansError

OUTCOMES = ("named", "correct", "wrong", "crash", "hang")


class Hang(BaseException):
    """An act took longer than it may; no `except Exception` stops it."""


@contextmanager
def limited(seconds: float):
    """Raise Hang in the main thread when the time is over."""

    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Tally:
    """Outcomes of one class of bad input.

    named: an error of the right kind; correct: the right answer; wrong: another answer;
    crash: an error of another kind, or a dead process; hang: no answer in time.
    """

    def __init__(self, what: str, file: Path | None, **facts: Any):
        self.what, self.file, self.facts = what, file, facts
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.faults: list[str] = []
        self.start = time.perf_counter()

    def count(self, outcome: str, case: object = "") -> None:
        self.outcomes[outcome] += 1
        if outcome in ("wrong", "crash", "hang"):
            self.faults.append(f"{outcome}: {case}")

    def offer(
        self,
        act: Callable[[], Any],
        *,
        right: Callable[[Any], bool] = lambda result: False,
        errors: type[BaseException] | tuple[type[BaseException], ...] = BbansError,
        case: object = "",
        seconds: float = 20,
    ) -> None:
        """One act: an error of `errors`, or a result that `right` agrees to."""
        try:
            with limited(seconds):
                result = act()
        except errors:
            self.count("named")
        except Hang:
            self.count("hang", case)
        except Exception as error:
            self.count("crash", f"{case}: {type(error).__name__}: {error}")
        else:
            self.count("correct" if right(result) else "wrong", case)

    def close(self) -> None:
        row = {"what": self.what, "tried": sum(self.outcomes.values())}
        row |= self.outcomes | self.facts
        row["seconds"] = round(time.perf_counter() - self.start, 1)
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        assert row["tried"], f"{self.what}: nothing was tried"
        assert not self.faults, f"{self.what}: {len(self.faults)}: " + "; ".join(
            self.faults[:10]
        )
