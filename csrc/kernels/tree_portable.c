/* The portable kernels of latent trees, which define the results:
 * docs/maths.md, "Latent trees".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* u < 2^32 and f < 2^31, so products are below 2^63.  The bit length of what
 * has all their bits is that of the largest. */
static void absorb(uint32_t *u, const uint32_t *f, size_t stride)
{
    uint64_t all = 0;
    size_t z;
    int shift;

    for (z = 0; z < stride; z++)
        all |= (uint64_t)u[z] * f[z];
    shift = bbans_bit_length(all) - BBANS_FILTER_BITS;
    for (z = 0; z < stride; z++) {
        const uint32_t v = bbans_scaled((uint64_t)u[z] * f[z], shift);

        u[z] = v > BBANS_UPWARD_MIN ? v : BBANS_UPWARD_MIN;
    }
}

/* sum g < 2^32 and f < 2^31. */
static void weigh(uint32_t *g, const uint32_t *f, size_t stride)
{
    uint64_t sum = 0;
    size_t z;
    int shift;

    for (z = 0; z < stride; z++)
        sum += (uint64_t)g[z] * f[z];
    shift = bbans_bit_length(sum) - BBANS_FILTER_BITS;
    for (z = 0; z < stride; z++)
        g[z] = bbans_scaled((uint64_t)g[z] * f[z], shift);
}

/* m is the sum of products of 15 and of 30 bits, which are made of two of 15
 * bits each.  Rows of A sum to 2^15, so sums are below 2^30. */
static void up(const uint16_t *a, size_t states, size_t stride,
               const uint32_t *u, uint32_t *f)
{
    int16_t high[BBANS_STATES_MAX], low[BBANS_STATES_MAX];
    uint64_t m[BBANS_STATES_MAX], all = 0;
    size_t z, k;
    int shift;

    for (k = 0; k < stride; k++) {
        high[k] = (int16_t)(u[k] >> 17);
        low[k] = (int16_t)(u[k] >> 2 & BBANS_SHORT_MAX);
    }
    for (z = 0; z < states; z++, a += stride) {
        int32_t sum = 0, rest = 0;

        for (k = 0; k < stride; k++) {
            sum += a[k] * high[k];
            rest += a[k] * low[k];
        }
        m[z] = ((uint64_t)sum << 15) + (uint64_t)rest;
        all |= m[z];
    }
    shift = bbans_bit_length(all) - BBANS_MESSAGE_BITS;
    for (z = 0; z < stride; z++)
        f[z] = z < states ? bbans_scaled(m[z], shift) : 0;
}

/* min(32767, (w + 2^16) >> 17) without passing 32 bits */
static int16_t narrow(uint32_t w)
{
    const uint32_t m = ((w >> 16) + 1) >> 1;

    return (int16_t)(m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX);
}

/* sum h <= 2^15 + K / 2 <= 34816 and A < 2^15: below 2^31. */
static void down(const uint16_t *a, size_t states, size_t stride,
                 const uint32_t *g, uint32_t least, uint32_t *p)
{
    size_t z, k;

    for (k = 0; k < stride; k++)
        p[k] = 0;
    for (z = 0; z < states; z++, a += stride) {
        const int32_t h = narrow(g[z]);

        for (k = 0; k < stride; k++)
            p[k] += (uint32_t)(h * a[k]);
    }
    for (k = 0; k < states; k++)
        if (p[k] < least)
            p[k] = least;
}

const bbans_tree_kernels bbans_tree_portable = {
    .absorb = absorb, .weigh = weigh, .up = up, .down = down};
