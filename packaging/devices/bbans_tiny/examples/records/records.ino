/* A reading as a message of a few bytes, and back. */
#include <bbans_tiny.h>

#include "sensor.h" /* a model of such readings, by `bbans export` */

static bbans_tiny_model model;

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
    static const char reading[] = "t=23.7 ok";
    uint8_t message[sizeof reading], record[sizeof reading];
    size_t n_bytes, n;
    bbans_status status;

    Serial.begin(115200);
    status = bbans_tiny_model_init(&model, sensor, sizeof sensor);
    if (status != BBANS_OK)
        stop("model", status);

    status = bbans_tiny_record_encode(&model, (const uint8_t *)reading,
                                      sizeof reading - 1, message,
                                      sizeof message, &n_bytes);
    if (status != BBANS_OK)
        stop("encode", status);
    for (size_t i = 0; i < n_bytes; i++) {
        if (message[i] < 16)
            Serial.print('0');
        Serial.print(message[i], HEX);
    }
    Serial.println();

    status = bbans_tiny_record_decode(&model, message, n_bytes, record,
                                      sizeof record - 1, &n);
    if (status != BBANS_OK)
        stop("decode", status);
    record[n] = 0;
    Serial.println((const char *)record);
}

void loop()
{
}
