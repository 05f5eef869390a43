/* NEON kernels of values under a family: family_vectors.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_family.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

#define KERNEL
#define WIDTH 2
#define V uint64x2_t
#define F float32x4_t
#define HOLD(v) ((void)(v)) /* compilers load what they cannot build */
#define AS_32(v) vreinterpretq_u32_u64(v)
#define AS_INTS(v) vreinterpretq_s32_u64(v)
#define OF_32(v) vreinterpretq_u64_u32(v)
#define OF_INTS(v) vreinterpretq_u64_s32(v)
#define SET(v) vdupq_n_u64((uint64_t)(v))
#define LOAD(p) vreinterpretq_u64_u8(vld1q_u8((const uint8_t *)(p)))
#define LOAD_TWICE(p) load_twice(p)
#define STORE(p, v) vst1q_u8((uint8_t *)(p), vreinterpretq_u8_u64(v))
#define ADD vaddq_u64
#define SUB vsubq_u64
#define MUL(a, b) vmull_u32(vmovn_u64(a), vmovn_u64(b))
#define AND vandq_u64
#define OR vorrq_u64
#define XOR veorq_u64
#define SRL(v, n) vshrq_n_u64((v), (n))
#define SLL(v, n) vshlq_n_u64((v), (n))
/* Shifts by 64, or 32, and more give 0. */
#define COUNTS(n, most) AS_INTS(OF_32(vminq_u32(AS_32(n), vdupq_n_u32(most))))
#define SRLV(v, n)                                                             \
    vshlq_u64((v), vnegq_s64(vreinterpretq_s64_s32(COUNTS((n), 64))))
#define SLLV(v, n) vshlq_u64((v), vreinterpretq_s64_s32(COUNTS((n), 64)))
#define ZEROS(v) zeros(v)
#define ADD32(a, b) OF_32(vaddq_u32(AS_32(a), AS_32(b)))
#define SUB32(a, b) OF_32(vsubq_u32(AS_32(a), AS_32(b)))
#define ABS32(v) OF_INTS(vabsq_s32(AS_INTS(v)))
#define MIN32(a, b) OF_32(vminq_u32(AS_32(a), AS_32(b)))
#define MAX32(a, b) OF_32(vmaxq_u32(AS_32(a), AS_32(b)))
#define MORE32(a, b) OF_32(vcgtq_s32(AS_INTS(a), AS_INTS(b)))
#define SRL32(v, n) OF_32(vshrq_n_u32(AS_32(v), (n)))
#define SLL32(v, n) OF_32(vshlq_n_u32(AS_32(v), (n)))
#define SRA32(v, n) OF_INTS(vshrq_n_s32(AS_INTS(v), (n)))
#define SRLV32(v, n) OF_32(vshlq_u32(AS_32(v), vnegq_s32(COUNTS((n), 32))))
#define SLLV32(v, n) OF_32(vshlq_u32(AS_32(v), COUNTS((n), 32)))
#define TWICE_LOWER(v) OF_32(vtrn1q_u32(AS_32(v), AS_32(v)))
/* Lower halves of a, upper ones of b. */
#define HALVES(a, b) vbslq_u64(SET(0xFFFFFFFF), (a), (b))
#define GATHER(p, i, size) gathered((const uint8_t *)(p), (i), (size))

#define LESS(a, b) vcltq_s64(vreinterpretq_s64_u64(a), vreinterpretq_s64_u64(b))
#define PICK(mask, a, b) vbslq_u64((mask), (a), (b))
#define M V
#define SET32(v) OF_INTS(vdupq_n_s32(v))
#define LESS32(a, b) MORE32((b), (a))
#define BOTH AND
#define PICK32 PICK
#define SET_F(v) vdupq_n_f32(v)
#define SUB_F vsubq_f32
#define MUL_F vmulq_f32
#define MUL_ADD_F(a, b, c) vfmaq_f32((c), (a), (b))
#define ROUNDED(v) OF_INTS(vcvtnq_s32_f32(v))
#define FLOATS(v) vcvtq_f32_s32(AS_INTS(v))
#define AS_F(v) vreinterpretq_f32_u64(v)
#define AS_V(v) vreinterpretq_u64_f32(v)

static inline V load_twice(const int32_t *p)
{
    const int32x2_t v = vld1_s32(p);

    return vreinterpretq_u64_s32(
        vcombine_s32(vdup_lane_s32(v, 0), vdup_lane_s32(v, 1)));
}

static inline V gathered(const uint8_t *p, V i, size_t size)
{
    uint64_t v[2];

    memcpy(v, p + vgetq_lane_u64(i, 0) * size, sizeof *v);
    memcpy(v + 1, p + vgetq_lane_u64(i, 1) * size, sizeof *v);
    return vld1q_u64(v);
}

static inline unsigned zeros(V v)
{
    return (vgetq_lane_u64(v, 0) == 0 ? 1u : 0u) |
           (vgetq_lane_u64(v, 1) == 0 ? 2u : 0u);
}

#include "family_vectors.h"

static void fix_locations(const void *real, int type, size_t n,
                          int64_t *location)
{
    size_t i;

    for (i = 0; i + 2 <= n; i += 2) {
        const V v =
            type == BBANS_F32
                ? vreinterpretq_u64_f64(vcvt_f64_f32(vreinterpret_f32_u32(
                      vld1_u32((const uint32_t *)real + i))))
                : LOAD((const uint64_t *)real + i);

        STORE(location + i, fixed_locations(v));
    }
    for (; i < n; i++)
        location[i] = INT64_MIN;
}

static void fix_scales(const void *real, int type, size_t n, int32_t *scale)
{
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const uint64_t *wide = (const uint64_t *)real + i;
        const F v =
            type == BBANS_F32
                ? AS_F(LOAD((const uint32_t *)real + i))
                : vcombine_f32(
                      vcvt_f32_f64(vreinterpretq_f64_u64(LOAD(wide))),
                      vcvt_f32_f64(vreinterpretq_f64_u64(LOAD(wide + 2))));

        STORE(scale + i, fixed_scales(AS_V(v)));
    }
    for (; i < n; i++)
        scale[i] = INT32_MIN;
}

const bbans_family_kernels bbans_family_neon = {.locate_spans = locate_spans,
                                                .find_values = find_values,
                                                .fix_locations = fix_locations,
                                                .fix_scales = fix_scales};
#endif
