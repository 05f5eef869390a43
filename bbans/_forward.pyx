"""Forward messages of hidden Markov models: exact integers, and scaled floats.

The exact ones, of a frozen model, come from the kernels of the C library: `hmm` is
the address of a bbans_hmm; docs/maths.md, sections 5 and 6.

The float recursions serve training and the information content: many sequences side
by side, block by block, each step a product of matrices.

Letters are those of docs/maths.md.  A is the transition matrix, row i to column j,
and E the emission matrix by symbol, E[x, i] = P(x | z = i) / max_i P(x | z = i):
without its largest factor no product below underflows for want of range in B.

A state whose filtered probability falls below `least` counts as unreachable, so
no denormal numbers arise.  For the others alpha_i beta_i <= 1 bounds beta_i by
`most` = 1 / least: cutting beta there touches only states that were dropped.
"""


from libc.math cimport HUGE_VAL, exp, log
from libc.stdint cimport int32_t, int64_t, uint32_t, uintptr_t

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
#
# Sequences run side by side, the longest first: row b of a step belongs to sequence
# b, and steps follow one another.  A sequence that ends leaves the steps after it, so
# no step has more rows than the one before; `runs` holds (sequences, steps).  Then
# the step of all sequences is a product of two matrices, and one long sequence is
# the case of one row.

from libc.string cimport memcpy, memset

cdef extern from *:
    r"""
    #include <stddef.h>
    #include <string.h>

    /* Kernels of the float recursions, from one text for every width of vector.
     * Rows have S columns, a multiple of 2 vectors, of which those from K on are 0.
     *
     * multiply: out (+)= a B, where a_ik is a[i * row + k * column], 6 rows at a
     * time: 12 sums in registers, fed by 2 vectors of B and 6 broadcasts.  B lies in
     * panels of 2 vectors' columns, one after another, so it is read in order.
     * Rows that the last 6 lack repeat the last one: the same value, stored again.
     * One row by itself needs 4 sums for each vector, for the latency. */

    #ifdef __GNUC__
    #define VECTOR(real, bytes) \
        real __attribute__((vector_size(bytes), aligned(sizeof(real)), may_alias))
    #else
    #define VECTOR(real, bytes) real
    #endif

    #define KERNELS(name, real, bytes, target) \
    typedef VECTOR(real, bytes) name##_v; \
    enum { name##_W = sizeof(name##_v) / sizeof(real), name##_N = 2 * name##_W }; \
    \
    target static void name##_multiply_row( \
        const real *a, Py_ssize_t column, Py_ssize_t K, const real *B, \
        Py_ssize_t S, real *out, int add) \
    { \
        Py_ssize_t j, k; \
        for (j = 0; j < S; j += name##_N) { \
            name##_v *o = (name##_v *)(out + j); \
            name##_v c0 = {0}, c1 = {0}, d0 = {0}, d1 = {0}; \
            name##_v e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0}; \
            for (k = 0; k + 4 <= K; k += 4, B += 4 * name##_N) { \
                const name##_v *b = (const name##_v *)B; \
                const real *q = a + k * column; \
                c0 += q[0] * b[0]; \
                c1 += q[0] * b[1]; \
                d0 += q[column] * b[2]; \
                d1 += q[column] * b[3]; \
                e0 += q[2 * column] * b[4]; \
                e1 += q[2 * column] * b[5]; \
                f0 += q[3 * column] * b[6]; \
                f1 += q[3 * column] * b[7]; \
            } \
            for (; k < K; k++, B += name##_N) { \
                const name##_v *b = (const name##_v *)B; \
                c0 += a[k * column] * b[0]; \
                c1 += a[k * column] * b[1]; \
            } \
            c0 = (c0 + d0) + (e0 + f0); \
            c1 = (c1 + d1) + (e1 + f1); \
            if (add) { \
                c0 += o[0]; \
                c1 += o[1]; \
            } \
            o[0] = c0; \
            o[1] = c1; \
        } \
    } \
    \
    target static void name##_multiply( \
        const real *a, Py_ssize_t row, Py_ssize_t column, Py_ssize_t n, \
        Py_ssize_t K, const real *B, Py_ssize_t S, real *out, int add) \
    { \
        const Py_ssize_t alone = n % 6 <= 3 ? n % 6 : 0; \
        Py_ssize_t i, j, k; \
        n -= alone; \
        for (j = 0; j < S; j += name##_N) { \
            const real *panel = B + j * K; \
            for (i = 0; i < n; i += 6) { \
                const Py_ssize_t last = n - 1 - i; \
                const real *a0 = a + i * row, *a1 = a0 + row, *a2 = a1 + row; \
                const real *a3 = a2 + row, *a4 = a3 + (last > 3 ? row : 0); \
                const real *a5 = a4 + (last > 4 ? row : 0), *p = panel; \
                real *out0 = out + i * S + j, *out4 = out0 + 3 * S + (last > 3) * S; \
                name##_v *o0 = (name##_v *)out0, *o1 = (name##_v *)(out0 + S); \
                name##_v *o2 = (name##_v *)(out0 + 2 * S); \
                name##_v *o3 = (name##_v *)(out0 + 3 * S); \
                name##_v *o4 = (name##_v *)out4; \
                name##_v *o5 = (name##_v *)(out4 + (last > 4) * S); \
                name##_v c0 = {0}, c1 = {0}, d0 = {0}, d1 = {0}; \
                name##_v e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0}; \
                name##_v g0 = {0}, g1 = {0}, h0 = {0}, h1 = {0}; \
                for (k = 0; k < K; k++, p += name##_N) { \
                    const name##_v b0 = ((const name##_v *)p)[0]; \
                    const name##_v b1 = ((const name##_v *)p)[1]; \
                    const Py_ssize_t q = k * column; \
                    c0 += a0[q] * b0; \
                    c1 += a0[q] * b1; \
                    d0 += a1[q] * b0; \
                    d1 += a1[q] * b1; \
                    e0 += a2[q] * b0; \
                    e1 += a2[q] * b1; \
                    f0 += a3[q] * b0; \
                    f1 += a3[q] * b1; \
                    g0 += a4[q] * b0; \
                    g1 += a4[q] * b1; \
                    h0 += a5[q] * b0; \
                    h1 += a5[q] * b1; \
                } \
                if (add) { /* all loads before all stores: rows may repeat */ \
                    c0 += o0[0]; \
                    c1 += o0[1]; \
                    d0 += o1[0]; \
                    d1 += o1[1]; \
                    e0 += o2[0]; \
                    e1 += o2[1]; \
                    f0 += o3[0]; \
                    f1 += o3[1]; \
                    g0 += o4[0]; \
                    g1 += o4[1]; \
                    h0 += o5[0]; \
                    h1 += o5[1]; \
                } \
                o0[0] = c0; \
                o0[1] = c1; \
                o1[0] = d0; \
                o1[1] = d1; \
                o2[0] = e0; \
                o2[1] = e1; \
                o3[0] = f0; \
                o3[1] = f1; \
                o4[0] = g0; \
                o4[1] = g1; \
                o5[0] = h0; \
                o5[1] = h1; \
            } \
        } \
        for (i = n; i < n + alone; i++) \
            name##_multiply_row(a + i * row, column, K, B, S, out + i * S, add); \
    } \
    \
    target static void name##_pack(const real *B, Py_ssize_t K, Py_ssize_t S, \
                                   real *panels) \
    { \
        Py_ssize_t j, k; \
        for (j = 0; j < S; j += name##_N) \
            for (k = 0; k < K; k++, panels += name##_N) \
                memcpy(panels, B + k * S + j, name##_N * sizeof(real)); \
    } \
    \
    target static real name##_dot(const real *a, const real *b, Py_ssize_t S) \
    { \
        name##_v sum0 = {0}, sum1 = {0}; \
        real lane[name##_W], total = 0; \
        Py_ssize_t i; \
        for (i = 0; i < S; i += name##_N) { \
            const name##_v *v = (const name##_v *)(a + i); \
            const name##_v *w = (const name##_v *)(b + i); \
            sum0 += v[0] * w[0]; \
            sum1 += v[1] * w[1]; \
        } \
        sum0 += sum1; \
        memcpy(lane, &sum0, sizeof lane); \
        for (i = 0; i < name##_W; i++) \
            total += lane[i]; \
        return total; \
    } \
    \
    target static Py_ssize_t name##_forward( \
        const int32_t *x, Py_ssize_t n, Py_ssize_t S, const real *E, real low, \
        real normal, double lowest, real *alpha, double *scale) \
    { \
        Py_ssize_t b, i; \
        for (b = 0; b < n; b++) { \
            const real *__restrict e = E + x[b] * S; \
            real *__restrict a = alpha + b * S; \
            real total = name##_dot(a, e, S), w; \
            if (!(total >= normal && total >= lowest)) \
                return b; \
            scale[b] = total; \
            total = 1 / total; \
            for (i = 0; i < S; i++) { \
                w = a[i] * e[i] * total; \
                a[i] = w >= low ? w : 0; \
            } \
        } \
        return -1; \
    } \
    \
    target static void name##_backward( \
        const int32_t *x, Py_ssize_t n, Py_ssize_t S, const real *E, \
        const real *alpha, const double *scale, const real *beta, real high, \
        real normal, real *G, double *emission_count, double *initial_count) \
    { \
        Py_ssize_t b, i; \
        for (b = 0; b < n; b++) { \
            const real *__restrict e = E + x[b] * S; \
            const real *__restrict a = alpha + b * S; \
            const real *__restrict v = beta + b * S; \
            double *__restrict count = emission_count + x[b] * S; \
            real total = name##_dot(a, v, S), w = 1 / total, w1, u; \
            if (initial_count != NULL) { \
                for (i = 0; i < S; i++) { \
                    count[i] += a[i] * v[i] * w; \
                    initial_count[i] += a[i] * v[i] * w; \
                } \
            } else { \
                real *__restrict g = G + b * S; \
                total = (real)scale[b] * total; \
                w1 = 1 / (total > normal ? total : normal); \
                for (i = 0; i < S; i++) { \
                    count[i] += a[i] * v[i] * w; \
                    u = e[i] * v[i] * w1; \
                    g[i] = u < high ? u : high; \
                } \
            } \
        } \
    } \
    \
    static const real##_kernels name = { \
        name##_N, name##_multiply, name##_pack, name##_forward, name##_backward};

    #define TABLE(real) \
    typedef struct { \
        Py_ssize_t columns; \
        void (*multiply)(const real *, Py_ssize_t, Py_ssize_t, Py_ssize_t, \
                         Py_ssize_t, const real *, Py_ssize_t, real *, int); \
        void (*pack)(const real *, Py_ssize_t, Py_ssize_t, real *); \
        Py_ssize_t (*forward)(const int32_t *, Py_ssize_t, Py_ssize_t, \
                              const real *, real, real, double, real *, double *); \
        void (*backward)(const int32_t *, Py_ssize_t, Py_ssize_t, const real *, \
                         const real *, const double *, const real *, real, real, \
                         real *, double *, double *); \
    } real##_kernels;

    TABLE(float)
    TABLE(double)
    KERNELS(float_16, float, 16, )
    KERNELS(double_16, double, 16, )
    #if defined(__GNUC__) && defined(__x86_64__)
    #define AVX2 __attribute__((target("avx2,fma")))
    #define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
    KERNELS(float_32, float, 32, AVX2)
    KERNELS(double_32, double, 32, AVX2)
    KERNELS(float_64, float, 64, AVX512)
    KERNELS(double_64, double, 64, AVX512)
    #endif

    static const float_kernels *float_kernel = &float_16;
    static const double_kernels *double_kernel = &double_16;

    /* Choose vectors of at most so many bytes; return how many were chosen. */
    static int use_float_vectors(int bytes)
    {
    #if defined(__GNUC__) && defined(__x86_64__)
        __builtin_cpu_init();
        if (bytes >= 64 && __builtin_cpu_supports("avx512f")
            && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl")) {
            float_kernel = &float_64;
            double_kernel = &double_64;
            return 64;
        }
        if (bytes >= 32 && __builtin_cpu_supports("avx2")
            && __builtin_cpu_supports("fma")) {
            float_kernel = &float_32;
            double_kernel = &double_32;
            return 32;
        }
    #endif
        (void)bytes;
        float_kernel = &float_16;
        double_kernel = &double_16;
        return sizeof(double_16_v);
    }
    """
    ctypedef struct float_kernels:
        Py_ssize_t columns
        void (*multiply)(const float *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                         const float *, Py_ssize_t, float *, bint) noexcept nogil
        void (*pack)(const float *, Py_ssize_t, Py_ssize_t, float *) noexcept nogil
        Py_ssize_t (*forward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const float *, float, float,
            double, float *, double *) noexcept nogil
        void (*backward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const float *, const float *,
            const double *, const float *, float, float, float *, double *, double *,
        ) noexcept nogil
    ctypedef struct double_kernels:
        Py_ssize_t columns
        void (*multiply)(const double *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                         const double *, Py_ssize_t, double *, bint) noexcept nogil
        void (*pack)(const double *, Py_ssize_t, Py_ssize_t, double *) noexcept nogil
        Py_ssize_t (*forward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const double *, double, double,
            double, double *, double *) noexcept nogil
        void (*backward)(
            const int32_t *, Py_ssize_t, Py_ssize_t, const double *, const double *,
            const double *, const double *, double, double, double *, double *,
            double *) noexcept nogil
    const float_kernels *float_kernel
    const double_kernels *double_kernel
    int use_float_vectors(int) noexcept nogil


use_float_vectors(64)

ctypedef fused real:
    float
    double

cdef enum:
    FLUSH = 96    # rows of G, at least, for each product with alpha
    SUM = 8192    # rows whose transitions are summed in the messages' own type


cdef inline real least(real unused) noexcept nogil:
    return <real>1e-30 if real is float else <real>1e-290


cdef inline real most(real unused) noexcept nogil:
    return <real>1e30 if real is float else <real>1e290


cdef inline real normal(real unused) noexcept nogil:
    # Barely above the smallest normal number: its inverse is finite.
    return <real>1e-37 if real is float else <real>1e-307


cdef inline void multiply(
    const real *a, Py_ssize_t row, Py_ssize_t column, Py_ssize_t n, Py_ssize_t K,
    const real *B, Py_ssize_t S, real *out, bint add,
) noexcept nogil:
    if real is float:
        float_kernel.multiply(a, row, column, n, K, B, S, out, add)
    else:
        double_kernel.multiply(a, row, column, n, K, B, S, out, add)


cdef inline void pack_rows(
    const real *B, Py_ssize_t K, Py_ssize_t S, real *panels
) noexcept nogil:
    if real is float:
        float_kernel.pack(B, K, S, panels)
    else:
        double_kernel.pack(B, K, S, panels)


cdef Py_ssize_t forward_block(
    const int32_t *x, const int64_t *runs, Py_ssize_t n_runs, Py_ssize_t previous,
    Py_ssize_t K, Py_ssize_t S, const real *initial, const real *A, const real *E,
    double lowest, real *alpha, double *scale,
) noexcept nogil:
    cdef real low = least(<real>0), tiny = normal(<real>0)
    cdef real *before = alpha
    cdef Py_ssize_t r, t, n, bad, done = 0
    alpha += previous * S
    for r in range(n_runs):
        n = runs[2 * r]
        for t in range(runs[2 * r + 1]):
            # alpha_t is first the prediction p_t, then p_t E / scale_t in its place.
            if previous == 0:
                for bad in range(n):
                    memcpy(alpha + bad * S, initial, S * sizeof(real))
                previous = n
            else:
                multiply(before, S, 1, n, K, A, S, alpha, False)
            if real is float:
                bad = float_kernel.forward(x, n, S, E, low, tiny, lowest, alpha, scale)
            else:
                bad = double_kernel.forward(x, n, S, E, low, tiny, lowest, alpha, scale)
            if bad >= 0:
                return done + bad
            before = alpha
            alpha += n * S
            x += n
            scale += n
            done += n
    return -1


cdef void backward_block(
    const int32_t *x, const int64_t *runs, Py_ssize_t n_runs, Py_ssize_t following,
    bint begins, Py_ssize_t K, Py_ssize_t S, const real *A_transposed, const real *E,
    const real *alpha, const double *scale, real *carry, real *work,
    Py_ssize_t capacity, double *initial_count, double *transition_count,
    double *emission_count,
) noexcept nogil:
    # Row for row, G[i] is what alpha[i] meets: zero where a sequence ends.  Its rows
    # fill from the top of a buffer, whose end is row `high_row` of the block.
    cdef real high = most(<real>0), tiny = normal(<real>0)
    cdef real *buffer = work
    cdef real *panels = buffer + capacity * S
    cdef real *total = panels + capacity * S
    cdef real *beta = total + K * S
    cdef real *G
    cdef real *g
    cdef real *tile = beta + runs[0] * S
    cdef const real *a
    cdef Py_ssize_t r, t, n, i, j, k, width, before, row = 0, summed = 0, high_row
    for r in range(n_runs):
        row += runs[2 * r] * runs[2 * r + 1]
    high_row = row
    memset(total, 0, K * S * sizeof(real))
    for r in range(n_runs - 1, -1, -1):
        n = runs[2 * r]
        for t in range(runs[2 * r + 1] - 1, -1, -1):
            row -= n
            G = buffer + (capacity - (high_row - row)) * S
            if high_row == row + n:    # the first step in this buffer
                memcpy(G, carry, following * S * sizeof(real))
            memset(G + following * S, 0, (n - following) * S * sizeof(real))
            multiply(G, S, 1, following, K, A_transposed, S, beta, False)
            for i in range(following * S, n * S):
                beta[i] = 1    # the last step of its sequence
            # The step before: its n, or 0 if this is the first of the block.
            before = n if t > 0 else runs[2 * r - 2] if r > 0 else 0
            g = G - before * S
            if before == 0 or high_row - row + before > capacity:
                g = carry
            if real is float:
                float_kernel.backward(
                    x + row, n, S, E, alpha + row * S, scale + row, beta, high, tiny, g,
                    emission_count, initial_count if begins and before == 0 else NULL)
            else:
                double_kernel.backward(
                    x + row, n, S, E, alpha + row * S, scale + row, beta, high, tiny, g,
                    emission_count, initial_count if begins and before == 0 else NULL)
            following = n
            if g == carry:
                # The sum over t of alpha_t,i G_t,j, which A_ij still multiplies.
                i = high_row - row
                pack_rows(G, i, S, panels)
                for j in range(0, K, 6):
                    width = min(6, K - j)
                    a = alpha + row * S + j
                    if width == 6:    # a constant: no call
                        for k in range(i):
                            memcpy(tile + 6 * k, a + k * S, 6 * sizeof(real))
                    else:
                        for k in range(i):
                            memcpy(tile + 6 * k, a + k * S, width * sizeof(real))
                    multiply(tile, 1, 6, width, i, panels, S, total + j * S, True)
                summed += i
                high_row = row
                if summed >= SUM or row == 0:
                    for i in range(K * S):
                        transition_count[i] += total[i]
                        total[i] = 0
                    summed = 0


def use_vectors(int n_bytes):
    """Choose the widest vectors of at most `n_bytes` that the CPU has, for tests.

    Return their size in bytes.
    """
    return use_float_vectors(n_bytes)


def columns(Py_ssize_t K, Py_ssize_t itemsize):
    """Return S, the least multiple of two vectors that is K or more."""
    cdef Py_ssize_t N = float_kernel.columns
    if itemsize == sizeof(double):
        N = double_kernel.columns
    return (K + N - 1) // N * N


def pack(const real[:, ::1] B not None, real[::1] panels not None):
    """Put a matrix of shape (K, S) in the order in which products read it."""
    cdef Py_ssize_t K = B.shape[0], S = B.shape[1]
    if K < 1 or S != columns(S, sizeof(real)) or panels.shape[0] != K * S:
        raise ValueError("shapes of pack() do not agree")
    pack_rows(&B[0, 0], K, S, &panels[0])


def work_size(Py_ssize_t n, Py_ssize_t K, Py_ssize_t S):
    """Return the size of `work` for n sequences at a time."""
    return (2 * (FLUSH + n) + K + n) * S + 6 * (FLUSH + n)


def forward(const int32_t[::1] x not None, const int64_t[:, ::1] runs not None,
            Py_ssize_t previous, Py_ssize_t K, const real[::1] initial not None,
            const real[::1] A not None, const real[:, ::1] E not None, double lowest,
            real[:, ::1] alpha not None, double[::1] scale not None):
    """Fill alpha[previous:] and scale; alpha[:previous] is the step before.

    Without one, `previous` is 0 and sequences begin. Return -1, or the first row whose
    scale is out of range or below `lowest`.
    """
    cdef Py_ssize_t N = x.shape[0], S = initial.shape[0], bad
    check(x, E.shape[0])
    check_runs(runs, N)
    if (S < K or K < 1 or A.shape[0] != K * S or E.shape[1] != S
            or alpha.shape[0] < previous + N or alpha.shape[1] != S
            or scale.shape[0] < N or previous < 0 or S != columns(S, sizeof(real))
            or 0 < previous < runs[0, 0]):
        raise ValueError("shapes of forward() do not agree")
    with nogil:
        bad = forward_block(&x[0], &runs[0, 0], runs.shape[0], previous, K, S,
                            &initial[0], &A[0], &E[0, 0], lowest, &alpha[0, 0],
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
    cdef Py_ssize_t N = x.shape[0], S = E.shape[1], n
    check(x, E.shape[0])
    check_runs(runs, N)
    n = runs[0, 0]
    if (S < K or K < 1 or A_transposed.shape[0] != K * S or alpha.shape[0] < N
            or alpha.shape[1] != S or scale.shape[0] < N or S != columns(S, sizeof(real))
            or carry.shape[0] < n or carry.shape[1] != S
            or work.shape[0] < work_size(n, K, S) or initial_count.shape[0] != S
            or transition_count.shape[0] != K or transition_count.shape[1] != S
            or emission_count.shape[0] != E.shape[0] or emission_count.shape[1] != S
            or not 0 <= following <= runs[runs.shape[0] - 1, 0]):
        raise ValueError("shapes of backward() do not agree")
    with nogil:
        backward_block(&x[0], &runs[0, 0], runs.shape[0], following, begins, K, S,
                       &A_transposed[0], &E[0, 0], &alpha[0, 0], &scale[0],
                       &carry[0, 0], &work[0], FLUSH + n, &initial_count[0],
                       &transition_count[0, 0], &emission_count[0, 0])


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
