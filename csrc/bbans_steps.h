/* Private to csrc/: the steps of IconoCLaSM, docs/maths.md, section 1.  A
 * template: whatever includes it has before it, for its own MODEL and one
 * sequence, the static functions
 *
 *   push_prior, pop_prior            z_t under P(z_t | z_t-1), or P(z_1) for
 *                                    z_before = NULL
 *   push_posterior, pop_posterior    z_t-1 under Q(z_t-1 | x_1 .. x_t-1, z_t),
 *                                    from the record before; without z_t for
 *                                    z = NULL
 *   push_likelihood, pop_likelihood  x[t] under P(x_t | z_t, x_1 .. x_t-1); the
 *                                    pop filters as well
 *   filter_one                       belief and record after x[t]
 *
 * of a const MODEL * and a bbans_stream *, and gets the functions that an
 * engine has for several.  All in one place, a lane stays in registers.
 *
 * SPDX-License-Identifier: MIT */

#ifndef BBANS_DECODER_ONLY
static void filter(const bbans_state_space *model, bbans_stream *const *s,
                   size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        filter_one((const MODEL *)(const void *)model, s[i]);
}

static void push_step(const bbans_state_space *model, bbans_stream *const *s,
                      size_t n)
{
    const MODEL *m = (const MODEL *)(const void *)model;
    size_t i;

    for (i = 0; i < n; i++) {
        if (s[i]->z != NULL)
            push_likelihood(m, s[i]);
        if (s[i]->z_before != NULL)
            pop_posterior(m, s[i]);
        if (s[i]->z != NULL)
            push_prior(m, s[i]);
    }
}
#endif /* BBANS_DECODER_ONLY */

/* The inverse, and on to the filter. */
static void pop_step(const bbans_state_space *model, bbans_stream *const *s,
                     size_t n)
{
    const MODEL *m = (const MODEL *)(const void *)model;
    size_t i;

    for (i = 0; i < n; i++) {
        if (s[i]->z != NULL)
            pop_prior(m, s[i]);
        if (s[i]->z_before != NULL)
            push_posterior(m, s[i]);
        if (s[i]->z != NULL)
            pop_likelihood(m, s[i]);
    }
}
