"""Any arguments for the public functions: an error of bbans, TypeError or ValueError,
or a result; never another error, a crash, or a message that a refusal has changed."""

import random

import numpy as np
import pytest
from calls import CALLS, LENGTHS
from hostile import HOSTILE

from bbans import BbansError, Message
from bbans.distributions import Distribution

# What Python itself raises for arguments of a wrong type or value, and the system for
# names of files that are not there.
PLAIN = (BbansError, TypeError, ValueError, MemoryError, OSError)
SHARDS = 24


def arguments_of(name):
    call = CALLS[name]()
    return [*range(len(call.args)), *call.keywords]


def fits(name, key, value):
    """Is this no length that would only take the machine's time and memory?"""
    return not (
        (name, key) in LENGTHS
        and isinstance(value, int | float)
        and 4096 < value < 1 << 40
    )


def offer(count, name, changes):
    """Call it with other values for some of its arguments."""
    call = CALLS[name]()
    args, keywords = list(call.args), dict(call.keywords)
    values = {}
    for key, make in changes.items():
        value = make()
        if not fits(name, key, value):
            return
        if type(value) is np.ndarray and value.flags.c_contiguous:
            value = value.copy()  # which the call may fill
        values[key] = value
        (args if isinstance(key, int) else keywords)[key] = value
    owner = getattr(call.func, "__self__", None)
    target = owner if isinstance(owner, Message) else None
    if isinstance(owner, Distribution) and args and isinstance(args[0], Message):
        target = args[0]
    before = target.copy() if target is not None else None

    def act():
        try:
            return call.func(*args, **keywords)
        except errors:
            assert target is None or target == before, "a refusal changed the message"
            raise

    errors = (*PLAIN, IndexError) if "[" in name else PLAIN
    shown = {key: repr(value)[:60] for key, value in values.items()}
    count.offer(act, right=lambda result: True, errors=errors, case=(name, shown))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Names of files are of none that is there."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore")  # of numpy, about numbers
def test_some_arguments_of_every_function(tally):
    count = tally("calls: one to three arguments of any kind")
    rng = random.Random(0)
    for name in CALLS:
        keys = arguments_of(name)
        for n in (1, 1, 1, 2, 3):
            chosen = rng.sample(keys, min(n, len(keys)))
            offer(count, name, {key: rng.choice(HOSTILE) for key in chosen})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_argument_of_every_function(shard, tally):
    count = tally("calls: every argument of every kind")
    for name in sorted(CALLS)[shard::SHARDS]:
        for key in arguments_of(name):
            for make in HOSTILE:
                offer(count, name, {key: make})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_the_calls_are_right_as_they_are(name):
    call = CALLS[name]()
    call.func(*call.args, **call.keywords)
