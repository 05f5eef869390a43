/* A template: the guess of a symbol by bisection, on what a file defines
 * before: upper_weights, the upper 15 bits of weights, and short_dot, a sum of
 * products of 16 bits.
 *
 * SPDX-License-Identifier: MIT */

static size_t guess(const uint32_t *weight, const int16_t *sums, size_t symbols,
                    size_t stride, unsigned prec, uint32_t slot)
{
    int16_t h[BBANS_STATES_MAX];
    size_t lo = 0, hi = symbols;
    uint32_t limit;

    upper_weights(weight, stride, h);
    limit = bbans_guess_limit(short_dot(h, sums + symbols * stride, stride),
                              prec, slot);
    while (hi - lo > 1) { /* sums do not fall from row to row */
        const size_t mid = lo + (hi - lo) / 2;

        if (short_dot(h, sums + mid * stride, stride) <= limit)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}
