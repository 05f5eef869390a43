/* For the machine that builds images.c: draw images from a model, compress
 * them, and write all as arrays.
 *
 *   draw_images MODEL HEADER
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"

#include <stdio.h>
#include <stdlib.h>

#define IMAGES 20

static void fail(const char *what)
{
    fprintf(stderr, "draw_images: %s\n", what);
    exit(1);
}

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    if (memory == NULL)
        fail("no memory");
    return memory;
}

static uint8_t *read_file(const char *name, size_t *n)
{
    FILE *file = fopen(name, "rb");
    uint8_t *bytes;
    long size = -1;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size < 0)
        fail("cannot read the model");
    rewind(file);
    *n = (size_t)size;
    bytes = allocate(*n);
    if (fread(bytes, 1, *n, file) != *n)
        fail("cannot read the model");
    (void)fclose(file);
    return bytes;
}

static void put_array(FILE *out, const char *name, const uint8_t *bytes,
                      size_t n)
{
    size_t i;

    fprintf(out, "static const uint8_t %s[] = {", name);
    for (i = 0; i < n; i++)
        fprintf(out, "%s%u", i == 0 ? "" : i % 20 == 0 ? ",\n" : ",", bytes[i]);
    fprintf(out, "};\n");
}

/* Knuth's MMIX generator. */
static uint32_t random_word(void)
{
    static uint64_t state = 1;

    state =
        state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 32);
}

/* Images under a model are what it pops from random bits.  It refuses latents
 * that lie where the image's posterior has no mass; then another is drawn. */
static int32_t *draw(const bbans_state_space *space)
{
    const size_t words = space->push_words, room = words + space->pop_words;
    const size_t work_bytes = bbans_sequence_work_bytes(space, 1, 1);
    uint32_t *tail = allocate(4 * room);
    void *work = allocate(work_bytes);
    uint8_t *x = allocate(IMAGES * space->observation_bytes);
    bbans_message msg;
    uint64_t head;
    size_t i, k, tries;

    for (i = 0, tries = 0; i < IMAGES; tries++) {
        if (bbans_message_init(&msg, &head, 1, tail, room) != BBANS_OK ||
            tries == 1000)
            fail("cannot draw");
        for (k = 0; k < words; k++)
            tail[k] = random_word();
        msg.tail_len = words;
        head = (uint64_t)1 << 31 | random_word();
        if (bbans_sequence_pop(space, &msg, x + i * space->observation_bytes, 1,
                               work, work_bytes) == BBANS_OK)
            i++;
    }
    free(tail);
    free(work);
    return (int32_t *)(void *)x;
}

int main(int argc, char **argv)
{
    size_t n_file, n, i, work_bytes, cap, used, n_memory;
    const bbans_content content = bbans_content_of(BBANS_ELEMENT_UINT8);
    uint8_t *file, *pixel, *bytes;
    bbans_model model;
    void *work;
    int32_t *x;
    FILE *out;

    if (argc != 3)
        fail("MODEL HEADER");
    file = read_file(argv[1], &n_file);
    if (bbans_model_parse(&model, file, n_file) != BBANS_OK)
        fail("no model");
    n_memory = bbans_model_bytes(&model);
    if (bbans_model_build(&model, allocate(n_memory), n_memory) != BBANS_OK)
        fail("no model");
    x = draw(&model.frozen->space);
    n = IMAGES * model.width;
    pixel = allocate(n);
    for (i = 0; i < n; i++)
        pixel[i] = (uint8_t)x[i];
    work_bytes = bbans_writer_work_bytes(&model, &content, BBANS_LEVEL_DEFAULT,
                                         n, IMAGES);
    cap = bbans_compress_bound(BBANS_ELEMENT_UINT8, n, n);
    work = allocate(work_bytes);
    bytes = allocate(cap);
    if (bbans_compress(&model, &content, pixel, n, n, BBANS_LEVEL_DEFAULT, work,
                       work_bytes, bytes, cap, &used) != BBANS_OK)
        fail("cannot compress");
    out = fopen(argv[2], "w");
    if (out == NULL)
        fail("cannot write");
    put_array(out, "images_model", file, n_file);
    put_array(out, "images_container", bytes, used);
    put_array(out, "images_pixels", pixel, n);
    return fclose(out) == 0 ? 0 : 1;
}
