"""Fixtures that test files share; plain functions are in shared.py."""

import pytest
from shared import ISAS

from bbans._lib import lib


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
