/* SPDX-License-Identifier: Apache-2.0
 * The program's own write, fsync, rename and so on: the linker takes them before the C library's. They pass on to the kernel,
 * but for fsync, and for the one call that a test wants to go wrong. */
#include "help.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

char fault_log[16384];

static struct {
    fault kind;
    bool counting;
    int at, code, calls;
} plan;

void faults_begin(fault kind, int at, int code)
{
    plan.kind = kind;
    plan.at = at;
    plan.code = code;
    plan.calls = 0;
    plan.counting = true;
    fault_log[0] = 0;
}

int faults_end(void)
{
    plan.counting = false;
    return plan.calls;
}

static void note(const char *call, const char *name)
{
    size_t used = strlen(fault_log);
    const char *base = strrchr(name, '/');
    snprintf(fault_log + used, sizeof fault_log - used, "%s %s\n", call, base ? base + 1 : name);
}

/* Whether this call is to fail. */
static bool goes_wrong(const char *call, const char *name)
{
    if (!plan.counting)
        return false;
    note(call, name);
    if (++plan.calls != plan.at || plan.kind == FAULT_SHORT)
        return false;
    if (plan.kind == FAULT_KILL)
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    errno = plan.code;
    return plan.kind == FAULT_ERROR;
}

static const char *name_of(int fd)
{
    static char name[512];
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, name, sizeof name - 1);
    name[n < 0 ? 0 : n] = 0;
    return name;
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (plan.counting && goes_wrong("write", name_of(fd)))
        return -1;
    if (plan.counting && plan.kind == FAULT_SHORT && size > 2)
        size = size / 2 - (size > 4);
    return syscall(SYS_write, fd, data, size);
}

/* Not passed on: no test pulls the plug, and a disk takes its time. */
int fsync(int fd) { return plan.counting && goes_wrong("fsync", name_of(fd)) ? -1 : 0; }

int open(const char *path, int flags, ...)
{
    va_list a;
    va_start(a, flags);
    int mode = flags & O_CREAT ? va_arg(a, int) : 0;
    va_end(a);
    return flags & O_CREAT && goes_wrong("create", path) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return goes_wrong("mkdir", path) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *from, const char *to)
{
    return goes_wrong("rename", to) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return goes_wrong("renameat2", to) ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int symlink(const char *target, const char *path)
{
    return goes_wrong("symlink", path) ? -1 : (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

int unlink(const char *path) { return goes_wrong("unlink", path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }

int unlinkat(int dir, const char *path, int flags)
{
    return goes_wrong("unlinkat", path) ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
}
