"""Type checkers know what users of the package get."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
TYPED = Path(__file__).with_name("typed.py")


def test_a_typed_program(tmp_path):
    """Run where it sees the installed package, as users have it."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(TYPED)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
