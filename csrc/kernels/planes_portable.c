/* Planes of the bytes of elements, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Elements are the machine's own integers; loops are such as compilers make
 * vectors of. */
#define PLANES(bits)                                                           \
    static void split_##bits(const uint8_t *restrict elements, size_t n,       \
                             uint8_t *restrict plane)                          \
    {                                                                          \
        size_t i, k;                                                           \
                                                                               \
        for (k = 0; k < (bits) / 8; k++, plane += n)                           \
            for (i = 0; i < n; i++) {                                          \
                uint##bits##_t x;                                              \
                                                                               \
                memcpy(&x, elements + i * sizeof x, sizeof x);                 \
                x = (uint##bits##_t)(x << 1 | x >> ((bits)-1));                \
                plane[i] = (uint8_t)(x >> ((bits)-8 - 8 * k));                 \
            }                                                                  \
    }                                                                          \
                                                                               \
    static void join_##bits(const uint8_t *const *plane, size_t n,             \
                            uint8_t *restrict elements)                        \
    {                                                                          \
        size_t i, k;                                                           \
                                                                               \
        for (i = 0; i < n; i++) {                                              \
            uint##bits##_t x = plane[0][i];                                    \
                                                                               \
            for (k = 1; k < (bits) / 8; k++)                                   \
                x = (uint##bits##_t)((uint64_t)x << 8 | plane[k][i]);          \
            x = (uint##bits##_t)(x >> 1 | x << ((bits)-1));                    \
            memcpy(elements + i * sizeof x, &x, sizeof x);                     \
        }                                                                      \
    }

PLANES(8)
PLANES(16)
PLANES(32)
PLANES(64)

static void split(const uint8_t *elements, size_t width, size_t n,
                  uint8_t *plane)
{
    switch (width) {
    case 1: split_8(elements, n, plane); break;
    case 2: split_16(elements, n, plane); break;
    case 4: split_32(elements, n, plane); break;
    default: split_64(elements, n, plane);
    }
}

static void join(const uint8_t *const *plane, size_t width, size_t n,
                 uint8_t *elements)
{
    switch (width) {
    case 1: join_8(plane, n, elements); break;
    case 2: join_16(plane, n, elements); break;
    case 4: join_32(plane, n, elements); break;
    default: join_64(plane, n, elements);
    }
}

const bbans_planes_kernels bbans_planes_portable = {.split = split,
                                                    .join = join};
