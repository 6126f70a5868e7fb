/* SPDX-License-Identifier: Apache-2.0
 * Preloaded into lthost: sees every malloc, calloc, realloc, aligned allocation and mmap of the process, from whichever
 * thread. Between count_begin and count_end each caller's address is kept in a fixed table; at exit the callers are told
 * apart by the library they lie in. oneDNN (and libstdc++ under it), OpenBLAS and libgomp allocate in every execute and
 * are counted apart. Writes "own N library M" and a line a caller to $COUNT_FILE. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum { PLACES = 4096 };
struct place { _Atomic(void *) caller; atomic_long count; };
static struct place places[PLACES];
static atomic_bool counting;
static atomic_long windows;

static void note(void *caller)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    for (size_t i = (size_t)caller / 4 % PLACES, tries = 0; tries < PLACES; i = (i + 1) % PLACES, tries++) {
        void *none = NULL;
        if (atomic_compare_exchange_strong(&places[i].caller, &none, caller) || none == caller) {
            atomic_fetch_add(&places[i].count, 1);
            return;
        }
    }
}

void count_begin(void) { atomic_store(&counting, 1); }
void count_end(void)
{
    atomic_store(&counting, 0);
    atomic_fetch_add(&windows, 1);
}

void *malloc(size_t n) { note(__builtin_return_address(0)); return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { note(__builtin_return_address(0)); return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { note(__builtin_return_address(0)); return __libc_realloc(p, n); }
void *memalign(size_t alignment, size_t n) { note(__builtin_return_address(0)); return __libc_memalign(alignment, n); }
void *aligned_alloc(size_t alignment, size_t n) { note(__builtin_return_address(0)); return __libc_memalign(alignment, n); }
int posix_memalign(void **out, size_t alignment, size_t n)
{
    note(__builtin_return_address(0));
    return (*out = __libc_memalign(alignment, n)) ? 0 : ENOMEM;
}
void *mmap(void *at, size_t n, int protection, int flags, int file, off_t offset)
{
    note(__builtin_return_address(0));
    return (void *)syscall(SYS_mmap, at, n, protection, flags, file, offset);
}

static int is_library(const char *path)
{
    static const char *const names[] = { "libdnnl", "libstdc++", "libopenblas", "libgomp", "libblas" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(path, names[i]))
            return 1;
    return 0;
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("COUNT_FILE");
    FILE *file = path ? fopen(path, "w") : NULL;
    long own = 0, library = 0;
    if (!file || !atomic_load(&windows)) {
        if (file)
            fclose(file);
        return;
    }
    for (size_t i = 0; i < PLACES; i++) {
        void *caller = atomic_load(&places[i].caller);
        long count = atomic_load(&places[i].count);
        Dl_info in = { 0 };
        if (!caller)
            continue;
        int known = dladdr(caller, &in) && in.dli_fname;
        *(known && is_library(in.dli_fname) ? &library : &own) += count;
        fprintf(file, "%ld %s+0x%tx %s\n", count, known ? in.dli_fname : "?", known ? (char *)caller - (char *)in.dli_fbase : 0,
                known && in.dli_sname ? in.dli_sname : "");
    }
    fprintf(file, "windows %ld own %ld library %ld\n", atomic_load(&windows), own, library);
    fclose(file);
}
