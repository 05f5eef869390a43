"""Expectation maximisation, as all models of symbols share it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bbans._arguments import as_integer, as_real
from bbans._threads import as_threads
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet, Symbols
from bbans.models import em
from bbans.models._checkpoint import Checkpoint, data_fact
from bbans.models._data import (
    NO_DATA,
    encode_all,
    passes_of,
    training_alphabet,
)
from bbans.models._parameters import Parameters, PseudoCounts, as_pseudo_counts
from bbans.models.em import Statistics

__all__ = [
    "Iteration",
    "as_stop",
    "check_init",
    "check_run",
    "climb",
    "impossible",
    "progress_bar",
    "statistics_of",
    "train",
]

_Model = TypeVar("_Model")


class Iteration(NamedTuple):
    """What training knew of the parameters after some number of updates.

    Attributes
    ----------
    objective : float
        What EM lowers, in bits per symbol: the information content of the data
        less the sum of ``pseudo_count * log2(parameter)`` over all parameters.
    information_content : float
        ``-log2 P(data)``, in bits per symbol.
    """

    objective: float
    information_content: float


def _iterations(entries: Iterable[Any]) -> tuple[Iteration, ...]:
    return tuple(Iteration(*map(float, entry)) for entry in entries)


class HiddenStates(Protocol):
    """A model that `train` can train: an HMM, whatever makes its parameters."""

    _history: tuple[Iteration, ...]

    @property
    def alphabet(self) -> Alphabet:
        """The symbols."""

    @property
    def _parameters(self) -> Parameters:
        """As an HMM's."""

    def maximise(self: _Model, statistics: Statistics, *, pseudo_count: Any) -> _Model:
        """The M step."""

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        """Sum of ``pseudo_count * log2(parameter)``."""


_States = TypeVar("_States", bound=HiddenStates)


def check_init(init: Any, n_states: Any, symbols: Alphabet) -> None:
    """Refuse a model to start from that has other states or symbols."""
    if init.n_states != n_states:
        raise ModelError(
            f"init has {init.n_states} states, and n_states is {n_states}: give that"
        )
    if init.alphabet != symbols:
        raise ModelError(
            f"init codes {init.alphabet!r}, not {symbols!r}: leave `alphabet` out, or "
            "train from a model of it"
        )


def check_run(dtype: DTypeLike, threads: int | None) -> None:
    """Refuse a type of messages or a number of threads that there is not."""
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise ModelError(f"dtype must be float32 or float64, not {dtype!r}")
    as_threads(threads)


def as_stop(n_iter: int, tol: float) -> int:
    """The most updates that there may be, and what the last may gain, checked."""
    n_iter = as_integer(n_iter, "n_iter", 0)
    if not 0 <= as_real(tol, "tol") < math.inf:
        raise ModelError(f"tol must be at least 0 and finite, not {tol}")
    return n_iter


def statistics_of(found: em.Expectation, alphabet: Alphabet, model: str) -> Statistics:
    """The counts that were found, or a `SymbolError` for what is impossible."""
    if found.fault is not None:
        raise impossible(found.fault, alphabet, model)
    assert found.counts is not None
    return Statistics(*found.counts, found.bits, found.n_symbols, found.n_sequences)


def impossible(fault: em.Fault, alphabet: Alphabet, model: str) -> SymbolError:
    """The error for a symbol that is impossible where it stands."""
    return SymbolError(
        f"symbol {alphabet.name(fault.symbol)} at position {fault.position} of "
        f"sequence {fault.sequence} is impossible under {model}"
    )


def progress_bar(total: int, progress: bool | None) -> Any:
    """A bar on standard error, of `total` iterations; `progress` as for `HMM.fit`."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc="training",
        unit="iteration",
        leave=False,
        delay=1.0 if progress is None else 0.0,
        disable=None if progress is None else not progress,  # None: on terminals
    )


def climb(
    model: _Model,
    *,
    expect: Callable[[_Model, bool], em.Expectation],
    update: Callable[[_Model, em.Expectation], _Model],
    log2_prior: Callable[[_Model], float],
    refuse: Callable[[em.Fault], SymbolError],
    n_iter: int,
    tol: float,
    progress: bool | None,
    keep: Callable[[_Model, tuple[Iteration, ...]], object] = lambda *_: None,
    checkpoint: Checkpoint | None = None,
) -> tuple[_Model, tuple[Iteration, ...]]:
    """Climb to the posterior mode, until that gains less than `tol`.

    Parameters
    ----------
    model : object
        Where to start.
    expect : callable
        The E step of a model; its second argument is whether counts are wanted.
    update : callable
        The M step.
    log2_prior : callable
        Sum of ``pseudo_count * log2(parameter)``.
    refuse : callable
        The error for data that are impossible under the first model.
    n_iter, tol, progress
        As for `HMM.fit`.
    keep : callable, optional
        Called with each model that is better than those before, and the history.
    checkpoint : Checkpoint, optional
        Written after each update. If it has a state, that is where to start.

    Returns
    -------
    model, history
        The best model and the course of training.

    Raises
    ------
    SymbolError
        If the data are impossible under the first model.
    ModelError
        If there is no data, or there is more or less of it at a later pass.
    """
    history: tuple[Iteration, ...] = ()
    best, size = model, 0
    if checkpoint is not None and "history" in checkpoint.state:
        best, size = (
            checkpoint.model("best", needed=True),
            checkpoint.entry("size", int),
        )
        history = checkpoint.entry("history", _iterations)
        if checkpoint.done:
            return best, history
        model = checkpoint.model("next", needed=True)

    def write(last: bool, **models: Any) -> None:
        if checkpoint is not None:
            state = {"history": history, "size": size, "done": last}
            checkpoint.write(models, state, last=last)

    with progress_bar(n_iter, progress) as bar:
        bar.update(len(history))
        for n in range(len(history), n_iter + 1):
            found = expect(model, n < n_iter)
            if n == 0:
                if found.fault is not None:
                    raise refuse(found.fault)
                size = found.n_symbols
                if size == 0:
                    raise ModelError(NO_DATA)
            elif found.fault is None and found.n_symbols != size:
                raise ModelError(
                    f"data have {found.n_symbols} symbols, and had {size} before"
                )
            objective = (found.bits - log2_prior(model)) / size
            gain = history[-1].objective - objective if n else math.inf
            if not gain >= 0:
                break
            history += (Iteration(objective, found.bits / size),)
            best = model
            keep(best, history)
            if gain < tol or found.counts is None:
                break
            model = update(best, found)
            write(False, best=best, next=model)
            bar.set_postfix_str(f"{found.bits / size:.4f} bits/symbol", False)
            bar.update()
    write(True, best=best)
    return best, history


def train(
    sequences: Any,
    start: Callable[[Alphabet, Callable[[], Iterable[Symbols]]], _States],
    *,
    init: _States | None,
    n_iter: int,
    tol: float,
    pseudo_count: PseudoCounts,
    alphabet: Alphabet | int | str | ArrayLike | None,
    ends: bool,
    dtype: DTypeLike,
    threads: int | None,
    callback: Callable[[_States], object] | None,
    progress: bool | None,
    checkpoint: Checkpoint | None = None,
) -> _States:
    """Train states by expectation maximisation.

    Parameters
    ----------
    start : callable
        Makes the first model, of an alphabet and a function that gives the sequences.
    sequences, init, n_iter, tol, pseudo_count, alphabet, ends
        As for `HMM.fit`.
    dtype, threads, callback, progress
        As for `HMM.fit`.
    checkpoint : Checkpoint, optional
        Open, with what `start` depends on besides.

    Raises
    ------
    SymbolError, ModelError
        As `HMM.fit`.
    """
    n_iter = as_stop(n_iter, tol)
    check_run(dtype, threads)
    pseudo_counts = as_pseudo_counts(pseudo_count)
    passes = passes_of(sequences)
    symbols = training_alphabet(passes, alphabet, init, ends)
    if checkpoint is not None:
        checkpoint.require(
            n_iter=n_iter,
            tol=tol,
            pseudo_count=pseudo_counts,
            alphabet=symbols,
            dtype=np.dtype(dtype),
            data=data_fact(encode_all(passes(), symbols)),
        )
    found = None if checkpoint is None else checkpoint.model("best")
    model = start(symbols, passes) if found is None else found

    def batches() -> Iterator[em.Batch]:
        return em.batches(encode_all(passes(), symbols), symbols.size)

    # What is in memory anyway is arranged once.
    held = None if callable(sequences) else list(batches())

    def expect(model: _States, counting: bool) -> em.Expectation:
        return em.expect(
            batches() if held is None else held,
            model._parameters,
            counting=counting,
            dtype=dtype,
            threads=threads,
        )

    def update(model: _States, found: em.Expectation) -> _States:
        statistics = statistics_of(found, symbols, "init")
        return model.maximise(statistics, pseudo_count=pseudo_count)

    def keep(model: _States, history: tuple[Iteration, ...]) -> None:
        model._history = history
        if len(history) > 1 and callback is not None:
            callback(model)

    best, history = climb(
        model,
        expect=expect,
        update=update,
        log2_prior=lambda model: model._log2_prior(pseudo_counts),
        refuse=lambda fault: impossible(fault, symbols, "init"),
        n_iter=n_iter,
        tol=tol,
        progress=progress,
        keep=keep,
        checkpoint=checkpoint,
    )
    best._history = history
    return best
