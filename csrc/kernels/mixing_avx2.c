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

typedef struct {
    __m256i slot[BBANS_MIX_MAX], logit[BBANS_MIX_MAX];
    int16_t base[BBANS_MIX_MAX], mixed[BBANS_MIX_SLOTS];
} half_tree;

/* Weights but for those by node, quartered. */
INLINED static inline void find_base(const bbans_mix *m, half_tree *t,
                                     unsigned inputs)
{
    unsigned i;

    for (i = 0; i < inputs; i += 8)
        _mm_storeu_si128(
            (__m128i *)(void *)(t->base + i),
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

/* Of an input, at all nodes. */
INLINED static inline __m256i term(const bbans_mix *m, const half_tree *t,
                                   unsigned i)
{
    const __m256i weight = _mm256_add_epi16(
        _mm256_set1_epi16(t->base[i]),
        _mm256_srai_epi16(load(m->weight[1] + i * BBANS_MIX_SLOTS), 2));

    return _mm256_mulhrs_epi16(weight, _mm256_slli_epi16(t->logit[i], 1));
}

/* 8 terms are below 2^15 in size, and what is limited by saturation would be
 * limited after it. */
INLINED static inline void mix(const bbans_mix *m, half_tree *t,
                               unsigned inputs, unsigned matches)
{
    const __m256i most = _mm256_set1_epi16(BBANS_LOGIT_MAX);
    const __m256i least = _mm256_set1_epi16(-BBANS_LOGIT_MAX);
    __m256i sum[2];
    unsigned i;

    find_base(m, t, inputs);
    sum[0] = sum[1] = _mm256_setzero_si256();
    for (i = 0; i < inputs - matches; i++) {
        t->slot[i] = load(m->from[i]);
        t->logit[i] = logits(t->slot[i]);
        sum[i / 8] = _mm256_add_epi16(sum[i / 8], term(m, t, i));
    }
    for (i = inputs - matches; i < inputs; i++) {
        const unsigned k = i - (inputs - matches);

        t->logit[i] = _mm256_sign_epi16(
            _mm256_set1_epi16((int16_t)bbans_mix_logit(*m->match[k])),
            way_to(m->expected[k]));
        sum[i / 8] = _mm256_add_epi16(sum[i / 8], term(m, t, i));
    }
    store(
        t->mixed,
        _mm256_max_epi16(
            _mm256_min_epi16(_mm256_adds_epi16(sum[0], sum[1]), most), least));
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

INLINED static inline void learn_weights(const bbans_mix *m, const half_tree *t,
                                         unsigned inputs, __m256i error)
{
    unsigned v, i;

    for (v = 0; v < inputs; v += 8) {
        __m256i product[8], step;
        __m128i steps;

        for (i = 0; i < 8; i++) {
            int16_t *w = m->weight[1] + (v + i) * BBANS_MIX_SLOTS;

            product[i] = _mm256_madd_epi16(error, t->logit[v + i]);
            store(w, _mm256_adds_epi16(
                         load(w), _mm256_mulhrs_epi16(error, t->logit[v + i])));
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
INLINED static inline void learn_slots(const bbans_mix *m, const half_tree *t,
                                       unsigned contexts, __m256i to_half)
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
        const __m256i v = t->slot[i];
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
        m->row[i][0] = m->check[i];
    }
}

/* The errors of the decisions at the nodes that they were for. */
INLINED static inline __m256i at_nodes(uint64_t errors, __m256i to_half)
{
    const __m256i depth =
        _mm256_setr_epi8(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5, 6, 7,
                         6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7, 6, 7);

    return _mm256_andnot_si256(
        _mm256_cmpeq_epi16(to_half, _mm256_setzero_si256()),
        _mm256_shuffle_epi8(_mm256_set1_epi64x((int64_t)errors), depth));
}

INLINED static inline unsigned decisions(bbans_mix *m, unsigned inputs,
                                         unsigned matches, int decode,
                                         uint32_t given)
{
    uint32_t start = m->start, left = m->left, ones;
    unsigned d, node = 1, half;
    uint64_t errors = 0;
    half_tree t;
    __m256i to_half;

    mix(m, &t, inputs, matches);
    ones = bbans_mass_of_one(t.mixed[1]);
    for (d = 0; d < DECISIONS; d++) {
        const unsigned below = DECISIONS - 1 - d;
        uint32_t zeros, bit, next[2] = {0, 0};

        if (decode && below > 0) {
            next[0] = bbans_mass_of_one(t.mixed[2 * node]);
            next[1] = bbans_mass_of_one(t.mixed[2 * node + 1]);
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
            ones = bbans_mass_of_one(t.mixed[node]);
    }
    m->start = start;
    m->left = left;
    half = node - BBANS_MIX_NONE;
    to_half = way_to(half);
    learn_weights(m, &t, inputs, at_nodes(errors, to_half));
    learn_slots(m, &t, inputs - matches, to_half);
    bbans_mix_learn_matches(m, half);
    return half;
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

const bbans_mixing_kernels bbans_mixing_avx2 = {encode, decode};
#endif
