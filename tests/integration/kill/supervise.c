/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* A call that changes a file: which argument is its descriptor or its path, and the folder of a relative path. */
static const struct call {
    int number;
    const char *name;
    int fd, folder, path; /* -1: none */
} calls[] = {
    { __NR_write, "write", 0, -1, -1 },        { __NR_pwrite64, "write", 0, -1, -1 },
    { __NR_ftruncate, "truncate", 0, -1, -1 }, { __NR_fsync, "sync", 0, -1, -1 },
    { __NR_fdatasync, "sync", 0, -1, -1 },     { __NR_openat, "create", -1, 0, 1 }, /* with O_CREAT alone */
    { __NR_mkdirat, "mkdir", -1, 0, 1 },       { __NR_renameat2, "rename", -1, 2, 3 },
    { __NR_symlinkat, "symlink", -1, 1, 2 },   { __NR_unlinkat, "unlink", -1, 0, 1 },
#ifdef __NR_mkdir /* older names, which newer processors do without */
    { __NR_mkdir, "mkdir", -1, -1, 0 },        { __NR_rename, "rename", -1, -1, 1 },
    { __NR_renameat, "rename", -1, 2, 3 },     { __NR_symlink, "symlink", -1, -1, 1 },
    { __NR_unlink, "unlink", -1, -1, 0 },      { __NR_rmdir, "unlink", -1, -1, 0 },
#endif
};
enum { CALLS = sizeof calls / sizeof *calls };

/* ---- In the child ---- */

#define WORD(field) (uint32_t) offsetof(struct seccomp_data, field)

/* The descriptor by which the calls are heard of, or -1. */
static int listen_to_calls(void)
{
    struct sock_filter f[2 * CALLS + 8];
    unsigned short n = 0;
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WORD(nr));
    for (int i = 0; i < CALLS; i++)
        if (calls[i].number != __NR_openat) {
            f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, 0, 1);
            f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        }
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 1, 0);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WORD(args[2]));
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = { n, f };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

typedef union passed {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
} passed;

/* Hands the listener over; no data, so that nothing but the descriptor is waited for. */
static void begin_supervised(void *context)
{
    char byte = 0;
    passed p = { 0 };
    struct iovec one = { &byte, 1 };
    struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &p, .msg_controllen = sizeof p };
    int fd = listen_to_calls();
    *CMSG_FIRSTHDR(&m) = (struct cmsghdr) { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
    if (fd < 0)
        m.msg_controllen = 0;
    if (sendmsg(*(int *)context, &m, 0) != 1 || fd < 0)
        _exit(126);
}

/* ---- Here ---- */

static int receive_listener(int from)
{
    char byte;
    int fd = -1;
    passed p;
    struct iovec one = { &byte, 1 };
    struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &p, .msg_controllen = sizeof p };
    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static pid_t start_supervised(const char *const *arguments, int *listener)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_t child = run_start(arguments, begin_supervised, &ends[1]);
    close(ends[1]);
    *listener = receive_listener(ends[0]);
    close(ends[0]);
    return child;
}

bool can_supervise(void)
{
    int listener;
    pid_t child = start_supervised((const char *const[]) { "--version", NULL }, &listener);
    bool can = listener >= 0;
    if (can)
        close(listener); /* its calls fail from now on */
    outcome o = run_finish(child);
    outcome_free(&o);
    if (!can)
        fprintf(stderr, "skipped: this system does not let a program's system calls be supervised (seccomp)\n");
    return can;
}

static void link_text(pid_t of, int fd, char out[PATH_MAX])
{
    char link[64];
    if (fd == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/%d/cwd", of);
    else
        snprintf(link, sizeof link, "/proc/%d/fd/%d", of, fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n < 0 ? 0 : n] = 0;
}

/* A text of the child's memory, page by page: the next page may not be there. */
static void read_text(pid_t of, uint64_t at, char out[PATH_MAX])
{
    size_t got = 0;
    while (got < PATH_MAX - 1 && !memchr(out, 0, got)) {
        size_t part = 4096 - (at + got) % 4096, room = PATH_MAX - 1 - got;
        struct iovec here = { out + got, part < room ? part : room }, there = { (void *)(uintptr_t)(at + got), here.iov_len };
        ssize_t n = process_vm_readv(of, &here, 1, &there, 1, 0);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    out[got] = 0;
}

enum { JOINED = 2 * PATH_MAX };

static void path_of(const struct call *c, const struct seccomp_notif *n, char out[JOINED])
{
    char name[PATH_MAX];
    if (c->fd >= 0) {
        link_text((pid_t)n->pid, (int)n->data.args[c->fd], out);
        return;
    }
    read_text((pid_t)n->pid, n->data.args[c->path], name);
    link_text((pid_t)n->pid, c->folder < 0 ? AT_FDCWD : (int)n->data.args[c->folder], out);
    size_t used = strlen(out);
    if (name[0] == '/')
        strcpy(out, name);
    else
        snprintf(out + used, JOINED - used, "/%s", name);
}

/* Writes the first half of what the child wants to write, by a copy of its descriptor; answers how much was written. */
static int64_t write_half(pid_t child, const struct seccomp_notif *n)
{
    char half[1 << 16];
    size_t size = (size_t)n->data.args[2] / 2;
    struct iovec here = { half, size < sizeof half ? size : sizeof half },
                 there = { (void *)(uintptr_t)n->data.args[1], here.iov_len };
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    int fd = (int)syscall(SYS_pidfd_getfd, process, (int)n->data.args[0], 0);
    ssize_t done = process_vm_readv((pid_t)n->pid, &here, 1, &there, 1, 0);
    done = n->data.nr == __NR_write ? write(fd, half, (size_t)done) : pwrite(fd, half, (size_t)done, (off_t)n->data.args[3]);
    close(fd);
    close(process);
    return done;
}

static const struct call *call_of(int number)
{
    const struct call *c = calls;
    while (c->number != number)
        c++;
    return c;
}

/* What becomes of one call. False: the child was killed. */
static bool judge(pid_t child, const struct seccomp_notif *n, struct seccomp_notif_resp *answer, const fault_plan *plan,
                  int64_t *count, str *log)
{
    const struct call *c = call_of(n->data.nr);
    char path[JOINED], line[JOINED];
    *answer = (struct seccomp_notif_resp) { .id = n->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
    path_of(c, n, path);
    const char *below = strstr(path, "/runs");
    if (!below)
        return true;
    const char *base = strrchr(below, '/') + 1;
    snprintf(line, sizeof line, "%.8s %.*s", c->name, PATH_MAX, base);
    if (log)
        str_printf(log, "%s\n", line);
    if (plan->only && !str_starts(line, plan->only))
        return true;
    bool hit = ++*count == plan->at || (plan->from_there && *count > plan->at);
    if (hit && plan->kind == FAULT_KILL)
        return kill(child, SIGKILL) != 0;
    if (hit && plan->kind == FAULT_ERROR)
        *answer = (struct seccomp_notif_resp) { .id = n->id, .error = -plan->code };
    if (plan->kind == FAULT_SHORT && strcmp(c->name, "write") == 0 && n->data.args[2] > 1)
        *answer = (struct seccomp_notif_resp) { .id = n->id, .val = write_half(child, n) };
    return true;
}

outcome supervised(const char *const *arguments, const fault_plan *plan, str *log)
{
    int listener;
    int64_t count = 0;
    pid_t child = start_supervised(arguments, &listener);
    struct pollfd wait = { listener, POLLIN, 0 };
    while (poll(&wait, 1, -1) == 1 && wait.revents & POLLIN) {
        struct seccomp_notif n = { 0 };
        struct seccomp_notif_resp answer;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0)
            continue; /* it went away meanwhile */
        if (!judge(child, &n, &answer, plan, &count, log))
            break;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    close(listener);
    return run_finish(child);
}
