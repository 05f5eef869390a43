#include "bbans_signal_standin.h"
#define N 33
typedef struct {
    uint32_t e[N + 1];
} tab;
size_t bbans_prediction_bytes(size_t steps)
{
    return 8 + steps * 0;
}
size_t bbans_prediction_steps(size_t steps)
{
    (void)steps;
    return 8;
}
void bbans_prediction_init(bbans_prediction *p, size_t steps, void *memory)
{
    (void)memory;
    p->steps = steps;
}
size_t bbans_prediction_fit_bytes(size_t steps, int level)
{
    (void)steps, (void)level;
    return 8;
}
void bbans_prediction_fit(bbans_prediction *p, const bbans_signal_values *x,
                          const bbans_signal_range *range, unsigned lanes,
                          int level, void *work)
{
    (void)p, (void)x, (void)range, (void)lanes, (void)level, (void)work;
}
void bbans_prediction_mu(const bbans_prediction *p,
                         const bbans_signal_values *x, size_t channel,
                         unsigned lanes, int64_t *mu)
{
    const int32_t *v = bbans_signal_channel(x, channel);
    size_t q = (x->steps + lanes - 1) / lanes, t;
    (void)p;
    for (t = 0; t < x->steps; t++)
        mu[t] = t % q == 0 ? 0 : (int64_t)v[t - 1] * 256;
}
size_t bbans_prediction_beside(const bbans_prediction *p)
{
    (void)p;
    return BBANS_SIGNAL_NONE;
}
void bbans_prediction_take(bbans_prediction *p, const bbans_signal_values *x,
                           size_t channel, bbans_source *s)
{
    (void)p, (void)x, (void)channel;
    if (bbans_source_bits(s, 0, 1) != 0)
        s->bad = 1;
}
size_t bbans_residual_steps(size_t steps, int level)
{
    (void)level;
    return 3 * steps + 8;
}
size_t bbans_residual_bytes(size_t steps, int level)
{
    (void)level, (void)steps;
    return sizeof(tab);
}
unsigned bbans_residual_lanes(size_t steps, int level)
{
    return level == 1 && steps >= 4096 ? 4 : 1;
}
static void init(tab *t)
{
    uint32_t i;
    for (i = 0; i <= N; i++)
        t->e[i] = i * 65536 / N;
}
static void see(tab *t, unsigned k)
{
    uint32_t i;
    for (i = 1; i < N; i++)
        if (i <= k)
            t->e[i] -= (t->e[i] - i) >> 5;
        else
            t->e[i] += (65536 - (N - i) - t->e[i]) >> 5;
}
#ifndef BBANS_DECODER_ONLY
void bbans_prediction_put(const bbans_prediction *p,
                          const bbans_signal_values *x, size_t channel,
                          bbans_sink *sink)
{
    (void)p, (void)x, (void)channel;
    bbans_sink_bits(sink, 0, 0, 1);
}
void bbans_residual_encode(bbans_sink *sink, const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           size_t beside, unsigned lanes, int level, void *work)
{
    const int32_t *v = bbans_signal_channel(x, range->channel);
    size_t q = (x->steps + lanes - 1) / lanes, t;
    unsigned i;
    tab *tb = (tab *)work;
    (void)beside, (void)level;
    init(tb);
    for (t = 0; t < q; t++)
        for (i = 0; i < lanes; i++)
            if (i * q + t < x->steps) {
                int64_t r =
                    v[i * q + t] - bbans_floor_shift(mu[i * q + t] + 128, 8);
                uint64_t z = bbans_zigzag((uint64_t)r);
                unsigned k = (unsigned)bbans_bit_length(z);
                bbans_sink_step(sink, i, tb->e[k] << 12,
                                (tb->e[k + 1] - tb->e[k]) << 12);
                if (k > 1)
                    bbans_sink_bits(sink, i, z - ((uint64_t)1 << (k - 1)),
                                    k - 1);
                see(tb, k);
            }
}
#endif
void bbans_residual_decode(bbans_source *s, bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, size_t beside,
                           unsigned lanes, void *work)
{
    int32_t *v = bbans_signal_channel(x, range->channel);
    size_t q = (x->steps + lanes - 1) / lanes, t;
    unsigned i;
    tab *tb = (tab *)work;
    (void)beside, (void)p;
    init(tb);
    for (t = 0; t < q; t++)
        for (i = 0; i < lanes; i++)
            if (i * q + t < x->steps) {
                int64_t mu = t == 0 ? 0 : v[i * q + t - 1], r;
                uint32_t slot = bbans_source_slot(s, i) >> 12;
                unsigned k = 0;
                uint64_t z;
                while (tb->e[k + 1] <= slot)
                    k++;
                bbans_source_advance(s, i, tb->e[k] << 12,
                                     (tb->e[k + 1] - tb->e[k]) << 12);
                z = k > 1 ? ((uint64_t)1 << (k - 1)) +
                                bbans_source_bits(s, i, k - 1)
                          : k;
                see(tb, k);
                r = mu + bbans_signed(bbans_unzigzag(z));
                if (r < range->low || r > range->high) {
                    s->bad = 1;
                    r = r < range->low ? range->low : range->high;
                }
                v[i * q + t] = (int32_t)r;
            }
}
