/* Fuzz families: tables of any survival function, their quantiles, values and
 * slots under them, and the roundings of real parameters.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "fuzz.h"

#define OCTAVES_MOST 3
#define CELLS(octaves) (2050 + 256 * (octaves))
#define NUMBERS_MOST 40
#define CATEGORIES_MOST 20

const size_t fuzz_size_most = 400;

/* A table that does not rise, from 2^31 to 0: steps of a few kinds, or one of
 * the library's; with one number that is another one, now and then. */
static uint32_t *take_survival(fuzz_input *in, bbans_family *family)
{
    const unsigned octaves = fuzz_below(in, OCTAVES_MOST + 1);
    const size_t n = CELLS(octaves);
    uint32_t *survival = fuzz_memory(4 * n), left = (uint32_t)1 << 31;
    size_t i = 0;

    while (i + 2 < n) {
        const uint32_t drop = left >> fuzz_below(in, 32);
        size_t run = 1 + fuzz_below(in, 300);

        for (; run > 0 && i + 2 < n; run--, i++) {
            survival[i] = left;
            left -= drop / 256 < left ? drop / 256 : left;
        }
    }
    survival[n - 2] = survival[n - 1] = 0;
    if (fuzz_below(in, 8) == 1)
        survival[fuzz_below(in, (uint32_t)n)] = (uint32_t)fuzz_bits(in, 4);
    family->survival = survival;
    family->quantile = NULL;
    family->octaves = octaves;
    family->leakless = fuzz_below(in, 2);
    return survival;
}

/* Each slot is of one value, and a value has one interval. */
static uint64_t spans(const bbans_family *family, fuzz_input *in)
{
    const int64_t location = fuzz_value(in) / 2;
    const int32_t scale = (int32_t)fuzz_below(in, 15200) + BBANS_SCALE_MIN - 10;
    const unsigned prec = 23 + fuzz_below(in, 7);
    const int64_t value = fuzz_below(in, 2)
                              ? location / 65536 + fuzz_value(in) % 1024
                              : fuzz_value(in);
    const uint32_t slot = fuzz_below(in, (uint32_t)1 << prec);
    uint32_t start, freq, start_found, freq_found;
    int64_t first, sign, there;
    unsigned bits, bits_found;
    uint64_t low, digest = 0;

    if (bbans_family_span(family, location, scale, prec, value, &start, &freq,
                          &low, &bits) == BBANS_OK) {
        CHECK(freq > 0 && start < (uint32_t)1 << prec &&
              freq <= ((uint32_t)1 << prec) - start);
        CHECK(bits == 64 || low >> bits == 0);
        CHECK(bbans_family_find(family, location, scale, prec, start + freq - 1,
                                &start_found, &freq_found, &first, &sign,
                                &bits_found) == BBANS_OK);
        CHECK(start == start_found && freq == freq_found && bits == bits_found);
        CHECK((uint64_t)first + (uint64_t)sign * low == (uint64_t)value);
        digest = fuzz_digest(start, &freq, sizeof freq);
    }
    if (bbans_family_find(family, location, scale, prec, slot, &start, &freq,
                          &first, &sign, &bits) == BBANS_OK) {
        CHECK(start <= slot && slot - start < freq);
        there = bbans_signed((uint64_t)first);
        CHECK(bbans_family_span(family, location, scale, prec, there,
                                &start_found, &freq_found, &low,
                                &bits_found) == BBANS_OK);
        CHECK(start == start_found && freq == freq_found && bits == bits_found);
        CHECK(low == 0);
        digest = fuzz_digest(digest, &first, sizeof first);
    }
    return digest;
}

static uint64_t families(fuzz_input *in)
{
    const int own = (int)fuzz_below(in, 2);
    uint32_t *quantile = fuzz_memory(4 * BBANS_QUANTILES), *survival = NULL;
    bbans_family family;
    uint64_t digest = 0;
    bbans_status status;
    int i;

    if (own) {
        survival = take_survival(in, &family);
        status = bbans_family_quantiles(&family, quantile);
        CHECK(status == BBANS_OK || status == BBANS_ERR_TABLE);
        if (status == BBANS_OK)
            CHECK(bbans_family_check(&family) == BBANS_OK);
    } else {
        status = bbans_family_init(&family, (int)fuzz_below(in, 3));
        family.leakless = fuzz_below(in, 2);
    }
    for (i = 0; status == BBANS_OK && i < 4; i++)
        digest ^= spans(&family, in);
    free(survival);
    free(quantile);
    return digest;
}

/* Real numbers of any bits, all at once and one by one. */
static uint64_t roundings(fuzz_input *in)
{
    const size_t n = fuzz_below(in, NUMBERS_MOST);
    const int type = fuzz_below(in, 2) ? BBANS_F32 : BBANS_F64;
    const size_t size = bbans_type_bytes(type);
    uint8_t *real = fuzz_memory(size * n);
    int64_t *location = fuzz_memory(8 * n), one;
    uint32_t *rate = fuzz_memory(4 * n), *probability = fuzz_memory(4 * n);
    int32_t *scale = fuzz_memory(4 * n), a_scale;
    uint64_t digest = 0;
    bbans_status status;
    size_t i;

    for (i = 0; i < n; i++) /* exponents about that of 1, or any bits */
        bbans_store(real + size * i, fuzz_bits(in, size), size);
    for (i = 0; i < n && fuzz_below(in, 4) > 0; i++) {
        real[size * i + size - 1] = 0x3f | (real[size * i + size - 1] & 0xc0);
    }
    status = bbans_locations_fix(real, type, n, location);
    digest = fuzz_digest(digest, &status, sizeof status);
    for (i = 0; i < n; i++) {
        const bbans_status alone =
            bbans_locations_fix(real + size * i, type, 1, &one);

        CHECK(alone == BBANS_OK || status != BBANS_OK);
        CHECK(status != BBANS_OK || one == location[i]);
    }
    if (status == BBANS_OK)
        digest = fuzz_digest(digest, location, 8 * n);
    status = bbans_scales_fix(real, type, n, scale);
    digest = fuzz_digest(digest, &status, sizeof status);
    for (i = 0; i < n; i++) {
        const bbans_status alone =
            bbans_scales_fix(real + size * i, type, 1, &a_scale);

        CHECK(alone == BBANS_OK || status != BBANS_OK);
        CHECK(status != BBANS_OK || a_scale == scale[i]);
    }
    if (status == BBANS_OK)
        digest = fuzz_digest(digest, scale, 4 * n);
    if (bbans_rates_fix(real, type, n, rate) == BBANS_OK)
        digest = fuzz_digest(digest, rate, 4 * n);
    if (bbans_probabilities_fix(real, type, n, probability) == BBANS_OK)
        digest = fuzz_digest(digest, probability, 4 * n);
    free(real);
    free(location);
    free(rate);
    free(probability);
    free(scale);
    return digest;
}

static uint64_t logits(fuzz_input *in)
{
    const size_t rows = fuzz_below(in, 4),
                 n = 1 + fuzz_below(in, CATEGORIES_MOST);
    int32_t *logit = fuzz_memory(4 * rows * n);
    uint32_t *out = fuzz_memory(4 * rows * n);
    uint64_t digest, sum;
    size_t i, k;

    for (i = 0; i < rows * n; i++)
        logit[i] = (int32_t)fuzz_value(in);
    CHECK(bbans_logits_to_probabilities(logit, rows * n, out) == BBANS_OK);
    for (i = 0; i < rows * n; i++)
        CHECK(out[i] > 0 && out[i] % 16 == 0);
    digest = fuzz_digest(0, out, 4 * rows * n);
    CHECK(bbans_logits_to_weights(logit, rows, n, out) == BBANS_OK);
    for (i = 0; i < rows; i++) {
        for (sum = k = 0; k < n; k++) {
            CHECK(out[i * n + k] >= 1 && out[i * n + k] <= 1 << 20);
            sum += out[i * n + k];
        }
        CHECK(sum >= 1 << 20 && sum <= BBANS_TOTAL_MAX);
    }
    digest = fuzz_digest(digest, out, 4 * rows * n);
    CHECK(bbans_logs_to_rates(logit, rows * n, out) == BBANS_OK);
    digest = fuzz_digest(digest, out, 4 * rows * n);
    free(logit);
    free(out);
    return digest;
}

/* Point i has come from the weight in whose interval it falls: those rise, have
 * weights, and each has as many as its share or one more or less. */
static uint64_t resampling(fuzz_input *in)
{
    const size_t n = 1 + fuzz_below(in, NUMBERS_MOST);
    const size_t points = 1 + fuzz_below(in, NUMBERS_MOST);
    uint32_t *weight = fuzz_memory(4 * n), *ancestor = fuzz_memory(4 * points);
    uint32_t *count = fuzz_memory(4 * n);
    uint64_t sum = 0;
    bbans_status status;
    size_t i;

    for (i = 0; i < n; i++) {
        weight[i] = (uint32_t)fuzz_bits(in, 4) >> fuzz_below(in, 32);
        count[i] = 0;
        sum += weight[i];
    }
    status = bbans_resample(weight, n, fuzz_bits(in, 8), points, ancestor);
    CHECK((status == BBANS_OK) == (sum > 0 && sum <= UINT32_MAX));
    for (i = 0; status == BBANS_OK && i < points; i++) {
        CHECK(ancestor[i] < n && weight[ancestor[i]] > 0);
        CHECK(i == 0 || ancestor[i - 1] <= ancestor[i]);
        count[ancestor[i]]++;
    }
    for (i = 0; status == BBANS_OK && i < n; i++) {
        CHECK((uint64_t)weight[i] * points < (count[i] + (uint64_t)1) * sum);
        CHECK((uint64_t)weight[i] * points + sum > count[i] * sum);
    }
    free(weight);
    free(ancestor);
    free(count);
    return sum;
}

/* What the first byte says. */
static uint64_t one_of_all(fuzz_input *in)
{
    static const fuzz_test tests[] = {families, roundings, logits, resampling};

    return tests[fuzz_below(in, 4)](in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_two_isas(one_of_all, data, size);
    return 0;
}
