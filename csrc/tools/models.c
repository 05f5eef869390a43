/* Models by their names.
 *
 * SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 30) /* of a model */
#define LOADED_MAX 8 /* one that is said, and those that come with bbans */

/* Those that come with bbans: they are not names of files. */
static const char *const shipped[] = {"english", "text", "digits",
                                      "digit_rows"};

/* Its file's bytes stay: the alphabet is in them. */
typedef struct {
    const char *name;
    bbans_model model;
    int is_whole;
} loaded_model;

static loaded_model loaded[LOADED_MAX];

/* ---- Where they are ------------------------------------------------------ */

static char beside[PATH_MAX]; /* the folder of the program, with a '/' */

void models_begin(const char *program)
{
    char path[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    if (n > 0)
        path[n] = '\0';
    else if (strchr(program, '/') == NULL || realpath(program, path) == NULL)
        return; /* and BBANS_MODEL_PATH is left */
    slash = strrchr(path, '/');
    if (slash == NULL)
        return;
    slash[1] = '\0';
    strcpy(beside, path);
}

static int is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A model of this name in a folder: path [PATH_MAX]. */
static int is_in(const char *folder, size_t n, const char *between,
                 const char *name, char *path)
{
    const int length =
        snprintf(path, PATH_MAX, "%.*s%s%s.bbm", (int)n, folder, between, name);

    return n < PATH_MAX && length > 0 && length < PATH_MAX && is_there(path);
}

/* The folders of BBANS_MODEL_PATH, the program's own, and PREFIX/share/bbans if
 * that is PREFIX/bin. */
static int find(const char *name, char *path)
{
    const char *folder = getenv("BBANS_MODEL_PATH");

    while (folder != NULL && *folder != '\0') {
        const size_t n = strcspn(folder, ":");

        if (n > 0 && is_in(folder, n, "/", name, path))
            return 1;
        folder += n + (folder[n] == ':');
    }
    return beside[0] != '\0' &&
           (is_in(beside, strlen(beside), "", name, path) ||
            is_in(beside, strlen(beside), "../share/bbans/", name, path));
}

int model_is_there(const char *name)
{
    char path[PATH_MAX];

    return find(name, path);
}

/* Is it one that comes with bbans, and then where? */
static const char *path_of(const char *name, char *path)
{
    size_t i;

    for (i = 0; i < sizeof shipped / sizeof *shipped; i++)
        if (strcmp(name, shipped[i]) == 0)
            return find(name, path) ? path : NULL;
    return name;
}

/* ---- What is in them ----------------------------------------------------- */

static int refuse(const char *name, bbans_status status)
{
    switch (status) {
    case BBANS_ERR_FORMAT:
        say(name, "not a model file: it does not start with its magic");
        break;
    case BBANS_ERR_TRUNCATED: say(name, "model file ends early"); break;
    case BBANS_ERR_VERSION:
        say(name, "model file has a version or codes that this release does "
                  "not know");
        break;
    default: say(name, "model file is damaged"); break;
    }
    return FAILED;
}

/* The plain form of a packed file, which says what it takes. */
static bbans_status unpack(const uint8_t *packed, size_t n_packed, memory *m,
                           size_t *n)
{
    bbans_status status = BBANS_ERR_CAPACITY;

    *n = 0;
    while (status == BBANS_ERR_CAPACITY)
        status = bbans_model_unpack(packed, n_packed, memory_of(m, *n, 0),
                                    m->cap, n);
    return status;
}

static int build(loaded_model *l, const char *name, const uint8_t *bytes,
                 size_t n)
{
    memory plain = {NULL, 0}, tables = {NULL, 0}; /* stay */
    bbans_status status = bbans_model_parse(&l->model, bytes, n);

    if (status == BBANS_ERR_STATE) {
        status = unpack(bytes, n, &plain, &n);
        if (status == BBANS_OK)
            status = bbans_model_parse(&l->model, plain.bytes, n);
    }
    if (status == BBANS_OK) {
        n = bbans_model_bytes(&l->model);
        if (n == 0)
            status = BBANS_ERR_SIZE;
    }
    if (status == BBANS_OK)
        status = bbans_model_build(&l->model, memory_of(&tables, n, 0), n);
    if (status == BBANS_OK)
        status = bbans_model_name(&l->model);
    if (status != BBANS_OK) {
        free(plain.bytes);
        free(tables.bytes);
        return refuse(name, status);
    }
    l->is_whole = 1;
    return DONE;
}

static loaded_model *place_of(const char *name)
{
    size_t i = 0;

    while (i + 1 < LOADED_MAX && loaded[i].name != NULL &&
           strcmp(loaded[i].name, name) != 0)
        i++;
    return &loaded[i];
}

const bbans_model *model_load(const char *name)
{
    loaded_model *const l = place_of(name);
    char found[PATH_MAX];
    const char *path;
    source file;
    int status;

    if (l->name != NULL)
        return l->is_whole ? &l->model : NULL;
    l->name = name;
    path = path_of(name, found);
    if (path == NULL) {
        say(name,
            "this model is not where bbans is: BBANS_MODEL_PATH says in "
            "which folders %s.bbm may be",
            name);
        return NULL;
    }
    memset(&file, 0, sizeof file);
    status = source_open(&file, path);
    if (status == DONE && source_need(&file, FILE_MAX)) {
        say(file.name, "is too long for a model file");
        status = FAILED;
    }
    if (status == DONE)
        status = file.failed;
    if (status == DONE)
        (void)build(l, file.name, file.at, file.n);
    source_close(&file);
    if (!l->is_whole || l->model.bytes != file.at)
        free(file.held.bytes);
    return l->is_whole ? &l->model : NULL;
}
