/* NEON kernels of the byte coder; equal to bytes_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include "bytes_words.h"
#include <arm_neon.h>

#define VECTORS_MAX 16 /* of eight lanes, in two registers each */

/* FPCR rounds to the nearest, as push_8 needs. */
static inline int rounds_to_nearest(void)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (fpcr & 0xc00000) == 0;
}

/* Bit i: whether lane i's elements are all ones; the others' are zeros. */
static inline unsigned mask_of(uint32x4_t low, uint32x4_t high)
{
    static const uint16_t bit[8] = {1, 2, 4, 8, 16, 32, 64, 128};

    return vaddvq_u16(vandq_u16(vcombine_u16(vmovn_u32(low), vmovn_u32(high)),
                                vld1q_u16(bit)));
}

static inline uint32x4_t shift(uint32x4_t v, int left)
{
    return vshlq_u32(v, vdupq_n_s32(left));
}

/* ---- Push ---------------------------------------------------------------- */

/* What is left of eight states once those without room have given their word,
 * x f^-1 < 2^(31 - r). */
static inline void give_words(uint32x4_t *x, const uint32x4_t *f, unsigned prec,
                              uint8_t **word)
{
    const uint32x4_t spill = vdupq_n_u32((uint32_t)-16);
    const uint32x4_t room[2] = {vcltq_u32(shift(x[0], (int)prec - 31), f[0]),
                                vcltq_u32(shift(x[1], (int)prec - 31), f[1])};
    const unsigned mask = mask_of(room[0], room[1]);
    const uint8x16_t words =
        vreinterpretq_u8_u16(vcombine_u16(vmovn_u32(x[0]), vmovn_u32(x[1])));

    vst1q_u8(*word - 16, vqtbl1q_u8(words, vld1q_u8(bbans_words_given[mask])));
    *word += 2 * (size_t)__builtin_popcount(mask);
    *word -= 16;
    x[0] = vshlq_u32(x[0], vreinterpretq_s32_u32(vbicq_u32(spill, room[0])));
    x[1] = vshlq_u32(x[1], vreinterpretq_s32_u32(vbicq_u32(spill, room[1])));
}

/* C(x) for four lanes with room: the quotient of floats, rounded, is floor(x /
 * f) or one more, by the bounds of push_8 in bytes_avx2.c. */
static inline uint32x4_t push_4(uint32x4_t x_, uint32x4_t f_, uint32x4_t start,
                                unsigned prec)
{
    const int32x4_t x = vreinterpretq_s32_u32(x_);
    const int32x4_t f = vreinterpretq_s32_u32(f_);
    const int32x4_t q =
        vcvtnq_s32_f32(vdivq_f32(vcvtq_f32_s32(x), vcvtq_f32_s32(f)));
    const int32x4_t rest = vmlsq_s32(x, q, f);
    const int32x4_t over = vshrq_n_s32(rest, 31); /* -1, or 0 */
    const uint32x4_t floor = vreinterpretq_u32_s32(vaddq_s32(q, over));

    return vaddq_u32(
        vaddq_u32(shift(floor, (int)prec), start),
        vreinterpretq_u32_s32(vaddq_s32(rest, vandq_s32(over, f))));
}

/* Rows of four bytes of each lane, `step` apart, from the last row to the
 * first. */
static inline uint8_t *push_rows(uint32_t *x, size_t lanes,
                                 const uint32_t *entry, unsigned prec,
                                 const uint8_t *bytes, size_t step,
                                 size_t row_bytes, size_t rows, int pairs,
                                 uint8_t *word, uint32_t *any)
{
    const uint32x4_t freq = vdupq_n_u32(0x1fff);
    uint32_t e[8], seen;
    size_t i, j, k;

    while (rows-- > 0) {
        const uint8_t *row = bytes + rows * row_bytes;

        for (k = 4, seen = 0; k-- > 0;)
            for (i = lanes; i > 0;) {
                const uint8_t *at = row + (i -= 8) * step + k;
                uint32x4_t x_[2] = {vld1q_u32(x + i), vld1q_u32(x + i + 4)};
                uint32x4_t e_[2], f[2];

                for (j = 0; j < 8; j++, at += step) {
                    e[j] = entry[pairs ? bbans_load_le16(at) : *at];
                    seen |= e[j];
                }
                for (j = 0; j < 2; j++) {
                    e_[j] = vld1q_u32(e + 4 * j);
                    f[j] = vandq_u32(e_[j], freq);
                }
                give_words(x_, f, prec, &word);
                for (j = 0; j < 2; j++)
                    vst1q_u32(
                        x + i + 4 * j,
                        push_4(x_[j], f[j], vshrq_n_u32(e_[j], 16), prec));
            }
        if (!pairs && (seen & BBANS_BYTES_FLAG))
            *any |= (uint32_t)(row_bytes > 256 ? 3 : 1)
                    << rows * row_bytes / 256;
    }
    return word;
}

static inline int has_vectors(size_t lanes)
{
    return lanes % 8 == 0 && lanes <= 8 * VECTORS_MAX;
}

static uint8_t *push(uint32_t *x, size_t lanes, const uint32_t *entry,
                     const uint64_t *inverse, const uint8_t *bytes, size_t n,
                     uint8_t *word, uint32_t *any)
{
    const int by_vectors = has_vectors(lanes) && rounds_to_nearest();
    const size_t row = 4 * lanes, rows = by_vectors ? n / row : 0;
    uint32_t any_rest = 0;

    word =
        bbans_bytes_portable.push(x, lanes, entry, inverse, bytes + rows * row,
                                  n - rows * row, word, &any_rest);
    if (any_rest != 0)
        *any |= UINT32_MAX << rows * row / 256;
    return push_rows(x, lanes, entry, 12, bytes, 4, row, rows, 0, word, any);
}

static uint8_t *push_pairs(uint32_t *x, size_t lanes, const uint32_t *entry,
                           const uint64_t *inverse, unsigned prec,
                           const uint8_t *bytes, size_t stride, size_t steps,
                           uint8_t *word)
{
    const int by_vectors = has_vectors(lanes) && rounds_to_nearest();
    const size_t rows = by_vectors ? steps / 4 : 0;

    word = bbans_bytes_portable.push_pairs(x, lanes, entry, inverse, prec,
                                           bytes + 4 * rows, stride,
                                           steps - 4 * rows, word);
    return push_rows(x, lanes, entry, prec, bytes, stride, 4, rows, 1, word,
                     NULL);
}

/* ---- Pop ----------------------------------------------------------------- */

/* D(x) before its words. */
static inline uint32x4_t pop_4(uint32x4_t x, uint32x4_t e, unsigned prec)
{
    const uint32x4_t offset = vandq_u32(vshrq_n_u32(e, 8), vdupq_n_u32(0xfff));

    return vmlaq_u32(offset, vshrq_n_u32(e, 20), shift(x, -(int)prec));
}

/* Words for those of eight lanes that are below 2^15. */
static inline void take_words(uint32x4_t *y, const uint8_t **word)
{
    const uint32x4_t least = vdupq_n_u32(BBANS_BYTES_STATE_MIN);
    const uint32x4_t up = vdupq_n_u32(16);
    const uint32x4_t dry[2] = {vcltq_u32(y[0], least), vcltq_u32(y[1], least)};
    const unsigned mask = mask_of(dry[0], dry[1]);
    const uint16x8_t next = vreinterpretq_u16_u8(
        vqtbl1q_u8(vld1q_u8(*word), vld1q_u8(bbans_words_taken[mask])));

    *word += 2 * (size_t)__builtin_popcount(mask);
    y[0] =
        vaddw_u16(vshlq_u32(y[0], vreinterpretq_s32_u32(vandq_u32(dry[0], up))),
                  vget_low_u16(next));
    y[1] =
        vaddw_u16(vshlq_u32(y[1], vreinterpretq_s32_u32(vandq_u32(dry[1], up))),
                  vget_high_u16(next));
}

static inline uint32x4_t slots_get(const uint32_t *slot, const uint32_t *at)
{
    uint32x4_t e = vdupq_n_u32(slot[at[0]]);

    e = vld1q_lane_u32(slot + at[1], e, 1);
    e = vld1q_lane_u32(slot + at[2], e, 2);
    return vld1q_lane_u32(slot + at[3], e, 3);
}

/* Rows of four bytes of each lane, `step` apart; in pairs, each after the byte
 * before, which stands before the first. */
static inline const uint8_t *pop_rows(uint32_t *x, size_t lanes,
                                      const uint32_t *slot, unsigned prec,
                                      const uint8_t *word, uint8_t *bytes,
                                      size_t step, size_t row_bytes,
                                      size_t rows, int pairs)
{
    const uint32x4_t slots = vdupq_n_u32(((uint32_t)1 << prec) - 1);
    const uint32x4_t symbol = vdupq_n_u32(0xff);
    uint32_t at[8 * VECTORS_MAX], four[8 * VECTORS_MAX];
    size_t i, j, k;

    for (i = 0; i < lanes; i++)
        at[i] = (pairs ? (uint32_t)bytes[i * step] << prec : 0) |
                (x[i] & (((uint32_t)1 << prec) - 1));
    for (; rows > 0; rows--, bytes += row_bytes) {
        for (k = 0; k < 4; k++)
            for (i = 0; i < lanes; i += 8) {
                uint32x4_t e[2], y[2];

                for (j = 0; j < 2; j++) {
                    e[j] = slots_get(slot, at + i + 4 * j);
                    y[j] = pop_4(vld1q_u32(x + i + 4 * j), e[j], prec);
                }
                take_words(y, &word);
                for (j = 0; j < 2; j++) {
                    uint32_t *const here = four + i + 4 * j;
                    const uint32x4_t last = vld1q_u32(here);
                    uint32x4_t index = vandq_u32(y[j], slots);

                    vst1q_u32(x + i + 4 * j, y[j]);
                    if (pairs)
                        index = vorrq_u32(
                            index, shift(vandq_u32(e[j], symbol), (int)prec));
                    vst1q_u32(at + i + 4 * j, index);
                    /* The oldest of four ends in the lowest byte. */
                    vst1q_u32(here,
                              vsriq_n_u32(vshlq_n_u32(e[j], 24), last, 8));
                }
            }
        for (i = 0; i < lanes; i++)
            memcpy(bytes + i * step + (pairs ? 1 : 0), four + i, 4);
    }
    return word;
}

static const uint8_t *pop(uint32_t *x, size_t lanes, const uint32_t *slot,
                          const uint8_t *word, uint8_t *bytes, size_t n)
{
    const size_t row = 4 * lanes, rows = has_vectors(lanes) ? n / row : 0;

    word = pop_rows(x, lanes, slot, 12, word, bytes, 4, row, rows, 0);
    return bbans_bytes_portable.pop(x, lanes, slot, word, bytes + rows * row,
                                    n - rows * row);
}

static const uint8_t *pop_pairs(uint32_t *x, size_t lanes, const uint32_t *slot,
                                unsigned prec, const uint8_t *word,
                                uint8_t *bytes, size_t stride, size_t steps)
{
    const size_t rows = has_vectors(lanes) ? steps / 4 : 0;

    word = pop_rows(x, lanes, slot, prec, word, bytes, stride, 4, rows, 1);
    return bbans_bytes_portable.pop_pairs(
        x, lanes, slot, prec, word, bytes + 4 * rows, stride, steps - 4 * rows);
}

/* ---- Unpack -------------------------------------------------------------- */

/* Halves of the fields of `bits` in 16 bytes become bytes side by side. */
static inline uint8x16x2_t split(uint8x16_t v, int bits)
{
    return vzipq_u8(vandq_u8(v, vdupq_n_u8((uint8_t)((1 << bits) - 1))),
                    vshlq_u8(v, vdupq_n_s8((int8_t)-bits)));
}

static unsigned unpack(const uint8_t *packed, size_t n, unsigned log2_per,
                       const uint8_t *symbol, uint8_t *bytes)
{
    const uint8x16_t symbols = vld1q_u8(symbol);
    const size_t vectors = (size_t)1 << log2_per;
    uint8x16_t v[8], most = vdupq_n_u8(0);
    unsigned all, highest;
    size_t i, j, k;

    for (i = 0; i + 16 <= n; i += 16) {
        v[0] = vld1q_u8(packed + i);
        for (k = 1; k < vectors; k *= 2)
            for (j = k; j-- > 0;) {
                const uint8x16x2_t two = split(v[j], (int)(4 / k));

                v[2 * j] = two.val[0];
                v[2 * j + 1] = two.val[1];
            }
        for (j = 0; j < vectors; j++) {
            most = vmaxq_u8(most, v[j]);
            vst1q_u8(bytes + (i << log2_per) + 16 * j,
                     vqtbl1q_u8(symbols, v[j]));
        }
    }
    all = bbans_bytes_portable.unpack(packed + i, n - i, log2_per, symbol,
                                      bytes + (i << log2_per));
    highest = vmaxvq_u8(most);
    return highest > all ? highest : all;
}

const bbans_bytes_kernels bbans_bytes_neon = {.push = push,
                                              .pop = pop,
                                              .push_pairs = push_pairs,
                                              .pop_pairs = pop_pairs,
                                              .unpack = unpack};
#endif
