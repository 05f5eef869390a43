/* A fuzz target without libFuzzer:
 *
 *   fuzz_<name> [-runs=N]   over N inputs that it makes: valid ones, most of
 *                           them then damaged, or random bytes
 *   fuzz_<name> FILE..      over files
 *   fuzz_<name> -seeds=DIR  writes the first valid ones, as files DIR/000 ..
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"

#define RUNS 3000
#define SEEDS 16

/* In an array of its own size, for the sanitizer to see reads beyond it. */
static void test(const uint8_t *data, size_t size)
{
    uint8_t *exact = fuzz_copy(data, size);

    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static size_t some_bytes(uint8_t *data)
{
    const size_t most = fuzz_size_most < 600 ? fuzz_size_most : 600;
    const size_t size = below(below(4) ? (uint32_t)most + 1 : 20);
    size_t i;

    for (i = 0; i < size; i++)
        data[i] = below(3) == 0 ? (uint8_t) "\0\1\2\3\x7f\x80\xff"[below(7)]
                                : (uint8_t)random_bits();
    return size;
}

static size_t damage(uint8_t *data, size_t size)
{
    int change;

    for (change = (int)below(5); change > 0; change--) {
        uint8_t *byte = data + below((uint32_t)size);

        switch (below(3)) {
        case 0: *byte ^= (uint8_t)(1u << below(8)); break;
        case 1: *byte = (uint8_t)random_bits(); break;
        default: *byte = (uint8_t) "\0\1\2\3\x7f\x80\xff"[below(7)];
        }
    }
    return below(8) == 0 ? size - below((uint32_t)size) : size;
}

static void over_made(uint8_t *data, unsigned long runs)
{
    unsigned long i;

    for (i = 0; i < runs; i++) {
        size_t size = fuzz_make_seed(data, (unsigned)(i / 8));

        fuzz_random(i);
        if (size == 0)
            size = some_bytes(data);
        else if (i % 8 > 0)
            size = damage(data, size);
        test(data, size);
    }
}

static void over_file(uint8_t *data, const char *name)
{
    FILE *file = fopen(name, "rb");

    CHECK(file != NULL);
    test(data, fread(data, 1, fuzz_size_most, file));
    (void)fclose(file);
}

static void write_seeds(uint8_t *data, const char *folder)
{
    unsigned k;

    for (k = 0; k < SEEDS; k++) {
        const size_t size = fuzz_make_seed(data, k);
        char name[4096];
        FILE *file;

        if (size == 0)
            return;
        CHECK(snprintf(name, sizeof name, "%s/%03u", folder, k) <
              (int)sizeof name);
        file = fopen(name, "wb");
        CHECK(file != NULL);
        CHECK(fwrite(data, 1, size, file) == size);
        CHECK(fclose(file) == 0);
    }
}

int main(int argc, char **argv)
{
    uint8_t *data = fuzz_memory(fuzz_size_most);
    unsigned long runs = argc == 1 ? RUNS : 0;
    int i;

    for (i = 1; i < argc; i++)
        if (strncmp(argv[i], "-runs=", 6) == 0)
            runs = strtoul(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-seeds=", 7) == 0)
            write_seeds(data, argv[i] + 7);
        else
            over_file(data, argv[i]);
    over_made(data, runs);
    free(data);
    printf("%s: ok\n", argv[0]);
    return 0;
}
