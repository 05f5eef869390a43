/* A template: the kernels of the float recursions for one type REAL in vectors
 * of BYTES bytes, compiled for TARGET.  _forward_kernels.h, which includes it,
 * defines these three, and says what the kernels do.
 *
 * SPDX-License-Identifier: MIT */

typedef VECTOR(REAL, BYTES) NAME(vector);

#define V NAME(vector)
#define WIDTH ((ptrdiff_t)(sizeof(V) / sizeof(REAL)))
#define COLUMNS (2 * WIDTH)
#define LINE ((ptrdiff_t)(64 / sizeof(REAL))) /* of the cache */
#define ROWS 6 /* of a tile at most: 12 sums in registers */

/* Tiles of 6, 5 and 4 rows, which up to three rows by themselves may follow:
 * of 8 rows, two tiles of 4 take less time than one of 6 and two rows. */
TARGET INLINE ptrdiff_t NAME(rows_of_tile)(ptrdiff_t left)
{
    if (left > ROWS)
        return left < ROWS + 4 ? 4 : ROWS;
    return left < 4 ? 1 : left;
}

/* Rows of a tile are a constant wherever this is inlined: then all sums stay in
 * registers, fed by 2 vectors of B and a broadcast for each row.  8 sums or
 * more hide the latency of an addition. */
TARGET INLINE void NAME(tile)(const REAL *a, ptrdiff_t row, ptrdiff_t column,
                              const int rows, ptrdiff_t K, const REAL *B,
                              ptrdiff_t step, REAL *out, ptrdiff_t R, int add)
{
    V sum[ROWS][2] = {{{0}}};
    ptrdiff_t k;
    int i;

    if (add) /* sums that may have left the cache nearby */
        for (i = 0; i < rows; i++) {
            PREFETCH(out + i * R);
            PREFETCH(out + i * R + COLUMNS - 1);
        }
    for (k = 0; k < K; k++, a += column, B += step) {
        const V b0 = ((const V *)B)[0], b1 = ((const V *)B)[1];
        for (i = 0; i < rows; i++) {
            sum[i][0] += a[i * row] * b0;
            sum[i][1] += a[i * row] * b1;
        }
    }
    for (i = 0; i < rows; i++) {
        V *o = (V *)(out + i * R);
        if (add) {
            sum[i][0] += o[0];
            sum[i][1] += o[1];
        }
        o[0] = sum[i][0];
        o[1] = sum[i][1];
    }
}

/* One row by itself: 4 sums for each vector, for the latency. */
TARGET INLINE void NAME(tile_row)(const REAL *a, ptrdiff_t column, ptrdiff_t K,
                                  const REAL *B, ptrdiff_t step, REAL *out,
                                  int add)
{
    V sum[4][2] = {{{0}}}, *o = (V *)out;
    ptrdiff_t k;
    int i;

    for (k = 0; k + 4 <= K; k += 4, a += 4 * column, B += 4 * step)
        for (i = 0; i < 4; i++) {
            const V *b = (const V *)(B + i * step);
            sum[i][0] += a[i * column] * b[0];
            sum[i][1] += a[i * column] * b[1];
        }
    for (; k < K; k++, a += column, B += step) {
        sum[0][0] += *a * ((const V *)B)[0];
        sum[0][1] += *a * ((const V *)B)[1];
    }
    for (i = 0; i < 2; i++) {
        sum[0][i] = (sum[0][i] + sum[1][i]) + (sum[2][i] + sum[3][i]);
        if (add)
            sum[0][i] += o[i];
        o[i] = sum[0][i];
    }
}

TARGET static void NAME(multiply)(const REAL *a, ptrdiff_t row,
                                  ptrdiff_t column, ptrdiff_t n, ptrdiff_t K,
                                  const REAL *B, ptrdiff_t step,
                                  ptrdiff_t panel, ptrdiff_t S, REAL *out,
                                  ptrdiff_t R, int add)
{
    ptrdiff_t i, j, rows;

    for (j = 0; j < S; j += COLUMNS, B += panel)
        for (i = 0; i < n; i += rows) {
            const REAL *p = a + i * row;
            REAL *o = out + i * R + j;
            ptrdiff_t r = row, c = column;
            rows = NAME(rows_of_tile)(n - i);
            if (column == 0) {
                r = 1;
                c = rows;
            }
            if (rows == 6)
                NAME(tile)(p, r, c, 6, K, B, step, o, R, add);
            else if (rows == 5)
                NAME(tile)(p, r, c, 5, K, B, step, o, R, add);
            else if (rows == 4)
                NAME(tile)(p, r, c, 4, K, B, step, o, R, add);
            else if (c == 1 && step == COLUMNS) /* one long sequence */
                NAME(tile_row)(p, 1, K, B, COLUMNS, o, add);
            else
                NAME(tile_row)(p, c, K, B, step, o, add);
        }
}

TARGET static void NAME(pack_a)(const REAL *a, ptrdiff_t R, ptrdiff_t n,
                                ptrdiff_t K, REAL *tiles)
{
    ptrdiff_t i, k, rows;

    for (i = 0; i < n; i += rows, a += rows) {
        rows = NAME(rows_of_tile)(n - i);
        if (rows == ROWS) /* a constant: no call */
            for (k = 0; k < K; k++, tiles += ROWS)
                memcpy(tiles, a + k * R, ROWS * sizeof(REAL));
        else
            for (k = 0; k < K; k++, tiles += rows)
                memcpy(tiles, a + k * R, (size_t)rows * sizeof(REAL));
    }
}

TARGET static void NAME(pack)(const REAL *B, ptrdiff_t K, ptrdiff_t S,
                              REAL *panels)
{
    ptrdiff_t j, k;

    for (j = 0; j < S; j += COLUMNS)
        for (k = 0; k < K; k++, panels += COLUMNS)
            memcpy(panels, B + k * S + j, COLUMNS * sizeof(REAL));
}

TARGET INLINE REAL NAME(dot)(const REAL *a, const REAL *b, ptrdiff_t S)
{
    V sum0 = {0}, sum1 = {0};
    REAL lane[WIDTH];
    ptrdiff_t i, n;

    for (i = 0; i < S; i += COLUMNS) {
        const V *v = (const V *)(a + i);
        const V *w = (const V *)(b + i);
        sum0 += v[0] * w[0];
        sum1 += v[1] * w[1];
    }
    sum0 += sum1;
    memcpy(lane, &sum0, sizeof lane);
    for (n = WIDTH / 2; n > 0; n /= 2)
        for (i = 0; i < n; i++)
            lane[i] += lane[i + n];
    return lane[0];
}

TARGET INLINE void NAME(scale_row)(const REAL *__restrict e, REAL w, REAL low,
                                   ptrdiff_t S, REAL *__restrict a)
{
    ptrdiff_t i;

    for (i = 0; i < S; i++) {
        const REAL p = a[i] * e[i] * w;
        a[i] = p >= low ? p : 0;
    }
}

TARGET static ptrdiff_t NAME(forward)(const int32_t *x, ptrdiff_t n,
                                      ptrdiff_t S, const REAL *E, REAL low,
                                      REAL normal, double lowest, REAL *alpha,
                                      ptrdiff_t R, double *scale)
{
    ptrdiff_t b;

    /* All sums first, which no row then waits for. */
    for (b = 0; b < n; b++) {
        const REAL total = NAME(dot)(alpha + b * R, E + x[b] * S, S);
        if (!(total >= normal && total >= lowest))
            return b;
        scale[b] = total;
    }
    for (b = 0; b < n; b++)
        NAME(scale_row)
        (E + x[b] * S, 1 / (REAL)scale[b], low, S, alpha + b * R);
    return -1;
}

TARGET INLINE void NAME(count_row)(const REAL *__restrict a,
                                   const REAL *__restrict v, REAL w,
                                   ptrdiff_t S, double *__restrict count)
{
    ptrdiff_t i;

    for (i = 0; i < S; i++)
        count[i] += a[i] * v[i] * w;
}

TARGET INLINE void NAME(back_row)(const REAL *__restrict e,
                                  const REAL *__restrict a,
                                  const REAL *__restrict v, REAL w, REAL w1,
                                  REAL high, ptrdiff_t S,
                                  double *__restrict count, REAL *__restrict g)
{
    ptrdiff_t i;

    for (i = 0; i < S; i++) {
        const REAL u = e[i] * v[i] * w1;
        count[i] += a[i] * v[i] * w;
        g[i] = u < high ? u : high;
    }
}

TARGET static void NAME(backward)(const int32_t *x, ptrdiff_t n, ptrdiff_t S,
                                  const REAL *E, const REAL *alpha,
                                  const REAL *beta, ptrdiff_t R,
                                  const double *scale, REAL high, REAL normal,
                                  REAL *G, double *emission_count,
                                  double *initial_count)
{
    const uintptr_t step = (uintptr_t)(n * R) * sizeof(REAL);
    REAL total[ROWS];
    ptrdiff_t b, c, i;

    for (b = 0; b < n; b += ROWS) {
        /* Some sums first, which no row then waits for. */
        for (c = b; c < n && c < b + ROWS; c++)
            total[c - b] = NAME(dot)(alpha + c * R, beta + c * R, S);
        for (c = b; c < n && c < b + ROWS; c++) {
            const REAL *a = alpha + c * R, *v = beta + c * R;
            const REAL w = 1 / total[c - b],
                       sum = (REAL)scale[c] * total[c - b];
            double *count = emission_count + x[c] * S;
            for (i = 0; i < S; i += LINE) /* of the step before this one */
                PREFETCH((uintptr_t)(a + i) - step);
            if (initial_count != NULL) {
                NAME(count_row)(a, v, w, S, count);
                NAME(count_row)(a, v, w, S, initial_count);
            } else
                NAME(back_row)
                (E + x[c] * S, a, v, w, 1 / (sum > normal ? sum : normal), high,
                 S, count, G + c * R);
        }
    }
}

static const TABLE NAME(kernels) = {.columns = COLUMNS,
                                    .multiply = NAME(multiply),
                                    .pack = NAME(pack),
                                    .pack_a = NAME(pack_a),
                                    .forward = NAME(forward),
                                    .backward = NAME(backward)};

#undef V
#undef WIDTH
#undef COLUMNS
#undef LINE
#undef ROWS
#undef REAL
#undef BYTES
#undef TARGET
