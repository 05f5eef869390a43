/* A text that was compressed on a computer, from flash. */
#include <bbans.h>

#include "log.h" /* model[] and compressed[], as bbans wrote them */

static uint64_t model_memory[1000], work[1200];
static char text[1024];

static void stop(const char *what, bbans_status status)
{
    Serial.print(what);
    Serial.print(": error ");
    Serial.println((int)status);
    for (;;)
        delay(1000);
}

void setup()
{
    bbans_model hmm;
    bbans_reader reader;
    size_t n;
    bbans_status status;

    Serial.begin(115200);
    status = bbans_model_parse(&hmm, model, sizeof model);
    if (status == BBANS_OK && bbans_model_bytes(&hmm) > sizeof model_memory)
        status = BBANS_ERR_CAPACITY;
    if (status == BBANS_OK)
        status = bbans_model_build(&hmm, model_memory, sizeof model_memory);
    if (status != BBANS_OK)
        stop("model", status);

    status = bbans_container_check(&reader, compressed, sizeof compressed);
    if (status == BBANS_OK && reader.elements > sizeof text - 1)
        status = BBANS_ERR_CAPACITY;
    if (status == BBANS_OK)
        status = bbans_decompress(&hmm, compressed, sizeof compressed, work,
                                  sizeof work, text, sizeof text - 1, &n);
    if (status != BBANS_OK)
        stop("container", status);
    text[n] = 0;
    Serial.print(text);
}

void loop()
{
}
