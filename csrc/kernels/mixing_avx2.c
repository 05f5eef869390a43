/* Decisions about bytes with AVX2, 16 nodes of a half in one vector; equal to
 * mixing_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#include "mixing_slots.h"

#ifdef BBANS_HAVE_X86
#define MIXING BBANS_TARGET("avx2")
#define INLINED MIXING __attribute__((always_inline))
#define DECISIONS BBANS_MIX_DECISIONS

/* On the way to a half: 1 where its bit is 1, -1 where it is 0. */
static const int8_t way[BBANS_MIX_NONE + 1][BBANS_MIX_SLOTS] = {
    {0, -1, -1, 0, -1, 0, 0, 0, -1},
    {0, -1, -1, 0, -1, 0, 0, 0, 1},
    {0, -1, -1, 0, 1, 0, 0, 0, 0, -1},
    {0, -1, -1, 0, 1, 0, 0, 0, 0, 1},
    {0, -1, 1, 0, 0, -1, 0, 0, 0, 0, -1},
    {0, -1, 1, 0, 0, -1, 0, 0, 0, 0, 1},
    {0, -1, 1, 0, 0, 1, 0, 0, 0, 0, 0, -1},
    {0, -1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1},
    {0, 1, 0, -1, 0, 0, -1, 0, 0, 0, 0, 0, -1},
    {0, 1, 0, -1, 0, 0, -1, 0, 0, 0, 0, 0, 1},
    {0, 1, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0, -1},
    {0, 1, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1},
    {0, 1, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, -1},
    {0, 1, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 1},
    {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, -1},
    {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}};

INLINED static inline __m256i way_to(unsigned half)
{
    return _mm256_cvtepi8_epi16(
        _mm_loadu_si128((const __m128i *)(const void *)way[half]));
}

INLINED static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

INLINED static inline void store(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

/* bbans_mix_log of 16 numbers, and so many of 2^-7 more: of a float the upper
 * 16 bits. */
INLINED static inline __m256i logs(__m256i v)
{
    const __m256 even =
        _mm256_cvtepi32_ps(_mm256_and_si256(v, _mm256_set1_epi32(0xFFFF)));
    const __m256 odd = _mm256_cvtepi32_ps(_mm256_srli_epi32(v, 16));

    return _mm256_blend_epi16(_mm256_srli_epi32(_mm256_castps_si256(even), 16),
                              _mm256_castps_si256(odd), 0xAA);
}

INLINED static inline __m256i logits(__m256i slot)
{
    const __m256i twice =
        _mm256_or_si256(_mm256_srli_epi16(slot, 3), _mm256_set1_epi16(1));

    return _mm256_sub_epi16(
        logs(twice), logs(_mm256_sub_epi16(_mm256_set1_epi16(1 << 13), twice)));
}

/* Weights but for those by node, quartered. */
INLINED static inline void find_base(const bbans_mix *m, unsigned inputs,
                                     int16_t *base)
{
    unsigned i;

    for (i = 0; i < inputs; i += 8)
        _mm_storeu_si128(
            (__m128i *)(void *)(base + i),
            _mm_add_epi16(
                _mm_srai_epi16(
                    _mm_loadu_si128(
                        (const __m128i *)(const void *)(m->weight[0] + i)),
                    2),
                _mm_srai_epi16(
                    _mm_loadu_si128(
                        (const __m128i *)(const void *)(m->weight[2] + i)),
                    2)));
}

/* Of an input with this logit, at all nodes. */
INLINED static inline __m256i term(const bbans_mix *m, unsigned i, int16_t base,
                                   __m256i logit)
{
    const __m256i by_node = load(m->weight[1] + i * BBANS_MIX_SLOTS);

    store(m->tree->logit[i], logit);
    return _mm256_mulhrs_epi16(_mm256_add_epi16(_mm256_set1_epi16(base),
                                                _mm256_srai_epi16(by_node, 2)),
                               _mm256_slli_epi16(logit, 1));
}

/* At all nodes.  8 terms are below 2^15 in size, and what saturation would
 * limit has a limit. */
INLINED static inline void mix(const bbans_mix *m, unsigned inputs,
                               unsigned matches, int16_t *mixed)
{
    const __m256i most = _mm256_set1_epi16(BBANS_LOGIT_MAX);
    const __m256i least = _mm256_set1_epi16(-BBANS_LOGIT_MAX);
    const unsigned contexts = inputs - matches;
    __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    int16_t base[BBANS_MIX_MAX];
    unsigned i;

    find_base(m, inputs, base);
    for (i = 0; i < contexts; i++) {
        const __m256i slot = load(m->from[i]);

        store(m->tree->slot[i], slot);
        m->tree->slot[i][0] = m->check[i];
        sum[i / 8] =
            _mm256_add_epi16(sum[i / 8], term(m, i, base[i], logits(slot)));
    }
    for (; i < inputs; i++) {
        const unsigned k = i - contexts;
        const __m256i logit =
            _mm256_set1_epi16((int16_t)bbans_mix_logit(*m->match[k]));

        sum[i / 8] = _mm256_add_epi16(
            sum[i / 8],
            term(m, i, base[i],
                 _mm256_mullo_epi16(logit, way_to(m->expected[k]))));
    }
    store(mixed, _mm256_max_epi16(
                     _mm256_min_epi16(_mm256_adds_epi16(sum[0], sum[1]), most),
                     least));
}

/* The sums of 8 numbers, of 8 vectors. */
INLINED static inline __m256i sums(const __m256i *v)
{
    const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]),
                                        _mm256_hadd_epi32(v[2], v[3]));
    const __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]),
                                        _mm256_hadd_epi32(v[6], v[7]));

    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

INLINED static inline void learn_weights(const bbans_mix *m, unsigned inputs,
                                         __m256i error)
{
    unsigned v, i;

    for (v = 0; v < inputs; v += 8) {
        __m256i product[8], step;
        __m128i steps;

        for (i = 0; i < 8; i++) {
            const __m256i logit = load(m->tree->logit[v + i]);
            int16_t *w = m->weight[1] + (v + i) * BBANS_MIX_SLOTS;

            product[i] = _mm256_madd_epi16(error, logit);
            store(w, _mm256_adds_epi16(load(w),
                                       _mm256_mulhrs_epi16(error, logit)));
        }
        step = _mm256_srai_epi32(
            _mm256_add_epi32(sums(product), _mm256_set1_epi32(0x4000)), 15);
        steps = _mm_packs_epi32(_mm256_castsi256_si128(step),
                                _mm256_extracti128_si256(step, 1));
        for (i = 0; i < 3; i += 2) {
            __m128i *w = (__m128i *)(void *)(m->weight[i] + v);

            _mm_storeu_si128(w, _mm_adds_epi16(_mm_loadu_si128(w), steps));
        }
    }
}

/* A byte of 255 or 128 as an index is no class: off the way shares are 0. */
INLINED static inline void learn_slots(const bbans_mix *m, unsigned contexts,
                                       __m256i to_half)
{
    const __m256i off = _mm256_cmpeq_epi16(to_half, _mm256_setzero_si256());
    const __m256i none =
        _mm256_or_si256(_mm256_set1_epi16((int16_t)0xFF00), off);
    const __m256i to =
        _mm256_and_si256(_mm256_cmpgt_epi16(to_half, _mm256_setzero_si256()),
                         _mm256_set1_epi16(4095));
    const __m256i share = _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const __m128i *)(const void *)bbans_mix_share));
    const __m256i more = _mm256_broadcastsi128_si256(_mm_cmplt_epi8(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm_set1_epi8(BBANS_MIX_SEEN_MOST)));
    unsigned i;

    for (i = 0; i < contexts; i++) {
        const __m256i v = load(m->tree->slot[i]);
        const __m256i seen =
            _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi16(15)), none);
        const __m256i step = _mm256_mulhrs_epi16(
            _mm256_sub_epi16(to, _mm256_srli_epi16(v, 4)),
            _mm256_slli_epi16(_mm256_shuffle_epi8(share, seen), 7));
        const __m256i class = _mm256_and_si256(_mm256_shuffle_epi8(more, seen),
                                               _mm256_set1_epi16(1));

        store(m->row[i],
              _mm256_add_epi16(
                  v, _mm256_add_epi16(_mm256_slli_epi16(step, 4), class)));
    }
}

/* The errors of the decisions at the nodes that they were for. */
INLINED static inline __m256i errors_on(const int16_t *error, __m256i to_half)
{
    const __m256i depth =
        _mm256_setr_epi8(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5, 6, 7,
                         6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7);
    const __m256i errors = _mm256_broadcastq_epi64(
        _mm_loadl_epi64((const __m128i *)(const void *)error));

    return _mm256_andnot_si256(
        _mm256_cmpeq_epi16(to_half, _mm256_setzero_si256()),
        _mm256_shuffle_epi8(errors, depth));
}

/* To decode, the probabilities at both nodes that may be next are looked up
 * while the bit that chooses between them is not known. */
INLINED static inline unsigned decisions(bbans_mix *m, unsigned inputs,
                                         unsigned matches, int decode,
                                         uint32_t given)
{
    uint32_t start = m->start, left = m->left, ones;
    int16_t mixed[BBANS_MIX_SLOTS];
    uint64_t errors = 0;
    unsigned d, node = 1;

    mix(m, inputs, matches, mixed);
    ones = bbans_mass_of_one(mixed[1]);
    for (d = 0; d < DECISIONS; d++) {
        const unsigned below = DECISIONS - 1 - d;
        uint32_t zeros, bit, next[2] = {0, 0};

        if (decode && below > 0) {
            next[0] = bbans_mass_of_one(mixed[2 * node]);
            next[1] = bbans_mass_of_one(mixed[2 * node + 1]);
        }
        zeros = bbans_zeros_of(left, (uint32_t)1 << (m->below + below), ones);
        bit = decode ? given - start >= zeros : given >> below & 1;
        bbans_take_half(&start, &left, zeros, bit);
        errors |= (uint64_t)(uint16_t)bbans_mix_error(bit, ones, m->rate)
                  << 16 * d;
        node = 2 * node + bit;
        if (decode)
            ones = next[0] ^ ((next[0] ^ next[1]) & (0u - bit));
        else if (below > 0)
            ones = bbans_mass_of_one(mixed[node]);
    }
    memcpy(m->tree->error, &errors, sizeof errors);
    m->start = start;
    m->left = left;
    return node - BBANS_MIX_NONE;
}

INLINED static inline void learn_half(bbans_mix *m, unsigned inputs,
                                      unsigned matches, unsigned half)
{
    const __m256i to_half = way_to(half);

    learn_slots(m, inputs - matches, to_half);
    learn_weights(m, inputs, errors_on(m->tree->error, to_half));
    bbans_mix_learn_matches(m, half);
}

MIXING static void encode(bbans_mix *m, unsigned half)
{
    if (m->inputs == 8)
        decisions(m, 8, 1, 0, half);
    else
        decisions(m, 16, 2, 0, half);
}

MIXING static unsigned decode(bbans_mix *m, uint32_t slot)
{
    return m->inputs == 8 ? decisions(m, 8, 1, 1, slot)
                          : decisions(m, 16, 2, 1, slot);
}

MIXING static void learn(bbans_mix *m, unsigned half)
{
    if (m->inputs == 8)
        learn_half(m, 8, 1, half);
    else
        learn_half(m, 16, 2, half);
}

const bbans_mixing_kernels bbans_mixing_avx2 = {encode, decode, learn};
#endif
