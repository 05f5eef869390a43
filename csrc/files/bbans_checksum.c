/* What files are checked and named by: CRC-32 and SHA-256.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

uint32_t bbans_crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    return ~BBANS_CHECKSUM->crc32(~crc, bytes, n);
}

/* The names below are those of FIPS 180-4, section 6.2. */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* A round; in the next one h stands for a, a for b, and so on. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                       \
    do {                                                                       \
        h += (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +               \
             ((e & f) ^ (~e & g)) + sha256_k[t] + w[t];                        \
        d += h;                                                                \
        h += (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) +               \
             ((a & b) ^ (a & c) ^ (b & c));                                    \
    } while (0)

static void sha256_block(uint32_t hash[8], const uint8_t *bytes)
{
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3];
    uint32_t e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    uint32_t w[64];
    int t;

    for (t = 0; t < 16; t++, bytes += 4)
        w[t] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
               (uint32_t)bytes[2] << 8 | bytes[3];
    for (; t < 64; t++) {
        const uint32_t x = w[t - 15], y = w[t - 2];

        w[t] = w[t - 16] + (rotated(x, 7) ^ rotated(x, 18) ^ x >> 3) +
               w[t - 7] + (rotated(y, 17) ^ rotated(y, 19) ^ y >> 10);
    }
    for (t = 0; t < 64; t += 8) {
        ROUND(a, b, c, d, e, f, g, h, t);
        ROUND(h, a, b, c, d, e, f, g, t + 1);
        ROUND(g, h, a, b, c, d, e, f, t + 2);
        ROUND(f, g, h, a, b, c, d, e, t + 3);
        ROUND(e, f, g, h, a, b, c, d, t + 4);
        ROUND(d, e, f, g, h, a, b, c, t + 5);
        ROUND(c, d, e, f, g, h, a, b, t + 6);
        ROUND(b, c, d, e, f, g, h, a, t + 7);
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
    hash[5] += f;
    hash[6] += g;
    hash[7] += h;
}

#undef ROUND

void bbans_sha256(const uint8_t *bytes, size_t n, uint8_t digest[32])
{
    uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint64_t n_bits = (uint64_t)n * 8;
    uint8_t last[128] = {0};
    size_t i, rest;

    for (; n >= 64; n -= 64, bytes += 64)
        sha256_block(hash, bytes);
    if (n > 0) /* bytes may be NULL */
        memcpy(last, bytes, n);
    last[n] = 0x80;
    rest = n < 56 ? 64 : 128; /* with room for the length */
    for (i = 0; i < 8; i++)
        last[rest - 1 - i] = (uint8_t)(n_bits >> (8 * i));
    for (i = 0; i < rest; i += 64)
        sha256_block(hash, last + i);
    for (i = 0; i < 32; i++)
        digest[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
}
