/* What the files of the program share, which include it first: it says what
 * they take of the system.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TOOL_H
#define BBANS_TOOL_H

#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#ifdef __APPLE__
#define _DARWIN_C_SOURCE
#define st_atim st_atimespec
#define st_mtim st_mtimespec
#endif

#include "../bbans.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What the program returns; functions that say themselves what went wrong
 * return one of the first two, or that it was damaged data, and the rest of them
 * is there. */
enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2, DAMAGED = 4 };

#define SUFFIX ".bbz"
#define STDIN_NAME "standard input"
#define STDOUT_NAME "standard output"

/* ---- options.c ----------------------------------------------------------- */

typedef struct {
    int restores, tests, lists; /* or it compresses */
    int to_stdout, force, removes, recursive, quiet, verbose;
    int salvages, wants_help, wants_version;
    int level;
    const char *output, *model, *threads; /* or NULL */
    char **names;                         /* [n_names], at least one */
    size_t n_names;
} options;

/* Reads the arguments, whose array it uses for the names; exits for --help,
 * --version and wrong usage. */
void options_read(options *o, int argc, char **argv);

/* ---- streams.c ----------------------------------------------------------- */

/* Grows, and is kept for what comes next. */
typedef struct {
    uint8_t *bytes;
    size_t cap;
} memory;

/* At least n bytes, aligned to 8; `kept` of them stay as they were.  Ends the
 * program if there is too little. */
void *memory_of(memory *m, size_t n, size_t kept);

/* One line on standard error, with what a terminal would obey made visible. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void say(const char *name, const char *format, ...);
int say_errno(const char *name); /* and return FAILED */

/* to: four times as many bytes as the text, and a 0. */
void make_visible(const char *text, char *to);

/* A text on standard output. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
int print(const char *format, ...);

/* Of standard output, after which nothing more can be written: that a reader
 * goes away it knows itself. */
int output_failed(void);
int output_is_gone(void);

/* Removes what is unfinished before a signal ends the program, and lets no file
 * take the number of a standard stream that is closed. */
void streams_begin(void);

int is_stdin(const char *name);
int is_stdout(const char *name);
int has_suffix(const char *name);
int names_open_file(const char *name); /* as /dev/fd/3 does */
int is_same(const struct stat *a, const struct stat *b);

/* Bytes that are read, as many as are asked for at a time. */
typedef struct {
    int fd;
    const char *name; /* in errors               */
    struct stat status;
    memory held;
    const uint8_t *at; /* [n] at hand             */
    size_t n;
    uint64_t taken; /* bytes before that       */
    int ended;      /* there are no more       */
    int failed;     /* it has been said why    */
} source;

int source_open(source *s, const char *name);
void source_close(source *s);

/* Have n bytes at hand, or all that are left; returns whether n are there. */
int source_need(source *s, size_t n);
void source_take(source *s, size_t n);

/* Pass n bytes over, of which some are at hand; returns whether there were as
 * many. */
int source_skip(source *s, size_t n);

/* A file that appears when it is whole, a stream, or nothing. */
typedef struct {
    int fd; /* -1: nothing is written   */
    const char *name;
    uint64_t bytes;  /* written                  */
    char *temporary; /* or NULL: written in place */
    char *target;
    const struct stat *like; /* permissions and times    */
    int force;
    int closes; /* fd is not a standard one */
} sink;

int sink_open(sink *s, const char *name, const source *from, int force);
void sink_none(sink *s);
int sink_write(sink *s, const uint8_t *bytes, size_t n);
int sink_finish(sink *s); /* and close */
void sink_discard(sink *s);

/* ---- models.c ------------------------------------------------------------ */

/* A model of a name, as -m takes them, or NULL after saying why there is none;
 * the second time it is at hand. */
const bbans_model *model_load(const char *name);

/* Is it at hand, of those that come with bbans? */
int model_is_there(const char *name);

/* Where models are looked for: beside this program, too. */
void models_begin(const char *program);

/* ---- containers.c -------------------------------------------------------- */

/* What a container says. */
typedef struct {
    uint64_t compressed, uncompressed; /* bytes                      */
    int is_known;                      /* are they, uncompressed?    */
    uint64_t blocks;
    char holds[32], coder[96];
} facts;

int container_write(source *in, sink *out, const bbans_model *model, int level);

/* copies: bytes that are no container go to `out` as they are.  salvages: what
 * is damaged is left out, and the result then DAMAGED. */
int container_read(source *in, sink *out, const char *model, int copies,
                   int salvages);
int container_list(source *in, facts *f);

#endif
