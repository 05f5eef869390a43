/* Fuzz sizes: what functions say of how much memory is needed, for counts of
 * any size.  None wraps around: fewer elements never need more, and are not
 * refused where more of them are taken.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "fuzz.h"

const size_t fuzz_size_most = 60;

/* Of counts, of which the first is one that grows; the others may be levels,
 * elements and so on. */
typedef size_t sizes(const size_t *count);

static size_t of_hmm(const size_t *count)
{
    return bbans_hmm_bytes(count[0], count[1]);
}

static size_t of_symbols(const size_t *count)
{
    return bbans_hmm_bytes(count[1], count[0]);
}

static size_t of_hierarchy(const size_t *count)
{
    return bbans_hierarchy_bytes(1 + count[3] % 3, count, count[4]);
}

/* Of symbols: chains with fewer states may become one group, which needs more.
 */
static size_t of_factorial(const size_t *count)
{
    return bbans_factorial_bytes(1 + count[1] % 3, count + 2, count[0]);
}

static size_t of_lgssm(const size_t *count)
{
    return bbans_lgssm_step_words(count[0], count[1]);
}

static size_t of_gaussian_hmm(const size_t *count)
{
    return bbans_gaussian_hmm_bytes(count[0], count[1]);
}

static bbans_state_space space_of(const size_t *count)
{
    bbans_state_space space;

    memset(&space, 0, sizeof space);
    space.observation_bytes = 1 + count[2] % 1024;
    space.state_bytes = count[3] % 65536;
    space.belief_bytes = count[4] % 65536;
    space.record_bytes = count[5] % 65536;
    space.push_words = 1 + count[3] % 4096;
    space.pop_words = 1 + count[4] % 4096;
    space.start_length = 1 + count[5] % BBANS_START_MAX;
    return space;
}

static size_t of_tail(const size_t *count)
{
    const bbans_state_space space = space_of(count);

    return bbans_sequence_tail_words(&space, count[0]);
}

static size_t of_work(const size_t *count)
{
    const bbans_state_space space = space_of(count);

    return bbans_sequence_work_bytes(&space, count[0], count[1]);
}

static size_t of_set(const size_t *count)
{
    return bbans_multiset_work_bytes(count[0]);
}

static size_t of_order(const size_t *count)
{
    return bbans_permutation_work_bytes(count[0]);
}

static size_t of_record(const size_t *count)
{
    return bbans_record_bound(count[0]);
}

static size_t of_group(const size_t *count)
{
    return bbans_records_group_bytes(1 + count[1] % 70000, count[0],
                                     (int)(count[2] % 2));
}

static size_t of_bytes(const size_t *count)
{
    return bbans_bytes_bound(count[0]);
}

static size_t of_mixing(const size_t *count)
{
    return bbans_mixing_bound(count[0]);
}

static size_t of_mixing_encoder(const size_t *count)
{
    return bbans_mixing_encoder_bytes(count[0], (int)(count[1] % 11));
}

static size_t of_container(const size_t *count)
{
    return bbans_compress_bound((int)(count[2] % 34), count[0], count[1]);
}

static size_t of_signal(const size_t *count)
{
    return bbans_signal_bound((int)(count[2] % 34), count[0]);
}

static size_t of_signal_decoder(const size_t *count)
{
    return bbans_signal_decoder_bytes(count[0]);
}

static size_t of_grid(const size_t *count)
{
    return bbans_grid_bound((int)(count[2] % 34), count[0]);
}

static size_t of_grid_decoder(const size_t *count)
{
    return bbans_grid_decoder_bytes((int)(count[2] % 34), count[0]);
}

static size_t of_float(const size_t *count)
{
    return bbans_float_bound((int)(count[2] % 34), count[0]);
}

static size_t of_float_decoder(const size_t *count)
{
    return bbans_float_decoder_bytes((int)(count[2] % 34), count[0]);
}

static size_t of_training(const size_t *count)
{
    return bbans_mixer_training_bytes(count[0], (unsigned)(count[1] % 30));
}

static sizes *const functions[] = {
    of_hmm,    of_symbols,        of_hierarchy,      of_factorial,
    of_lgssm,  of_gaussian_hmm,   of_tail,           of_work,
    of_set,    of_order,          of_record,         of_group,
    of_bytes,  of_mixing,         of_mixing_encoder, of_container,
    of_signal, of_signal_decoder, of_grid,           of_grid_decoder,
    of_float,  of_float_decoder,  of_training,
};

/* Any number of bits, and those about the largest. */
static size_t take_count(fuzz_input *in)
{
    const size_t count = (size_t)fuzz_value(in);

    return fuzz_below(in, 4) ? count : SIZE_MAX - count % 4096;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    sizes *const function =
        functions[fuzz_below(&in, sizeof functions / sizeof *functions)];
    size_t count[6], more, fewer, i;

    for (i = 0; i < 6; i++)
        count[i] = take_count(&in);
    more = function(count);
    if (more > 0 && count[0] > 1) {
        count[0] = 1 + take_count(&in) % (count[0] - 1);
        fewer = function(count);
        CHECK(fewer > 0 && fewer <= more);
    }
    return 0;
}
