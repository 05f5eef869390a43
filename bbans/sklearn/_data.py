"""What estimators are given: rows of features, and the lengths of sequences in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import ModelError, SymbolError

__all__ = ["as_lengths", "as_series", "split"]


def as_lengths(lengths: Any, n_samples: int) -> NDArray[np.int64] | None:
    """The lengths of sequences that lie end to end; None for one sequence.

    scikit-learn's tools pass a target, ``y``, in this place. What is no lengths but has
    an entry for each row is that, and says nothing of the sequences.

    Raises
    ------
    ModelError
        If it is neither.
    """
    if lengths is None:
        return None
    array = np.asarray(lengths)
    whole = array.ndim == 1 and array.dtype.kind in "iu" and array.size > 0
    if whole and int(array.min()) > 0 and int(array.sum()) == n_samples:
        return array.astype(np.int64)
    if array.shape[:1] == (n_samples,):
        return None
    raise ModelError(
        f"lengths must be integers above 0 that sum to {n_samples}, the rows of X, not "
        f"{array!r}"
    )


def split(
    observed: NDArray[Any], lengths: NDArray[np.int64] | None
) -> list[NDArray[Any]]:
    """The sequences."""
    if lengths is None:
        return [observed]
    return np.split(observed, np.cumsum(lengths)[:-1])


def as_series(X: NDArray[Any], kind: str) -> NDArray[np.int64]:
    """One feature of integers, which floats may hold, as scikit-learn's encoders do.

    Raises
    ------
    SymbolError
        If there are more features, or values that are no integers from 0.
    """
    if X.shape[1] != 1:
        raise SymbolError(
            f"X has {X.shape[1]} features, and {kind} has one: shape (n_samples, 1); "
            "GaussianHMM has several"
        )
    x: NDArray[Any] = X[:, 0]
    if x.dtype.kind not in "iub":
        whole = x == np.rint(x)
        if not whole.all():
            row = int(np.argmin(whole))
            raise SymbolError(
                f"X must be of integers, and X[{row}, 0] is {x[row]}: round values "
                "with np.rint, encode categories with "
                "sklearn.preprocessing.OrdinalEncoder"
            )
    if x.size and x.min() < 0:
        row = int(np.argmax(x < 0))
        raise SymbolError(
            f"Negative values in data: X[{row}, 0] is {x[row]}, and {kind} has "
            "integers from 0"
        )
    return x.astype(np.int64)
