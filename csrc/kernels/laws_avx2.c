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

AVX2 static inline __m256i together(__m256i even, __m256i odd)
{
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

/* cells[i], and cells[i + 1] above it. */
AVX2 static inline __m256i cells_at(const uint32_t *cells, __m256i i)
{
    return _mm256_i64gather_epi64((const long long *)(const void *)cells, i, 4);
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

/* ---- Mixtures, four components at a time --------------------------------- */

#define SET64(v) _mm256_set1_epi64x(v)

/* S times weights, for one half of cells and rests. */
AVX2 static inline __m256i weighed(const uint32_t *survival, __m256i cell,
                                   __m256i rest, __m256i shift, __m256i weight)
{
    const __m256i pair = cells_at(survival, cell);
    const __m256i fall =
        _mm256_mul_epu32(_mm256_sub_epi64(pair, ODD(pair)), rest);

    return _mm256_mul_epu32(
        _mm256_sub_epi64(pair, _mm256_srlv_epi64(fall, shift)), weight);
}

/* bbans_blend_below for two neighbours: the first is the lower half of each
 * element, the other the upper half. */
AVX2 static void mixture_pair(const struct bbans_blend *parts, uint32_t u,
                              uint64_t sum[2])
{
    const uint32_t *survival = parts->family.survival;
    const __m256i end =
        SET(8 << (BBANS_BLEND_POINT + (int)parts->family.octaves));
    const __m256i at_u =
        SET64((int64_t)((uint64_t)(u + 1) << 48 | (uint64_t)u << 16));
    __m256i low = _mm256_setzero_si256(), high = low;
    __m128i two;
    size_t k;

    for (k = 0; k < parts->n; k += 4) {
        const __m256i weight = LOAD(parts->weight + k);
        const __m256i down = LOAD(parts->down + k);
        const __m256i scale = LOAD(parts->shift + k);
        const __m256i whole = _mm256_slli_epi64(weight, 32);
        const __m256i at = _mm256_sub_epi32(at_u, LOAD(parts->middle + k));
        const __m256i size =
            _mm256_min_epu32(_mm256_abs_epi32(at), LOAD(parts->most + k));
        const __m256i t = _mm256_min_epu32(
            together(_mm256_srlv_epi64(
                         _mm256_slli_epi64(_mm256_mul_epu32(size, down),
                                           BBANS_BLEND_POINT - 20),
                         scale),
                     _mm256_srlv_epi64(
                         _mm256_slli_epi64(_mm256_mul_epu32(ODD(size), down),
                                           BBANS_BLEND_POINT - 20),
                         scale)),
            end);
        /* Cells of 2^17 up to 2^28, of 2^20 up to 2^29, and of 2^21. */
        const __m256i beyond = _mm256_cmpgt_epi32(t, SET((1 << 28) - 1));
        const __m256i further = _mm256_cmpgt_epi32(t, SET((1 << 29) - 1));
        const __m256i shift =
            _mm256_sub_epi32(_mm256_sub_epi32(SET(17), further),
                             _mm256_and_si256(beyond, SET(-3)));
        const __m256i cell = _mm256_srlv_epi32(t, shift);
        const __m256i rest =
            _mm256_sub_epi32(t, _mm256_sllv_epi32(cell, shift));
        const __m256i entry = _mm256_add_epi32(
            cell, _mm256_add_epi32(_mm256_and_si256(beyond, SET(2048 - 256)),
                                   _mm256_and_si256(further, SET(256))));
        const __m256i s0 =
            weighed(survival, EVEN(entry), rest, EVEN(shift), weight);
        const __m256i s1 =
            weighed(survival, ODD(entry), ODD(rest), ODD(shift), weight);
        /* What is not negative: 2^32 less S. */
        const __m256i minus = _mm256_srai_epi32(at, 31);
        const __m256i minus0 = _mm256_shuffle_epi32(minus, 0xA0);
        const __m256i minus1 = _mm256_shuffle_epi32(minus, 0xF5);

        low = _mm256_add_epi64(
            low, _mm256_blendv_epi8(_mm256_sub_epi64(whole, s0), s0, minus0));
        high = _mm256_add_epi64(
            high, _mm256_blendv_epi8(_mm256_sub_epi64(whole, s1), s1, minus1));
    }
    low = _mm256_add_epi64(_mm256_unpacklo_epi64(low, high),
                           _mm256_unpackhi_epi64(low, high));
    two = _mm_add_epi64(_mm256_castsi256_si128(low),
                        _mm256_extracti128_si256(low, 1));
    _mm_storeu_si128((__m128i *)(void *)sum, two);
}

const bbans_laws_kernels bbans_laws_avx2 = {.near_edges = near_edges,
                                            .mixture_pair = mixture_pair};
#endif
