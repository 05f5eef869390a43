"""What sequences hold under frozen models, in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from bbans.distributions.table import edges_of
from bbans.errors import ModelError
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.hmm import FrozenHMM, HiddenMarkov
from bbans.models import em
from bbans.models.hmm import HMM, states_of

__all__ = ["information_content"]


def information_content(x: Any, frozen: HiddenMarkov) -> float:
    """Compute -log2 P(x) in bits under a frozen model's integers.

    Parameters
    ----------
    x : str, bytes or array_like of int
        What the model encodes.
    frozen : FrozenHMM or FrozenARHMM

    Raises
    ------
    SymbolError
        If the model cannot code x.
    ModelError
        If `frozen` is no such model: float models have a method of this name.
    """
    if isinstance(frozen, FrozenARHMM):
        return _of_arhmm(x, frozen)
    if isinstance(frozen, FrozenHMM):
        return HMM.from_frozen(frozen).information_content(x)
    raise ModelError(
        f"frozen must be a frozen HMM or ARHMM, not {type(frozen).__name__}"
    )


def _of_arhmm(x: Any, frozen: FrozenARHMM) -> float:
    """With the masses of contexts as they are rounded."""
    indices = frozen.alphabet.encode(x)
    if indices.size == 0:
        return 0.0
    M = frozen.n_symbols
    longest = frozen.contexts.find([indices], M)
    terms, number = np.unique(longest * M + indices, return_inverse=True)
    likelihood = np.empty((frozen.n_states, terms.size))
    cdf = edges_of(frozen.emission).astype(np.uint64)
    for at, (context, symbol) in enumerate(zip(terms // M, terms % M, strict=True)):
        row, beta = frozen.context_row(int(context))
        low, high = (
            np.uint64(beta) * cdf[:, symbol : symbol + 2] >> np.uint64(frozen.prec)
        ).T
        total = int(row.sum(dtype=np.uint64)) + row.size + beta
        likelihood[:, at] = (int(row[symbol]) + 1 + (high - low)) / total
    states = states_of(frozen)
    return em.expect(
        em.batches([number.astype(np.int32)], terms.size),
        (states.initial, states.transition, likelihood),
        counting=False,
    ).bits
