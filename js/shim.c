/* What JavaScript needs besides bbans.h: where the members of structs are.
 *
 * SPDX-License-Identifier: MIT
 *
 * JavaScript calls the functions of bbans.h as they are, with structs in the
 * module's memory, which it allocates itself (core.js).  It reads and sets
 * their members by name, through the table below. */
#include "bbans.h"

/* A member, or a struct itself. */
typedef struct {
    const char *name;
    uint32_t offset, size; /* of one element, if it is an array */
} bbans_js_member;

/* clang-format off */
#define STRUCT(type) {#type, 0, (uint32_t)sizeof(type)}
#define MEMBER(type, member)                                                   \
    {#type "." #member, (uint32_t)offsetof(type, member),                      \
     (uint32_t)sizeof(((type *)0)->member)}
#define ARRAY(type, member)                                                    \
    {#type "." #member, (uint32_t)offsetof(type, member),                      \
     (uint32_t)sizeof(((type *)0)->member[0])}
/* clang-format on */

static const bbans_js_member layout[] = {
    STRUCT(bbans_model),
    MEMBER(bbans_model, type),
    MEMBER(bbans_model, kind),
    MEMBER(bbans_model, predictive),
    MEMBER(bbans_model, ends),
    MEMBER(bbans_model, width),
    MEMBER(bbans_model, symbols),
    MEMBER(bbans_model, values),
    MEMBER(bbans_model, frozen),
    ARRAY(bbans_model, fingerprint),
    MEMBER(bbans_state_space, observation_bytes),
    MEMBER(bbans_state_space, pop_words),
    MEMBER(bbans_state_space, predictive),
    MEMBER(bbans_hmm, states),
    MEMBER(bbans_hmm, stride),
    MEMBER(bbans_hmm, initial),
    MEMBER(bbans_hmm, into),
    STRUCT(bbans_message),
    MEMBER(bbans_message, head),
    MEMBER(bbans_message, tail),
    MEMBER(bbans_message, lanes),
    MEMBER(bbans_message, tail_len),
    MEMBER(bbans_message, tail_cap),
#ifndef BBANS_JS_HMM
    STRUCT(bbans_reader),
    MEMBER(bbans_reader, element),
    MEMBER(bbans_reader, big_endian),
    MEMBER(bbans_reader, unit),
    MEMBER(bbans_reader, multiplier),
    MEMBER(bbans_reader, axis),
    MEMBER(bbans_reader, coder),
    ARRAY(bbans_reader, fingerprint),
    ARRAY(bbans_reader, name),
    MEMBER(bbans_reader, block),
    MEMBER(bbans_reader, blocks),
    MEMBER(bbans_reader, elements),
    MEMBER(bbans_reader, parts),
    MEMBER(bbans_reader, methods),
    MEMBER(bbans_reader, ended),
    MEMBER(bbans_reader, axes),
    ARRAY(bbans_reader, shape),
    STRUCT(bbans_block),
    MEMBER(bbans_block, elements),
    MEMBER(bbans_block, method),
    MEMBER(bbans_block, bytes),
    MEMBER(bbans_block, n_bytes),
    STRUCT(bbans_records),
    MEMBER(bbans_records, kind),
    MEMBER(bbans_records, checksums),
    ARRAY(bbans_records, fingerprint),
    MEMBER(bbans_records, model),
    MEMBER(bbans_records, model_bytes),
    MEMBER(bbans_records, terminator),
    MEMBER(bbans_records, terminator_bytes),
    MEMBER(bbans_records, groups),
    MEMBER(bbans_records, records),
    MEMBER(bbans_records, lost),
    MEMBER(bbans_records, cut),
    STRUCT(bbans_record_group),
    STRUCT(bbans_record_place),
    MEMBER(bbans_record_place, first),
    MEMBER(bbans_record_place, records),
    MEMBER(bbans_record_place, unterminated),
#endif
#ifndef BBANS_DECODER_ONLY
    STRUCT(bbans_grid),
    MEMBER(bbans_grid, rows),
    MEMBER(bbans_grid, columns),
    MEMBER(bbans_grid, bands),
    STRUCT(bbans_content),
    MEMBER(bbans_content, element),
    MEMBER(bbans_content, unit),
    MEMBER(bbans_content, multiplier),
    MEMBER(bbans_content, axis),
    MEMBER(bbans_content, channels),
    MEMBER(bbans_content, grid.rows),
    MEMBER(bbans_content, grid.columns),
    MEMBER(bbans_content, grid.bands),
    MEMBER(bbans_content, grid.period),
    STRUCT(bbans_writer),
    MEMBER(bbans_writer, blocks),
#endif
    {NULL, 0, 0}};

const bbans_js_member *bbans_js_layout(void)
{
    return layout;
}

/* The C library's only use of its host: there is no environment here. */
char *getenv(const char *name)
{
    (void)name;
    return NULL;
}
