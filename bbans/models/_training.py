"""Expectation maximisation, as all models of symbols share it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from bbans._arguments import as_integer
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet
from bbans.models import em
from bbans.models._data import NO_DATA
from bbans.models.em import Statistics

__all__ = [
    "Iteration",
    "check_run",
    "climb",
    "impossible",
    "progress_bar",
    "statistics_of",
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


def check_run(dtype: DTypeLike, threads: int) -> None:
    """Refuse a type of messages or a number of threads that there is not."""
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise ModelError(f"dtype must be float32 or float64, not {dtype!r}")
    as_integer(threads, "threads", 1)


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
    best = model
    with progress_bar(n_iter, progress) as bar:
        for n in range(n_iter + 1):
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
            bar.set_postfix_str(f"{found.bits / size:.4f} bits/symbol", False)
            bar.update()
    return best, history
