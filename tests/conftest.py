"""Fixtures that test files share; plain functions are in shared.py."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from shared import ISAS
from tally import Tally

from bbans._lib import lib

with suppress(ImportError):  # where there is none, the tests that need it are skipped
    import fcntl


def pytest_addoption(parser):
    parser.addoption(
        "--tally", type=Path, metavar="FILE", help="append what came of bad input"
    )


@pytest.fixture
def tally(request):
    """`tally(what, **facts)` counts what comes of a class of bad input; when the test
    ends, nothing may have been wrong, crashed or hung."""
    made = []

    def make(what, **facts):
        made.append(Tally(what, request.config.getoption("--tally"), **facts))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def best_isa_afterwards():
    """For tests that choose the kernels themselves."""
    yield
    lib.bbans_isa_use(lib.BBANS_ISA_BEST)


@pytest.fixture(params=ISAS)
def isa(request, best_isa_afterwards):
    """Run a test with each kind of kernels that this machine has."""
    lib.bbans_isa_use(ISAS[request.param])
    return request.param


@pytest.fixture(scope="session")
def tool(tmp_path_factory):
    """The bbans in C, without vectors, whose kernels take most of the time to build:
    once for all processes of this run of tests; or one that is built already."""
    if made := os.environ.get("BBANS_C_TOOL"):
        return Path(made)
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    source, build = Path(__file__).resolve().parents[1] / "csrc", folder / "tool"
    with (folder / "tool.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            ["make", "-s", "-j4", "-C", source, f"BUILD={build}",
             "CFLAGS=-O0 -DBBANS_PORTABLE", "tool"],
            check=True,
        )  # fmt: skip
    return build / "bbans"
