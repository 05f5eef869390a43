/* Stands in for the compiler's header: every intrinsic in plain C.
 *
 * SPDX-License-Identifier: MIT */
#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_NATIVE
#include <simde/x86/avx512.h>
#include <simde/x86/clmul.h>
typedef simde__mmask16 __mmask16;
typedef simde__mmask8 __mmask8;
typedef simde__mmask32 __mmask32;

/* What SIMDe lacks. */
static inline simde__m256i _mm512_cvtepi32_epi16(simde__m512i a)
{
    const simde__m512i_private wide = simde__m512i_to_private(a);
    simde__m256i_private narrow;
    int i;

    for (i = 0; i < 16; i++)
        narrow.u16[i] = (uint16_t)wide.u32[i];
    return simde__m256i_from_private(narrow);
}
#define _mm512_mask_srli_epi64(v, mask, w, n)                                  \
    simde_mm512_mask_mov_epi64(v, mask, simde_mm512_srli_epi64(w, n))
#define _mm512_cmplt_epu64_mask(v, w)                                          \
    ((simde__mmask8)~simde_mm512_cmpge_epu64_mask(v, w))
#define _mm512_cvtepu32_epi64(v)                                               \
    simde_mm512_inserti64x4(                                                   \
        simde_mm512_castsi256_si512(                                           \
            simde_mm256_cvtepu32_epi64(simde_mm256_castsi256_si128(v))),       \
        simde_mm256_cvtepu32_epi64(simde_mm256_extracti128_si256(v, 1)), 1)

/* An element of the result for each i. */
#define EMULATED(type, to, n, value)                                           \
    do {                                                                       \
        simde__##type##_private out_;                                          \
        int i;                                                                 \
        for (i = 0; i < (n); i++)                                              \
            out_.to[i] = (value);                                              \
        return simde__##type##_from_private(out_);                             \
    } while (0)

/* Rounding toward zero, for x >= 0 and y > 0. */
#include <math.h>
#define _MM_FROUND_TO_ZERO 0
#define _MM_FROUND_NO_EXC 0
static inline double toward_zero(double nearest, int is_above)
{
    return is_above ? nextafter(nearest, 0) : nearest;
}
static inline double integer_rz(uint64_t x)
{
    int shift = 0;

    for (; x >> shift >> 53 != 0; shift++)
        ;
    return ldexp((double)(x >> shift), shift);
}
static inline double quotient_rz(double x, double y)
{
    return toward_zero(x / y, fma(x / y, y, -x) > 0);
}
static inline double product_rz(double x, double y)
{
    return toward_zero(x * y, fma(x, y, -(x * y)) < 0);
}
static inline simde__m512d _mm512_cvt_roundepu64_pd(simde__m512i x, int mode)
{
    const simde__m512i_private a = simde__m512i_to_private(x);

    EMULATED(m512d, f64, 8, integer_rz(a.u64[i]));
}
static inline simde__m512d _mm512_cvtepu64_pd(simde__m512i x)
{
    const simde__m512i_private a = simde__m512i_to_private(x);

    EMULATED(m512d, f64, 8, (double)a.u64[i]);
}
static inline simde__m512i _mm512_cvttpd_epu64(simde__m512d x)
{
    const simde__m512d_private a = simde__m512d_to_private(x);

    EMULATED(m512i, u64, 8, (uint64_t)a.f64[i]);
}
static inline simde__m512d _mm512_div_round_pd(simde__m512d x, simde__m512d y,
                                               int mode)
{
    const simde__m512d_private a = simde__m512d_to_private(x);
    const simde__m512d_private b = simde__m512d_to_private(y);

    EMULATED(m512d, f64, 8, quotient_rz(a.f64[i], b.f64[i]));
}
static inline simde__m512d _mm512_mul_round_pd(simde__m512d x, simde__m512d y,
                                               int mode)
{
    const simde__m512d_private a = simde__m512d_to_private(x);
    const simde__m512d_private b = simde__m512d_to_private(y);

    EMULATED(m512d, f64, 8, product_rz(a.f64[i], b.f64[i]));
}

/* Weights: what is no number below 2^31 becomes -2^31. */
static inline int32_t truncated(double x)
{
    return fabs(x) < 2147483648.0 ? (int32_t)x : INT32_MIN;
}
static inline simde__m512i _mm512_cvttps_epi32(simde__m512 x)
{
    const simde__m512_private a = simde__m512_to_private(x);

    EMULATED(m512i, i32, 16, truncated(a.f32[i]));
}
static inline simde__m256i _mm512_cvttpd_epi32(simde__m512d x)
{
    const simde__m512d_private a = simde__m512d_to_private(x);

    EMULATED(m256i, i32, 8, truncated(a.f64[i]));
}
static inline simde__m512 _mm512_maskz_loadu_ps(simde__mmask16 k, const void *p)
{
    EMULATED(m512, f32, 16, k >> i & 1 ? ((const float *)p)[i] : 0);
}
static inline simde__m512d _mm512_maskz_loadu_pd(simde__mmask8 k, const void *p)
{
    EMULATED(m512d, f64, 8, k >> i & 1 ? ((const double *)p)[i] : 0);
}
static inline simde__m512i _mm512_maskz_loadu_epi32(simde__mmask16 k,
                                                    const void *p)
{
    EMULATED(m512i, u32, 16, k >> i & 1 ? ((const uint32_t *)p)[i] : 0);
}
static inline void _mm512_mask_storeu_epi32(void *p, simde__mmask16 k,
                                            simde__m512i x)
{
    const simde__m512i_private a = simde__m512i_to_private(x);
    int i;

    for (i = 0; i < 16; i++)
        if (k >> i & 1)
            ((uint32_t *)p)[i] = a.u32[i];
}
static inline simde__m512i _mm512_alignr_epi32(simde__m512i high,
                                               simde__m512i low, int n)
{
    const simde__m512i_private a = simde__m512i_to_private(high);
    const simde__m512i_private b = simde__m512i_to_private(low);

    EMULATED(m512i, u32, 16, i + n < 16 ? b.u32[i + n] : a.u32[i + n - 16]);
}
static inline simde__m512i _mm512_shuffle_i64x2(simde__m512i low,
                                                simde__m512i high, int order)
{
    const simde__m512i_private a = simde__m512i_to_private(low);
    const simde__m512i_private b = simde__m512i_to_private(high);

    EMULATED(m512i, u64, 8,
             (i < 4 ? a.u64 : b.u64)[2 * (order >> (i & ~1) & 3) + (i & 1)]);
}
static inline int64_t _mm512_reduce_add_epi64(simde__m512i x)
{
    const simde__m512i_private a = simde__m512i_to_private(x);
    uint64_t sum = 0;
    int i;

    for (i = 0; i < 8; i++)
        sum += a.u64[i];
    return (int64_t)sum;
}
static inline uint32_t _mm512_reduce_max_epu32(simde__m512i x)
{
    const simde__m512i_private a = simde__m512i_to_private(x);
    uint32_t most = 0;
    int i;

    for (i = 0; i < 16; i++)
        most = a.u32[i] > most ? a.u32[i] : most;
    return most;
}
static inline simde__mmask8 _mm256_cmplt_epu32_mask(simde__m256i x,
                                                    simde__m256i y)
{
    const simde__m256i_private a = simde__m256i_to_private(x);
    const simde__m256i_private b = simde__m256i_to_private(y);
    simde__mmask8 k = 0;
    int i;

    for (i = 0; i < 8; i++)
        k |= (simde__mmask8)((a.u32[i] < b.u32[i]) << i);
    return k;
}
static inline simde__mmask8 _mm_cmple_epu32_mask(simde__m128i x, simde__m128i y)
{
    const simde__m128i_private a = simde__m128i_to_private(x);
    const simde__m128i_private b = simde__m128i_to_private(y);
    simde__mmask8 k = 0;
    int i;

    for (i = 0; i < 4; i++)
        k |= (simde__mmask8)((a.u32[i] <= b.u32[i]) << i);
    return k;
}

/* Values under a shape. */
#define _mm512_cmplt_epi64_mask(v, w) simde_mm512_cmpgt_epi64_mask(w, v)
static inline simde__m512i _mm512_cvtepi32_epi64(simde__m256i x)
{
    const simde__m256i_private a = simde__m256i_to_private(x);

    EMULATED(m512i, i64, 8, a.i32[i]);
}
static inline simde__m512i _mm512_srai_epi64(simde__m512i x, unsigned n)
{
    const simde__m512i_private a = simde__m512i_to_private(x);

    EMULATED(m512i, i64, 8, a.i64[i] >> n);
}
static inline simde__m256i _mm256_maskz_loadu_epi32(unsigned k, const void *p)
{
    EMULATED(m256i, i32, 8, k >> i & 1 ? ((const int32_t *)p)[i] : 0);
}
static inline simde__m512d _mm512_cvtps_pd(simde__m256 x)
{
    const simde__m256_private a = simde__m256_to_private(x);

    EMULATED(m512d, f64, 8, a.f32[i]);
}
static inline simde__m512i
_mm512_mask_i64gather_epi64(simde__m512i out, simde__mmask8 k, simde__m512i at,
                            const void *p, int scale)
{
    const simde__m512i_private a = simde__m512i_to_private(at);
    simde__m512i_private v = simde__m512i_to_private(out);
    int i;

    for (i = 0; i < 8; i++)
        if (k >> i & 1)
            memcpy(&v.u64[i], (const char *)p + a.i64[i] * scale, 8);
    return simde__m512i_from_private(v);
}
#define _mm512_shuffle_epi32(v, order)                                         \
    simde_mm512_castps_si512(simde_mm512_shuffle_ps(                           \
        simde_mm512_castsi512_ps(v), simde_mm512_castsi512_ps(v), order))
#define _mm512_cmplt_epi32_mask(v, w) simde_mm512_cmpgt_epi32_mask(w, v)
#define _mm512_mask_shuffle_epi32(v, mask, w, order)                           \
    simde_mm512_mask_mov_epi32(                                                \
        v, mask,                                                               \
        simde_mm512_castps_si512(simde_mm512_shuffle_ps(                       \
            simde_mm512_castsi512_ps(w), simde_mm512_castsi512_ps(w), order)))
static inline simde__m512i _mm512_srai_epi32(simde__m512i x, unsigned n)
{
    const simde__m512i_private a = simde__m512i_to_private(x);

    EMULATED(m512i, i32, 16, a.i32[i] >> n);
}
static inline simde__m512i _mm512_cvtps_epi32(simde__m512 x)
{
    const simde__m512_private a = simde__m512_to_private(x);

    EMULATED(m512i, i32, 16, (int32_t)simde_math_nearbyintf(a.f32[i]));
}
static inline simde__m256 _mm512_cvtpd_ps(simde__m512d x)
{
    const simde__m512d_private a = simde__m512d_to_private(x);

    EMULATED(m256, f32, 8, (float)a.f64[i]);
}

/* Bytes. */
#define _mm512_mask_srli_epi32(v, mask, w, n)                                  \
    simde_mm512_mask_mov_epi32(v, mask, simde_mm512_srli_epi32(w, n))
#define _mm512_mask_slli_epi32(v, mask, w, n)                                  \
    simde_mm512_mask_mov_epi32(v, mask, simde_mm512_slli_epi32(w, n))
#define _mm512_shrdi_epi32(v, w, n)                                            \
    simde_mm512_or_si512(simde_mm512_srli_epi32(v, n),                         \
                         simde_mm512_slli_epi32(w, 32 - (n)))
#define _mm512_cmplt_epu32_mask(v, w)                                          \
    ((simde__mmask16)~simde_mm512_cmpge_epu32_mask(v, w))

static inline simde__m128i _mm512_cvtepi32_epi8(simde__m512i a)
{
    const simde__m512i_private wide = simde__m512i_to_private(a);
    simde__m128i_private narrow;
    int i;

    for (i = 0; i < 16; i++)
        narrow.u8[i] = (uint8_t)wide.u32[i];
    return simde__m128i_from_private(narrow);
}

static inline simde__m512i _mm512_cvtepu16_epi32(simde__m256i a)
{
    const simde__m256i_private narrow = simde__m256i_to_private(a);
    simde__m512i_private wide;
    int i;

    for (i = 0; i < 16; i++)
        wide.u32[i] = narrow.u16[i];
    return simde__m512i_from_private(wide);
}

static inline simde__m512i _mm512_maskz_expand_epi32(simde__mmask16 mask,
                                                     simde__m512i a)
{
    const simde__m512i_private from = simde__m512i_to_private(a);
    simde__m512i_private to;
    int i, k = 0;

    for (i = 0; i < 16; i++)
        to.u32[i] = mask >> i & 1 ? from.u32[k++] : 0;
    return simde__m512i_from_private(to);
}

/* Rounded toward zero, of what is not negative. */
static inline float simde_down(double v)
{
    const float f = (float)v;

    return f > v ? simde_math_nextafterf(f, 0) : f;
}

static inline simde__m512 _mm512_cvt_roundepi32_ps(simde__m512i a, int rounding)
{
    const simde__m512i_private from = simde__m512i_to_private(a);
    simde__m512_private to;
    int i;

    (void)rounding;
    for (i = 0; i < 16; i++)
        to.f32[i] = simde_down(from.i32[i]);
    return simde__m512_from_private(to);
}

static inline simde__m512 _mm512_div_round_ps(simde__m512 a, simde__m512 b,
                                              int rounding)
{
    const simde__m512_private x = simde__m512_to_private(a);
    const simde__m512_private y = simde__m512_to_private(b);
    simde__m512_private to;
    int i;

    (void)rounding; /* a double tells on which side of a float x / y is */
    for (i = 0; i < 16; i++)
        to.f32[i] = y.f32[i] == 0 ? 0 : simde_down((double)x.f32[i] / y.f32[i]);
    return simde__m512_from_private(to);
}
#define _mm512_cvtepi32_ps(a)                                                  \
    _mm512_cvt_roundepi32_ps(a, 0) /* exact, as used */

static inline simde__m512i _mm512_zextsi128_si512(simde__m128i x)
{
    const simde__m128i_private a = simde__m128i_to_private(x);

    EMULATED(m512i, u64, 8, i < 2 ? a.u64[i] : 0);
}

/* Rounded toward zero, of either sign. */
static inline float simde_to_zero(double v)
{
    const float f = (float)v;

    return fabs((double)f) > fabs(v) ? simde_math_nextafterf(f, 0) : f;
}

static inline simde__m512 _mm512_mul_round_ps(simde__m512 a, simde__m512 b,
                                              int rounding)
{
    const simde__m512_private x = simde__m512_to_private(a);
    const simde__m512_private y = simde__m512_to_private(b);

    EMULATED(m512, f32, 16, simde_to_zero((double)x.f32[i] * y.f32[i]));
}

/* Products of floats are exact as doubles. */
static inline simde__m512 _mm512_fmadd_round_ps(simde__m512 a, simde__m512 b,
                                                simde__m512 c, int rounding)
{
    const simde__m512_private x = simde__m512_to_private(a);
    const simde__m512_private y = simde__m512_to_private(b);
    const simde__m512_private z = simde__m512_to_private(c);

    EMULATED(m512, f32, 16,
             simde_to_zero((double)x.f32[i] * y.f32[i] + z.f32[i]));
}

static inline simde__m512 _mm512_fnmadd_round_ps(simde__m512 a, simde__m512 b,
                                                 simde__m512 c, int rounding)
{
    const simde__m512_private x = simde__m512_to_private(a);
    const simde__m512_private y = simde__m512_to_private(b);
    const simde__m512_private z = simde__m512_to_private(c);

    EMULATED(m512, f32, 16,
             simde_to_zero(z.f32[i] - (double)x.f32[i] * y.f32[i]));
}

/* As imprecise as it may be, above and below: machines differ there. */
static inline simde__m512 _mm512_rcp14_ps(simde__m512 a)
{
    const simde__m512_private x = simde__m512_to_private(a);

    EMULATED(m512, f32, 16,
             (float)((1 + (i & 1 ? 0.99 : -0.99) / 16384) / x.f32[i]));
}

static inline simde__m512i _mm512_i32gather_epi32(simde__m512i at,
                                                  const void *p, int scale)
{
    const simde__m512i_private a = simde__m512i_to_private(at);
    simde__m512i_private out;
    int i;

    for (i = 0; i < 16; i++)
        memcpy(&out.u32[i], (const char *)p + (int64_t)a.i32[i] * scale, 4);
    return simde__m512i_from_private(out);
}

static inline simde__m512i _mm512_maskz_loadu_epi16(uint32_t k, const void *p)
{
    simde__m512i_private out;
    int i;

    for (i = 0; i < 32; i++) {
        out.u16[i] = 0;
        if (k >> i & 1) /* what the mask leaves out need not be there */
            memcpy(&out.u16[i], (const uint8_t *)p + 2 * i, 2);
    }
    return simde__m512i_from_private(out);
}

#define _mm512_mask_cmplt_epu16_mask simde_mask_less_16
static inline uint32_t simde_mask_less_16(uint32_t k, simde__m512i a,
                                          simde__m512i b)
{
    const simde__m512i_private x = simde__m512i_to_private(a);
    const simde__m512i_private y = simde__m512i_to_private(b);
    uint32_t mask = 0;
    int i;

    for (i = 0; i < 32; i++)
        mask |= (uint32_t)(x.u16[i] < y.u16[i]) << i;
    return mask & k;
}

#define _mm512_mask_cmpeq_epi16_mask simde_mask_equal_16
static inline uint32_t simde_mask_equal_16(uint32_t k, simde__m512i a,
                                           simde__m512i b)
{
    const simde__m512i_private x = simde__m512i_to_private(a);
    const simde__m512i_private y = simde__m512i_to_private(b);
    uint32_t mask = 0;
    int i;

    for (i = 0; i < 32; i++)
        mask |= (uint32_t)(x.u16[i] == y.u16[i]) << i;
    return mask & k;
}
