/* What the program is told.
 *
 * SPDX-License-Identifier: MIT */
#include "tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "usage: bbans [OPTIONS] [FILE ...]\n";

static const char help[] =
    "\n"
    "Compress each FILE to FILE.bbz, which bbans in Python reads and writes as "
    "well;\n"
    "FILE stays. With no FILE, or -, standard input goes to standard output.\n"
    "\n"
    "options:\n"
    "  -d, --decompress     restore FILE.bbz to FILE\n"
    "  -t, --test           decode, check all, write nothing\n"
    "  -l, --list           say what each FILE holds\n"
    "      --salvage        leave damaged blocks out, name them, and exit with "
    "1\n"
    "  -c, --stdout         write to standard output\n"
    "  -o, --output OUT     write to OUT, of one FILE\n"
    "  -f, --force          replace outputs; compress what ends in .bbz; write "
    "to a\n"
    "                       terminal; with -dc, copy what is no container\n"
    "  -k, --keep           keep inputs, the default\n"
    "      --rm             delete an input when its output is whole and "
    "synced\n"
    "  -r, --recursive      take what is in directories\n"
    "  -q, --quiet          no warnings, no head and total of -l\n"
    "  -v, --verbose        a line for each file\n"
    "  -1 .. -9             fast to small; by default -5\n"
    "  -T, --threads N      accepted; this program has one thread\n"
    "  -m, --model MODEL    a frozen model (.bbm), or one that comes with "
    "bbans:\n"
    "                       english, text, digits, digit_rows; by default "
    "BBANS_MODEL\n"
    "                       of the environment, or none\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version\n"
    "\n"
    "All files are taken as bytes: of arrays (.npy), sound (.wav) and tables "
    "(.csv)\n"
    "bbans in Python makes smaller files. Models are looked for in the folders "
    "of\n"
    "BBANS_MODEL_PATH, beside this program, and in ../share/bbans from there.\n"
    "\n"
    "exit codes: 0 done, 1 an error, or a file was skipped, 2 wrong usage.\n";

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2), noreturn))
#endif
static void
refuse_usage(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    /* Whether it can be said or not, the status says it. */
    (void)fputs(usage, stderr);
    (void)fputs("bbans: error: ", stderr);
    (void)vfprintf(stderr, format, list);
    (void)fputc('\n', stderr);
    va_end(list);
    exit(WRONG_USAGE);
}

/* ---- What options there are ---------------------------------------------- */

/* What an option that takes no value sets an int of the options to. */
typedef struct {
    char letter; /* or 0 */
    const char *name;
    size_t place;
    int value;
} flag;

/* And one that takes a value, which it sets. */
typedef struct {
    char letter;
    const char *name;
    size_t place;
} setting;

static const flag flags[] = {
    {'c', "stdout", offsetof(options, to_stdout), 1},
    {'f', "force", offsetof(options, force), 1},
    {'k', "keep", offsetof(options, removes), 0},
    {0, "rm", offsetof(options, removes), 1},
    {'r', "recursive", offsetof(options, recursive), 1},
    {'q', "quiet", offsetof(options, quiet), 1},
    {'v', "verbose", offsetof(options, verbose), 1},
    {'d', "decompress", offsetof(options, restores), 1},
    {'t', "test", offsetof(options, tests), 1},
    {'l', "list", offsetof(options, lists), 1},
    {0, "salvage", offsetof(options, salvages), 1},
    {'h', "help", offsetof(options, wants_help), 1},
    {'V', "version", offsetof(options, wants_version), 1},
};

static const setting settings[] = {
    {'o', "output", offsetof(options, output)},
    {'m', "model", offsetof(options, model)},
    {'T', "threads", offsetof(options, threads)},
};

#define SHOWN_MAX 32
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Of a letter, or of n characters of a name, which may go on with a '='. */
static const flag *flag_of(char letter, const char *name, size_t n)
{
    size_t i;

    for (i = 0; i < COUNT(flags); i++)
        if (name == NULL ? flags[i].letter == letter
                         : strncmp(flags[i].name, name, n) == 0 &&
                               flags[i].name[n] == '\0')
            return &flags[i];
    return NULL;
}

static const setting *setting_of(char letter, const char *name, size_t n)
{
    size_t i;

    for (i = 0; i < COUNT(settings); i++)
        if (name == NULL ? settings[i].letter == letter
                         : strncmp(settings[i].name, name, n) == 0 &&
                               settings[i].name[n] == '\0')
            return &settings[i];
    return NULL;
}

/* As errors call it: -k/--keep. */
static const char *shown(const flag *f, char text[SHOWN_MAX])
{
    if (f->letter == 0)
        (void)snprintf(text, SHOWN_MAX, "--%s", f->name);
    else
        (void)snprintf(text, SHOWN_MAX, "-%c/--%s", f->letter, f->name);
    return text;
}

static void set_flag(options *o, const flag *f)
{
    memcpy((char *)o + f->place, &f->value, sizeof f->value);
}

/* The value is `rest`, or the next argument; returns how many were used. */
static int set(options *o, const setting *s, const char *rest, char **next)
{
    const char *const value = rest != NULL ? rest : *next;

    if (value == NULL || (rest == NULL && value[0] == '-' && value[1] != '\0'))
        refuse_usage("argument -%c/--%s: expected one argument", s->letter,
                     s->name);
    memcpy((char *)o + s->place, &value, sizeof value);
    return rest == NULL;
}

/* ---- Reading them -------------------------------------------------------- */

/* An argument of one option, which begins with "--"; returns how many of those
 * behind it were used. */
static int read_long(options *o, const char *argument, char **next)
{
    const char *const name = argument + 2;
    const size_t n = strcspn(name, "=");
    char text[SHOWN_MAX];
    const setting *const s = setting_of(0, name, n);
    const flag *const f = flag_of(0, name, n);

    if (s != NULL)
        return set(o, s, name[n] == '=' ? name + n + 1 : NULL, next);
    if (f == NULL)
        refuse_usage("unrecognized arguments: %s", argument);
    if (name[n] == '=')
        refuse_usage("argument %s: ignored explicit argument '%s'",
                     shown(f, text), name + n + 1);
    set_flag(o, f);
    return 0;
}

/* One of letters, the last of which may be followed by its value. */
static int read_short(options *o, const char *argument, char **next)
{
    char before[SHOWN_MAX] = "";
    const char *letter;

    for (letter = argument + 1; *letter != '\0'; letter++) {
        const setting *const s = setting_of(*letter, NULL, 0);
        const flag *const f = flag_of(*letter, NULL, 0);

        if (s != NULL)
            return set(o, s, letter[1] != '\0' ? letter + 1 : NULL, next);
        if (*letter >= '1' && *letter <= '0' + BBANS_LEVEL_MAX) {
            o->level = *letter - '0';
            (void)snprintf(before, sizeof before, "-%c", *letter);
        } else if (f != NULL) {
            set_flag(o, f);
            (void)shown(f, before);
        } else if (before[0] != '\0') {
            refuse_usage("argument %s: ignored explicit argument '%s'", before,
                         letter);
        } else {
            refuse_usage("unrecognized arguments: %s", argument);
        }
    }
    return 0;
}

/* Print what was asked for, and end. */
static void answer(const options *o)
{
    if (o->wants_help)
        exit(print("%s%s", usage, help));
    if (o->wants_version)
        exit(print("bbans %d.%d.%d\n", BBANS_VERSION / 10000,
                   BBANS_VERSION / 100 % 100, BBANS_VERSION % 100));
}

static void check(const options *o)
{
    const char *const with = o->to_stdout ? "stdout"
                             : o->tests   ? "test"
                             : o->lists   ? "list"
                                          : NULL;
    const size_t n = o->threads == NULL ? 1 : strlen(o->threads);

    if (o->threads != NULL &&
        (n < 1 || n > 6 || strspn(o->threads, "0123456789") != n))
        refuse_usage("argument -T/--threads: '%s' is no number of threads: say "
                     "one, or 0 for all cores",
                     o->threads);
    if (o->salvages && !o->restores && !o->tests)
        refuse_usage("--salvage goes with -d or -t");
    if (o->output != NULL && o->n_names > 1)
        refuse_usage("-o takes one FILE; -c writes all to stdout");
    if (o->output != NULL && with != NULL)
        refuse_usage("-o does not go with --%s", with);
    if (o->n_names == 0 && isatty(0))
        refuse_usage("stdin is a terminal: say FILE, or - to type the input");
}

void options_read(options *o, int argc, char **argv)
{
    static char *standard[] = {(char *)"-"};
    int i, ends = 0;

    memset(o, 0, sizeof *o);
    o->level = BBANS_LEVEL_DEFAULT;
    o->names = argv;
    for (i = 1; i < argc; i++) {
        char *const argument = argv[i]; /* argv[argc] is NULL */

        if (ends || argument[0] != '-' || argument[1] == '\0')
            o->names[o->n_names++] = argument;
        else if (strcmp(argument, "--") == 0)
            ends = 1;
        else if (argument[1] == '-')
            i += read_long(o, argument, argv + i + 1);
        else
            i += read_short(o, argument, argv + i + 1);
    }
    answer(o);
    check(o);
    if (o->n_names == 0) {
        o->names = standard;
        o->n_names = 1;
    }
    if (o->model == NULL)
        o->model = getenv("BBANS_MODEL");
    if (o->model != NULL && o->model[0] == '\0')
        o->model = NULL;
}
