/* The portable kernels of networks: they define the results of all others.
 * docs/maths.md, "Networks in integers".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* R(v, shift), clipped to the node's range.  |v| < 2^57, so no sum overflows:
 * a product of 32 and 24 bits, or two of them. */
static int32_t requantised(const bbans_node *node, int64_t v, unsigned shift)
{
    v = bbans_floor_shift(v + ((int64_t)1 << (shift - 1)), shift);
    return (int32_t)(v < node->low    ? node->low
                     : v > node->high ? node->high
                                      : v);
}

/* In int32_t, by the proof of bbans_network_init. */
static int32_t dot(const bbans_node *node, size_t row, size_t length,
                   const int16_t *a)
{
    const int8_t *w8 = (const int8_t *)node->weight;
    const int16_t *w16 = (const int16_t *)node->weight;
    int32_t sum = node->bias[row];
    size_t k;

    if (node->weight_type == BBANS_I8)
        for (k = 0, w8 += row * length; k < length; k++)
            sum += w8[k] * a[k];
    else
        for (k = 0, w16 += row * length; k < length; k++)
            sum += w16[k] * a[k];
    return sum;
}

static void affine(const bbans_node *node, size_t length, const int16_t *a,
                   size_t n, void *out)
{
    const size_t rows = node->channels;
    size_t row, i;

    for (row = 0; row < rows; row++)
        for (i = 0; i < n; i++) {
            const int64_t sum = dot(node, row, length, a + i * length);
            const int32_t v = requantised(node, sum * node->multiplier[row],
                                          node->row_shift[row]);

            if (bbans_is_short(node))
                ((int16_t *)out)[i * rows + row] = (int16_t)v;
            else
                ((int32_t *)out)[i * rows + row] = v;
        }
}

static void combine(const bbans_node *node, const int32_t *a, const int32_t *b,
                    size_t n, int32_t *out)
{
    const int product = node->op == BBANS_OP_PRODUCT;
    size_t i;

    for (i = 0; i < n; i++) {
        const int64_t x = product ? (int64_t)a[i] * b[i] : a[i];
        const int64_t y = product ? 0 : b[i];

        out[i] = requantised(node, x * node->factor[0] + y * node->factor[1],
                             node->shift);
    }
}

const bbans_network_kernels bbans_network_portable = {.affine = affine,
                                                      .combine = combine};
