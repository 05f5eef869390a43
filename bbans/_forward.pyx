"""Forward messages of hidden Markov models: exact integers, and scaled floats.

The exact ones, of a frozen model, come from the kernels of the C library: `hmm` is
the address of a bbans_hmm; docs/maths.md, sections 5 and 6.

The float recursions serve training and the information content.  Sequences lie end
to end in one array x; `first` marks where each begins.  So many short sequences and
one long one run through the same loop, block by block.

Letters are those of docs/maths.md.  A is the transition matrix, row i to column j,
and E the emission matrix by symbol, E[x, i] = P(x | z = i) / max_i P(x | z = i):
without its largest factor no product below underflows for want of range in B.

A state whose filtered probability falls below `least` counts as unreachable, so
no denormal numbers arise.  For the others alpha_i beta_i <= 1 bounds beta_i by
`most` = 1 / least: cutting beta there touches only states that were dropped.
"""


from libc.math cimport HUGE_VAL, exp, log
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uintptr_t

from bbans.errors import ModelError, SymbolError

cdef extern from "bbans.h" nogil:
    ctypedef struct bbans_hmm:
        size_t states, symbols, stride
    int bbans_hmm_filter(const bbans_hmm *, uint32_t *, const uint32_t *, size_t,
                         uint32_t *)
    int bbans_hmm_posterior(const bbans_hmm *, const uint32_t *, size_t, uint32_t *)
    int bbans_hmm_predict(const bbans_hmm *, const uint32_t *, size_t, uint32_t *,
                          uint32_t *)
    int bbans_isa_use(int)
    enum: BBANS_ISA_BEST

bbans_isa_use(BBANS_ISA_BEST)    # of the kernels linked to this module


def filter_exact(uintptr_t hmm, uint32_t[::1] predicted not None,
                 const uint32_t[::1] symbols not None,
                 uint32_t[:, ::1] filtered not None):
    """Run T filter steps: fill `filtered`, shape (T, stride), and move `predicted`,
    shape (stride,)."""
    cdef const bbans_hmm *model = <const bbans_hmm *>hmm
    cdef size_t T = symbols.shape[0]
    cdef int status = 0
    if (<size_t>predicted.shape[0] != model.stride
            or <size_t>filtered.shape[0] != T
            or <size_t>filtered.shape[1] != model.stride):
        raise ModelError("arrays of filter_exact have wrong shapes")
    if T > 0:
        with nogil:
            status = bbans_hmm_filter(model, &predicted[0], &symbols[0], T,
                                      &filtered[0, 0])
    if status != 0:
        raise SymbolError("a symbol is outside the alphabet", status)


def posterior_exact(uintptr_t hmm, const uint32_t[::1] filtered not None,
                    size_t next_state, uint32_t[::1] edge not None):
    """Running sums, shape (stride + 1,), of the posterior weights of a filtered row of
    shape (stride,); next_state K: without one."""
    cdef const bbans_hmm *model = <const bbans_hmm *>hmm
    cdef int status
    if (<size_t>filtered.shape[0] != model.stride
            or <size_t>edge.shape[0] != model.stride + 1):
        raise ModelError("arrays of posterior_exact have wrong shapes")
    with nogil:
        status = bbans_hmm_posterior(model, &filtered[0], next_state, &edge[0])
    if status != 0:
        raise SymbolError(f"state {next_state} is outside the model", status)


def predictive_exact(uintptr_t hmm, const uint32_t[::1] predicted not None,
                     uint32_t[::1] cdf not None):
    """Edges, shape (M + 1,), of the next symbol under weights of shape (K,)."""
    cdef const bbans_hmm *model = <const bbans_hmm *>hmm
    cdef size_t x = 0
    cdef uint32_t freq = 0
    if (<size_t>predicted.shape[0] != model.states
            or <size_t>cdf.shape[0] != model.symbols + 1):
        raise ModelError("arrays of predictive_exact have wrong shapes")
    with nogil:
        for x in range(model.symbols):
            bbans_hmm_predict(model, &predicted[0], x, &cdf[x], &freq)
        cdf[model.symbols] = cdf[model.symbols - 1] + freq


# ---- floats

ctypedef fused real:
    float
    double


cdef inline real least(real unused) noexcept nogil:
    return <real>1e-30 if real is float else <real>1e-290


cdef inline real most(real unused) noexcept nogil:
    return <real>1e30 if real is float else <real>1e290


cdef inline real normal(real unused) noexcept nogil:
    # Barely above the smallest normal number: its inverse is finite.
    return <real>1e-37 if real is float else <real>1e-307


cdef real dot(const real *a, const real *b, Py_ssize_t n) noexcept nogil:
    # Four sums, because a compiler may not reorder one.
    cdef real s0 = 0, s1 = 0, s2 = 0, s3 = 0
    cdef Py_ssize_t i
    for i in range(0, n - 3, 4):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
    for i in range(n - n % 4, n):
        s0 += a[i] * b[i]
    return (s0 + s1) + (s2 + s3)


cdef void row_times_matrix(const real *v, const real *A, real *out,
                           Py_ssize_t n) noexcept nogil:
    # out_j = sum_i v_i A_ij.  The inner loops run along rows of A and carry no
    # sum, so they vectorise; four rows at a time save loads and stores of out.
    cdef real v0, v1, v2, v3
    cdef const real *r0
    cdef const real *r1
    cdef const real *r2
    cdef const real *r3
    cdef Py_ssize_t i, j
    for j in range(n):
        out[j] = 0
    for i in range(0, n - 3, 4):
        v0, v1, v2, v3 = v[i], v[i + 1], v[i + 2], v[i + 3]
        r0 = A + i * n
        r1 = r0 + n
        r2 = r1 + n
        r3 = r2 + n
        for j in range(n):
            out[j] += (v0 * r0[j] + v1 * r1[j]) + (v2 * r2[j] + v3 * r3[j])
    for i in range(n - n % 4, n):
        v0 = v[i]
        r0 = A + i * n
        for j in range(n):
            out[j] += v0 * r0[j]


cdef Py_ssize_t forward_block(
    const int32_t *x, const uint8_t *first, Py_ssize_t T, Py_ssize_t K,
    const real *initial, const real *A, const real *E, double lowest, real *alpha,
    double *scale,
) noexcept nogil:
    cdef real low = least(<real>0), total, w
    cdef const real *e
    cdef real *a = alpha
    cdef Py_ssize_t t, i
    for t in range(T):
        # alpha_t is first the prediction p_t, then p_t E / scale_t in its place.
        e = E + x[t] * K
        if first[t]:
            a += K
            for i in range(K):
                a[i] = initial[i]
        else:
            row_times_matrix(a, A, a + K, K)
            a += K
        total = dot(a, e, K)
        if not (total >= normal(<real>0) and total >= lowest):
            return t
        scale[t] = total
        total = 1 / total
        for i in range(K):
            w = a[i] * e[i] * total
            a[i] = w if w >= low else 0
    return -1


cdef void backward_block(
    const int32_t *x, const uint8_t *first, Py_ssize_t T, Py_ssize_t K,
    const real *A_transposed, const real *E, const real *alpha, const double *scale,
    real *beta, real *G, double *initial_count, double *emission_count,
) noexcept nogil:
    cdef real high = most(<real>0), total, w
    cdef const real *e
    cdef const real *a
    cdef real *g
    cdef double *count
    cdef Py_ssize_t t, i
    for t in range(T - 1, -1, -1):
        e = E + x[t] * K
        a = alpha + (t + 1) * K
        g = G + t * K
        count = emission_count + x[t] * K
        # The sum is 1 but for rounding and dropped states.  Dividing by it makes
        # every gamma_t = alpha_t beta_t / total sum to 1 all the same.  It is
        # never near 0: a cut g_j leaves p_j g_j >= (least denormal) * most.
        total = dot(a, beta, K)
        w = 1 / total
        for i in range(K):
            count[i] += a[i] * beta[i] * w
        if first[t]:
            for i in range(K):
                initial_count[i] += a[i] * beta[i] * w
                g[i] = 0    # no transition leads here
                beta[i] = 1    # the last step of the sequence before
            continue
        total = <real>scale[t] * total
        w = 1 / (total if total >= normal(<real>0) else normal(<real>0))
        for i in range(K):
            total = e[i] * beta[i] * w
            g[i] = total if total < high else high
        row_times_matrix(g, A_transposed, beta, K)


def forward(const int32_t[::1] x not None, const uint8_t[::1] first not None,
            const real[::1] initial not None, const real[:, ::1] A not None,
            const real[:, ::1] E not None, double lowest,
            real[:, ::1] alpha not None, double[::1] scale not None):
    """Fill alpha[1:] and scale; alpha[0] comes in.

    Return -1, or the first t whose scale is out of range or below `lowest`.
    """
    cdef Py_ssize_t T = x.shape[0], K = A.shape[0], bad
    check(x, E.shape[0])
    if (first.shape[0] != T or initial.shape[0] != K or A.shape[1] != K
            or E.shape[1] != K or alpha.shape[0] <= T or alpha.shape[1] != K
            or scale.shape[0] < T or T < 1 or K < 1):
        raise ValueError("shapes of forward() do not agree")
    with nogil:
        bad = forward_block(&x[0], &first[0], T, K, &initial[0], &A[0, 0], &E[0, 0],
                            lowest, &alpha[0, 0], &scale[0])
    return bad


def backward(const int32_t[::1] x not None, const uint8_t[::1] first not None,
             const real[:, ::1] A_transposed not None, const real[:, ::1] E not None,
             const real[:, ::1] alpha not None, const double[::1] scale not None,
             real[::1] beta not None, real[:, ::1] G not None,
             double[::1] initial_count not None,
             double[:, ::1] emission_count not None):
    """Fill G, add to the counts, move beta to the step before the block."""
    cdef Py_ssize_t T = x.shape[0], K = A_transposed.shape[0]
    check(x, E.shape[0])
    if (first.shape[0] != T or A_transposed.shape[1] != K or E.shape[1] != K
            or alpha.shape[0] <= T or alpha.shape[1] != K or scale.shape[0] < T
            or beta.shape[0] != K or G.shape[0] < T or G.shape[1] != K
            or initial_count.shape[0] != K or emission_count.shape[0] != E.shape[0]
            or emission_count.shape[1] != K or T < 1 or K < 1):
        raise ValueError("shapes of backward() do not agree")
    with nogil:
        backward_block(&x[0], &first[0], T, K, &A_transposed[0, 0], &E[0, 0],
                       &alpha[0, 0], &scale[0], &beta[0], &G[0, 0],
                       &initial_count[0], &emission_count[0, 0])


def log_likelihood(const int32_t[::1] x not None, const double[::1] log_initial not None,
                   const double[:, ::1] log_A_transposed not None,
                   const double[:, ::1] log_E not None):
    """Return log P(x) by sums of logarithms: slow, but of unlimited range."""
    cdef Py_ssize_t T = x.shape[0], K = log_initial.shape[0], t, j
    cdef double total = -HUGE_VAL
    cdef double[::1] w = log_initial.copy()
    cdef double[::1] p = log_initial.copy()    # predicted
    cdef const double *A
    check(x, log_E.shape[0])
    if (log_A_transposed.shape[0] != K or log_A_transposed.shape[1] != K
            or log_E.shape[1] != K or T < 1 or K < 1):
        raise ValueError("shapes of log_likelihood() do not agree")
    A = &log_A_transposed[0, 0]
    with nogil:
        for t in range(T):
            for j in range(K):
                w[j] = p[j] + log_E[x[t], j]
            total = log_sum(&w[0], NULL, K)
            if total == -HUGE_VAL:
                break
            if t < T - 1:
                for j in range(K):
                    p[j] = log_sum(&w[0], A + j * K, K)
    return total


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
