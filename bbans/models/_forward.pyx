"""Float recursions of hidden Markov models: training, analysis, drawing.

Many sequences side by side, block by block, each step a product of matrices. The
kernels are in _forward_kernels.h, and are those of the instruction set that the C
library uses.

Letters are those of docs/maths.md.  A is the transition matrix, row i to column j,
and E the emission matrix by symbol, E[x, i] = P(x | z = i) / max_i P(x | z = i):
without its largest factor no product below underflows for want of range in B.

A state whose filtered probability falls below `least` counts as unreachable, so
no denormal numbers arise.  For the others alpha_i beta_i <= 1 bounds beta_i by
`most` = 1 / least: cutting beta there touches only states that were dropped.

Sequences run side by side, the longest first: row b of a step belongs to sequence
b, and steps follow one another.  A sequence that ends leaves the steps after it, so
no step has more rows than the one before; `runs` holds (sequences, steps).  Then
the step of all sequences is a product of two matrices, and one long sequence is
the case of one row.
"""

from libc.math cimport HUGE_VAL, exp, log
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from bbans._lib import lib

cdef extern from "_forward_kernels.h" nogil:
    ctypedef struct float_kernels:
        Py_ssize_t columns
        void (*multiply)(
            const float *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const float *,
            Py_ssize_t, Py_ssize_t, Py_ssize_t, float *, Py_ssize_t, bint) noexcept nogil
        void (*pack)(const float *, Py_ssize_t, Py_ssize_t, float *) noexcept nogil
        void (*pack_a)(
            const float *, Py_ssize_t, Py_ssize_t, Py_ssize_t, float *) noexcept nogil
        Py_ssize_t (*forward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const float *, float, float,
            double, float *, Py_ssize_t, double *) noexcept nogil
        void (*backward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const float *, const float *,
            const float *, Py_ssize_t, const double *, float, float, float *, double *,
            double *) noexcept nogil
    ctypedef struct double_kernels:
        Py_ssize_t columns
        void (*multiply)(
            const double *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const double *,
            Py_ssize_t, Py_ssize_t, Py_ssize_t, double *, Py_ssize_t, bint) noexcept nogil
        void (*pack)(const double *, Py_ssize_t, Py_ssize_t, double *) noexcept nogil
        void (*pack_a)(
            const double *, Py_ssize_t, Py_ssize_t, Py_ssize_t, double *) noexcept nogil
        Py_ssize_t (*forward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const double *, double, double,
            double, double *, Py_ssize_t, double *) noexcept nogil
        void (*backward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const double *, const double *,
            const double *, Py_ssize_t, const double *, double, double, double *, double *,
            double *) noexcept nogil
    ctypedef struct forward_kernels:
        const float_kernels *single
        const double_kernels *wide
        void (*viterbi)(const double *, Py_ssize_t, Py_ssize_t, const double *,
                        const double *, double *, uint16_t *) noexcept nogil
    forward_kernels kernels_of(int isa)

ctypedef fused real:
    float
    double

cdef enum:
    FLUSH = 96    # rows of G, at least, for each product with alpha
    SUM = 8192    # rows whose transitions are summed in the messages' own type
    LINE = 64    # bytes of the cache
    FAR = 2304    # bytes from row to row, above which a product with alpha packs it


cdef inline real least(real unused) noexcept nogil:
    return <real>1e-30 if real is float else <real>1e-290


cdef inline real most(real unused) noexcept nogil:
    return <real>1e30 if real is float else <real>1e290


cdef inline real normal(real unused) noexcept nogil:
    # Barely above the smallest normal number: its inverse is finite.
    return <real>1e-37 if real is float else <real>1e-307


cdef forward_kernels kernels():
    return kernels_of(lib.bbans_isa_in_use())


cdef inline Py_ssize_t columns_of(forward_kernels kernel, real unused) noexcept nogil:
    return kernel.single.columns if real is float else kernel.wide.columns


cdef inline void multiply(
    forward_kernels kernel, const real *a, Py_ssize_t row, Py_ssize_t column, Py_ssize_t n, Py_ssize_t K,
    const real *B, Py_ssize_t step, Py_ssize_t panel, Py_ssize_t S, real *out, Py_ssize_t R, bint add,
) noexcept nogil:
    if real is float:
        kernel.single.multiply(a, row, column, n, K, B, step, panel, S, out, R, add)
    else:
        kernel.wide.multiply(a, row, column, n, K, B, step, panel, S, out, R, add)


cdef inline void through(
    forward_kernels kernel, const real *a, Py_ssize_t n, Py_ssize_t K, const real *packed, Py_ssize_t S,
    real *out, Py_ssize_t R,
) noexcept nogil:
    # n rows through a matrix [K][S] that was packed.
    cdef Py_ssize_t N = columns_of(kernel, <real>0)
    multiply(kernel, a, R, 1, n, K, packed, N, K * N, S, out, R, False)


cdef inline void pack_rows(
    forward_kernels kernel, const real *B, Py_ssize_t K, Py_ssize_t S, real *panels
) noexcept nogil:
    if real is float:
        kernel.single.pack(B, K, S, panels)
    else:
        kernel.wide.pack(B, K, S, panels)


cdef inline void pack_a(
    forward_kernels kernel, const real *a, Py_ssize_t R, Py_ssize_t n, Py_ssize_t K, real *tiles
) noexcept nogil:
    if real is float:
        kernel.single.pack_a(a, R, n, K, tiles)
    else:
        kernel.wide.pack_a(a, R, n, K, tiles)


cdef Py_ssize_t forward_block(
    forward_kernels kernel, const int32_t *x, const int64_t *runs,
    Py_ssize_t n_runs, Py_ssize_t previous, Py_ssize_t K, Py_ssize_t S, Py_ssize_t R,
    const real *initial, const real *A, const real *E, double lowest, real *alpha,
    double *scale,
) noexcept nogil:
    cdef real low = least(<real>0), tiny = normal(<real>0)
    cdef real *before = alpha
    cdef Py_ssize_t r, t, n, bad, done = 0
    alpha += previous * R
    for r in range(n_runs):
        n = runs[2 * r]
        for t in range(runs[2 * r + 1]):
            # alpha_t is first the prediction p_t, then p_t E / scale_t in its place.
            if previous == 0:
                for bad in range(n):
                    memcpy(alpha + bad * R, initial, S * sizeof(real))
                previous = n
            else:
                through(kernel, before, n, K, A, S, alpha, R)
            if real is float:
                bad = kernel.single.forward(
                    x, n, S, E, low, tiny, lowest, alpha, R, scale)
            else:
                bad = kernel.wide.forward(
                    x, n, S, E, low, tiny, lowest, alpha, R, scale)
            if bad >= 0:
                return done + bad
            before = alpha
            alpha += n * R
            x += n
            scale += n
            done += n
    return -1


cdef void backward_block(
    forward_kernels kernel, const int32_t *x, const int64_t *runs,
    Py_ssize_t n_runs, Py_ssize_t following, bint begins, Py_ssize_t K, Py_ssize_t S, Py_ssize_t R,
    const real *A_transposed, const real *E, const real *alpha, const double *scale,
    real *carry, real *work, double *initial_count, double *transition_count,
    double *emission_count,
) noexcept nogil:
    # Row for row, G[i] is what alpha[i] meets: zero where a sequence ends.  Its rows
    # fill from the top of a buffer, whose end is row `high_row` of the block.
    cdef real high = most(<real>0), tiny = normal(<real>0)
    cdef Py_ssize_t N = columns_of(kernel, <real>0), capacity = FLUSH + runs[0]
    cdef real *total = work
    cdef real *buffer = total + K * S
    cdef real *beta = buffer + capacity * R
    cdef real *tiles = beta + runs[0] * R
    cdef real *G
    cdef real *g
    cdef Py_ssize_t r, t, n, i, before, row = 0, summed = 0, high_row
    for r in range(n_runs):
        row += runs[2 * r] * runs[2 * r + 1]
    high_row = row
    memset(total, 0, K * S * sizeof(real))
    for r in range(n_runs - 1, -1, -1):
        n = runs[2 * r]
        for t in range(runs[2 * r + 1] - 1, -1, -1):
            row -= n
            G = buffer + (capacity - (high_row - row)) * R
            if high_row == row + n:    # the first step in this buffer
                memcpy(G, carry, following * R * sizeof(real))
            memset(G + following * R, 0, (n - following) * R * sizeof(real))
            through(kernel, G, following, K, A_transposed, S, beta, R)
            for i in range(following * R, n * R):
                beta[i] = 1    # the last step of its sequence
            # The step before: its n, or 0 if this is the first of the block.
            before = n if t > 0 else runs[2 * r - 2] if r > 0 else 0
            g = G - before * R
            if before == 0 or high_row - row + before > capacity:
                g = carry
            if real is float:
                kernel.single.backward(
                    x + row, n, S, E, alpha + row * R, beta, R, scale + row, high, tiny, g,
                    emission_count, initial_count if begins and before == 0 else NULL)
            else:
                kernel.wide.backward(
                    x + row, n, S, E, alpha + row * R, beta, R, scale + row, high, tiny, g,
                    emission_count, initial_count if begins and before == 0 else NULL)
            following = n
            if g == carry:
                # The sum over t of alpha_t,i G_t,j, which A_ij still multiplies.
                i = high_row - row
                if R * <Py_ssize_t>sizeof(real) > FAR:
                    pack_a(kernel, alpha + row * R, R, K, i, tiles)
                    multiply(kernel, tiles, i, 0, K, i, G, R, N, S, total, S, True)
                else:
                    multiply(kernel, alpha + row * R, 1, R, K, i, G, R, N, S, total, S,
                             True)
                summed += i
                high_row = row
                if summed >= SUM or row == 0:
                    for i in range(K * S):
                        transition_count[i] += total[i]
                        total[i] = 0
                    summed = 0


def columns(Py_ssize_t K, Py_ssize_t itemsize):
    """Return S, the least multiple of two vectors that is K or more."""
    cdef forward_kernels kernel = kernels()
    cdef Py_ssize_t N = (kernel.wide.columns if itemsize == sizeof(double)
                         else kernel.single.columns)
    return (K + N - 1) // N * N


def stride(Py_ssize_t S, Py_ssize_t itemsize):
    """Return R, from one row of messages to the next: a cache line more than S where
    rows would all fall into few sets of the cache."""
    return S + (LINE // itemsize if S * itemsize % (4 * LINE) == 0 else 0)


def pack(const real[:, ::1] B not None, real[::1] panels not None):
    """Put a matrix of shape (K, S) in the order in which products read it."""
    cdef Py_ssize_t K = B.shape[0], S = B.shape[1]
    cdef forward_kernels kernel = kernels()
    if K < 1 or S % columns_of(kernel, <real>0) != 0 or panels.shape[0] != K * S:
        raise ValueError("shapes of pack() do not agree")
    pack_rows(kernel, &B[0, 0], K, S, &panels[0])


def work_size(Py_ssize_t n, Py_ssize_t K, Py_ssize_t S, Py_ssize_t R):
    """Return the size of `work` for n sequences at a time."""
    return K * S + (FLUSH + 2 * n) * R + (FLUSH + n) * K


def forward(const int32_t[::1] x not None, const int64_t[:, ::1] runs not None,
            Py_ssize_t previous, Py_ssize_t K, const real[::1] initial not None,
            const real[::1] A not None, const real[:, ::1] E not None, double lowest,
            real[:, ::1] alpha not None, double[::1] scale not None):
    """Fill alpha[previous:] and scale; alpha[:previous] is the step before.

    Without one, `previous` is 0 and sequences begin. Return -1, or the first row whose
    scale is out of range or below `lowest`.
    """
    cdef Py_ssize_t N = x.shape[0], S = initial.shape[0], R = alpha.shape[1], bad
    cdef forward_kernels kernel = kernels()
    check(x, E.shape[0])
    check_runs(runs, N)
    if (S < K or K < 1 or A.shape[0] != K * S or E.shape[1] != S
            or alpha.shape[0] < previous + N or R < S
            or scale.shape[0] < N or previous < 0 or S % columns_of(kernel, <real>0) != 0
            or 0 < previous < runs[0, 0]):
        raise ValueError("shapes of forward() do not agree")
    with nogil:
        bad = forward_block(kernel, &x[0], &runs[0, 0], runs.shape[0], previous, K,
                            S, R, &initial[0], &A[0], &E[0, 0], lowest, &alpha[0, 0],
                            &scale[0])
    return bad


def backward(const int32_t[::1] x not None, const int64_t[:, ::1] runs not None,
             Py_ssize_t following, bint begins, Py_ssize_t K,
             const real[::1] A_transposed not None, const real[:, ::1] E not None,
             const real[:, ::1] alpha not None, const double[::1] scale not None,
             real[:, ::1] carry not None, real[::1] work not None,
             double[::1] initial_count not None,
             double[:, ::1] transition_count not None,
             double[:, ::1] emission_count not None):
    """Add to the counts, and move `carry` from the step after the block to its start.

    `following` sequences go on after the block; they begin in it if `begins`.
    """
    cdef Py_ssize_t N = x.shape[0], S = E.shape[1], R = alpha.shape[1], n
    cdef forward_kernels kernel = kernels()
    check(x, E.shape[0])
    check_runs(runs, N)
    n = runs[0, 0]
    if (S < K or K < 1 or A_transposed.shape[0] != K * S or alpha.shape[0] < N
            or R < S or scale.shape[0] < N or S % columns_of(kernel, <real>0) != 0
            or carry.shape[0] < n or carry.shape[1] != R
            or work.shape[0] < work_size(n, K, S, R) or initial_count.shape[0] != S
            or transition_count.shape[0] != K or transition_count.shape[1] != S
            or emission_count.shape[0] != E.shape[0] or emission_count.shape[1] != S
            or not 0 <= following <= runs[runs.shape[0] - 1, 0]):
        raise ValueError("shapes of backward() do not agree")
    with nogil:
        backward_block(kernel, &x[0], &runs[0, 0], runs.shape[0], following, begins,
                       K, S, R, &A_transposed[0], &E[0, 0], &alpha[0, 0], &scale[0],
                       &carry[0, 0], &work[0], &initial_count[0],
                       &transition_count[0, 0], &emission_count[0, 0])


# What follows is of one sequence after another, from rows that say for each step how
# likely its observation is in each state; begins[t] is whether step t is a first one,
# begins[N] whether the step after them is, if there is one.

def viterbi(const double[:, ::1] rows not None, const uint8_t[::1] begins not None,
            const double[::1] log_initial not None, const double[::1] log_A not None,
            double[:, ::1] delta not None, uint16_t[:, ::1] back not None):
    """Fill back with the state before, of each state, on the likeliest path to it.

    delta[0] has the logarithms of these paths, up to the step before, and then up to
    the last one; delta[1] is work. Return the sum of the sequences that end before the
    last step, -inf if one is impossible.
    """
    cdef Py_ssize_t N = rows.shape[0], K = rows.shape[1], S = delta.shape[1], t, j, best
    cdef forward_kernels kernel = kernels()
    cdef double total = 0
    cdef double *now
    cdef double *before
    if (N < 1 or K < 1 or S % kernel.wide.columns != 0 or log_A.shape[0] != K * S
            or log_initial.shape[0] != K or begins.shape[0] != N + 1
            or delta.shape[0] != 2 or back.shape[0] != N or back.shape[1] != K):
        raise ValueError("shapes of viterbi() do not agree")
    before, now = &delta[0, 0], &delta[1, 0]
    with nogil:
        for t in range(N):
            if begins[t]:
                best = 0
                for j in range(1, K):
                    if before[j] > before[best]:
                        best = j
                total += before[best]
                for j in range(K):
                    back[t, j] = <uint16_t>best
                    now[j] = log_initial[j] + rows[t, j]
            else:
                kernel.viterbi(before, K, S, &log_A[0], &rows[t, 0], now, &back[t, 0])
            before, now = now, before
        if before != &delta[0, 0]:
            memcpy(&delta[0, 0], before, S * sizeof(double))
    return total


def trace(const uint16_t[:, ::1] back not None, Py_ssize_t last,
          int64_t[::1] states not None):
    """Fill states, of which `last` is the one after them, and return that before."""
    cdef Py_ssize_t t
    if back.shape[0] != states.shape[0] or not 0 <= last < back.shape[1]:
        raise ValueError("shapes of trace() do not agree")
    with nogil:
        for t in range(states.shape[0] - 1, -1, -1):
            states[t] = last
            last = back[t, last]
    return last


def filter_rows(const double[:, ::1] E not None, const uint8_t[::1] begins not None,
                Py_ssize_t K, const double[::1] initial not None,
                const double[::1] A not None, double lowest,
                double[:, ::1] alpha not None, double[::1] scale not None):
    """Fill alpha[1:] and scale; alpha[0] is the step before.

    Return -1, or the first step whose scale is out of range or below `lowest`.
    """
    cdef Py_ssize_t N = E.shape[0], S = E.shape[1], t, bad = -1
    cdef forward_kernels kernel = kernels()
    cdef double low = least(<double>0), tiny = normal(<double>0)
    cdef int32_t row = 0
    if (not 1 <= K <= S or S % kernel.wide.columns != 0 or initial.shape[0] != S
            or A.shape[0] != K * S or begins.shape[0] != N + 1 or scale.shape[0] != N
            or alpha.shape[0] != N + 1 or alpha.shape[1] != S):
        raise ValueError("shapes of filter_rows() do not agree")
    with nogil:
        for t in range(N):
            if begins[t]:
                memcpy(&alpha[t + 1, 0], &initial[0], S * sizeof(double))
            else:
                through(kernel, &alpha[t, 0], 1, K, &A[0], S, &alpha[t + 1, 0], S)
            bad = kernel.wide.forward(
                &row, 1, S, &E[t, 0], low, tiny, lowest, &alpha[t + 1, 0], S, &scale[t])
            if bad >= 0:
                bad = t
                break
    return bad


def smooth_rows(const double[:, ::1] E not None, const uint8_t[::1] begins not None,
                Py_ssize_t K, const double[::1] A_transposed not None,
                const double[:, ::1] alpha not None, const double[::1] scale not None,
                double high, double[:, ::1] carry not None,
                double[:, ::1] gamma not None):
    """Add to gamma what the whole sequences say of the states that alpha filtered.

    carry[0] comes from the step after, and moves to the first one; carry[1] is work.
    Return -1, or a step before which some state explains the rest so well, beyond
    `high` times what all do, that leaving it out of alpha may have been wrong.
    """
    cdef Py_ssize_t N = E.shape[0], S = E.shape[1], t, j, bad = -1
    cdef forward_kernels kernel = kernels()
    cdef double tiny = normal(<double>0)
    cdef double *g
    cdef double *beta
    cdef int32_t row = 0
    if (not 1 <= K <= S or S % kernel.wide.columns != 0
            or A_transposed.shape[0] != K * S or begins.shape[0] != N + 1
            or scale.shape[0] != N or alpha.shape[0] != N or alpha.shape[1] != S
            or carry.shape[0] != 2 or carry.shape[1] != S or gamma.shape[0] != N
            or gamma.shape[1] != S):
        raise ValueError("shapes of smooth_rows() do not agree")
    g, beta = &carry[0, 0], &carry[1, 0]
    with nogil:
        for t in range(N - 1, -1, -1):
            if begins[t + 1]:
                for j in range(S):
                    beta[j] = 1
            else:
                through(kernel, g, 1, K, &A_transposed[0], S, beta, S)
            kernel.wide.backward(
                &row, 1, S, &E[t, 0], &alpha[t, 0], beta, S, &scale[t], high, tiny, g,
                &gamma[t, 0], NULL)
            if not begins[t]:
                for j in range(K):
                    if g[j] >= high:
                        bad = t
            if bad >= 0:
                break
    return bad


# The same in logarithms: slow, but of unlimited range.

def filter_logs(const double[:, ::1] rows not None, const uint8_t[::1] begins not None,
                const double[::1] log_initial not None,
                const double[:, ::1] log_A_transposed not None,
                double[:, ::1] alpha not None):
    """Fill alpha[1:] with log P(z_t | x_1 .. x_t); alpha[0] is the step before.

    Return the sum of log P(x_t | x_1 .. x_t-1), and -1 or the first impossible step.
    """
    cdef Py_ssize_t N = rows.shape[0], K = rows.shape[1], t, j
    cdef double sums = 0, total = 0
    cdef const double *before
    if (N < 1 or K < 1 or log_initial.shape[0] != K
            or log_A_transposed.shape[0] != K or log_A_transposed.shape[1] != K
            or begins.shape[0] != N + 1 or alpha.shape[0] != N + 1
            or alpha.shape[1] != K):
        raise ValueError("shapes of filter_logs() do not agree")
    with nogil:
        for t in range(N):
            before = &alpha[t, 0]
            for j in range(K):
                alpha[t + 1, j] = rows[t, j] + (
                    log_initial[j] if begins[t]
                    else log_sum(before, &log_A_transposed[j, 0], K))
            total = log_sum(&alpha[t + 1, 0], NULL, K)
            if total == -HUGE_VAL:
                break
            sums += total
            for j in range(K):
                alpha[t + 1, j] -= total
    return sums, t if total == -HUGE_VAL else -1


def smooth_logs(const double[:, ::1] rows not None, const uint8_t[::1] begins not None,
                const double[:, ::1] log_A not None, double[:, ::1] carry not None,
                double[:, ::1] alpha not None):
    """Turn log P(z_t | x_1 .. x_t) into the same given whole sequences.

    carry[0] comes from the step after, and moves to the first one; carry[1] is work.
    """
    cdef Py_ssize_t N = rows.shape[0], K = rows.shape[1], t, j
    cdef double *g
    cdef double *beta
    cdef double top, total
    if (K < 1 or log_A.shape[0] != K or log_A.shape[1] != K
            or begins.shape[0] != N + 1 or carry.shape[0] != 2 or carry.shape[1] != K
            or alpha.shape[0] != N or alpha.shape[1] != K):
        raise ValueError("shapes of smooth_logs() do not agree")
    g, beta = &carry[0, 0], &carry[1, 0]
    with nogil:
        for t in range(N - 1, -1, -1):
            for j in range(K):
                beta[j] = 0 if begins[t + 1] else log_sum(g, &log_A[j, 0], K)
            for j in range(K):
                alpha[t, j] += beta[j]
                g[j] = rows[t, j] + beta[j]
            total = log_sum(&alpha[t, 0], NULL, K)
            top = log_sum(g, NULL, K)
            for j in range(K):
                alpha[t, j] -= total
                g[j] -= top
    return None


cdef double log_sum(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    # log sum_i exp(a_i + b_i), with b = 0 for NULL; -inf is a legal summand.
    cdef double top = -HUGE_VAL, total = 0, v
    cdef Py_ssize_t i
    for i in range(n):
        v = a[i] + (b[i] if b != NULL else 0.0)
        if v > top:
            top = v
    if top == -HUGE_VAL:
        return top
    for i in range(n):
        total += exp(a[i] + (b[i] if b != NULL else 0.0) - top)
    return top + log(total)


def sample(const double[::1] initial not None, const double[:, ::1] A not None,
           const double[:, ::1] B not None, const double[:, ::1] u not None,
           int32_t[::1] x not None, int64_t[::1] z not None):
    """Fill x and z from cumulative rows that end in 1 and uniform u in [0, 1)."""
    cdef Py_ssize_t T = x.shape[0], K = initial.shape[0], M = B.shape[1], t, k = 0
    if (A.shape[0] != K or A.shape[1] != K or B.shape[0] != K or u.shape[0] != T
            or u.shape[1] != 2 or z.shape[0] != T or K < 1 or M < 1):
        raise ValueError("shapes of sample() do not agree")
    with nogil:
        for t in range(T):
            k = above(&initial[0] if t == 0 else &A[k, 0], K, u[t, 0])
            z[t] = k
            x[t] = <int32_t>above(&B[k, 0], M, u[t, 1])


def sample_contexts(
    const double[::1] initial not None, const double[:, ::1] A not None,
    const double[:, ::1] B not None, const uint32_t[::1] children not None,
    const uint32_t[::1] first not None, const uint16_t[::1] label not None,
    const uint16_t[::1] back_off not None, const uint16_t[::1] symbol not None,
    const int64_t[::1] sums not None, Py_ssize_t end, const double[:, ::1] u not None,
    int32_t[::1] x not None, int64_t[::1] z not None
):
    """Fill x and z under contexts as well, a sequence anew after each symbol `end`.

    `sums` are the running sums of the weights in a context, each with its own; `end`
    is -1 if there is no such symbol. The other arrays are those of `Contexts`, which
    has checked them.
    """
    cdef Py_ssize_t T = x.shape[0], K = initial.shape[0], M = B.shape[1]
    cdef Py_ssize_t t, n, k = 0, begin = 0, node, child, low, high
    cdef uint32_t path[17]
    cdef double v, own
    if (A.shape[0] != K or A.shape[1] != K or B.shape[0] != K or u.shape[0] != T
            or u.shape[1] != 2 or z.shape[0] != T or K < 1 or M < 1
            or label.shape[0] < 1 or children.shape[0] != label.shape[0] + 1
            or first.shape[0] != label.shape[0] + 1
            or back_off.shape[0] != label.shape[0]
            or sums.shape[0] != symbol.shape[0]):
        raise ValueError("shapes of sample_contexts() do not agree")
    with nogil:
        for t in range(T):
            k = above(&initial[0] if t == begin else &A[k, 0], K, u[t, 0])
            z[t] = k
            n, node = 0, 0
            while n < 16 and t - n >= begin:
                # The symbol n + 1 places before; M is the beginning.
                child = M if t - n == begin else x[t - n - 1]
                low, high = children[node], children[node + 1]
                node = find(&label[0], low, high, child)
                if node == high or label[node] != child:
                    break
                path[n] = <uint32_t>node
                n += 1
            # One number chooses both who gives the symbol and, within that, which.
            v = u[t, 1]
            x[t] = -1
            while n > 0 and x[t] < 0:
                n -= 1
                node = path[n]
                own = 1 - back_off[node] / 256.0
                if v < own:
                    low, high = first[node], first[node + 1]
                    x[t] = symbol[entry(&sums[0], low, high, v / own)]
                else:
                    v = (v - own) / (1 - own)
            if x[t] < 0:
                x[t] = <int32_t>above(&B[k, 0], M, v)
            if x[t] == end:
                begin = t + 1


cdef Py_ssize_t find(const uint16_t *label, Py_ssize_t low, Py_ssize_t high,
                     Py_ssize_t wanted) noexcept nogil:
    # The first at or above `wanted`; high if there is none.
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) // 2
        if label[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


cdef Py_ssize_t entry(const int64_t *sums, Py_ssize_t low, Py_ssize_t high,
                      double share) noexcept nogil:
    # The first whose running sum is above the share of the last.
    cdef double wanted = share * sums[high - 1]
    cdef Py_ssize_t middle
    high -= 1
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > wanted:
            high = middle
        else:
            low = middle + 1
    return low


cdef Py_ssize_t above(const double *edge, Py_ssize_t n, double u) noexcept nogil:
    # The first k with edge[k] > u: never one of probability 0, as edge[-1] = 1.
    cdef Py_ssize_t low = 0, high = n - 1, middle
    while low < high:
        middle = (low + high) // 2
        if edge[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


cdef int check(const int32_t[::1] x, Py_ssize_t M) except -1:
    cdef Py_ssize_t t
    for t in range(x.shape[0]):
        if not 0 <= x[t] < M:
            raise ValueError(f"index {x[t]} at {t} is not below {M}")
    return 0


cdef int check_runs(const int64_t[:, ::1] runs, Py_ssize_t N) except -1:
    # Rows (sequences, steps): sequences that end leave, none join.
    cdef Py_ssize_t r, total = 0
    if runs.shape[0] < 1 or runs.shape[1] != 2:
        raise ValueError("runs must have shape (n, 2)")
    for r in range(runs.shape[0]):
        if (not 1 <= runs[r, 0] <= N or not 1 <= runs[r, 1] <= N
                or r > 0 and runs[r, 0] > runs[r - 1, 0]):
            raise ValueError(f"run {r} is wrong")
        total += runs[r, 0] * runs[r, 1]
    if total != N:
        raise ValueError("runs do not add up to the rows of x")
    return 0
