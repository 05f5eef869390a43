/* Private to csrc/: one value under a family, a location and a scale, on a lane
 * or by the range coder: docs/maths.md, "Values of a family".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FAMILY_VALUE_H
#define BBANS_FAMILY_VALUE_H

#include "bbans_family.h"

/* A bin's interval is of 2^(28 - cut) slots: its edges are those of 28 bits,
 * cut, and a place whose leak is 2^cut leaves every bin a slot.  That of a part
 * of b low bits is of 2^28 slots, or for BBANS_PARTS_SHORT of 2^b. */
typedef enum { BBANS_PARTS_WHOLE, BBANS_PARTS_SHORT } bbans_parts;

static inline bbans_span bbans_span_of_bin(const bbans_family *family,
                                           const bbans_place *place, int32_t q)
{
    bbans_span span;

    span.start = bbans_edge(family, place, q);
    span.end = bbans_edge(family, place, q + 1);
    return span;
}

static inline bbans_span bbans_cut_span(bbans_span span, unsigned cut)
{
    span.start >>= cut;
    span.end >>= cut;
    return span;
}

/* Slots for each value of a part of this many bits, as a shift. */
static inline unsigned bbans_part_shift(bbans_parts parts, unsigned bits)
{
    return parts == BBANS_PARTS_WHOLE ? BBANS_FAMILY_PREC - bits : 0;
}

static inline uint32_t bbans_part_of(const bbans_bin *bin, unsigned k,
                                     unsigned bits)
{
    return (uint32_t)(bin->low >> (k * BBANS_PART_BITS)) &
           (((uint32_t)1 << bits) - 1);
}

/* Values that are not near have functions of their own, with copies of lane and
 * place, so that those of the others stay in registers. */
static inline bbans_status bbans_push_far(bbans_lane *lane,
                                          const bbans_family *family,
                                          const bbans_place *place,
                                          unsigned cut, bbans_parts parts,
                                          int64_t value)
{
    const bbans_bin bin = bbans_bin_of_value(place, value);
    const bbans_span span =
        bbans_cut_span(bbans_span_of_bin(family, place, bin.q), cut);
    unsigned k, bits;

    if (span.end == span.start)
        return BBANS_ERR_CORRUPT;
    for (k = 0; (bits = bbans_part_bits(bin.low_bits, k)) > 0; k++) {
        const unsigned shift = bbans_part_shift(parts, bits);

        bbans_lane_push_bits(lane, bbans_part_of(&bin, k, bits) << shift,
                             (uint32_t)1 << shift, bits + shift);
    }
    bbans_lane_push_bits(lane, span.start, span.end - span.start,
                         BBANS_FAMILY_PREC - cut);
    return BBANS_OK;
}

static inline bbans_status bbans_pop_far(bbans_lane *lane,
                                         const bbans_family *family,
                                         const bbans_place *place, unsigned cut,
                                         bbans_parts parts, int64_t *value)
{
    const unsigned prec = BBANS_FAMILY_PREC - cut;
    bbans_span span;
    bbans_bin bin;
    unsigned k;

    bin.q = bbans_search_bin(
        family, place,
        bbans_slot_bits(lane->x, prec) << cut | ((1u << cut) - 1), &span);
    bin.low_bits = bbans_low_bits(place, bin.q);
    bin.low = 0;
    span = bbans_cut_span(span, cut);
    bbans_lane_advance_bits(lane, span.start, span.end - span.start, prec);
    for (k = 3; k-- > 0;) {
        const unsigned bits = bbans_part_bits(bin.low_bits, k);
        const unsigned shift = bbans_part_shift(parts, bits);
        uint32_t part;

        if (bits == 0)
            continue;
        part = bbans_slot_bits(lane->x, bits + shift) >> shift;
        bbans_lane_advance_bits(lane, part << shift, (uint32_t)1 << shift,
                                bits + shift);
        bin.low |= (uint64_t)part << (k * BBANS_PART_BITS);
    }
    return bbans_value_of_bin(place, bin, value) ? BBANS_OK : BBANS_ERR_CORRUPT;
}

/* ERR_CORRUPT, without a leak: the value has no mass, and no sender can have
 * popped it.  The tail has room for 4 words. */
static inline bbans_status bbans_push_value(bbans_lane *lane,
                                            const bbans_family *family,
                                            const bbans_place *place,
                                            unsigned cut, bbans_parts parts,
                                            int64_t value)
{
    const int64_t u = bbans_signed((uint64_t)value - (uint64_t)place->origin);
    bbans_status status;
    bbans_span span;

    if (bbans_near_span(family, place, u, &span)) {
        span = bbans_cut_span(span, cut);
        if (span.end == span.start)
            return BBANS_ERR_CORRUPT;
        bbans_lane_push_bits(lane, span.start, span.end - span.start,
                             BBANS_FAMILY_PREC - cut);
        status = BBANS_OK;
    } else {
        const bbans_place far_place = *place;
        bbans_lane far_lane = *lane;

        status =
            bbans_push_far(&far_lane, family, &far_place, cut, parts, value);
        *lane = far_lane;
    }
    return status;
}

/* The slot s of 28 - cut bits is in the bin of the slot 2^cut (s + 1) - 1 of
 * 28: its edges e <= 2^cut (s + 1) - 1 < e' have floor(e / 2^cut) <= s <
 * floor(e' / 2^cut).  ERR_CORRUPT: the value is beyond int64_t. */
static inline bbans_status bbans_pop_value(bbans_lane *lane,
                                           const bbans_family *family,
                                           const bbans_place *place,
                                           unsigned cut, bbans_parts parts,
                                           int64_t *value)
{
    const unsigned prec = BBANS_FAMILY_PREC - cut;
    const uint32_t slot =
        bbans_slot_bits(lane->x, prec) << cut | ((1u << cut) - 1);
    bbans_status status = BBANS_OK;
    bbans_span span;
    int64_t u;

    if (bbans_near_find(family, place, slot, &u, &span)) {
        span = bbans_cut_span(span, cut);
        bbans_lane_advance_bits(lane, span.start, span.end - span.start, prec);
        *value = place->origin + u;
    } else {
        const bbans_place far_place = *place;
        bbans_lane far_lane = *lane;
        int64_t far_value;

        status = bbans_pop_far(&far_lane, family, &far_place, cut, parts,
                               &far_value);
        *lane = far_lane;
        *value = far_value;
    }
    return status;
}

#ifndef BBANS_DECODER_ONLY
/* Of 28 bits, with a leak; room for 16 bytes. */
static inline void bbans_range_encode_value(bbans_range_encoder *enc,
                                            const bbans_family *family,
                                            const bbans_place *place,
                                            bbans_parts parts, int64_t value)
{
    const bbans_bin bin = bbans_bin_of_value(place, value);
    const bbans_span span = bbans_span_of_bin(family, place, bin.q);
    unsigned k;

    (void)bbans_range_encode_interval(enc, span.start, span.end - span.start,
                                      (uint32_t)1 << BBANS_FAMILY_PREC);
    for (k = 3; k-- > 0;) {
        const unsigned bits = bbans_part_bits(bin.low_bits, k);
        const unsigned shift = bbans_part_shift(parts, bits);

        if (bits > 0)
            (void)bbans_range_encode_interval(
                enc, bbans_part_of(&bin, k, bits) << shift,
                (uint32_t)1 << shift, (uint32_t)1 << (bits + shift));
    }
}
#endif /* BBANS_DECODER_ONLY */

static inline bbans_status bbans_range_decode_value(bbans_range_decoder *dec,
                                                    const bbans_family *family,
                                                    const bbans_place *place,
                                                    bbans_parts parts,
                                                    int64_t *value)
{
    const uint32_t total = (uint32_t)1 << BBANS_FAMILY_PREC;
    bbans_span span;
    bbans_bin bin;
    uint32_t slot;
    unsigned k;
    bbans_status status = bbans_range_slot(dec, total, &slot);

    if (status != BBANS_OK)
        return status;
    bin.q = bbans_find_bin(family, place, slot, &span);
    (void)bbans_range_advance(dec, span.start, span.end - span.start, total);
    bin.low_bits = bbans_low_bits(place, bin.q);
    bin.low = 0;
    for (k = 3; k-- > 0;) {
        const unsigned bits = bbans_part_bits(bin.low_bits, k);
        const unsigned shift = bbans_part_shift(parts, bits);
        const uint32_t slots = (uint32_t)1 << (bits + shift);

        if (bits == 0)
            continue;
        status = bbans_range_slot(dec, slots, &slot);
        if (status != BBANS_OK)
            return status;
        slot >>= shift;
        (void)bbans_range_advance(dec, slot << shift, (uint32_t)1 << shift,
                                  slots);
        bin.low |= (uint64_t)slot << (k * BBANS_PART_BITS);
    }
    return bbans_value_of_bin(place, bin, value) ? BBANS_OK : BBANS_ERR_CORRUPT;
}

#endif
