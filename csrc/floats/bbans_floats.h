/* Private to floats/: what its files share.  docs/format.md, "Floats", and
 * docs/maths.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FLOATS_H
#define BBANS_FLOATS_H

#include "../bytes/bbans_bytes_internal.h"
#include "../files/bbans_files.h"

/* The first byte of a block: how floats are coded. */
enum {
    BBANS_FORM_PLANES = 0,    /* planes of their bytes                      */
    BBANS_FORM_ORDERED = 1,   /* their bits as integers in the same order   */
    BBANS_FORM_MULTIPLES = 2, /* multiples of a fraction, rounded           */
    BBANS_FORM_ROUNDED = 3,   /* multiples of a power of 2, and bits below  */
    BBANS_FORM_STORED = 4     /* the elements                               */
};

/* ---- Planes: what follows the first byte --------------------------------- */

#ifndef BBANS_DECODER_ONLY
size_t bbans_planes_bound(int element, size_t n);
size_t bbans_planes_encoder_bytes(int element, size_t n, int level);
bbans_status bbans_planes_compress(int element, const void *data, size_t n,
                                   int level, uint8_t *block, size_t cap,
                                   size_t *n_bytes, void *work,
                                   size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

size_t bbans_planes_decoder_bytes(int element, size_t n);
bbans_status bbans_planes_decompress(int element, const uint8_t *block,
                                     size_t n_bytes, void *data, size_t n,
                                     void *work, size_t work_bytes);

#endif
