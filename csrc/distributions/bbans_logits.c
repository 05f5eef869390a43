/* Arrays of logits as arrays of parameters: docs/maths.md, "Heads".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_logits.h"

bbans_status bbans_logits_to_probabilities(const int32_t *logit, size_t n,
                                           uint32_t *probability)
{
    size_t i;

    if (n > 0 && (logit == NULL || probability == NULL))
        return BBANS_ERR_NULL;
    for (i = 0; i < n; i++)
        probability[i] = bbans_mass_of_one(logit[i]) << (32 - BBANS_PREC_MAX);
    return BBANS_OK;
}

bbans_status bbans_logits_to_weights(const int32_t *logit, size_t rows,
                                     size_t n, uint32_t *weight)
{
    size_t i, k;

    if (rows > 0 && (logit == NULL || weight == NULL))
        return BBANS_ERR_NULL;
    if (n < 1 || n > BBANS_CATEGORIES_MAX)
        return BBANS_ERR_SIZE;
    for (i = 0; i < rows; i++, logit += n, weight += n) {
        int32_t most = logit[0];

        for (k = 1; k < n; k++)
            most = logit[k] > most ? logit[k] : most;
        for (k = 0; k < n; k++) /* modulo 2^32: no difference is larger */
            weight[k] = bbans_weight_below((uint32_t)most - (uint32_t)logit[k]);
    }
    return BBANS_OK;
}

bbans_status bbans_logs_to_rates(const int32_t *log, size_t n, uint32_t *rate)
{
    size_t i;

    if (n > 0 && (log == NULL || rate == NULL))
        return BBANS_ERR_NULL;
    for (i = 0; i < n; i++)
        rate[i] = bbans_rate_of(log[i]);
    return BBANS_OK;
}
