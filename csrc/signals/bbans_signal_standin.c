#include "bbans_signal_standin.h"
#define N 33
typedef struct {
    uint32_t e[N + 1];
} tab;
size_t bbans_residual_steps(size_t steps)
{
    return 3 * steps + 8;
}
size_t bbans_residual_bytes(uint64_t n, int level)
{
    (void)level, (void)n;
    return sizeof(tab) + 4;
}
unsigned bbans_residual_lanes(size_t steps, int level)
{
    return level == 1 && steps >= 4096 ? 2 : 1;
}
int bbans_residual_is_direct(const bbans_signal_range *range)
{
    return range->high - range->low < 31;
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
void bbans_residual_resume(void *work, uint64_t n, bbans_source *source)
{
    (void)n;
    if (bbans_source_bits(source, 0, 2) != 0)
        source->bad = 1;
    init((tab *)work);
}
#ifndef BBANS_DECODER_ONLY
void bbans_residual_begin(void *work, uint64_t n, int level, bbans_sink *sink)
{
    (void)n, (void)level;
    bbans_sink_bits(sink, 0, 0, 2);
    init((tab *)work);
}
void bbans_residual_encode(void *work, bbans_sink *sink,
                           const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           unsigned lanes)
{
    const int32_t *v = bbans_signal_channel(x, range->channel);
    size_t q = (x->steps + lanes - 1) / lanes, t;
    unsigned i;
    tab *tb = (tab *)work;
    for (t = 0; t < q; t++)
        for (i = 0; i < lanes; i++)
            if (i * q + t < x->steps) {
                int64_t m = mu == NULL ? 0 : mu[i * q + t];
                int64_t r = v[i * q + t] - bbans_floor_shift(m + 128, 8);
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
void bbans_residual_decode(void *work, bbans_source *s, bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, unsigned lanes,
                           void *memory)
{
    int32_t *v = bbans_signal_channel(x, range->channel);
    size_t q = (x->steps + lanes - 1) / lanes, t;
    unsigned i;
    bbans_predictor pr[BBANS_SIGNAL_LANES_MAX];
    tab *tb = (tab *)work;
    for (i = 0; p != NULL && i < lanes; i++)
        bbans_predictor_begin(pr + i, p, x, range->channel, i, lanes, memory);
    for (t = 0; t < q; t++)
        for (i = 0; i < lanes; i++)
            if (i * q + t < x->steps) {
                int64_t mu =
                    p == NULL ? 0 : bbans_predict_at(pr + i, i * q + t);
                int64_t r;
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
                r = bbans_floor_shift(mu + 128, 8) +
                    bbans_signed(bbans_unzigzag(z));
                if (r < range->low || r > range->high) {
                    s->bad = 1;
                    r = r < range->low ? range->low : range->high;
                }
                v[i * q + t] = (int32_t)r;
                if (p != NULL)
                    bbans_predict_seen(pr + i, i * q + t, (int32_t)r);
            }
}
