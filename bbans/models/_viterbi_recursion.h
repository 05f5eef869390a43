/* A template: the step of Viterbi's recursion in vectors of BYTES bytes,
 * compiled for TARGET.  _forward_kernels.h, which includes it, defines both,
 * and says what the kernel does.
 *
 * SPDX-License-Identifier: MIT */

typedef VECTOR(double, BYTES) OF_BYTES(values);
typedef VECTOR(int64_t, BYTES) OF_BYTES(states);

#define V OF_BYTES(values)
#define I OF_BYTES(states)
#define WIDTH ((ptrdiff_t)(sizeof(V) / sizeof(double)))
#define COLUMNS (2 * WIDTH)
/* What is above the best before takes its place: of equals the first stays. */
#define TAKE(value, state, best, from)                                         \
    do {                                                                       \
        const V v = (value);                                                   \
        const I above = (I)(v > best);                                         \
        best = (V)SELECT(I, above, v, best);                                   \
        from = SELECT(I, above, (I){0} + (state), from);                       \
    } while (0)

TARGET static void OF_BYTES(viterbi)(const double *before, ptrdiff_t K,
                                     ptrdiff_t S, const double *A,
                                     const double *row, double *delta,
                                     uint16_t *back)
{
    const ptrdiff_t half = K / 2;
    ptrdiff_t i, j, k;

    /* The lower and the upper half of the states by themselves, for the
     * latency. */
    for (j = 0; j < S; j += COLUMNS, A += K * COLUMNS) {
        const V *b = (const V *)A, *c = (const V *)(A + half * COLUMNS);
        V p0 = before[half] + c[0], p1 = before[half] + c[1], q0 = p0, q1 = p1;
        I f0 = (I){0} + half, f1 = f0, g0 = f0, g1 = f0;
        int64_t from[COLUMNS];
        if (half > 0) {
            p0 = before[0] + b[0];
            p1 = before[0] + b[1];
            f0 = f1 = (I){0};
        }
        for (i = 1; i < half; i++) {
            TAKE(before[i] + b[2 * i], i, p0, f0);
            TAKE(before[i] + b[2 * i + 1], i, p1, f1);
            TAKE(before[half + i] + c[2 * i], half + i, q0, g0);
            TAKE(before[half + i] + c[2 * i + 1], half + i, q1, g1);
        }
        if (half > 0 && half + half < K) {
            i = K - 1 - half;
            TAKE(before[K - 1] + c[2 * i], K - 1, q0, g0);
            TAKE(before[K - 1] + c[2 * i + 1], K - 1, q1, g1);
        }
        TAKE(q0, g0, p0, f0);
        TAKE(q1, g1, p1, f1);
        memcpy(delta + j, &p0, sizeof p0);
        memcpy(delta + j + WIDTH, &p1, sizeof p1);
        memcpy(from, &f0, sizeof f0);
        memcpy(from + WIDTH, &f1, sizeof f1);
        for (k = 0; k < COLUMNS && j + k < K; k++)
            back[j + k] = (uint16_t)from[k];
    }
    for (i = 0; i < K; i++)
        delta[i] += row[i];
}

#undef V
#undef I
#undef WIDTH
#undef COLUMNS
#undef TAKE
#undef BYTES
#undef TARGET
