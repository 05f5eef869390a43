/* Files that are whole or not there, and what is said of them.
 *
 * SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_MIN ((size_t)1 << 16)
#define LINE_BYTES (2 * PATH_MAX + 512)
#define TRIES_MAX 100

/* ---- Waiting ------------------------------------------------------------- */

static void wait_for(int fd, short event)
{
    struct pollfd one;

    one.fd = fd;
    one.events = event;
    one.revents = 0;
    (void)poll(&one, 1, -1);
}

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t part = write(fd, bytes, n);

        if (part >= 0) {
            bytes += part;
            n -= (size_t)part;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            wait_for(fd, POLLOUT);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* ---- What is said -------------------------------------------------------- */

/* Where the character ends that begins there; NULL if it is no UTF-8. */
static const char *end_of_character(const char *at)
{
    size_t n, points;

    for (n = 1; n <= 4 && at[n - 1] != '\0'; n++)
        if (bbans_utf8_decode((const uint8_t *)at, n, NULL, 0, &points) ==
            BBANS_OK)
            return at + n;
    return NULL;
}

void make_visible(const char *text, char *to)
{
    while (*text != '\0') {
        const char *const end = end_of_character(text);
        const unsigned char c = (unsigned char)*text;
        const int is_control = c < 0x20 || c == 0x7f || /* U+0080 to U+009F */
                               (c == 0xc2 && (unsigned char)text[1] < 0xa0);

        if (c == '\n' || c == '\r' || c == '\t') {
            *to++ = '\\';
            *to++ = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
            text++;
        } else if (end == NULL || is_control) {
            to += sprintf(to, "\\x%02x", (unsigned char)*text++);
        } else {
            memcpy(to, text, (size_t)(end - text));
            to += end - text;
            text = end;
        }
    }
    *to = '\0';
}

void say(const char *name, const char *format, ...)
{
    static char text[LINE_BYTES], line[4 * LINE_BYTES];
    size_t n = (size_t)sprintf(text, "bbans: ");
    va_list list;

    if (name != NULL)
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s: ", PATH_MAX,
                              name);
    va_start(list, format);
    (void)vsnprintf(text + n, sizeof text - n, format, list);
    va_end(list);
    make_visible(text, line);
    n = strlen(line);
    line[n++] = '\n';
    (void)write_all(2, (const uint8_t *)line, n); /* else who is to be told? */
}

int say_errno(const char *name)
{
    say(name, "%s", strerror(errno));
    return FAILED;
}

static int is_gone;

int output_failed(void)
{
    is_gone = 1;
    return errno == EPIPE ? FAILED : say_errno(STDOUT_NAME);
}

int output_is_gone(void)
{
    return is_gone;
}

int print(const char *format, ...)
{
    static memory text;
    va_list list, again;
    int n;

    va_start(list, format);
    va_copy(again, list);
    n = vsnprintf(NULL, 0, format, list);
    (void)memory_of(&text, (size_t)n + 1, 0);
    (void)vsnprintf((char *)text.bytes, (size_t)n + 1, format, again);
    va_end(again);
    va_end(list);
    return write_all(1, text.bytes, (size_t)n) == 0 ? DONE : output_failed();
}

/* ---- Unfinished files ---------------------------------------------------- */

/* Its name: one pointer, since a signal comes at any moment. */
static const char *volatile unfinished;

static void discard_unfinished(void)
{
    const char *const name = unfinished;

    if (name != NULL)
        (void)unlink(name);
}

static void end_by(int number)
{
    discard_unfinished();
    (void)signal(number, SIG_DFL);
    (void)raise(number); /* when this returns, and it is no longer blocked */
}

void streams_begin(void)
{
    static const int fatal[] = {SIGHUP,    SIGINT,  SIGQUIT, SIGTERM, SIGALRM,
                                SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGXCPU};
    struct sigaction action;
    int fd;
    size_t i;

    /* What is closed is open the wrong way round: its use is an error, and no
     * file gets its number. */
    for (fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            exit(FAILED);
    memset(&action, 0, sizeof action);
    (void)sigfillset(&action.sa_mask);
    for (i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        struct sigaction before;

        (void)sigaction(fatal[i], NULL, &before);
        action.sa_handler = end_by;
        if (before.sa_handler == SIG_DFL) /* what is ignored stays so: nohup */
            (void)sigaction(fatal[i], &action, NULL);
    }
    action.sa_handler = SIG_IGN; /* writing fails instead */
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL);
}

/* ---- Memory -------------------------------------------------------------- */

void *memory_of(memory *m, size_t n, size_t kept)
{
    uint8_t *bytes;

    if (n <= m->cap && m->bytes != NULL)
        return m->bytes;
    if (kept == 0) { /* a copy would cost time */
        free(m->bytes);
        m->bytes = NULL;
    }
    bytes = realloc(m->bytes, n > 0 ? n : 1);
    if (bytes == NULL) {
        say(NULL, "not enough memory");
        discard_unfinished();
        exit(FAILED);
    }
    m->bytes = bytes;
    m->cap = n;
    return bytes;
}

/* ---- Names --------------------------------------------------------------- */

int is_stdin(const char *name)
{
    return strcmp(name, "-") == 0 || strcmp(name, "/dev/stdin") == 0;
}

int is_stdout(const char *name)
{
    return strcmp(name, "-") == 0 || strcmp(name, "/dev/stdout") == 0;
}

int has_suffix(const char *name)
{
    const size_t n = strlen(name), suffix = strlen(SUFFIX);

    return n >= suffix && strcmp(name + n - suffix, SUFFIX) == 0;
}

/* The part of a path before its last name, with the '/'. */
static size_t folder_length(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

static char *joined(const char *folder, size_t n, const char *name)
{
    const size_t n_name = strlen(name) + 1;
    memory path = {NULL, 0};

    (void)memory_of(&path, n + n_name, 0);
    memcpy(path.bytes, folder, n);
    memcpy(path.bytes + n, name, n_name);
    return (char *)path.bytes;
}

/* /dev/fd/3 and the like are names for what is open, whatever that is. */
int names_open_file(const char *name)
{
    char *const folder = joined(name, folder_length(name), "");
    char real[PATH_MAX];
    const int is = realpath(folder[0] == '\0' ? "." : folder, real) != NULL &&
                   (strcmp(real, "/dev") == 0 || strcmp(real, "/proc") == 0 ||
                    strncmp(real, "/proc/", 6) == 0);

    free(folder);
    return is;
}

/* ---- Reading ------------------------------------------------------------- */

int source_open(source *s, const char *name)
{
    static int stdin_is_taken;
    const memory held = s->held;

    memset(s, 0, sizeof *s);
    s->held = held;
    s->name = is_stdin(name) ? STDIN_NAME : name;
    if (is_stdin(name) && stdin_is_taken++) {
        s->fd = -1;
        say(NULL, STDIN_NAME " can be read once: it is given twice");
        return FAILED;
    }
    s->fd = is_stdin(name) ? 0 : open(name, O_RDONLY);
    if (s->fd < 0 || fstat(s->fd, &s->status) != 0)
        return say_errno(s->name);
    return DONE;
}

void source_close(source *s)
{
    if (s->fd > 0)
        (void)close(s->fd);
    s->fd = -1;
}

/* Room for n bytes, but not for many more than have come, or than the file has
 * left. */
static void make_room(source *s, size_t n)
{
    const uint64_t size = (uint64_t)s->status.st_size;
    size_t most = s->n + s->n / 2;

    if (S_ISREG(s->status.st_mode) && size >= s->taken + s->n &&
        size - s->taken < SIZE_MAX && (size_t)(size - s->taken) >= most)
        most = (size_t)(size - s->taken) + 1; /* and see that it ends */
    n = n < most ? n : most;
    if (s->held.bytes != NULL && s->at != s->held.bytes)
        memmove(s->held.bytes, s->at, s->n);
    s->at = memory_of(&s->held, n < READ_MIN ? READ_MIN : n, s->n);
}

int source_need(source *s, size_t n)
{
    while (s->n < n && !s->ended) {
        ssize_t part;

        make_room(s, n);
        part = read(s->fd, s->held.bytes + s->n, s->held.cap - s->n);
        if (part > 0) {
            s->n += (size_t)part;
        } else if (part == 0) {
            s->ended = 1;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            wait_for(s->fd, POLLIN);
        } else if (errno != EINTR) {
            s->failed = say_errno(s->name);
            s->ended = 1;
            s->n = 0;
        }
    }
    return s->n >= n;
}

void source_take(source *s, size_t n)
{
    s->at += n;
    s->n -= n;
    s->taken += n;
}

int source_skip(source *s, size_t n)
{
    while (n > s->n) {
        const size_t left = n - s->n;
        off_t at;

        n = left;
        source_take(s, s->n);
        at = S_ISREG(s->status.st_mode) ? lseek(s->fd, 0, SEEK_CUR) : -1;
        if (at >= 0 && s->status.st_size - at >= (off_t)n) {
            s->taken += n;
            return lseek(s->fd, (off_t)n, SEEK_CUR) >= 0;
        }
        if (!source_need(s, 1))
            return 0;
    }
    source_take(s, n);
    return 1;
}

/* ---- Writing ------------------------------------------------------------- */

int is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A terminal, or the null device, may be read and written. */
static int is_what_is_read(const struct stat *status, const source *from)
{
    return is_same(status, &from->status) && !S_ISCHR(status->st_mode) &&
           !S_ISSOCK(status->st_mode);
}

/* Open a file of a name that nobody has, beside the target. */
static int open_temporary(sink *s, const source *from)
{
    const int is_file = S_ISREG(from->status.st_mode);
    int tries = 0;

    do {
        char name[32];
        struct timespec now;
        uint64_t number;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        number = ((uint64_t)now.tv_sec << 30) + (uint64_t)now.tv_nsec;
        number += (uint64_t)tries; /* the clock may stand still */
        number = (number ^ (uint64_t)getpid() << 40) * 0x9e3779b97f4a7c15u;
        (void)snprintf(name, sizeof name, ".bbans-%08lx%08lx",
                       (unsigned long)(number >> 32),
                       (unsigned long)(number & 0xffffffffu));
        free(s->temporary);
        s->temporary = joined(s->target, folder_length(s->target), name);
        unfinished = s->temporary;
        s->fd = open(s->temporary, O_WRONLY | O_CREAT | O_EXCL,
                     is_file ? 0600 : 0666);
        if (s->fd < 0)
            unfinished = NULL;
    } while (s->fd < 0 && errno == EEXIST && ++tries < TRIES_MAX);
    return s->fd;
}

int sink_open(sink *s, const char *name, const source *from, int force)
{
    struct stat found;
    int exists;

    memset(s, 0, sizeof *s);
    s->name = is_stdout(name) ? STDOUT_NAME : name;
    s->force = force;
    s->fd = 1;
    exists = is_stdout(name) ? fstat(1, &found) == 0 : stat(name, &found) == 0;
    if (!exists && !is_stdout(name) && errno != ENOENT)
        return say_errno(name); /* something may be there */
    if (exists && is_what_is_read(&found, from) &&
        (is_stdout(name) || names_open_file(name))) {
        say(s->name, "is a file that is read: say another output");
        return FAILED;
    }
    if (is_stdout(name))
        return DONE;
    s->closes = 1;
    if (exists && (!S_ISREG(found.st_mode) || names_open_file(name))) {
        s->fd =
            open(name, S_ISREG(found.st_mode) ? O_WRONLY | O_APPEND : O_WRONLY);
        return s->fd < 0 ? say_errno(s->name) : DONE;
    }
    if (exists && !force) {
        say(s->name, "exists: -f replaces it");
        return FAILED;
    }
    s->target = exists ? realpath(name, NULL) : joined(name, strlen(name), "");
    if (s->target == NULL)
        return say_errno(s->name);
    if (S_ISREG(from->status.st_mode))
        s->like = &from->status;
    if (open_temporary(s, from) < 0) {
        (void)say_errno(s->name);
        sink_discard(s);
        return FAILED;
    }
    return DONE;
}

void sink_none(sink *s)
{
    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->name = "nothing";
}

int sink_write(sink *s, const uint8_t *bytes, size_t n)
{
    s->bytes += n;
    if (s->fd < 0 || write_all(s->fd, bytes, n) == 0)
        return DONE;
    return s->fd == 1 ? output_failed() : say_errno(s->name);
}

/* What a copy that belongs to `group` may permit, so that nobody gains by it:
 * members of one group are others to the other. */
static mode_t permissions(const struct stat *file, gid_t group)
{
    const mode_t mode = file->st_mode & 0777;
    const mode_t both = (mode >> 3 & mode) & 7;

    return group == file->st_gid ? mode
                                 : (mode_t)((mode & 0700) | both << 3 | both);
}

/* As far as user and file system may: what fails leaves it more private. */
static void take_over(int fd, const struct stat *like)
{
    struct timespec times[2];
    struct stat own;

    if (fchown(fd, like->st_uid, (gid_t)-1) != 0)
        errno = 0;
    if (fchown(fd, (uid_t)-1, like->st_gid) != 0)
        errno = 0;
    if (fstat(fd, &own) == 0)
        (void)fchmod(fd, permissions(like, own.st_gid));
    times[0] = like->st_atim;
    times[1] = like->st_mtim;
    (void)futimens(fd, times);
}

/* Without `force` only to a name that is free. */
static int give_name(const sink *s)
{
    int fd;

    if (s->force)
        return rename(s->temporary, s->target);
    if (link(s->temporary, s->target) == 0)
        return unlink(s->temporary);
    if (errno == EEXIST)
        return -1;
    /* A file system without links: take the name first. */
    fd = open(s->target, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return -1;
    (void)close(fd);
    if (rename(s->temporary, s->target) == 0)
        return 0;
    fd = errno;
    (void)unlink(s->target);
    errno = fd;
    return -1;
}

/* Make the names in a folder last, where it can be opened for that, and there
 * is such a service. */
static int sync_folder(const char *path)
{
    const size_t n = folder_length(path);
    char *const folder = n > 0 ? joined(path, n, "") : joined("", 0, ".");
    const int fd = open(folder, O_RDONLY);
    int error;

    free(folder);
    if (fd < 0)
        return errno == EACCES || errno == EPERM ? 0 : -1;
    error = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
    (void)close(fd);
    errno = error;
    return error == 0 ? 0 : -1;
}

int sink_finish(sink *s)
{
    int status = DONE;

    if (s->temporary == NULL) {
        if (s->closes && close(s->fd) != 0)
            status = say_errno(s->name);
        s->fd = -1;
        return status;
    }
    if (s->like != NULL)
        take_over(s->fd, s->like);
    if (fsync(s->fd) != 0 || give_name(s) != 0) {
        if (errno == EEXIST)
            say(s->name, "exists: -f replaces it");
        else
            (void)say_errno(s->name);
        sink_discard(s);
        return FAILED;
    }
    unfinished = NULL;
    free(s->temporary);
    s->temporary = NULL;
    if (sync_folder(s->target) != 0)
        status = say_errno(s->name);
    sink_discard(s);
    return status;
}

void sink_discard(sink *s)
{
    if (s->temporary != NULL)
        discard_unfinished();
    unfinished = NULL;
    if (s->closes && s->fd >= 0)
        (void)close(s->fd);
    free(s->temporary);
    free(s->target);
    s->temporary = s->target = NULL;
    s->fd = -1;
}
