/* Blocks of floats: docs/format.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#include "../signals/bbans_signals.h"

size_t bbans_float_decoder_bytes(int element, size_t n)
{
    size_t planes, integers;

    if (!bbans_element_is_float(element) || n < 1 || n > BBANS_BLOCK_MAX)
        return 0;
    planes = bbans_planes_decoder_bytes(element, n);
    integers = bbans_integers_decoder_bytes(n);
    if (planes == 0 || integers == 0)
        return 0;
    return planes > integers ? planes : integers;
}

size_t bbans_float_form_bytes(int element, int form, size_t n)
{
    if (bbans_float_decoder_bytes(element, n) == 0)
        return 0;
    return form == BBANS_FORM_PLANES ? bbans_planes_decoder_bytes(element, n)
           : form == BBANS_FORM_INTEGERS ? bbans_integers_decoder_bytes(n)
                                         : 0;
}

bbans_status bbans_float_decompress(int element, const uint8_t *block,
                                    size_t n_bytes, void *data, size_t n,
                                    void *work, size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);

    if (block == NULL || data == NULL || work == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_element_is_float(element))
        return BBANS_ERR_SYMBOL;
    if (n < 1 || n > BBANS_BLOCK_MAX)
        return BBANS_ERR_SIZE;
    if (n_bytes < 1)
        return BBANS_ERR_CORRUPT;
    if (work_bytes < bbans_float_form_bytes(element, block[0], n))
        return BBANS_ERR_CAPACITY;
    switch (block[0]) {
    case BBANS_FORM_PLANES:
        return bbans_planes_decompress(element, block + 1, n_bytes - 1, data, n,
                                       work, work_bytes);
    case BBANS_FORM_INTEGERS:
        return bbans_integers_decompress(element, block + 1, n_bytes - 1, data,
                                         n, work, work_bytes);
    case BBANS_FORM_STORED:
        if (n_bytes != 1 + n * width)
            return BBANS_ERR_CORRUPT;
        bbans_elements_take(block + 1, n, width, (uint8_t *)data);
        return BBANS_OK;
    default: return BBANS_ERR_CORRUPT;
    }
}
