/* A container of images under a VAE, decoded on a board whose flash holds it
 * and the model: make firmware
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "board.h"
#include "image_vectors.h"
#include "timer.h"

#define MEMORY 16384
#define WORK 262144

static uint64_t memory[MEMORY / 8], work[WORK / 8];
static uint8_t pixel[sizeof images_pixels];

static void report(const char *what, uint64_t n)
{
    print("| ");
    print(what);
    print(" | ");
    print_number((size_t)n);
    print(" |\n");
}

static int fail(const char *what)
{
    print("images: ");
    print(what);
    print("\n");
    return 1;
}

int run(void)
{
    bbans_model model;
    bbans_reader reader;
    uint32_t before;
    size_t i, n;

    start_timer();
    if (bbans_model_parse(&model, images_model, sizeof images_model) !=
            BBANS_OK ||
        bbans_model_build(&model, memory, sizeof memory) != BBANS_OK)
        return fail("no model");
    if (bbans_container_check(&reader, images_container,
                              sizeof images_container) != BBANS_OK)
        return fail("no container");
    before = TIMER_VALUE;
    if (bbans_decompress(&model, images_container, sizeof images_container,
                         work, sizeof work, pixel, sizeof pixel,
                         &n) != BBANS_OK)
        return fail("not decoded");
    report("instructions for an image",
           instructions_since(before) * model.width / n);
    for (i = 0; i < sizeof pixel; i++)
        if (n != sizeof pixel || pixel[i] != images_pixels[i])
            return fail("other images");
    report("images", n / model.width);
    report("bytes of flash: the model, used where it lies",
           sizeof images_model);
    report("the container", sizeof images_container);
    report("bytes of RAM: what the model needs", bbans_model_bytes(&model));
    report("workspace", bbans_reader_work_bytes(&reader, &model));
    report("the images", sizeof pixel);
    return 0;
}
