/* bbans: compress and restore files, as the bbans of the Python package does.
 *
 * It writes and reads the same bytes with the same options, and starts at once.
 * options.c reads what it is told, streams.c reads and writes files, models.c
 * finds models, and containers.c does the work, by bbans.h alone.
 *
 * SPDX-License-Identifier: MIT */
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const options *o;         /* what is to be done */
static const bbans_model *model; /* to compress with, or NULL */

static char *path_of(const char *folder, const char *between, const char *name)
{
    const size_t n = strlen(folder) + strlen(between) + strlen(name) + 1;
    memory path = {NULL, 0};

    (void)memory_of(&path, n, 0);
    (void)snprintf((char *)path.bytes, n, "%s%s%s", folder, between, name);
    return (char *)path.bytes;
}

/* ---- One file ------------------------------------------------------------ */

/* Where the output for a file of this name goes; NULL: nowhere, as was said. */
static char *output_of(const char *name)
{
    struct stat status;
    char *output;

    if (o->output != NULL)
        return path_of(o->output, "", "");
    if (o->to_stdout || is_stdin(name))
        return path_of("-", "", "");
    if (stat(name, &status) != 0) {
        (void)say_errno(name);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || names_open_file(name)) {
        if (!o->quiet)
            say(name, "is no regular file: skipped");
        return NULL;
    }
    if (!o->restores)
        return path_of(name, SUFFIX, "");
    output = path_of(name, "", "");
    output[strlen(name) - strlen(SUFFIX)] = '\0';
    return output;
}

/* Remove an input that is in the output now, unless it is the output. */
static int remove_input(const char *name, const source *in, const char *output)
{
    const struct stat *const before = &in->status;
    struct stat after, written;

    if (stat(name, &after) != 0)
        return say_errno(name);
    if (stat(output, &written) == 0 && is_same(&after, &written))
        return DONE;
    if (!is_same(before, &after) || before->st_size != after.st_size ||
        before->st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before->st_mtim.tv_nsec != after.st_mtim.tv_nsec) {
        say(name, "changed while it was read: kept");
        return FAILED;
    }
    return unlink(name) == 0 ? DONE : say_errno(name);
}

static void say_sizes(const source *in, const sink *out)
{
    const unsigned long long from = in->taken, to = out->bytes;

    if (o->tests)
        say(in->name, "%llu bytes, %llu restored: OK", from, to);
    else if (o->restores || from == 0)
        say(in->name, "%llu -> %llu bytes: %s", from, to, out->name);
    else
        say(in->name, "%llu -> %llu bytes (%.1f %%): %s", from, to,
            100.0 * (double)to / (double)from, out->name);
}

static int transfer(source *in, sink *out)
{
    if (o->restores || o->tests)
        return container_read(in, out, o->model, o->force && out->fd == 1,
                              o->salvages);
    return container_write(in, out, model, o->level);
}

/* From one file to another, or with NULL to none. */
static int turn(const char *name, const char *output)
{
    static source in; /* whose memory is kept */
    int status = source_open(&in, name), is_whole_file;
    sink out;

    if (status == DONE && output != NULL && is_stdout(output) && !o->restores &&
        !o->force && isatty(1)) {
        say(STDOUT_NAME, "a terminal takes no compressed data: -f writes it, "
                         "-o OUT a file");
        status = FAILED;
    }
    sink_none(&out);
    if (status == DONE && output != NULL)
        status = sink_open(&out, output, &in, o->force);
    if (status == DONE)
        status = transfer(&in, &out);
    is_whole_file = out.temporary != NULL;
    if (status == FAILED)
        sink_discard(&out);
    else if (sink_finish(&out) != DONE || status == DAMAGED)
        status = FAILED;
    if (status == DONE && o->verbose)
        say_sizes(&in, &out);
    if (status == DONE && o->removes && is_whole_file && !is_stdin(name))
        status = remove_input(name, &in, output);
    source_close(&in);
    return status;
}

/* ---- What files hold ----------------------------------------------------- */

static facts total;
static size_t n_listed;

static int put_row(const facts *f, const char *name)
{
    static memory shown;
    char plain[24] = "-", ratio[32] = "-";

    if (f->is_known) {
        (void)sprintf(plain, "%llu", (unsigned long long)f->uncompressed);
        if (f->compressed > 0)
            (void)sprintf(ratio, "%.3f",
                          (double)f->uncompressed / (double)f->compressed);
    }
    (void)memory_of(&shown, 4 * strlen(name) + 1, 0);
    make_visible(name, (char *)shown.bytes);
    return print("%12llu  %12s  %6s  %6llu  %-10s  %-8s  %s\n",
                 (unsigned long long)f->compressed, plain, ratio,
                 (unsigned long long)f->blocks, f->holds, f->coder,
                 (const char *)shown.bytes);
}

static int list(const char *name)
{
    static source in;
    facts f;
    int status = source_open(&in, name);

    if (status == DONE)
        status = container_list(&in, &f);
    source_close(&in);
    if (status != DONE)
        return status;
    if (n_listed++ == 0 && !o->quiet)
        status =
            print("%12s  %12s  %6s  %6s  %-10s  %-8s  name\n", "compressed",
                  "uncompressed", "ratio", "blocks", "holds", "coder");
    total.compressed += f.compressed;
    total.uncompressed += f.uncompressed;
    total.blocks += f.blocks;
    total.is_known &= f.is_known;
    return status != DONE ? status : put_row(&f, name);
}

static int end_list(int status)
{
    if (n_listed > 1 && !o->quiet)
        status |= put_row(&total, "(total)");
    return status;
}

/* ---- All files ----------------------------------------------------------- */

/* found: in a folder. */
static int work_on(const char *name, int found)
{
    const char *const slash = strrchr(name, '/');
    const int is_named = has_suffix(name) &&
                         strcmp(slash == NULL ? name : slash + 1, SUFFIX) != 0;
    const int is_beside = !o->to_stdout && o->output == NULL && !is_stdin(name);
    char *output;
    int status;

    if ((o->lists || o->restores || o->tests) && found && !is_named)
        return DONE;
    if (o->lists)
        return list(name);
    if (o->tests)
        return turn(name, NULL);
    if (o->restores && is_beside && !is_named) {
        if (access(name, F_OK) != 0)
            return say_errno(name);
        if (!o->quiet)
            say(name, "does not end in " SUFFIX ": skipped");
        return FAILED;
    }
    if (!o->restores && (is_beside || found) && !o->force && has_suffix(name)) {
        if (!o->quiet && (o->verbose || !found))
            say(name, "already ends in " SUFFIX ": skipped");
        return DONE;
    }
    output = output_of(name);
    status = output == NULL ? FAILED : turn(name, output);
    free(output);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, in order, all before any output appears beside them.
 */
static char **names_in(const char *folder, size_t *n)
{
    DIR *const open_folder = opendir(folder);
    memory names = {NULL, 0};
    struct dirent *entry;

    *n = 0;
    if (open_folder == NULL)
        return NULL;
    (void)memory_of(&names, 64 * sizeof(char *), 0);
    while ((entry = readdir(open_folder)) != NULL) {
        const size_t used = *n * sizeof(char *);

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names.cap < used + sizeof(char *))
            (void)memory_of(&names, 2 * used, used);
        ((char **)(void *)names.bytes)[(*n)++] = path_of(entry->d_name, "", "");
    }
    (void)closedir(open_folder);
    qsort(names.bytes, *n, sizeof(char *), by_name);
    return (char **)(void *)names.bytes;
}

/* The files in a folder and in those in it; no links. */
static int work_below(const char *folder)
{
    const size_t length = strlen(folder);
    int status = DONE;
    size_t n, i;
    char **const names = names_in(folder, &n);

    if (names == NULL)
        return say_errno(folder);
    for (i = 0; i < n; i++) {
        char *const path =
            path_of(folder, length > 0 && folder[length - 1] == '/' ? "" : "/",
                    names[i]);
        struct stat found;

        free(names[i]);
        if (output_is_gone())
            status = FAILED;
        else if (lstat(path, &found) != 0)
            status |= say_errno(path);
        else if (S_ISDIR(found.st_mode))
            status |= work_below(path);
        else if (S_ISREG(found.st_mode))
            status |= work_on(path, 1);
        free(path);
    }
    free(names);
    return status;
}

static int work_on_all(void)
{
    int status = DONE;
    size_t i;

    for (i = 0; i < o->n_names && !output_is_gone(); i++) {
        const char *const name = o->names[i];
        struct stat found;
        const int is_folder = !is_stdin(name) && stat(name, &found) == 0 &&
                              S_ISDIR(found.st_mode);

        if (is_folder && o->recursive) {
            status |= work_below(name);
        } else if (is_folder) {
            say(name, "%s: -r takes what is in it", strerror(EISDIR));
            status = FAILED;
        } else {
            status |= work_on(name, 0);
        }
    }
    return status;
}

int main(int argc, char **argv)
{
    static options told;
    int status = DONE;

    streams_begin();
    options_read(&told, argc, argv);
    o = &told;
    (void)bbans_isa_use(BBANS_ISA_BEST);
    models_begin(argv[0]);
    total.is_known = 1;
    if (!o->lists && !o->tests && !o->restores && o->model != NULL) {
        model = model_load(o->model);
        if (model == NULL)
            return FAILED;
    }
    status = work_on_all();
    return o->lists ? end_list(status) : status;
}
