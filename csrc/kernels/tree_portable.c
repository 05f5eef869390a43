/* The portable kernels of latent trees, which define the results:
 * docs/maths.md, "Latent trees".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* u < 2^32 and f < 2^30, so products are below 2^62.  The bit length of what
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

        u[z] = v > 0 ? v : 1;
    }
}

/* sum g < 2^32 and f < 2^30. */
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

/* min(32767, (w + 2^16) >> 17) without passing 32 bits */
static int16_t narrow(uint32_t w)
{
    const uint32_t m = ((w >> 16) + 1) >> 1;

    return (int16_t)(m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX);
}

/* Rows of A sum to 2^15 at most, and h < 2^15: below 2^30. */
static void up(const uint16_t *a, size_t states, size_t stride,
               const uint32_t *u, uint32_t *m)
{
    int16_t h[BBANS_STATES_MAX];
    size_t z, k;

    for (k = 0; k < stride; k++) {
        h[k] = narrow(u[k]);
        if (h[k] == 0)
            h[k] = 1;
    }
    for (z = 0; z < states; z++, a += stride) {
        int32_t sum = 0;

        for (k = 0; k < stride; k++)
            sum += a[k] * h[k];
        m[z] = (uint32_t)sum;
    }
    for (; z < stride; z++)
        m[z] = 0;
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
