/* A machine with faults, between a program and its C library (LD_PRELOAD).
 *
 * Calls about what lies below FAULTS_ROOT are counted and, with FAULTS_LOG, written
 * down: each by its name, and by what it changed if it changed something. Call number
 * FAULTS_AT has the fault FAULTS_FAULT. FAULTS_CLOCK moves the clock by so many
 * seconds, or with "stopped" stops it. Without FAULTS_ROOT nothing is done.
 *
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Beside errno's. */
enum {
    SHORT = 0,   /* half of what is asked for */
    KILLED = -1, /* before the call          */
    TORN = -2    /* after half of a write    */
};

static const char *root;
static long at, n_calls;
static int fault, log_fd = -1;
static long long clock_shift;
static int clock_stopped;

__attribute__((constructor)) void faults_begin(void)
{
    const char *const log = getenv("FAULTS_LOG"), *const nth = getenv("FAULTS_AT");
    const char *const what = getenv("FAULTS_FAULT");
    const char *const shift = getenv("FAULTS_CLOCK");

    root = getenv("FAULTS_ROOT");
    at = nth == NULL ? 0 : atol(nth);
    fault = what == NULL ? 0 : atoi(what);
    n_calls = 0;
    clock_shift = shift == NULL ? 0 : atoll(shift);
    clock_stopped = shift != NULL && strcmp(shift, "stopped") == 0;
    if (log == NULL)
        return;
    /* Of a number that no test counts on. */
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log,
                          O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log_fd >= 0) {
        const int low = log_fd;

        log_fd = fcntl(low, F_DUPFD_CLOEXEC, 200);
        (void)syscall(SYS_close, low);
    }
}

/* ---- What is watched ----------------------------------------------------- */

static int is_below(const char *path)
{
    const size_t n = root == NULL ? 0 : strlen(root);

    return root != NULL && strncmp(path, root, n) == 0 &&
           (path[n] == '/' || path[n] == '\0');
}

/* As an absolute path; the tests have no links on the way. */
static const char *whole(const char *path, char *to)
{
    char folder[PATH_MAX];

    if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        (void)snprintf(to, PATH_MAX, "%s", path);
    else
        (void)snprintf(to, PATH_MAX, "%.*s/%.*s", PATH_MAX / 2, folder,
                       PATH_MAX / 3, path);
    return to;
}

static int on_path(const char *path)
{
    char to[PATH_MAX];

    return root != NULL && path != NULL && is_below(whole(path, to));
}

static int on_fd(int fd)
{
    char link[32], path[PATH_MAX];
    ssize_t n;

    if (root == NULL || fd == log_fd)
        return 0;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = '\0';
    return is_below(path);
}

/* ---- What is written down ------------------------------------------------ */

static void note(const char *format, ...)
{
    char line[3 * PATH_MAX];
    const int before = errno;
    va_list list;

    if (log_fd < 0)
        return;
    va_start(list, format);
    (void)vsnprintf(line, sizeof line, format, list);
    va_end(list);
    (void)!syscall(SYS_write, log_fd, line, strlen(line));
    errno = before;
}

static unsigned long long inode(int fd)
{
    struct stat status;

    return fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 ? status.st_ino : 0;
}

static void note_paths(const char *what, const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];

    note("%s\t%s\t%s\n", what, whole(from, a), to == NULL ? "" : whole(to, b));
}

static void note_write(int fd, off_t where, const void *bytes, ssize_t n)
{
    note("write\t%llu\t%lld\t%lld\n", inode(fd), (long long)where, (long long)n);
    if (log_fd >= 0 && n > 0)
        (void)!syscall(SYS_write, log_fd, bytes, (size_t)n);
}

/* The next call: does it fail? */
static int fails(const char *name)
{
    n_calls++;
    note("call\t%s\n", name);
    if (n_calls != at)
        return 0;
    if (fault == KILLED)
        (void)kill(getpid(), SIGKILL);
    errno = fault;
    return fault > 0;
}

/* How much of n bytes the call is to be about. */
static size_t part_of(size_t n)
{
    const int is_part = n_calls == at && (fault == SHORT || fault == TORN);

    return is_part && n > 1 ? n / 2 : n;
}

/* ---- Calls --------------------------------------------------------------- */

#define REAL(type, name, parameters)                                           \
    static type(*real) parameters;                                             \
                                                                               \
    if (real == NULL)                                                          \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

/* after: what is written down if it succeeds. */
#define CALL(type, name, called, watched, parameters, arguments, after)        \
    type name parameters                                                       \
    {                                                                          \
        const int is_watched = watched;                                        \
        type result;                                                           \
        REAL(type, name, parameters);                                          \
                                                                               \
        if (is_watched && fails(called))                                       \
            return (type)-1;                                                   \
        result = real arguments;                                               \
        if (is_watched && result != (type)-1) {                                \
            after;                                                             \
        }                                                                      \
        return result;                                                         \
    }

static void note_sync(int fd)
{
    struct stat status;
    char link[32], path[PATH_MAX];
    ssize_t n;

    if (fstatat(fd, "", &status, AT_EMPTY_PATH) != 0)
        return;
    if (!S_ISDIR(status.st_mode)) {
        note("sync\t%llu\n", (unsigned long long)status.st_ino);
        return;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = '\0';
    note("syncdir\t%s\n", path);
}

CALL(int, fsync, "fsync", on_fd(fd), (int fd), (fd), note_sync(fd))
CALL(int, fdatasync, "fsync", on_fd(fd), (int fd), (fd), note_sync(fd))
CALL(int, rename, "rename", on_path(to), (const char *from, const char *to),
     (from, to), note_paths("rename", from, to))
CALL(int, link, "link", on_path(to), (const char *from, const char *to),
     (from, to), note_paths("link", from, to))
CALL(int, linkat, "link", on_path(to),
     (int a, const char *from, int b, const char *to, int flags),
     (a, from, b, to, flags), note_paths("link", from, to))
CALL(int, unlink, "unlink", on_path(path), (const char *path), (path),
     note_paths("unlink", path, NULL))
CALL(int, mkdir, "mkdir", on_path(path), (const char *path, mode_t mode),
     (path, mode), note_paths("mkdir", path, NULL))
CALL(int, ftruncate, "ftruncate", on_fd(fd), (int fd, off_t n), (fd, n),
     note("truncate\t%llu\t%lld\n", inode(fd), (long long)n))
CALL(int, ftruncate64, "ftruncate", on_fd(fd), (int fd, off64_t n), (fd, n),
     note("truncate\t%llu\t%lld\n", inode(fd), (long long)n))
CALL(off_t, lseek, "lseek", on_fd(fd), (int fd, off_t n, int how), (fd, n, how), )
CALL(off64_t, lseek64, "lseek", on_fd(fd), (int fd, off64_t n, int how),
     (fd, n, how), )
CALL(int, stat, "stat", on_path(path),
     (const char *restrict path, struct stat *restrict to), (path, to), )
CALL(int, stat64, "stat", on_path(path),
     (const char *restrict path, struct stat64 *restrict to), (path, to), )
CALL(int, lstat, "stat", on_path(path),
     (const char *restrict path, struct stat *restrict to), (path, to), )
CALL(int, lstat64, "stat", on_path(path),
     (const char *restrict path, struct stat64 *restrict to), (path, to), )
CALL(int, fstat, "stat", on_fd(fd), (int fd, struct stat *to), (fd, to), )
CALL(int, fstat64, "stat", on_fd(fd), (int fd, struct stat64 *to), (fd, to), )
CALL(int, fchmod, "fchmod", on_fd(fd), (int fd, mode_t mode), (fd, mode), )
CALL(int, fchown, "fchown", on_fd(fd), (int fd, uid_t u, gid_t g), (fd, u, g), )
CALL(int, futimens, "futimens", on_fd(fd), (int fd, const struct timespec t[2]),
     (fd, t), )
CALL(int, flock, "flock", on_fd(fd), (int fd, int how), (fd, how), )
CALL(void *, mmap, "mmap", on_fd(fd),
     (void *to, size_t n, int how, int flags, int fd, off_t from),
     (to, n, how, flags, fd, from), )
CALL(void *, mmap64, "mmap", on_fd(fd),
     (void *to, size_t n, int how, int flags, int fd, off64_t from),
     (to, n, how, flags, fd, from), )

/* What is closed is closed, whatever it returns. */
int close(int fd)
{
    const int is_watched = on_fd(fd), is_wrong = is_watched && fails("close");
    const int error = errno;
    REAL(int, close, (int));

    if (real(fd) != 0)
        return -1;
    errno = error;
    return is_wrong ? -1 : 0;
}

static void note_open(const char *path, int flags, int fd, int is_new)
{
    if (fd < 0 || !(flags & (O_CREAT | O_TRUNC)))
        return;
    if (is_new) {
        char to[PATH_MAX];

        note("create\t%llu\t%s\n", inode(fd), whole(path, to));
    } else if (flags & O_TRUNC) {
        note("truncate\t%llu\t0\n", inode(fd));
    }
}

#define OPEN(name, parameters, arguments)                             \
    int name parameters                                                        \
    {                                                                          \
        const int is_watched = on_path(path);                                  \
        const int is_new = is_watched && faccessat(AT_FDCWD, path, F_OK, 0);   \
        int fd;                                                                \
        mode_t mode = 0;                                                       \
        REAL(int, name, parameters);                                           \
                                                                               \
        if (flags & O_CREAT) {                                   \
            va_list list;                                                      \
                                                                               \
            va_start(list, flags);                                             \
            mode = va_arg(list, mode_t);                                       \
            va_end(list);                                                      \
        }                                                                      \
        if (is_watched && fails("open"))                                       \
            return -1;                                                         \
        fd = real arguments;                                                   \
        if (is_watched)                                                        \
            note_open(path, flags, fd, is_new);                                \
        return fd;                                                             \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int folder, const char *path, int flags, ...),
     (folder, path, flags, mode))
OPEN(openat64, (int folder, const char *path, int flags, ...),
     (folder, path, flags, mode))

ssize_t read(int fd, void *to, size_t n)
{
    const int is_watched = on_fd(fd);
    REAL(ssize_t, read, (int, void *, size_t));

    if (is_watched && fails("read"))
        return -1;
    return real(fd, to, is_watched ? part_of(n) : n);
}

static off_t place(int fd)
{
    const int flags = fcntl(fd, F_GETFL);

    return flags & O_APPEND ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_END)
                            : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *from, size_t n)
{
    const int is_watched = on_fd(fd);
    off_t where;
    ssize_t done;
    REAL(ssize_t, write, (int, const void *, size_t));

    if (!is_watched)
        return real(fd, from, n);
    if (fails("write"))
        return -1;
    where = place(fd);
    done = real(fd, from, part_of(n));
    if (done >= 0)
        note_write(fd, where, from, done);
    if (n_calls == at && fault == TORN)
        (void)kill(getpid(), SIGKILL);
    return done;
}

/* ---- The clock ----------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    const int status = (int)syscall(SYS_clock_gettime, clock, now);

    if (status == 0 && clock == CLOCK_REALTIME) {
        now->tv_sec += (time_t)clock_shift;
        if (clock_stopped)
            now->tv_sec = now->tv_nsec = 1;
    }
    return status;
}

time_t time(time_t *to)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
    struct timespec now = {0, 0};

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}
