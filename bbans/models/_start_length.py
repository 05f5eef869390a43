"""How many observations start a message."""

from __future__ import annotations

from bbans._lib import lib

__all__ = ["start_length"]

_DEVIATIONS = 3.0


def start_length(mean: float, variance: float, bits: float) -> int:
    """The least c for which c observations hold `bits`, but for three deviations.

    Parameters
    ----------
    mean, variance : float
        Of the bits of one observation, H and V.
    bits : float
        What the schedule starts from, and what shortest fractions may lack.

    Returns
    -------
    int
        The least c with ``c H - 3 sqrt(c V) >= bits``, within its limits.

    Notes
    -----
    docs/maths.md, "A sequence as one message".
    """
    if mean <= 0.0:  # a single symbol
        return 1
    spread = _DEVIATIONS * max(variance, 0.0) ** 0.5
    root = (spread + (spread**2 + 4 * mean * bits) ** 0.5) / (2 * mean)
    if root**2 >= lib.BBANS_START_MAX:
        return int(lib.BBANS_START_MAX)
    c = max(int(root**2) - 1, 1)  # the root, less its rounding
    while c * mean - spread * c**0.5 < bits:
        c += 1
    return c
