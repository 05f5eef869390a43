/* A template: the kernels of the float recursions for one type REAL in vectors
 * of BYTES bytes, compiled for TARGET.  _forward_kernels.h, which includes it,
 * defines these three, and says what the kernels do.
 *
 * SPDX-License-Identifier: MIT */

typedef VECTOR(REAL, BYTES) NAME(vector);

#define V NAME(vector)
#define WIDTH ((ptrdiff_t)(sizeof(V) / sizeof(REAL)))
#define COLUMNS (2 * WIDTH)

/* One row by itself needs 4 sums for each vector, for the latency. */
TARGET static void NAME(multiply_row)(const REAL *a, ptrdiff_t column,
                                      ptrdiff_t K, const REAL *B, ptrdiff_t S,
                                      REAL *out, int add)
{
    ptrdiff_t j, k;

    for (j = 0; j < S; j += COLUMNS) {
        V *o = (V *)(out + j);
        V c0 = {0}, c1 = {0}, d0 = {0}, d1 = {0};
        V e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0};
        for (k = 0; k + 4 <= K; k += 4, B += 4 * COLUMNS) {
            const V *b = (const V *)B;
            const REAL *q = a + k * column;
            c0 += q[0] * b[0];
            c1 += q[0] * b[1];
            d0 += q[column] * b[2];
            d1 += q[column] * b[3];
            e0 += q[2 * column] * b[4];
            e1 += q[2 * column] * b[5];
            f0 += q[3 * column] * b[6];
            f1 += q[3 * column] * b[7];
        }
        for (; k < K; k++, B += COLUMNS) {
            const V *b = (const V *)B;
            c0 += a[k * column] * b[0];
            c1 += a[k * column] * b[1];
        }
        c0 = (c0 + d0) + (e0 + f0);
        c1 = (c1 + d1) + (e1 + f1);
        if (add) {
            c0 += o[0];
            c1 += o[1];
        }
        o[0] = c0;
        o[1] = c1;
    }
}

/* 6 rows at a time: 12 sums in registers, fed by 2 vectors of B and 6
 * broadcasts.  Rows that the last 6 lack repeat the last one: the same value,
 * stored again. */
TARGET static void NAME(multiply)(const REAL *a, ptrdiff_t row,
                                  ptrdiff_t column, ptrdiff_t n, ptrdiff_t K,
                                  const REAL *B, ptrdiff_t S, REAL *out,
                                  int add)
{
    const ptrdiff_t alone = n % 6 <= 3 ? n % 6 : 0;
    ptrdiff_t i, j, k;

    n -= alone;
    for (j = 0; j < S; j += COLUMNS) {
        const REAL *panel = B + j * K;
        for (i = 0; i < n; i += 6) {
            const ptrdiff_t last = n - 1 - i;
            const REAL *a0 = a + i * row, *a1 = a0 + row, *a2 = a1 + row;
            const REAL *a3 = a2 + row, *a4 = a3 + (last > 3 ? row : 0);
            const REAL *a5 = a4 + (last > 4 ? row : 0), *p = panel;
            REAL *out0 = out + i * S + j, *out4 = out0 + 3 * S + (last > 3) * S;
            V *o0 = (V *)out0, *o1 = (V *)(out0 + S);
            V *o2 = (V *)(out0 + 2 * S);
            V *o3 = (V *)(out0 + 3 * S);
            V *o4 = (V *)out4;
            V *o5 = (V *)(out4 + (last > 4) * S);
            V c0 = {0}, c1 = {0}, d0 = {0}, d1 = {0};
            V e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0};
            V g0 = {0}, g1 = {0}, h0 = {0}, h1 = {0};
            for (k = 0; k < K; k++, p += COLUMNS) {
                const V b0 = ((const V *)p)[0];
                const V b1 = ((const V *)p)[1];
                const ptrdiff_t q = k * column;
                c0 += a0[q] * b0;
                c1 += a0[q] * b1;
                d0 += a1[q] * b0;
                d1 += a1[q] * b1;
                e0 += a2[q] * b0;
                e1 += a2[q] * b1;
                f0 += a3[q] * b0;
                f1 += a3[q] * b1;
                g0 += a4[q] * b0;
                g1 += a4[q] * b1;
                h0 += a5[q] * b0;
                h1 += a5[q] * b1;
            }
            if (add) { /* all loads before all stores: rows may repeat */
                c0 += o0[0];
                c1 += o0[1];
                d0 += o1[0];
                d1 += o1[1];
                e0 += o2[0];
                e1 += o2[1];
                f0 += o3[0];
                f1 += o3[1];
                g0 += o4[0];
                g1 += o4[1];
                h0 += o5[0];
                h1 += o5[1];
            }
            o0[0] = c0;
            o0[1] = c1;
            o1[0] = d0;
            o1[1] = d1;
            o2[0] = e0;
            o2[1] = e1;
            o3[0] = f0;
            o3[1] = f1;
            o4[0] = g0;
            o4[1] = g1;
            o5[0] = h0;
            o5[1] = h1;
        }
    }
    for (i = n; i < n + alone; i++)
        NAME(multiply_row)(a + i * row, column, K, B, S, out + i * S, add);
}

TARGET static void NAME(pack)(const REAL *B, ptrdiff_t K, ptrdiff_t S,
                              REAL *panels)
{
    ptrdiff_t j, k;

    for (j = 0; j < S; j += COLUMNS)
        for (k = 0; k < K; k++, panels += COLUMNS)
            memcpy(panels, B + k * S + j, COLUMNS * sizeof(REAL));
}

TARGET static REAL NAME(dot)(const REAL *a, const REAL *b, ptrdiff_t S)
{
    V sum0 = {0}, sum1 = {0};
    REAL lane[WIDTH], total = 0;
    ptrdiff_t i;

    for (i = 0; i < S; i += COLUMNS) {
        const V *v = (const V *)(a + i);
        const V *w = (const V *)(b + i);
        sum0 += v[0] * w[0];
        sum1 += v[1] * w[1];
    }
    sum0 += sum1;
    memcpy(lane, &sum0, sizeof lane);
    for (i = 0; i < WIDTH; i++)
        total += lane[i];
    return total;
}

TARGET static ptrdiff_t NAME(forward)(const int32_t *x, ptrdiff_t n,
                                      ptrdiff_t S, const REAL *E, REAL low,
                                      REAL normal, double lowest, REAL *alpha,
                                      double *scale)
{
    ptrdiff_t b, i;

    for (b = 0; b < n; b++) {
        const REAL *__restrict e = E + x[b] * S;
        REAL *__restrict a = alpha + b * S;
        REAL total = NAME(dot)(a, e, S), w;
        if (!(total >= normal && total >= lowest))
            return b;
        scale[b] = total;
        total = 1 / total;
        for (i = 0; i < S; i++) {
            w = a[i] * e[i] * total;
            a[i] = w >= low ? w : 0;
        }
    }
    return -1;
}

TARGET static void NAME(backward)(const int32_t *x, ptrdiff_t n, ptrdiff_t S,
                                  const REAL *E, const REAL *alpha,
                                  const double *scale, const REAL *beta,
                                  REAL high, REAL normal, REAL *G,
                                  double *emission_count, double *initial_count)
{
    ptrdiff_t b, i;

    for (b = 0; b < n; b++) {
        const REAL *__restrict e = E + x[b] * S;
        const REAL *__restrict a = alpha + b * S;
        const REAL *__restrict v = beta + b * S;
        double *__restrict count = emission_count + x[b] * S;
        REAL total = NAME(dot)(a, v, S), w = 1 / total, w1, u;
        if (initial_count != NULL) {
            for (i = 0; i < S; i++) {
                count[i] += a[i] * v[i] * w;
                initial_count[i] += a[i] * v[i] * w;
            }
        } else {
            REAL *__restrict g = G + b * S;
            total = (REAL)scale[b] * total;
            w1 = 1 / (total > normal ? total : normal);
            for (i = 0; i < S; i++) {
                count[i] += a[i] * v[i] * w;
                u = e[i] * v[i] * w1;
                g[i] = u < high ? u : high;
            }
        }
    }
}

static const TABLE NAME(kernels) = {.columns = COLUMNS,
                                    .multiply = NAME(multiply),
                                    .pack = NAME(pack),
                                    .forward = NAME(forward),
                                    .backward = NAME(backward)};

#undef V
#undef WIDTH
#undef COLUMNS
#undef REAL
#undef BYTES
#undef TARGET
