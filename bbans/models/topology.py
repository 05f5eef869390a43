"""Which transitions a hidden Markov model has: a structure that training keeps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer, as_reals
from bbans.errors import ModelError
from bbans.models._parameters import MAX_STATES, Floats

__all__ = ["Topology"]


class Topology(NamedTuple):
    """Which first states and which transitions there are, for `HMM.fit`.

    Attributes
    ----------
    initial : ndarray of bool, shape (K,)
    transition : ndarray of bool, shape (K, K)
        From the row's state to the column's. Any mask with a True in each row.

    Examples
    --------
    >>> Topology.left_to_right(3, jump=1).transition.astype(int)
    array([[1, 1, 0],
           [0, 1, 1],
           [0, 0, 1]])
    >>> Topology.banded(4, 1, cyclic=True).transition.astype(int)
    array([[1, 1, 0, 1],
           [1, 1, 1, 0],
           [0, 1, 1, 1],
           [1, 0, 1, 1]])
    """

    initial: NDArray[np.bool_]
    transition: NDArray[np.bool_]

    @classmethod
    def left_to_right(cls, n_states: int, jump: int | None = None) -> Topology:
        """From state 0 to higher states, by at most `jump` at a step (Bakis model).

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        step = _steps(n_states)
        most = n_states if jump is None else as_integer(jump, "jump", 0)
        return cls(np.arange(n_states) == 0, (step >= 0) & (step <= most))

    @classmethod
    def banded(cls, n_states: int, width: int, *, cyclic: bool = False) -> Topology:
        """From anywhere to states nearby.

        Parameters
        ----------
        n_states : int
            States K.
        width : int
            The most that a transition moves.
        cyclic : bool
            The last state is next to the first.

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        step, width = np.abs(_steps(n_states)), as_integer(width, "width", 0)
        if cyclic:
            step = np.minimum(step, n_states - step)
        return cls(np.ones(n_states, bool), step <= width)

    def __repr__(self) -> str:
        K, n = len(self.initial), int(np.sum(self.transition))
        return f"<Topology: {K} states, {n} transitions>"

    def mask(self, initial: Floats, transition: Floats) -> tuple[Floats, Floats]:
        """Give all that there is not probability 0.

        Raises
        ------
        ModelError
            If a mask has another shape, holds anything but True and False, or allows
            no state.
        """
        row = as_reals(initial, "initial")[None]
        (first,) = _masked(row, self.initial, "initial")
        rows = as_reals(transition, "transition")
        return first, _masked(rows, self.transition, "transition")


def _steps(n_states: int) -> NDArray[np.int64]:
    state = np.arange(as_integer(n_states, "n_states", 1, MAX_STATES))
    return state - state[:, None]


def _masked(p: Floats, mask: ArrayLike, name: str) -> Floats:
    array = as_array(mask, f"topology: {name}", ModelError)
    if not np.isin(array, (0, 1)).all():
        raise ModelError(f"topology: {name} must be True or False for each state")
    allowed = np.atleast_2d(array.astype(bool))
    if allowed.shape != p.shape:
        raise ModelError(f"topology: {name} has shape {np.shape(mask)}")
    bare = np.flatnonzero(~allowed.any(axis=1))
    if bare.size:
        raise ModelError(f"topology: {name} row {bare[0]} allows no state")
    kept = np.where(allowed, p, 0.0)
    rows: Floats = kept / kept.sum(axis=1, keepdims=True)
    return rows
