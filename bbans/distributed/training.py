"""Expectation maximisation whose E steps run on many machines."""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike

from bbans._arguments import as_instance, as_real
from bbans._threads import usable
from bbans.distributed.shards import Facts, Read, Shards
from bbans.distributed.workers import workers_of
from bbans.errors import ModelError, SymbolError
from bbans.models import em
from bbans.models._checkpoint import opened
from bbans.models._data import training_alphabet
from bbans.models._parameters import PseudoCounts, as_pseudo_counts
from bbans.models._training import (
    Iteration,
    as_stop,
    check_init,
    check_run,
    climb,
    progress_bar,
)
from bbans.models.base import FloatModel
from bbans.models.hmm import HMM

__all__ = ["Progress", "fit"]

_Model = TypeVar("_Model", bound=FloatModel)

_START_SYMBOLS = 1 << 20  # of a sample, in which the start is found
_SEED = 0  # of that sample


class Progress(NamedTuple):
    """Where a fit is, after a shard was counted.

    Attributes
    ----------
    update : int
        Updates before; -1 while shards are read for the first time.
    shards_done, n_shards : int
        Of this pass over the data.
    symbols_per_second : float
        In this pass, of all workers together.
    objective : float
        After the updates before, in bits per symbol; infinite at first.
    """

    update: int
    shards_done: int
    n_shards: int
    symbols_per_second: float
    objective: float


def fit(
    shards: Iterable[Any],
    client: Any = None,
    n_states: Any = None,
    *,
    model: type[_Model] = HMM,  # type: ignore[assignment]
    read: Read | None = None,
    n_iter: int = 100,
    tol: float = 1e-5,
    pseudo_count: PseudoCounts | None = None,
    alphabet: Any = None,
    ends: bool = False,
    seed: int | np.random.Generator = 0,
    init: _Model | None = None,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    retries: int = 2,
    callback: Callable[[_Model], object] | None = None,
    progress: bool | Callable[[Progress], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    **start: Any,
) -> _Model:
    """Train a model by EM whose E steps run on the workers of a Dask client.

    Parameters
    ----------
    shards : iterable
        Parts of the data: paths (str or PathLike) of files that all workers see, whose
        bytes are one sequence each; sequences, or lists of such, as `HMM.fit` takes
        them; or anything that `read` understands. A worker holds one at a time for each
        of its threads; several for each thread of all workers share the work evenly.
    client : dask.distributed.Client, optional
        Without one, the same is done in this process.
    n_states : int or sequence of int
        As for `model`'s fit. By default that of `init`.
    model : type
        What is trained: a class whose `expect` and `maximise` are EM: `HMM`, a class
        derived from it, `HierarchicalHMM`, `MultivariateGaussianHMM` or `LGSSM`.
    read : callable, optional
        Called on a worker with a shard, such as a URL; returns its sequences, as text,
        bytes, an array, or an iterable of such. It must give the same at each call.
    n_iter, tol, alphabet, ends, seed, init, dtype, callback
        As for `HMM.fit`.
    pseudo_count : float or tuple of 3 floats, optional
        As for `model`'s fit, and by default its own.
    threads : int, optional
        Of a task. By default 1; without a client, one for each core.
    retries : int
        Times to read a shard again after an `OSError`.
    progress : bool or callable, optional
        A bar on standard error, as for `HMM.fit`; or what is called with a `Progress`
        after each shard.
    checkpoint, resume
        As for `HMM.fit`: after each update the state of the fit is in that file, on the
        machine that calls. Shards that were counted for an update that was not done are
        counted again. The number of workers, and the paths of shards, may be others.
    **start
        More options of `model`'s fit: `topology`, `low` and `high`, `fixed`,
        `diagonal` and `min_noise`.

    Returns
    -------
    model
        With the `history` of its training, `Iteration` by `Iteration`.

    Raises
    ------
    SymbolError
        If a symbol is not in the alphabet, or impossible under `init`; the text names
        the shard, the sequence in it and the position.
    ModelError
        If there is no data, an argument is out of range, a shard is not the same at a
        later call, `read` fails, or the checkpoint is of another fit.
    OSError
        If a shard cannot be read, after `retries`.
    WorkerError
        If all workers that took a shard died: by default 4, which
        ``distributed.scheduler.allowed-failures`` says.

    Notes
    -----
    Statistics are added in an order that depends on the number of shards alone: 8
    neighbours each, then 8 of these sums, and so on, by tasks on workers, so that one
    sum comes here. So the model is the same to the last bit, with whatever workers,
    if all have the same kernels (``BBANS_CPU``), and without a client; a worker that
    dies changes nothing. With one shard it is what `model`'s fit gives for the same
    sequences, if these are up to 2**20 symbols or `init` is given (of models of vectors
    but for rounding). With several, floats are added in another order than there.

    Without `init`, `model`'s fit finds a start in a sample of about 2**20 symbols. All
    shards are read twice for that, and once with it.

    An interrupt (KeyboardInterrupt) or an error cancels all tasks; those that run end
    by themselves, and are forgotten.

    Examples
    --------
    >>> from bbans import HMM
    >>> parts = [[b"abab", b"abba"], [b"baba"]]
    >>> fit(parts, None, 2, n_iter=5)
    <HMM: 2 states, 256 symbols, Alphabet(256, kind='bytes')>
    """
    n_iter = as_stop(n_iter, tol)
    check_run(dtype, threads)
    _check_class(model)
    pseudo_count = _pseudo_count_of(model, pseudo_count)
    if init is not None:
        as_instance(init, model, "init", f"a model of class {model.__name__}")
        n_states = getattr(init, "n_states", None) if n_states is None else n_states
    elif n_states is None:
        raise ModelError("give n_states, or a model as init")
    if threads is None:
        threads = usable() if client is None else 1
    how: dict[str, Any] = {"dtype": dtype, "threads": threads}
    saved = opened(
        checkpoint, resume, f"distributed.fit of {model.__name__}",
        n_states=n_states, seed=seed, init=init, n_iter=n_iter, tol=tol,
        pseudo_count=pseudo_count, dtype=np.dtype(dtype), start=sorted(start.items()),
    )  # fmt: skip
    with workers_of(client) as workers, _Bar(progress) as bar:
        held = Shards(shards, read, retries, workers)
        facts = held.survey(bar.begin(-1, math.inf, [0] * len(held)))
        options = _symbols_of(model, facts, alphabet, init, ends) | start
        if saved is not None:
            saved.require(
                symbols=sorted(options.items()), shards=len(held), data=_digest(facts)
            )
        course: tuple[Iteration, ...] = ()
        if saved is not None and saved.found:
            first, course = saved.model("best"), tuple(saved.state["history"])
        elif init is not None:
            first = _copy(init)
        else:
            sample = held.sample(facts, _START_SYMBOLS, _SEED, options.get("alphabet"))
            first = _start(
                model, sample, n_states, n_iter=0, tol=tol, pseudo_count=pseudo_count,
                seed=seed, progress=False, **how, **options,
            )  # fmt: skip
        sizes = [one.n_symbols for one in facts]
        expecting = _taken(first.expect, how)
        maximising = _taken(first.maximise, start | {"pseudo_count": pseudo_count})

        def expect(current: Any, counting: bool) -> em.Expectation:
            n, objective = len(course), course[-1][0] if course else math.inf
            done = bar.begin(n, objective, sizes)
            found, fault = held.expect(current, n == 0, done, **expecting)
            if fault is not None:
                return em.Expectation(math.inf, 0, 0, None, em.Fault(0, 0, 0))
            size = getattr(found, "n_symbols", None) or found.n_vectors
            bits = found.information_content
            return em.Expectation(bits, size, found.n_sequences, found, None)

        def update(current: Any, found: em.Expectation) -> Any:
            return current.maximise(found.counts, **maximising)

        def log2_prior(current: Any) -> float:
            prior = getattr(current, "_log2_prior", None)
            return 0.0 if prior is None else float(prior(pseudo_count))

        def keep(current: Any, history: tuple[Iteration, ...]) -> None:
            nonlocal course
            current._history = course = history
            if len(history) > 1 and callback is not None:
                callback(current)

        def refuse(fault: em.Fault) -> SymbolError:
            raise AssertionError("the first fault is raised where it is")

        best, history = climb(
            first,
            expect=expect,
            update=update,
            log2_prior=log2_prior,
            refuse=refuse,
            n_iter=n_iter,
            tol=tol,
            progress=False,
            keep=keep,
            checkpoint=saved,
        )
    best._history = history
    return cast(_Model, best)


def _pseudo_count_of(model: Any, given: PseudoCounts | None) -> PseudoCounts:
    """What was given, in the form of the model's own: one number, or three."""
    own = inspect.signature(model.maximise).parameters.get("pseudo_count")
    default = 0.0 if own is None else own.default
    found = default if given is None else given
    if not isinstance(default, tuple):
        return as_real(found, "pseudo_count")
    counts = as_pseudo_counts(found)
    return counts[0], counts[1], counts[2]


def _start(model: Any, sample: list[Any], n_states: Any, **options: Any) -> Any:
    """Where a model's own fit would start."""
    return _copy(model.fit(sample, n_states, **_taken(model.fit, options)))


def _copy(model: FloatModel) -> Any:
    """The same model without a history."""
    return type(model)._from_arrays(model._arrays())


def _check_class(model: Any) -> None:
    """Refuse what has no statistics that add up."""
    if isinstance(model, type) and hasattr(model, "expect"):
        return
    name = getattr(model, "__name__", repr(model))
    raise ModelError(
        f"model must be a class whose expect() and maximise() are EM, such as HMM, not "
        f"{name}: for others draw a sample, with distributed.sample(shards, client), "
        "and pass it to their fit"
    )


def _taken(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that a function takes."""
    taken = inspect.signature(function).parameters
    if any(one.kind is one.VAR_KEYWORD for one in taken.values()):
        return options
    return {name: value for name, value in options.items() if name in taken}


def _symbols_of(
    model: type[Any], facts: list[Facts], alphabet: Any, init: Any, ends: bool
) -> dict[str, Any]:
    """What all shards together say of the symbols, as options of the model's fit."""
    taken = inspect.signature(model.fit).parameters
    lows = [one.low for one in facts if one.low is not None]
    highs = [one.high for one in facts if one.high is not None]
    bounds = {"low": min(lows, default=None), "high": max(highs, default=None)}
    if "high" in taken:
        if alphabet is not None or ends:
            raise ModelError(f"{model.__name__} takes low and high, and no alphabet")
        return {} if init else {name: bounds[name] for name in bounds if name in taken}
    if "alphabet" not in taken:
        return {}
    if alphabet is None and init is None and lows and min(lows) < 0:
        number = next(n for n, one in enumerate(facts) if one.low == min(lows))
        raise SymbolError(
            f"shard {number}: symbol {min(lows)} is negative: give the values that "
            "occur as `alphabet`"
        )
    # With an alphabet, the first that has symbols says whether they are bytes.
    said = [one.symbols for one in facts if one.n_symbols or alphabet is None]
    try:
        symbols = training_alphabet(lambda: said, alphabet, init, ends)
    except ModelError as error:
        raise type(error)(str(error).replace("sequence ", "shard ")) from None
    if init is not None:
        check_init(init, init.n_states, symbols)
        return {}
    return {"alphabet": symbols}


def _digest(facts: list[Facts]) -> str:
    """What the data of all shards are, in words."""
    whole = hashlib.sha256("".join(one.digest for one in facts).encode())
    return (
        f"{sum(one.n_symbols for one in facts)} symbols in "
        f"{sum(one.n_sequences for one in facts)} sequences, SHA-256 "
        f"{whole.hexdigest()[:32]}"
    )


class _Bar:
    """What tells how far a fit is: a bar, or a function."""

    def __init__(self, progress: bool | Callable[[Progress], object] | None) -> None:
        self._call = progress if callable(progress) else None
        self._bar = progress_bar(0, False if callable(progress) else progress)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def begin(
        self, update: int, objective: float, sizes: list[int]
    ) -> Callable[[int], None]:
        """What to call with the number of each shard that is counted."""
        begun, n_done, n_symbols = time.monotonic(), 0, 0
        self._bar.reset(len(sizes))
        self._bar.unit = "shard"
        self._bar.set_description("reading" if update < 0 else f"update {update + 1}")

        def done(number: int) -> None:
            nonlocal n_done, n_symbols
            n_done, n_symbols = n_done + 1, n_symbols + sizes[number]
            rate = n_symbols / max(time.monotonic() - begun, 1e-9)
            text = f"{rate / 1e6:.2f} M symbols/s"
            if math.isfinite(objective):
                text = f"{objective:.4f} bits/symbol, {text}"
            self._bar.set_postfix_str(text, False)
            self._bar.update()
            if self._call is not None:
                self._call(Progress(update, n_done, len(sizes), rate, objective))

        return done
