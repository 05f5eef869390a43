"""Tables: frozen distributions over the same symbols, one per row.

docs/maths.md, "From float masses to tables".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer, as_reals
from bbans._lib import as_uint32, lib
from bbans.distributions import _cdf
from bbans.errors import ModelError

__all__ = ["Table", "quantise"]

PREC_DEFAULT = 24


def quantise(masses: ArrayLike, prec: int) -> NDArray[np.uint32]:
    """Quantise rows of masses to integers that sum to ``2**prec``.

    Parameters
    ----------
    masses : array_like of float, shape (..., K)
        One distribution per row, >= 0, of any sum between 1e-290 and 1e300.
    prec : int
        Precision r in bits, 1 to 28, with ``K <= 2**r``.

    Returns
    -------
    ndarray of uint32, shape (..., K)
        Integer masses, each at least 1.

    Raises
    ------
    ModelError
        If `masses` or `prec` breaks a condition above; the text names the row.

    Notes
    -----
    Webster's apportionment with one slot guaranteed. Coding costs at most
    ``-log2(1 - K 2**-r) + 1.09 K / (2**r - K)`` bits a symbol over the true
    masses (docs/maths.md, "From float masses to tables").

    Examples
    --------
    >>> quantise([1.0, 0.0, 3.0], prec=4)
    array([ 4,  1, 11], dtype=uint32)
    """
    rows, mass = _cdf.Rows(), as_masses(masses)
    rows._quantise(*_plain(mass, prec), False)
    return np.diff(rows._edges()).reshape(mass.shape)


def as_masses(masses: ArrayLike) -> NDArray[np.float64]:
    """Masses as an array with rows.

    Raises
    ------
    ModelError
        If there are none.
    """
    mass = as_reals(masses, "masses")
    if mass.ndim < 1 or mass.size == 0:
        raise ModelError(f"masses of shape {mass.shape} are no distributions")
    return mass


def _plain(mass: NDArray[np.float64], prec: int) -> tuple[NDArray[np.float64], int]:
    """Rows and precision as `Rows` takes them."""
    prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
    return mass.reshape(-1, mass.shape[-1]), prec


def edges_of(freq: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Edges of rows of integer masses: shape (..., M + 1) from (..., M)."""
    cdf = np.zeros((*freq.shape[:-1], freq.shape[-1] + 1), np.uint32)
    np.cumsum(freq, axis=-1, out=cdf[..., 1:], dtype=np.uint32)
    return cdf


class Table(_cdf.Rows):
    """Frozen distributions over the same symbols, one per row.

    Parameters
    ----------
    cdf : array_like of int, shape (N, M + 1) or (M + 1,)
        Edges in slots; each row rises strictly from 0 to ``2**prec``.
    prec : int
        Precision r in bits, 1 to 28.

    Raises
    ------
    ModelError
        If the edges break a condition above.
    """

    __slots__ = ()

    def __init__(self, cdf: ArrayLike, prec: int) -> None:
        edges = np.atleast_2d(as_uint32(cdf, "edge"))
        if edges.ndim != 2 or edges.shape[1] < 2:
            raise ModelError(f"a cdf has shape (N, M + 1), not {edges.shape}")
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        self._copy(np.ascontiguousarray(edges), prec)

    @classmethod
    def from_masses(
        cls, masses: ArrayLike, prec: int = PREC_DEFAULT, *, indexed: bool = True
    ) -> Table:
        """Freeze rows of float masses; see `quantise`. Without an index a table is made
        sooner, for few pops a row."""
        table = cls.__new__(cls)
        if not table._quantise(masses, prec, indexed):  # arrays as they are: quick
            table._quantise(*_plain(as_masses(masses), prec), indexed)
        return table

    @property
    def cdf(self) -> NDArray[np.uint32]:
        """Edges, shape (N, M + 1); read only."""
        return self._edges()

    @property
    def prec(self) -> int:
        """Precision r in bits."""
        return int(self.c.prec)

    @property
    def n_rows(self) -> int:
        """Number of distributions N."""
        return int(self.c.rows)

    @property
    def n_symbols(self) -> int:
        """Number of symbols M."""
        return int(self.c.symbols)

    def __reduce__(self) -> tuple[Any, ...]:
        return Table, (self.cdf, self.prec)

    def __repr__(self) -> str:
        return f"<Table of {self.n_rows} x {self.n_symbols}, {self.prec} bits>"
