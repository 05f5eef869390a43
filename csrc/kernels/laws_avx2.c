/* AVX2 kernels of values under laws: bbans_near_normal.h, eight at a time.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_near_normal.h"
#include "../distributions/bbans_blend.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2")

/* Elements 0, 2 .. and 1, 3 .. of 32 bits as 64, and together again. */
#define EVEN(v) _mm256_and_si256((v), _mm256_set1_epi64x(0xFFFFFFFF))
#define ODD(v) _mm256_srli_epi64((v), 32)
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define SET(v) _mm256_set1_epi32(v)
#define SET64(v) _mm256_set1_epi64x(v)

AVX2 static inline __m256i together(__m256i even, __m256i odd)
{
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

/* cells[i], and cells[i + 1] above it; into zeros: a gather waits for what its
 * result is merged with. */
AVX2 static inline __m256i cells_at(const uint32_t *cells, __m256i i)
{
    __m256i all = SET64(-1);

    BBANS_IN_THIS_ORDER(all); /* else compilers forget the zeros */
    return _mm256_mask_i64gather_epi64(_mm256_setzero_si256(),
                                       (const long long *)(const void *)cells,
                                       i, all, 4);
}

/* One half of bbans_between. */
AVX2 static inline __m256i half_between(const uint32_t *cells, __m256i cell,
                                        __m256i rest, int bits)
{
    const __m256i pair = cells_at(cells, cell);
    const __m256i rise = _mm256_sub_epi64(ODD(pair), pair);

    return _mm256_add_epi64(
        pair, _mm256_srli_epi64(_mm256_mul_epu32(rise, rest), bits));
}

AVX2 static inline __m256i between(const uint32_t *cells, __m256i at, int bits)
{
    const __m256i cell = _mm256_srli_epi32(at, bits);
    const __m256i rest = _mm256_and_si256(at, SET((1 << bits) - 1));

    return together(half_between(cells, EVEN(cell), rest, bits),
                    half_between(cells, ODD(cell), ODD(rest), bits));
}

/* Of n < 2^24, which a float holds exactly: its exponent and mantissa. */
AVX2 static inline __m256i log2_of(__m256i n)
{
    const __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(n));
    const __m256i e = _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), SET(127));
    const __m256i m = _mm256_and_si256(bits, SET(0x7FFFFF));

    return _mm256_add_epi32(_mm256_slli_epi32(e, 24),
                            between(bbans_log2_cells, m, 15));
}

AVX2 static inline __m256i bend(__m256i y)
{
    const __m256i a = _mm256_min_epu32(_mm256_abs_epi32(y), SET((8 << 24) - 1));
    const __m256i g = between(bbans_bend_cells, a, 17);

    return _mm256_sub_epi32(SET(1 << 23), _mm256_sign_epi32(g, y));
}

/* floor(HUNDREDTHS / n), 0 < n < 2^24: what is no integer is further from the
 * next one than a float's quotient can be wrong, however that is rounded. */
AVX2 static inline __m256i hundredths_over(__m256i n)
{
    return _mm256_cvttps_epi32(
        _mm256_div_ps(_mm256_set1_ps(BBANS_HUNDREDTHS), _mm256_cvtepi32_ps(n)));
}

/* floor(slots s / 2^32), or for what is not negative floor(slots (2^32 - s) /
 * 2^32), which is slots less the quotient rounded up. */
AVX2 static inline __m256i mass_of(__m256i slots, __m256i t, __m256i negative)
{
    const __m256i rest = _mm256_and_si256(t, SET(4095));
    const __m256i cell = _mm256_srli_epi32(t, 12);
    __m256i half[2], quotient, product;
    int i;

    for (i = 0; i < 2; i++) {
        const __m256i pair =
            cells_at(bbans_gaussian_survival, i == 0 ? EVEN(cell) : ODD(cell));
        const __m256i fall = _mm256_mul_epu32(_mm256_sub_epi64(pair, ODD(pair)),
                                              i == 0 ? rest : ODD(rest));

        half[i] = _mm256_mul_epu32(
            _mm256_sub_epi64(pair, _mm256_srli_epi64(fall, 12)),
            i == 0 ? slots : ODD(slots));
    }
    quotient = together(ODD(half[0]), ODD(half[1]));
    product = together(EVEN(half[0]), half[1]);
    return _mm256_blendv_epi8(
        _mm256_sub_epi32(_mm256_sub_epi32(slots, quotient),
                         _mm256_min_epu32(product, SET(1))),
        quotient, negative);
}

/* Of laws without successes. */
AVX2 static inline __m256i edges(const struct bbans_near_normals *laws,
                                 size_t i, __m256i k)
{
    const __m256i first = LOAD(laws->first + i), last = LOAD(laws->last + i);
    const __m256i low = LOAD(laws->low + i), p = LOAD(laws->p + i);
    const __m256i q = _mm256_sub_epi32(SET(65536), p);
    const __m256i one = _mm256_max_epi32(k, SET(1));
    const __m256i small = hundredths_over(one);
    __m256i even, odd, power, root, d, size, t, edge;

    d = _mm256_sub_epi32(
        _mm256_slli_epi32(_mm256_sub_epi32(k, LOAD(laws->origin + i)), 16),
        LOAD(laws->rest + i));
    even = bend(_mm256_sub_epi32(
        log2_of(_mm256_sub_epi32(_mm256_slli_epi32(one, 1), SET(1))),
        LOAD(laws->x + i)));
    if (_mm256_testz_si256(p, p)) {
        d = _mm256_add_epi32(d, small);
        power = even;
    } else {
        const __m256i above =
            _mm256_max_epi32(_mm256_sub_epi32(LOAD(laws->trials + i), k),
                             _mm256_setzero_si256());
        const __m256i other = hundredths_over(_mm256_add_epi32(above, SET(1)));
        const __m256i x = even;
        const __m256i y = bend(_mm256_sub_epi32(
            log2_of(_mm256_add_epi32(_mm256_slli_epi32(above, 1), SET(1))),
            LOAD(laws->y + i)));

        d = _mm256_add_epi32(
            d, _mm256_srai_epi32(_mm256_sub_epi32(_mm256_mullo_epi32(q, small),
                                                  _mm256_mullo_epi32(p, other)),
                                 16));
        even = _mm256_add_epi64(_mm256_mul_epu32(q, x), _mm256_mul_epu32(p, y));
        odd = _mm256_add_epi64(_mm256_mul_epu32(ODD(q), ODD(x)),
                               _mm256_mul_epu32(ODD(p), ODD(y)));
        power =
            together(_mm256_srli_epi64(even, 16), _mm256_srli_epi64(odd, 16));
    }
    power = _mm256_srli_epi32(
        _mm256_sub_epi32(
            _mm256_add_epi32(log2_of(power), SET(BBANS_POWER_ABOVE)),
            LOAD(laws->v + i)),
        1);
    root = between(bbans_power_cells,
                   _mm256_srli_epi32(_mm256_and_si256(power, SET(0xFFFFFF)), 1),
                   15);
    size = _mm256_abs_epi32(d);
    power = _mm256_sub_epi32(SET(24 + 32), _mm256_srli_epi32(power, 24));
    even = _mm256_srlv_epi64(_mm256_mul_epu32(size, root), EVEN(power));
    odd = _mm256_srlv_epi64(_mm256_mul_epu32(ODD(size), ODD(root)), ODD(power));
    t = _mm256_min_epu32(together(even, odd), SET(1 << 23));
    edge = mass_of(LOAD(laws->slots + i), t, _mm256_srai_epi32(d, 31));
    edge = _mm256_add_epi32(_mm256_add_epi32(edge, low),
                            _mm256_sub_epi32(k, first));
    edge = _mm256_blendv_epi8(edge, low, _mm256_cmpeq_epi32(k, first));
    return _mm256_blendv_epi8(
        edge,
        _mm256_sub_epi32(SET(1 << BBANS_FAMILY_PREC), LOAD(laws->high + i)),
        _mm256_cmpgt_epi32(k, last));
}

AVX2 static void near_edges(const struct bbans_near_normals *laws,
                            const int32_t *k, size_t n, uint32_t *edge)
{
    size_t i;

    if (n > 0 && laws->successes[0] > 0) {
        bbans_laws_portable.near_edges(laws, k, n, edge);
        return;
    }
    for (i = 0; i < n; i += 8)
        _mm256_storeu_si256((__m256i *)(void *)(edge + i),
                            edges(laws, i, LOAD(k + i)));
}

/* ---- Mixtures ------------------------------------------------------------ */

/* S in units of 2^-32 in lower halves, or above the location 2^32 - 1 - S,
 * and one more of it in that case, times weights. */
AVX2 static inline __m256i weighed(const uint32_t *survival, __m256i cell,
                                   __m256i rest, __m256i shift, __m256i above,
                                   __m256i weight)
{
    const __m256i pair = cells_at(survival, cell);
    const __m256i fall =
        _mm256_mul_epu32(_mm256_sub_epi64(pair, ODD(pair)), rest);
    const __m256i s = _mm256_sub_epi64(pair, _mm256_srlv_epi64(fall, shift));

    return _mm256_add_epi64(
        _mm256_mul_epu32(_mm256_xor_si256(s, above), weight),
        _mm256_and_si256(above, weight));
}

AVX2 static inline __m256i far_of(__m256i size, __m256i down, __m256i shift)
{
    return _mm256_srlv_epi64(
        _mm256_slli_epi64(_mm256_mul_epu32(size, down), BBANS_BLEND_POINT - 20),
        shift);
}

/* Add bbans_blend_below for both halves of each element, at these distances. */
AVX2 static inline void add_below(const bbans_family *family, __m256i at,
                                  __m256i most, const __m256i down[2],
                                  const __m256i by[2], const __m256i weight[2],
                                  __m256i sum[2])
{
    const __m256i end = SET(8 << (BBANS_BLEND_POINT + (int)family->octaves));
    const __m256i size = _mm256_min_epu32(_mm256_abs_epi32(at), most);
    const __m256i t =
        _mm256_min_epu32(together(far_of(size, down[0], by[0]),
                                  far_of(ODD(size), down[1], by[1])),
                         end);
    /* Cells of 2^17 up to 2^28, of 2^20 up to 2^29, and of 2^21. */
    const __m256i beyond = _mm256_cmpgt_epi32(t, SET((1 << 28) - 1));
    const __m256i further = _mm256_cmpgt_epi32(t, SET((1 << 29) - 1));
    const __m256i shift = _mm256_sub_epi32(_mm256_sub_epi32(SET(17), further),
                                           _mm256_and_si256(beyond, SET(-3)));
    const __m256i cell = _mm256_srlv_epi32(t, shift);
    const __m256i rest = _mm256_sub_epi32(t, _mm256_sllv_epi32(cell, shift));
    const __m256i entry = _mm256_add_epi32(
        cell, _mm256_add_epi32(_mm256_and_si256(beyond, SET(2048 - 256)),
                               _mm256_and_si256(further, SET(256))));
    const __m256i above = _mm256_xor_si256(_mm256_srai_epi32(at, 31), SET(-1));

    sum[0] =
        _mm256_add_epi64(sum[0], weighed(family->survival, EVEN(entry), rest,
                                         EVEN(shift), EVEN(above), weight[0]));
    sum[1] = _mm256_add_epi64(sum[1],
                              weighed(family->survival, ODD(entry), ODD(rest),
                                      ODD(shift), ODD(above), weight[1]));
}

/* Four components at a time, for two neighbours: the first is the lower half of
 * each element, the other the upper half. */
AVX2 static void mixture_pair(const struct bbans_blend *parts, uint32_t u,
                              uint64_t sum[2])
{
    const __m256i at_u =
        SET64((int64_t)((uint64_t)(u + 1) << 48 | (uint64_t)u << 16));
    __m256i part[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, four;
    size_t k;

    for (k = 0; k < parts->n; k += 4) {
        const __m256i down = LOAD(parts->down + k);
        const __m256i shift = LOAD(parts->shift + k);
        const __m256i weight = LOAD(parts->weight + k);
        const __m256i downs[2] = {down, down}, shifts[2] = {shift, shift};
        const __m256i weights[2] = {weight, weight};

        add_below(&parts->family,
                  _mm256_sub_epi32(at_u, LOAD(parts->middle + k)),
                  LOAD(parts->most + k), downs, shifts, weights, part);
    }
    four = _mm256_add_epi64(_mm256_unpacklo_epi64(part[0], part[1]),
                            _mm256_unpackhi_epi64(part[0], part[1]));
    _mm_storeu_si128((__m128i *)(void *)sum,
                     _mm_add_epi64(_mm256_castsi256_si128(four),
                                   _mm256_extracti128_si256(four, 1)));
}

/* One component of eight values at a time. */
AVX2 static void mixture_edges(const struct bbans_blends *parts,
                               const uint32_t *u, uint64_t *sum)
{
    const __m256i at_u = _mm256_slli_epi32(LOAD(u), 16);
    __m256i part[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i first, last;
    size_t k;

    for (k = 0; k < parts->n; k++) {
        const __m256i down = LOAD(parts->down[k]);
        const __m256i shift = LOAD(parts->shift[k]);
        const __m256i weight = LOAD(parts->weight[k]);
        const __m256i downs[2] = {down, ODD(down)};
        const __m256i shifts[2] = {EVEN(shift), ODD(shift)};
        const __m256i weights[2] = {EVEN(weight), ODD(weight)};

        add_below(&parts->family,
                  _mm256_sub_epi32(at_u, LOAD(parts->middle[k])),
                  _mm256_sllv_epi32(SET(1 << 10), shift), downs, shifts,
                  weights, part);
    }
    first = _mm256_unpacklo_epi64(part[0], part[1]);
    last = _mm256_unpackhi_epi64(part[0], part[1]);
    _mm256_storeu_si256((__m256i *)(void *)sum,
                        _mm256_permute2x128_si256(first, last, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)(sum + 4),
                        _mm256_permute2x128_si256(first, last, 0x31));
}

#define SET_F(v) _mm256_set1_ps(v)

AVX2 static inline __m256 floats(const uint32_t *n)
{
    return _mm256_cvtepi32_ps(LOAD(n));
}

/* As the portable one. */
AVX2 static void mixture_guess(const struct bbans_blends *parts,
                               const uint32_t *slot, uint32_t *u, float *rise)
{
    const __m256 ramp = SET_F(4096 / bbans_blend_ramp(&parts->family));
    const __m256 total = floats(parts->total);
    const __m256 want = _mm256_mul_ps(
        total,
        _mm256_sub_ps(_mm256_mul_ps(floats(slot), SET_F(0x1p-27f)), SET_F(1)));
    const int bits = bbans_bit_length(parts->values - 1);
    __m256 slope[BBANS_BLEND], middle[BBANS_BLEND], weight[BBANS_BLEND];
    __m256 low = _mm256_setzero_ps(), behind = total;
    __m256 before = _mm256_sub_ps(low, total);
    __m256i found;
    size_t k;
    int bit;

    for (k = 0; k < parts->n; k++) {
        /* 2^-shift */
        const __m256 by = _mm256_castsi256_ps(_mm256_slli_epi32(
            _mm256_sub_epi32(SET(127), LOAD(parts->shift[k])), 23));

        slope[k] =
            _mm256_mul_ps(_mm256_mul_ps(floats(parts->down[k]), ramp), by);
        middle[k] = _mm256_mul_ps(floats(parts->middle[k]), SET_F(0x1p-16f));
        weight[k] = floats(parts->weight[k]);
    }
    for (bit = bits; bit-- > 0;) {
        const __m256 half = _mm256_add_ps(low, SET_F((float)(1 << bit)));
        __m256 sum = _mm256_setzero_ps(), other = sum, all, less;

        for (k = 0; k < parts->n; k++) { /* two sums, by turns */
            const __m256 z =
                _mm256_mul_ps(_mm256_sub_ps(half, middle[k]), slope[k]);
            const __m256 part = _mm256_mul_ps(
                weight[k],
                _mm256_max_ps(SET_F(-1), _mm256_min_ps(z, SET_F(1))));
            const __m256 next = _mm256_add_ps(sum, part);

            sum = other;
            other = next;
        }
        all = _mm256_add_ps(sum, other);
        less = _mm256_cmp_ps(all, want, _CMP_LE_OQ);
        low = _mm256_blendv_ps(low, half, less);
        before = _mm256_blendv_ps(before, all, less);
        behind = _mm256_blendv_ps(all, behind, less);
    }
    found =
        _mm256_min_epi32(_mm256_cvttps_epi32(low), SET((int)parts->values - 1));
    _mm256_storeu_si256((__m256i *)(void *)u, found);
    _mm256_storeu_ps(
        rise, _mm256_mul_ps(_mm256_div_ps(_mm256_sub_ps(behind, before), total),
                            SET_F(0x1p27f)));
}

const bbans_laws_kernels bbans_laws_avx2 = {.near_edges = near_edges,
                                            .mixture_pair = mixture_pair,
                                            .mixture_edges = mixture_edges,
                                            .mixture_guess = mixture_guess};
#endif
