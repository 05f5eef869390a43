/* What files are checked and named by: CRC-32 and SHA-256.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Of a reflected CRC, the low bits go first.  Row k: the remainders of the
 * sixteen values that four bits can have, with k times four bits behind them.
 */
static const uint32_t crc32_remainder[16][16] = {
    {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c},
    {0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f,
     0xe963a535, 0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988,
     0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91},
    {0x00000000, 0x4ac21251, 0x958424a2, 0xdf4636f3, 0xf0794f05, 0xbabb5d54,
     0x65fd6ba7, 0x2f3f79f6, 0x3b83984b, 0x71418a1a, 0xae07bce9, 0xe4c5aeb8,
     0xcbfad74e, 0x8138c51f, 0x5e7ef3ec, 0x14bce1bd},
    {0x00000000, 0x191b3141, 0x32366282, 0x2b2d53c3, 0x646cc504, 0x7d77f445,
     0x565aa786, 0x4f4196c7, 0xc8d98a08, 0xd1c2bb49, 0xfaefe88a, 0xe3f4d9cb,
     0xacb54f0c, 0xb5ae7e4d, 0x9e832d8e, 0x87981ccf},
    {0x00000000, 0x1c26a370, 0x384d46e0, 0x246be590, 0x709a8dc0, 0x6cbc2eb0,
     0x48d7cb20, 0x54f16850, 0xe1351b80, 0xfd13b8f0, 0xd9785d60, 0xc55efe10,
     0x91af9640, 0x8d893530, 0xa9e2d0a0, 0xb5c473d0},
    {0x00000000, 0x01c26a37, 0x0384d46e, 0x0246be59, 0x0709a8dc, 0x06cbc2eb,
     0x048d7cb2, 0x054f1685, 0x0e1351b8, 0x0fd13b8f, 0x0d9785d6, 0x0c55efe1,
     0x091af964, 0x08d89353, 0x0a9e2d0a, 0x0b5c473d},
    {0x00000000, 0x5019579f, 0xa032af3e, 0xf02bf8a1, 0x9b14583d, 0xcb0d0fa2,
     0x3b26f703, 0x6b3fa09c, 0xed59b63b, 0xbd40e1a4, 0x4d6b1905, 0x1d724e9a,
     0x764dee06, 0x2654b999, 0xd67f4138, 0x866616a7},
    {0x00000000, 0xb8bc6765, 0xaa09c88b, 0x12b5afee, 0x8f629757, 0x37def032,
     0x256b5fdc, 0x9dd738b9, 0xc5b428ef, 0x7d084f8a, 0x6fbde064, 0xd7018701,
     0x4ad6bfb8, 0xf26ad8dd, 0xe0df7733, 0x58631056},
    {0x00000000, 0x60e09782, 0xc1c12f04, 0xa121b886, 0x58f35849, 0x3813cfcb,
     0x9932774d, 0xf9d2e0cf, 0xb1e6b092, 0xd1062710, 0x70279f96, 0x10c70814,
     0xe915e8db, 0x89f57f59, 0x28d4c7df, 0x4834505d},
    {0x00000000, 0x3d6029b0, 0x7ac05360, 0x47a07ad0, 0xf580a6c0, 0xc8e08f70,
     0x8f40f5a0, 0xb220dc10, 0x30704bc1, 0x0d106271, 0x4ab018a1, 0x77d03111,
     0xc5f0ed01, 0xf890c4b1, 0xbf30be61, 0x825097d1},
    {0x00000000, 0x03d6029b, 0x07ac0536, 0x047a07ad, 0x0f580a6c, 0x0c8e08f7,
     0x08f40f5a, 0x0b220dc1, 0x1eb014d8, 0x1d661643, 0x191c11ee, 0x1aca1375,
     0x11e81eb4, 0x123e1c2f, 0x16441b82, 0x15921919},
    {0x00000000, 0xcb5cd3a5, 0x4dc8a10b, 0x869472ae, 0x9b914216, 0x50cd91b3,
     0xd659e31d, 0x1d0530b8, 0xec53826d, 0x270f51c8, 0xa19b2366, 0x6ac7f0c3,
     0x77c2c07b, 0xbc9e13de, 0x3a0a6170, 0xf156b2d5},
    {0x00000000, 0x67de9cce, 0xcfbd399c, 0xa863a552, 0x440b7579, 0x23d5e9b7,
     0x8bb64ce5, 0xec68d02b, 0x8816eaf2, 0xefc8763c, 0x47abd36e, 0x20754fa0,
     0xcc1d9f8b, 0xabc30345, 0x03a0a617, 0x647e3ad9},
    {0x00000000, 0xa6770bb4, 0x979f1129, 0x31e81a9d, 0xf44f2413, 0x52382fa7,
     0x63d0353a, 0xc5a73e8e, 0x33ef4e67, 0x959845d3, 0xa4705f4e, 0x020754fa,
     0xc7a06a74, 0x61d761c0, 0x503f7b5d, 0xf64870e9},
    {0x00000000, 0x7cbb312b, 0xf9766256, 0x85cd537d, 0x299dc2ed, 0x5526f3c6,
     0xd0eba0bb, 0xac509190, 0x533b85da, 0x2f80b4f1, 0xaa4de78c, 0xd6f6d6a7,
     0x7aa64737, 0x061d761c, 0x83d02561, 0xff6b144a},
    {0x00000000, 0xccaa009e, 0x4225077d, 0x8e8f07e3, 0x844a0efa, 0x48e00e64,
     0xc66f0987, 0x0ac50919, 0xd3e51bb5, 0x1f4f1b2b, 0x91c01cc8, 0x5d6a1c56,
     0x57af154f, 0x9b0515d1, 0x158a1232, 0xd92012ac}};

static uint32_t crc32_word(uint32_t word, size_t behind)
{
    uint32_t crc = 0;
    size_t i;

    for (i = 0; i < 8; i++)
        crc ^= crc32_remainder[7 + behind - i][word >> 4 * i & 15];
    return crc;
}

uint32_t bbans_crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    for (crc = ~crc; n >= 8; n -= 8, bytes += 8)
        crc = crc32_word(crc ^ bbans_load_le32(bytes), 8) ^
              crc32_word(bbans_load_le32(bytes + 4), 0);
    for (; n > 0; n--) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ crc32_remainder[0][crc & 15];
        crc = crc >> 4 ^ crc32_remainder[0][crc & 15];
    }
    return ~crc;
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

static void sha256_block(uint32_t hash[8], const uint8_t *bytes)
{
    uint32_t w[64], v[8]; /* v is a, b, .. h */
    int t;

    for (t = 0; t < 16; t++, bytes += 4)
        w[t] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
               (uint32_t)bytes[2] << 8 | bytes[3];
    for (; t < 64; t++) {
        const uint32_t x = w[t - 15], y = w[t - 2];

        w[t] = w[t - 16] + (rotated(x, 7) ^ rotated(x, 18) ^ x >> 3) +
               w[t - 7] + (rotated(y, 17) ^ rotated(y, 19) ^ y >> 10);
    }
    memcpy(v, hash, sizeof v);
    for (t = 0; t < 64; t++) {
        const uint32_t a = v[0], e = v[4];
        const uint32_t t1 = v[7] +
                            (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) +
                            ((e & v[5]) ^ (~e & v[6])) + sha256_k[t] + w[t];
        const uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) +
                            ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (t = 0; t < 8; t++)
        hash[t] += v[t];
}

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
