/* Public randomness, masses as weights, and resampling: docs/maths.md, "Public
 * randomness" and "Particle filters".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_particles.h"

/* ---- Public randomness --------------------------------------------------- */

#define GOLDEN UINT64_C(0x9E3779B97F4A7C15)

/* The finaliser of splitmix64. */
static inline uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    v = (v ^ (v >> 27)) * UINT64_C(0x94D049BB133111EB);
    return v ^ (v >> 31);
}

uint64_t bbans_public_number(uint64_t key, uint64_t stream, uint64_t number)
{
    return mix(mix(key + (stream + 1) * GOLDEN) + (number + 1) * GOLDEN);
}

/* Heads of 62 bits, and a tail of as many words as may be popped: a head is
 * 2^34 or more after an interval, and takes a word at most for each that
 * follows. */
bbans_status bbans_public_draw(const bbans_distribution *distribution,
                               uint64_t key, uint64_t stream, void *value,
                               int type, size_t n, uint64_t *head,
                               uint32_t *tail)
{
    uint64_t state = mix(key + (stream + 1) * GOLDEN);
    bbans_message msg;
    size_t i, words;

    if (distribution == NULL ||
        (n > 0 && (value == NULL || head == NULL || tail == NULL)))
        return BBANS_ERR_NULL;
    if (n == 0)
        return BBANS_OK;
    for (i = 0; i < n; i++)
        head[i] = (uint64_t)1 << 62 | mix(state += GOLDEN) >> 2;
    words = n * distribution->words;
    for (i = 0; i < words; i += 2) {
        const uint64_t number = mix(state += GOLDEN);

        tail[i] = (uint32_t)number;
        if (i + 1 < words)
            tail[i + 1] = (uint32_t)(number >> 32);
    }
    msg.head = head;
    msg.tail = tail;
    msg.lanes = n;
    msg.tail_len = words;
    msg.tail_cap = words + 1;
    return bbans_message_pop(&msg, distribution, value, type, n);
}

/* ---- Masses -------------------------------------------------------------- */

void bbans_masses_start(bbans_masses x, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        x.mantissa[i] = (uint32_t)1 << 31;
        x.exponent[i] = -31;
    }
}

void bbans_masses_multiply(bbans_masses x, bbans_masses by, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const uint64_t m = (uint64_t)x.mantissa[i] * by.mantissa[i];
        const unsigned shift = 31 + (unsigned)(m >> 63); /* m 0, or >= 2^62 */

        x.mantissa[i] = (uint32_t)(m >> shift);
        x.exponent[i] =
            m == 0 ? 0 : x.exponent[i] + by.exponent[i] + (int)shift;
    }
}

void bbans_masses_divide(bbans_masses x, bbans_masses by, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const uint64_t m =
            by.mantissa[i] == 0
                ? 0
                : ((uint64_t)x.mantissa[i] << 32) / by.mantissa[i];
        const unsigned shift = (unsigned)(m >> 32); /* 2^31 < m < 2^33 */

        x.mantissa[i] = (uint32_t)(m >> shift);
        x.exponent[i] =
            m == 0 ? 0 : x.exponent[i] - by.exponent[i] - 32 + (int)shift;
    }
}

void bbans_masses_weigh(bbans_masses x, size_t n, uint32_t *weight)
{
    const int shift = 4 + bbans_bit_length(n - 1);
    int32_t top = INT32_MIN;
    size_t i;

    for (i = 0; i < n; i++)
        if (x.mantissa[i] != 0 && x.exponent[i] > top)
            top = x.exponent[i];
    for (i = 0; i < n; i++) {
        const int64_t down = (int64_t)top - x.exponent[i] + shift;

        if (top == INT32_MIN)
            weight[i] = 1;
        else /* the exponent of 0 is none */
            weight[i] =
                x.mantissa[i] > 0 && down < 32 ? x.mantissa[i] >> down : 0;
    }
}

/* ---- Resampling ---------------------------------------------------------- */

static uint64_t sum_of(const uint32_t *weight, size_t n)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += weight[i];
    return sum;
}

/* Point j is at floor((j sum + u) / points): the quotient and the remainder go
 * on by those of the sum. */
void bbans_resample_points(const uint32_t *weight, size_t n, uint64_t number,
                           size_t points, uint32_t *ancestor)
{
    const uint64_t sum = sum_of(weight, n), u = (sum * (number >> 32)) >> 32;
    const uint64_t step = sum / points, excess = sum % points;
    uint64_t at = u / points, rest = u % points, end = weight[0];
    uint32_t i = 0;
    size_t j;

    for (j = 0; j < points; j++) {
        while (at >= end) /* at < sum */
            end += weight[++i];
        ancestor[j] = i;
        at += step;
        rest += excess;
        if (rest >= points) {
            rest -= points;
            at++;
        }
    }
}

bbans_status bbans_resample(const uint32_t *weight, size_t n, uint64_t number,
                            size_t points, uint32_t *ancestor)
{
    uint64_t sum = 0;
    size_t i;

    if ((weight == NULL && n > 0) || (ancestor == NULL && points > 0))
        return BBANS_ERR_NULL;
    if (n > UINT32_MAX || points > UINT32_MAX)
        return BBANS_ERR_SIZE;
    for (i = 0; i < n && sum <= UINT32_MAX; i++)
        sum += weight[i];
    if (sum < 1 || sum > UINT32_MAX)
        return BBANS_ERR_TOTAL;
    if (points > 0)
        bbans_resample_points(weight, n, number, points, ancestor);
    return BBANS_OK;
}
