"""Any arguments for the public functions: an error of bbans, TypeError or ValueError,
or a result; never another error, a crash, or a message that a refusal has changed."""

import importlib
import inspect
import operator
import random

import numpy as np
import pytest
from calls import CALLS, EXCEPTIONS, LENGTHS, TIMES, WITHIN
from hostile import HOSTILE
from test_site import documented_rooms

from bbans import BbansError, Message
from bbans.distributions import Distribution

# What Python itself raises for arguments of a wrong type or value, the system for names
# of files that are not there, and what needs a library that is not.
PLAIN = (BbansError, TypeError, ValueError, MemoryError, OSError, ImportError)
SHARDS = 24


def arguments_of(name):
    call = CALLS[name]()
    return [*range(len(call.args)), *call.keywords]


def fits(name, key, value):
    """Is this no length that would only take the machine's time and memory?"""
    try:
        size = operator.index(value)
    except TypeError:
        return True
    if (name, key) in TIMES:
        return size <= 4096
    return (name, key) not in LENGTHS or not 4096 < size < 1 << 40


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
    try:
        call.func(*call.args, **call.keywords)
    except ImportError as error:
        pytest.skip(str(error))


def name_of(function):
    """Where a function, a method or a class is defined."""
    function = getattr(function, "__func__", function)
    return f"{function.__module__}.{function.__qualname__}".removeprefix("bbans.")


def takes_arguments(function):
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # Cython does not say
        return True
    return bool(parameters.keys() - {"self"})


def methods(cls):
    """Those of a class and its bases, but for what the package alone calls."""
    within = {name for base in WITHIN & {*cls.__mro__} for name in vars(base)}
    for name in dir(cls):
        static = inspect.getattr_static(cls, name)
        if not (name.startswith("_") or name in within or isinstance(static, property)):
            yield getattr(cls, name)


def public_callables():
    """What the documented modules have: functions, and classes that can be made, with
    their methods. Those that take no argument can be handed no wrong one."""
    modules = [importlib.import_module(name) for name in documented_rooms()]
    found = []
    for module in modules:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value):
                modules += [value] * (value not in modules)
            elif not inspect.isclass(value):
                found.append(value)
            elif not (
                issubclass(value, Exception)
                or inspect.isabstract(value)
                or getattr(value, "_is_protocol", False)
            ):
                found += [value, *methods(value)]
    ours = (one for one in found if callable(one) and hasattr(one, "__module__"))
    return {
        name_of(one)
        for one in ours
        if one.__module__.startswith("bbans.") and takes_arguments(one)
    }


def test_every_public_callable_has_a_call():
    called = {name_of(make().func) for make in CALLS.values()}
    assert public_callables() - called == EXCEPTIONS
