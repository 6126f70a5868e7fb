/* SPDX-License-Identifier: Apache-2.0
 * Files, folders, paths and SHA-256, on a folder of its own. */
#include "util/file.h"
#include "util/path.h"
#include "util/sha256.h"
#include "util/str.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static char *in(const char *name)
{
    static char path[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/lthost-util-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void) { file_remove_tree(folder, NULL); }

static void write_text(const char *name, const char *text)
{
    error e = { 0 };
    cr_assert(!file_write_atomic(in(name), text, strlen(text), &e), "%s", e.text);
}

static void holds(const char *name, const char *text)
{
    char *data;
    size_t size;
    error e = { 0 };
    cr_assert(!file_read(in(name), 0, &data, &size, &e), "%s", e.text);
    cr_assert(size == strlen(text) && !memcmp(data, text, size + 1), "'%s'", data);
    free(data);
}

TestSuite(file, .init = make_folder, .fini = remove_folder);
TestSuite(path, .init = make_folder, .fini = remove_folder);

Test(file, is_read_whole_whatever_it_is)
{
    write_text("a", "some\ntext");
    holds("a", "some\ntext");
    write_text("empty", "");
    holds("empty", "");

    char *data;
    size_t size;
    error e = { 0 };
    cr_assert(!file_read("/proc/self/status", 0, &data, &size, &e) && size > 100 && data[size] == 0); /* says its size is 0 */
    free(data);
    cr_assert(!file_read("/dev/null", 0, &data, &size, &e) && size == 0);
    free(data);

    char large[100000];
    memset(large, 'x', sizeof large);
    cr_assert(!file_write_atomic(in("large"), large, sizeof large, &e));
    cr_assert(!file_read(in("large"), sizeof large, &data, &size, &e) && size == sizeof large && !memcmp(data, large, size));
    free(data);
}

Test(file, that_cannot_be_read_is_told_with_its_name_and_the_reason)
{
    char *data;
    size_t size;
    error e = { 0 };
    cr_assert(file_read(in("absent"), 0, &data, &size, &e) == LTH_IO && !data);
    cr_assert(strstr(e.text, in("absent")) && strstr(e.text, "No such file"), "%s", e.text);
    error_clear(&e);
    cr_assert(file_read(folder, 0, &data, &size, &e) == LTH_IO && strstr(e.text, "is a folder"), "%s", e.text);
    error_clear(&e);
    write_text("a", "12345");
    cr_assert(file_read(in("a"), 4, &data, &size, &e) == LTH_INVALID && strstr(e.text, "at most 4"), "%s", e.text);
    error_clear(&e);
    cr_assert(file_read("/dev/zero", 1 << 20, &data, &size, &e) == LTH_INVALID, "an endless file stops at the limit");
}

Test(file, is_replaced_at_once_and_leaves_nothing_beside_it)
{
    write_text("a", "old");
    write_text("a", "new");
    holds("a", "new");
    file_names names;
    error e = { 0 };
    cr_assert(!file_list(folder, &names, &e) && names.count == 1);
    file_names_free(&names);
    struct stat s;
    cr_assert(!stat(in("a"), &s) && (s.st_mode & 0777) == 0644);

    cr_assert(file_write_atomic(in("absent/a"), "x", 1, &e) == LTH_IO && strstr(e.text, "absent"), "%s", e.text);
    error_clear(&e);
    cr_assert(!mkdir(in("dir"), 0777));
    cr_assert(file_write_atomic(in("dir"), "x", 1, &e) == LTH_IO, "a folder is not replaced");
    cr_assert(!file_list(folder, &names, &e) && names.count == 2, "what was written beside is gone");
    file_names_free(&names);
}

Test(file, of_which_only_a_part_fits_leaves_the_old_one)
{
    write_text("a", "old");
    pid_t child = fork();
    if (!child) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = { 4096, 4096 };
        setrlimit(RLIMIT_FSIZE, &limit); /* the first write is short, the next one fails: as on a full disk */
        static char large[100000];
        error e = { 0 };
        lth_status s = file_write_atomic(in("a"), large, sizeof large, &e);
        _exit(s == LTH_IO && strstr(e.text, "cannot write") && strstr(e.text, "File too large") ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    holds("a", "old");
    file_names names;
    cr_assert(!file_list(folder, &names, NULL) && names.count == 1, "no half-written file stays");
    file_names_free(&names);
}

static void nothing(int signal) { (void)signal; }

Test(file, goes_on_after_short_and_interrupted_writes)
{
    int ends[2];
    cr_assert(!pipe(ends));
    enum { SIZE = 1 << 20 };
    pid_t parent = getpid(), child = fork();
    if (!child) { /* disturbs while the pipe is full, and only then reads */
        close(ends[1]);
        static char piece[1 << 16];
        size_t total = 0;
        for (ssize_t n = 1; n > 0; total += (size_t)n) {
            for (int k = 0; k < 2; k++) { /* the first makes the write a short one, the second finds nothing written */
                usleep(2000);
                kill(parent, SIGUSR1);
            }
            usleep(2000);
            n = read(ends[0], piece, sizeof piece);
        }
        _exit(total == SIZE ? 0 : 1);
    }
    struct sigaction action = { .sa_handler = nothing }; /* without SA_RESTART */
    sigaction(SIGUSR1, &action, NULL);
    close(ends[0]);
    char *data = calloc(1, SIZE);
    error e = { 0 };
    cr_assert(!file_write_all(ends[1], data, SIZE, "pipe", &e), "%s", e.text);
    close(ends[1]);
    int status;
    while (waitpid(child, &status, 0) < 0)
        ;
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(data);
}

Test(file, trees_are_made_listed_and_removed)
{
    error e = { 0 };
    cr_assert(!file_make_dirs(in("x/y//z/"), &e), "%s", e.text);
    cr_assert(!file_make_dirs(in("x/y/z"), &e) && path_is_dir(in("x/y/z")));
    write_text("x/b", "");
    write_text("x/a", "");
    file_names names;
    cr_assert(!file_list(in("x"), &names, &e) && names.count == 3);
    cr_assert(!strcmp(names.at[0], "a") && !strcmp(names.at[1], "b") && !strcmp(names.at[2], "y"));
    file_names_free(&names);

    cr_assert(file_make_dirs(in("x/a/below"), &e) == LTH_IO && strstr(e.text, "in the way"), "%s", e.text);
    error_clear(&e);
    cr_assert(file_list(in("absent"), &names, &e) == LTH_IO && strstr(e.text, "absent"));
    error_clear(&e);

    write_text("kept", "precious");
    cr_assert(!symlink(folder, in("x/up")) && !symlink(in("kept"), in("x/y/link")) && !symlink("nowhere", in("x/dangling")));
    cr_assert(!file_remove_tree(in("x"), &e), "%s", e.text);
    cr_assert(!path_exists(in("x")));
    holds("kept", "precious");
    cr_assert(!file_remove_tree(in("x"), &e), "what is absent is fine");
    cr_assert(!file_remove_tree(in("kept"), &e) && !path_exists(in("kept")));
}

Test(file, lock_is_held_by_one_process_and_ends_with_it)
{
    file_lock_held lock, second;
    error e = { 0 };
    int ready[2], leave[2];
    cr_assert(!pipe(ready) && !pipe(leave));
    pid_t child = fork();
    if (!child) {
        char c = (char)file_lock(in("lock"), &lock, NULL);
        if (write(ready[1], &c, 1) == 1 && read(leave[0], &c, 1) == 1)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    char c;
    cr_assert(read(ready[0], &c, 1) == 1 && c == LTH_OK);
    cr_assert(file_lock(in("lock"), &second, &e) == LTH_STOPPED);
    char number[32];
    snprintf(number, sizeof number, "(%ld)", (long)child);
    cr_assert(strstr(e.text, number) && strstr(e.text, in("lock")), "%s", e.text);
    file_unlock(&second); /* nothing was taken */
    cr_assert(write(leave[1], "x", 1) == 1);
    waitpid(child, NULL, 0);
    error_clear(&e);
    cr_assert(!file_lock(in("lock"), &lock, &e), "%s", e.text);
    cr_assert(lock.left_behind, "its holder was killed");
    cr_assert(file_lock(in("lock"), &second, &e) == LTH_STOPPED);
    file_unlock(&lock);
    error_clear(&e);
    cr_assert(!file_lock(in("lock"), &second, &e));
    cr_assert(!second.left_behind, "its holder gave it back");
    file_unlock(&second);
    cr_assert(file_lock(in("absent/lock"), &lock, &e) == LTH_IO);
}

static void gives(char *path, const char *expected)
{
    cr_assert_str_eq(path, expected);
    free(path);
}

Test(path, parts_are_joined_and_split)
{
    gives(path_join("a", "b"), "a/b");
    gives(path_join("a/", "b"), "a/b");
    gives(path_join("a", "/b"), "/b");
    gives(path_join("", "b"), "b");
    gives(path_dir("a/b"), "a");
    gives(path_dir("a//b"), "a");
    gives(path_dir("/b"), "/");
    gives(path_dir("b"), ".");
    cr_assert_str_eq(path_base("a/b.ini"), "b.ini");
    cr_assert_str_eq(path_base("b.ini"), "b.ini");
}

Test(path, is_taken_as_a_user_means_it)
{
    setenv("HOME", "/home/me", 1);
    gives(path_expand("~/data", "/run"), "/home/me/data");
    gives(path_expand("~", "/run"), "/home/me");
    gives(path_expand("~/", "/run"), "/home/me");
    gives(path_expand("~other/x", "/run"), "/run/~other/x");
    gives(path_expand("data", "/run"), "/run/data");
    gives(path_expand("./data", "/run"), "/run/data");
    gives(path_expand(".//data", "/run"), "/run/data");
    gives(path_expand(".", "/run"), "/run");
    gives(path_expand("./", "/run"), "/run");
    gives(path_expand("../data", "/run"), "/run/../data");
    gives(path_expand("/abs", "/run"), "/abs");
    gives(path_expand("", "/run"), "");
    unsetenv("HOME");
    gives(path_expand("~/data", "/run"), "/run/~/data");
}

Test(path, real_ones_have_no_links)
{
    error e = { 0 };
    char *real, *program, *current = path_current();
    cr_assert(current[0] == '/');
    free(current);
    write_text("a", "");
    cr_assert(!symlink("a", in("link")));
    cr_assert(!path_real(in("link"), &real, &e) && str_ends(real, "/a"));
    free(real);
    cr_assert(path_real(in("absent"), &real, &e) == LTH_IO && !real && strstr(e.text, "absent"));
    error_clear(&e);
    cr_assert(!path_of_program(&program, &e) && program[0] == '/' && !access(program, X_OK));
    free(program);
    cr_assert(path_exists(in("a")) && !path_is_dir(in("a")) && path_is_dir(folder) && !path_exists(in("absent")));
}

/* The standard's third example, however it is cut: by blocks where the processor has instructions for them, or without. */
Test(file, has_the_sha256_of_a_million_letters_in_any_pieces)
{
    static char letters[1000000];
    char hex[SHA256_HEX_SIZE];
    memset(letters, 'a', sizeof letters);
    for (size_t piece = 1; piece < 2000000; piece = piece * 3 + piece % 7) {
        for (int by_blocks = 0; by_blocks < 2; by_blocks++) {
            sha256 s;
            sha256_start(&s);
            s.by_blocks &= by_blocks;
            for (size_t at = 0; at < sizeof letters; at += piece)
                sha256_bytes(&s, letters + at, sizeof letters - at < piece ? sizeof letters - at : piece);
            sha256_finish(&s, hex);
            cr_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "pieces of %zu", piece);
        }
    }
}

Test(file, has_the_sha256_of_the_standard)
{
    char hex[SHA256_HEX_SIZE], pieces[SHA256_HEX_SIZE];
    sha256_of("", 0, hex);
    cr_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of("abc", 3, hex);
    cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256 s;
    sha256_start(&s);
    sha256_bytes(&s, "a", 1);
    sha256_bytes(&s, "bc", 2);
    sha256_finish(&s, pieces);
    cr_assert_str_eq(pieces, hex);
    error e = { 0 };
    write_text("abc", "abc");
    cr_assert(!sha256_of_file(in("abc"), pieces, &e));
    cr_assert_str_eq(pieces, hex);
    cr_assert(sha256_of_file(in("absent"), hex, &e) == LTH_IO && strstr(e.text, "absent"));
    error_clear(&e);
    cr_assert(sha256_of_file(folder, hex, &e) == LTH_IO && strstr(e.text, "directory"), "%s", e.text);
}
