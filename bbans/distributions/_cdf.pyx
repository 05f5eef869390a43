"""Quantised tables: the one door from float masses to integers."""

from libc.math cimport floor
from libc.stdint cimport uint32_t, uint64_t

import numpy as np

from bbans.errors import ModelError

# Webster's apportionment of 2^r slots with one slot guaranteed:
#     f_k = max(1, floor(p_k / q + 1/2)),
# q by bisection (docs/maths.md, "From float masses to tables").  Sums run left to
# right and only IEEE operations occur: the same masses give the same table everywhere.


cdef inline double seats(double mass, double quota) noexcept nogil:
    cdef double f = floor(mass / quota + 0.5)
    return f if f > 1.0 else 1.0


cdef double n_seats(const double *mass, Py_ssize_t K, double quota) noexcept nogil:
    # Each summand is an integer below 2^53 while quota >= 2^-30: exact.
    cdef double n = 0.0
    cdef Py_ssize_t k
    for k in range(K):
        n += seats(mass[k], quota)
    return n


cdef int fill_row(const double *mass, Py_ssize_t K, int prec, uint32_t *freq,
                  double *share) noexcept nogil:
    cdef Py_ssize_t k
    cdef double total = 0.0, slots = <double>(<uint64_t>1 << prec)
    cdef double lo, hi, n, quota, spare
    for k in range(K):
        if not 0.0 <= mass[k] < 1e300:    # also refuses NaN
            return -1
        total += mass[k]
    if not 1e-290 < total < 1e300:
        return -1
    for k in range(K):
        share[k] = mass[k] / total
    # n falls as the quota rises, and n(lo) > slots >= n(hi): at lo it is above
    # 4 slots - K, at hi each symbol has its one slot, and K <= slots.
    lo, hi = 0.25 / slots, 2.0
    while True:
        quota = 0.5 * (lo + hi)
        if quota <= lo or quota >= hi:
            break
        n = n_seats(share, K, quota)
        if n > slots:
            lo = quota
        else:
            hi = quota
            if n == slots:
                break
    spare = slots
    for k in range(K):
        freq[k] = <uint32_t>seats(share[k], hi)
        spare -= freq[k]
    for k in range(K):    # ties at the quota, in index order
        if spare > 0.0 and seats(share[k], lo) > freq[k]:
            freq[k] += 1
            spare -= 1.0
    return 0 if spare == 0.0 else -1


def fill(const double[:, ::1] mass not None, int prec, uint32_t[:, ::1] freq not None,
         double[::1] share not None):
    """Write the integer masses of each row of `mass` to `freq`.

    `share` is scratch of one row. ModelError names the first row that is not a
    distribution.
    """
    cdef Py_ssize_t n = 0, N = mass.shape[0], K = mass.shape[1]
    if not (1 <= prec <= 28 and 1 <= K <= 1 << prec):
        raise ModelError(f"cannot put {K} symbols in 2**{prec} slots")
    if freq.shape[0] != N or freq.shape[1] != K or share.shape[0] != K:
        raise ModelError(f"freq must have shape ({N}, {K}), share ({K},)")
    with nogil:
        while n < N and fill_row(&mass[n, 0], K, prec, &freq[n, 0], &share[0]) == 0:
            n += 1
    if n < N:
        row = np.asarray(mass[n])
        raise ModelError(f"row {n}: masses must be finite and >= 0, their sum in (1e-290, "
                         f"1e300): the least is {row.min()}, the sum {row.sum()}")
