/* SPDX-License-Identifier: Apache-2.0
 * fuzz/replay.c: a target without libFuzzer: its seeds as they are, then a fixed number of mutations of them, the same ones
 * every time.
 *
 *     fuzz_csv FOLDER [COUNT [LAST]]      each file of the folder, then COUNT mutations
 *     fuzz_csv FILE                       that input alone
 *
 * LAST is a file that holds the mutation that is running, so that one which ends the process is there afterwards: a new seed. */
#include "target.h"

#include "util/file.h"
#include "util/memory.h"
#include "util/path.h"
#include "util/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ROOM = 1 << 16 /* bytes of a mutation */ };

typedef struct input {
    char *data;
    size_t size;
} input;

static struct corpus {
    input *at;
    size_t count, capacity;
} corpus;

static uint64_t state = 1;

/* A number below `below`, which is not 0 (xorshift64*). */
static size_t roll(size_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (size_t)((state * 0x2545f4914f6cdd1d) >> 33) % below;
}

static void run(const void *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* so that the address sanitizer sees the end */
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static bool load(const char *path)
{
    input i;
    error e = { 0 };
    if (file_read(path, 0, &i.data, &i.size, &e) != LTH_OK) {
        fprintf(stderr, "%s\n", e.text);
        return false;
    }
    corpus.at = memory_grow(corpus.at, &corpus.capacity, corpus.count + 1, sizeof *corpus.at);
    corpus.at[corpus.count++] = i;
    return true;
}

static bool load_folder(const char *folder)
{
    file_names names = { 0 };
    error e = { 0 };
    bool good = file_list(folder, &names, &e) == LTH_OK && names.count > 0;
    for (size_t i = 0; i < names.count && good; i++) {
        char *path = path_join(folder, names.at[i]);
        good = load(path);
        free(path);
    }
    file_names_free(&names);
    return good;
}

/* ---- Mutations ---- */

/* Replaces bytes [at, at + length) by others; what does not fit into ROOM is cut off. */
static size_t put_in_place(char *text, size_t size, size_t at, size_t length, const char *by, size_t by_size)
{
    char piece[ROOM];
    if (size - length + by_size > ROOM)
        by_size = ROOM - (size - length);
    memcpy(piece, by, by_size); /* it may be of the text itself */
    memmove(text + at + by_size, text + at + length, size - at - length);
    memcpy(text + at, piece, by_size);
    return size - length + by_size;
}

static size_t mutate(char *text, size_t size)
{
    static const char *const words[] = { "0",
                                         "-1",
                                         "9223372036854775807",
                                         "18446744073709551616",
                                         "1e999",
                                         "nan",
                                         "\xff",
                                         "\xc3",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "\r",
                                         "\n====\n",
                                         "{",
                                         "[[[[[[[[",
                                         "}",
                                         ":",
                                         ",",
                                         "=",
                                         "${",
                                         "" };
    const size_t word_count = sizeof words / sizeof *words;
    size_t at = roll(size + 1), length = roll(size - at < 16 ? size - at + 1 : 16);
    const input *other = &corpus.at[roll(corpus.count)];
    switch (roll(6)) {
    case 0:
        if (at < size)
            text[at] = (char)(text[at] ^ (1 << roll(8)));
        return size;
    case 1:
        if (at < size)
            text[at] = (char)roll(256);
        return size;
    case 2:
        return put_in_place(text, size, at, length, "", 0);
    case 3: {
        const char *word = words[roll(word_count)]; /* the last one stands for a NUL byte */
        return put_in_place(text, size, at, roll(2) ? length : 0, word, *word ? strlen(word) : 1);
    }
    case 4: {
        size_t from = roll(other->size + 1), most = other->size - from;
        return put_in_place(text, size, at, roll(2) ? length : 0, other->data + from, most ? roll(most < 64 ? most : 64) : 0);
    }
    default:
        return put_in_place(text, size, at, 0, text + at, length);
    }
}

static void run_mutations(long count, const char *last)
{
    int fd = last ? open(last, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
    for (long i = 0; i < count; i++) {
        static char text[ROOM];
        const input *from = &corpus.at[roll(corpus.count)];
        size_t size = from->size < ROOM ? from->size : ROOM;
        memcpy(text, from->data, size);
        for (size_t n = 1 + roll(4); n; n--)
            size = mutate(text, size);
        if (fd >= 0 && (pwrite(fd, text, size, 0) < 0 || ftruncate(fd, (off_t)size) != 0))
            perror(last);
        run(text, size);
    }
    if (fd >= 0)
        close(fd);
    if (last)
        unlink(last);
}

int main(int argc, char **argv)
{
    /* What announces more than it has must not get it. A sanitizer reserves more than that for itself. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const struct rlimit most = { (rlim_t)1 << 30, (rlim_t)1 << 30 };
    setrlimit(RLIMIT_AS, &most);
#endif
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: %s FOLDER [COUNT [LAST]] | FILE\n", argv[0]);
        return 2;
    }
    if (!(path_is_dir(argv[1]) ? load_folder(argv[1]) : load(argv[1])))
        return 1;
    for (size_t i = 0; i < corpus.count; i++)
        run(corpus.at[i].data, corpus.at[i].size);
    run_mutations(argc > 2 ? strtol(argv[2], NULL, 10) : 0, argc > 3 ? argv[3] : NULL);
    for (size_t i = 0; i < corpus.count; i++)
        free(corpus.at[i].data);
    free(corpus.at);
    return 0;
}
