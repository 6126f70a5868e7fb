/* SPDX-License-Identifier: Apache-2.0
 * Arena, text builder, errors and diagnostics. */
#include "util/arena.h"
#include "util/diagnostics.h"
#include "util/error.h"
#include "util/memory.h"
#include "util/str.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Test(arena, gives_zeroed_aligned_bytes_that_do_not_overlap)
{
    arena a = { 0 };
    unsigned char *at[200];
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * 37 % 5000;
        at[i] = arena_alloc(&a, size);
        cr_assert(!((uintptr_t)at[i] % 16));
        for (size_t k = 0; k < size; k++)
            cr_assert(at[i][k] == 0, "allocation %zu is not zeroed", i);
        memset(at[i], (int)i, size);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 37 % 5000; k++)
            cr_assert(at[i][k] == (unsigned char)i, "allocation %zu was overwritten", i);
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
        cr_assert(!((uintptr_t)arena_aligned(&a, 3, alignment) % alignment));
    arena_free(&a);
}

Test(arena, uses_its_blocks_again_after_a_reset)
{
    arena a = { 0 };
    size_t size = 0;
    void *first = NULL;
    for (int round = 0; round < 5; round++) {
        void *at = arena_alloc(&a, 1);
        cr_assert(!first || at == first, "round %d began elsewhere", round);
        first = at;
        for (size_t i = 0; i < 300; i++) {
            int *n = arena_array(&a, i, sizeof *n);
            for (size_t k = 0; k < i; k++)
                cr_assert(n[k]++ == 0);
        }
        if (!round)
            size = arena_size(&a);
        cr_assert(size > 0 && arena_size(&a) == size, "round %d took more memory", round);
        arena_reset(&a);
    }
    arena_free(&a);
    cr_assert(arena_size(&a) == 0);
}

Test(arena, copies_and_formats_texts_of_any_length)
{
    arena a = { 0 };
    cr_assert(!arena_copy_text(&a, NULL));
    cr_assert_str_eq(arena_copy_text(&a, ""), "");
    cr_assert_str_eq(arena_copy_part(&a, "abcdef", 3), "abc");
    cr_assert_str_eq(arena_format(&a, "%d-%s", 7, "x"), "7-x");
    for (int n = 120; n < 140; n++) {
        const char *text = arena_format(&a, "%0*d", n, 0);
        cr_assert(strlen(text) == (size_t)n && strspn(text, "0") == (size_t)n);
    }
    arena_free(&a);
}

Test(str, is_always_terminated_and_grows)
{
    str s = { 0 };
    cr_assert_str_eq(str_text(&s), "");
    for (int i = 0; i < 1000; i++)
        str_printf(&s, "%d,", i % 10);
    cr_assert(s.length == 2000 && strlen(str_text(&s)) == 2000);
    str_clear(&s);
    cr_assert_str_eq(str_text(&s), "");
    str_append(&s, "a");
    str_append_char(&s, 'b');
    str_append_bytes(&s, "cd\0e", 5);
    cr_assert(s.length == 7 && !memcmp(s.at, "abcd\0e", 7));
    for (int n = 120; n < 140; n++) {
        str_clear(&s);
        str_printf(&s, "%0*d", n, 0);
        cr_assert(s.length == (size_t)n && strlen(s.at) == (size_t)n);
    }
    char *own = str_take(&s);
    cr_assert(strlen(own) == 139 && !s.at);
    free(own);
    own = str_take(&s);
    cr_assert_str_eq(own, "");
    free(own);
}

Test(str, helpers_do_what_they_say)
{
    char text[] = " \t a b \r\n";
    cr_assert_str_eq(str_trim(text), "a b");
    char blank[] = "   ";
    cr_assert_str_eq(str_trim(blank), "");
    cr_assert(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc"));
    cr_assert(str_ends("abc", "bc") && !str_ends("c", "bc"));
    cr_assert(str_equal_nocase("True", "tRUE") && !str_equal_nocase("true", "tru") && !str_equal_nocase("tru", "true"));
    char *made = str_format("%s/%d", "x", 3);
    cr_assert_str_eq(made, "x/3");
    free(made);
}

Test(str, split_walks_all_parts_also_empty_ones)
{
    static const struct {
        const char *text;
        size_t count;
        const char *joined;
    } samples[] = {
        { "a,b,c", 3, "<a><b><c>" }, { "", 1, "<>" }, { ",", 2, "<><>" }, { "one", 1, "<one>" }, { "a,,b", 3, "<a><><b>" }
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const char *rest = samples[i].text, *part;
        size_t n, count = 0;
        str joined = { 0 };
        for (; str_split(&rest, ',', &part, &n); count++)
            str_printf(&joined, "<%.*s>", (int)n, part);
        cr_assert(count == samples[i].count);
        cr_assert_str_eq(str_text(&joined), samples[i].joined);
        str_free(&joined);
    }
}

Test(str, knows_well_formed_utf8)
{
    static const struct {
        const char *text;
        size_t size, good;
    } samples[] = {
        { "", 0, 0 },
        { "abc", 3, 3 },
        { "a\0b", 3, 3 },
        { "\xc3\xa9", 2, 2 },
        { "\xe2\x82\xac", 3, 3 },
        { "\xf0\x9f\x98\x80", 4, 4 },
        { "\xf4\x8f\xbf\xbf", 4, 4 }, /* U+10FFFF */
        { "a\xff", 2, 1 },
        { "\xc3", 1, 0 },
        { "\xc0\xaf", 2, 0 },
        { "\xe0\x80\x80", 3, 0 },
        { "\xed\xa0\x80", 3, 0 },     /* a surrogate */
        { "\xf4\x90\x80\x80", 4, 0 }, /* above U+10FFFF */
        { "\xf0\x80\x80\x80", 4, 0 },
        { "\xe2\x82", 2, 0 },
        { "\xe2\x28\xa1", 3, 0 },
        { "\x80", 1, 0 },
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        cr_assert(str_utf8_prefix(samples[i].text, samples[i].size) == samples[i].good, "sample %zu", i);
}

Test(str, writes_a_double_shortest_and_exact)
{
    char text[STR_DOUBLE_SIZE];
    cr_assert_str_eq(str_double(0.1, text), "0.1");
    cr_assert_str_eq(str_double(1e-3, text), "0.001");
    cr_assert_str_eq(str_double(-0.0, text), "-0");
    cr_assert_str_eq(str_double(INFINITY, text), "inf");
    cr_assert_str_eq(str_double(-INFINITY, text), "-inf");
    cr_assert_str_eq(str_double(NAN, text), "nan");
    uint64_t bits = 12345;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value, back;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value))
            continue;
        back = strtod(str_double(value, text), NULL);
        cr_assert(!memcmp(&value, &back, sizeof value), "%s", text);
    }
}

Test(error, keeps_the_first_and_takes_prefixes)
{
    error e = { 0 };
    cr_assert(error_prefix(&e, "nothing yet: ") == LTH_OK && !e.text[0]);
    cr_assert(error_set(&e, LTH_IO, "cannot open '%s'", "x") == LTH_IO);
    cr_assert(error_set(&e, LTH_INVALID, "later") == LTH_INVALID);
    cr_assert(error_prefix(&e, "%s:%d: ", "run.ini", 3) == LTH_IO);
    cr_assert_str_eq(e.text, "run.ini:3: cannot open 'x'");
    error_clear(&e);
    cr_assert(e.status == LTH_OK && !e.text[0]);
    cr_assert(error_set(NULL, LTH_END, "nobody listens") == LTH_END);
}

Test(error, ends_a_text_that_does_not_fit_in_dots)
{
    error e = { 0 };
    error_set(&e, LTH_ERROR, "%03000d", 0);
    cr_assert(strlen(e.text) == sizeof e.text - 1 && str_ends(e.text, "0..."));
    error_clear(&e);
    error_set(&e, LTH_ERROR, "%01990d", 0);
    error_prefix(&e, "a long prefix: ");
    cr_assert(strlen(e.text) == sizeof e.text - 1 && str_starts(e.text, "a long") && str_ends(e.text, "0..."));
    error_prefix(&e, "%03000d", 0);
    cr_assert(strlen(e.text) == sizeof e.text - 1 && str_ends(e.text, "0..."));
}

Test(diagnostics, come_out_by_place_like_a_compilers)
{
    diagnostics d = { 0 };
    cr_assert(diagnostics_status(&d) == LTH_OK);
    diagnostics_error(&d, "b.ini", 3, "third");
    diagnostics_warning(&d, "b.ini", 2, "second %d", 2);
    diagnostics_hint(&d, "did you mean '%s'?", "x");
    diagnostics_error(&d, "a.ini", 12, "first");
    diagnostics_error(&d, "b.ini", 3, "fourth");
    diagnostics_error(&d, NULL, 0, "no place");
    diagnostics_error(&d, "command line", 0, "override");
    error e = { 0 };
    error_set(&e, LTH_IO, "lost");
    cr_assert(diagnostics_add(&d, "c.ini", 1, &e) == LTH_IO);
    cr_assert(d.error_count == 6 && d.count == 7 && diagnostics_status(&d) == LTH_INVALID);
    str text = { 0 };
    diagnostics_render(&d, &text);
    cr_assert_str_eq(str_text(&text), "error: no place\n"
                                      "a.ini:12: error: first\n"
                                      "b.ini:2: warning: second 2 (did you mean 'x'?)\n"
                                      "b.ini:3: error: third\n"
                                      "b.ini:3: error: fourth\n"
                                      "c.ini:1: error: lost\n"
                                      "command line: error: override\n");
    str_free(&text);
    diagnostics_free(&d);
    diagnostics_render(&d, &text);
    cr_assert_str_eq(str_text(&text), "");
}

Test(memory, grows_by_doubling)
{
    size_t capacity = 0, moves = 0;
    int *list = NULL;
    for (size_t i = 0; i < 10000; i++) {
        size_t before = capacity;
        list = memory_grow(list, &capacity, i + 1, sizeof *list);
        moves += capacity != before;
        list[i] = (int)i;
    }
    cr_assert(moves < 15 && list[9999] == 9999);
    free(list);
}

/* ---- The end of memory ---- */

static void last_words(void)
{
    ssize_t ignored = write(STDERR_FILENO, "in a hook\n", 10);
    (void)ignored;
}

Test(memory, at_its_end_the_process_says_so_and_where_and_leaves_with_71)
{
    char said[200] = "";
    int ends[2], status;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        memory_last_words = last_words;
        memory_exhausted(12);
    }
    close(ends[1]);
    for (ssize_t n, at = 0; (n = read(ends[0], said + at, sizeof said - 1 - (size_t)at)) > 0;)
        at += n;
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(WEXITSTATUS(status), MEMORY_EXHAUSTED);
    cr_expect_str_eq(said, "lthost: out of memory (12 bytes asked for)\nin a hook\n");
}
