/* SPDX-License-Identifier: Apache-2.0 */
#include "integration/bad_case.h"
#include "integration/run_lthost.h"

#include "util/file.h"
#include "util/memory.h"
#include "util/path.h"
#include "util/sha256.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The file ---- */

void bad_file_read(bad_file *f, const char *subject)
{
    size_t size;
    error e = { 0 };
    *f = (bad_file) { .path = str_format("%s/tests/integration/bad/%s.txt", LTHOST_TEST_SOURCE, subject) };
    cr_assert_eq(file_read(f->path, 0, &f->text, &size, &e), LTH_OK, "%s", e.text);
    int number = 1;
    for (char *line = f->text, *next; line; line = next, number++) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : NULL;
        if (end)
            *end = 0;
        if (!*line || *line == ';')
            continue;
        cr_assert(strchr("#>|%$=!+~-", *line) && (!line[1] || line[1] == ' '), "%s:%d: not a line of a case: %s", f->path, number,
                  line);
        const char *text = line[1] ? line + 2 : "";
        if (*line == '#') {
            f->cases = memory_grow(f->cases, &f->capacity, f->count + 1, sizeof *f->cases);
            f->cases[f->count++] = (bad_case) { .name = text };
            continue;
        }
        cr_assert(f->count, "%s:%d: before the first case", f->path, number);
        bad_case *c = &f->cases[f->count - 1];
        c->lines = memory_grow(c->lines, &c->capacity, c->count + 1, sizeof *c->lines);
        c->lines[c->count++] = (bad_line) { *line, text, number };
    }
}

void bad_file_free(bad_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->cases[i].lines);
    free(f->cases);
    free(f->text);
    free(f->path);
}

/* ---- What lies in the folder ---- */

static char *describe(const char *path)
{
    struct stat st;
    char target[256], hash[SHA256_HEX_SIZE];
    error e = { 0 };
    ssize_t link = readlink(path, target, sizeof target);
    if (link >= 0)
        return str_format("%s -> %.*s", path, (int)link, target);
    bool plain =
        stat(path, &st) == 0 && S_ISREG(st.st_mode) && strcmp(path_base(path), ".lock") != 0; /* that one names a process */
    return str_format("%s %s", path, plain && sha256_of_file(path, hash, &e) == LTH_OK ? hash : "?");
}

/* "path hash" of each file and "path -> target" of each link, sorted. */
static void list_into(const char *folder, file_names *out)
{
    file_names names = { 0 };
    error e = { 0 };
    cr_assert_eq(file_list(folder, &names, &e), LTH_OK, "%s", e.text);
    for (size_t i = 0; i < names.count; i++) {
        char *path = strcmp(folder, ".") == 0 ? str_dup(names.at[i]) : path_join(folder, names.at[i]), *line = NULL;
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            list_into(path, out);
        else if (strcmp(path, "stdout") != 0 && strcmp(path, "stderr") != 0)
            line = describe(path);
        if (line) {
            out->at = memory_grow(out->at, &out->capacity, out->count + 1, sizeof *out->at);
            out->at[out->count++] = line;
        }
        free(path);
    }
    file_names_free(&names);
}

static size_t path_length(const char *line) { return (size_t)(strchr(line, ' ') - line); }

static int by_path(const char *a, const char *b)
{
    size_t n = path_length(a), m = path_length(b);
    int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static int by_path_of_two(const void *a, const void *b) { return by_path(*(char *const *)a, *(char *const *)b); }

static void list(file_names *out)
{
    list_into(".", out);
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, by_path_of_two);
}

/* "+ path", "~ path" and "- path", a line each. */
static void compare(const file_names *before, const file_names *after, str *out)
{
    for (size_t i = 0, k = 0; i < before->count || k < after->count;) {
        int order = i == before->count ? 1 : k == after->count ? -1 : by_path(before->at[i], after->at[k]);
        const char *line = order > 0 ? after->at[k] : before->at[i];
        if (order || strcmp(before->at[i], after->at[k]) != 0)
            str_printf(out, "%c %.*s\n", order > 0 ? '+' : order < 0 ? '-' : '~', (int)path_length(line), line);
        i += order <= 0;
        k += order >= 0;
    }
}

/* ---- A case ---- */

/* What the running case is and has done. */
typedef struct running {
    const bad_file *file;
    const bad_case *c;
    char here[4096];
    int status;
    str said, left; /* "! line" and "+ path" lines of the last run */
} running;

/* Puts `by` where `what` stands. */
static void replace(char **text, const char *what, const char *by)
{
    str out = { 0 };
    const char *rest = *text;
    for (const char *at; (at = strstr(rest, what)); rest = at + strlen(what)) {
        str_append_bytes(&out, rest, (size_t)(at - rest));
        str_append(&out, by);
    }
    str_append(&out, rest);
    free(*text);
    *text = str_take(&out);
}

static void write_files(const bad_case *c)
{
    str text = { 0 };
    for (size_t i = 0; i < c->count; i++) {
        if (c->lines[i].mark != '>')
            continue;
        str_clear(&text);
        for (size_t k = i + 1; k < c->count && c->lines[k].mark == '|'; k++)
            str_printf(&text, "%s\n", c->lines[k].text);
        run_write(c->lines[i].text, str_text(&text));
    }
    str_free(&text);
}

/* The arguments are words; one in '' may hold blanks. */
static void run(running *r, const bad_line *line)
{
    const char *arguments[32];
    size_t count = 0;
    char *text = str_dup(line->text), *at = text;
    replace(&text, "$HERE", r->here);
    for (at = text; at && *at && count < 31;) {
        char stop = *at == '\'' ? '\'' : ' ';
        at += stop == '\'';
        arguments[count++] = at;
        at = strchr(at, stop);
        if (at)
            *at++ = 0;
        at = at && stop == '\'' && *at ? at + 1 : at;
    }
    arguments[count] = NULL;
    file_names before = { 0 }, after = { 0 };
    list(&before);
    outcome o = run_lthost(arguments);
    list(&after);
    r->status = o.status;
    str_clear(&r->said);
    str_clear(&r->left);
    compare(&before, &after, &r->left);
    replace(&o.err, r->here, "$HERE");
    replace(&o.err, LTHOST_TEST_PLUGINS, "$PLUGINS");
    replace(&o.err, LTHOST_TEST_SOURCE, "$SOURCE");
    const char *rest = o.err, *part;
    for (size_t n; str_split(&rest, '\n', &part, &n);)
        if (rest || n)
            str_printf(&r->said, "! %.*s\n", (int)n, part);
    outcome_free(&o);
    file_names_free(&before);
    file_names_free(&after);
    free(text);
}

/* Is it what is expected, where … stands for anything? */
static bool fits(const char *said, const char *expected)
{
    static const char any[] = "…";
    const char *gap = strstr(expected, any);
    size_t n = gap ? (size_t)(gap - expected) : strlen(expected);
    if (strncmp(said, expected, n) != 0)
        return false;
    if (!gap)
        return !said[n];
    for (said += n, expected = gap + sizeof any - 1;; said++) {
        if (fits(said, expected))
            return true;
        if (!*said || *said == '\n')
            return false;
    }
}

static void judge(const running *r)
{
    str expected = { 0 }, found = { 0 };
    str_printf(&found, "= %d\n%s%s", r->status, str_text(&r->said), str_text(&r->left));
    for (size_t i = 0; i < r->c->count; i++)
        if (strchr("=!+~-", r->c->lines[i].mark))
            str_printf(&expected, "%c %s\n", r->c->lines[i].mark, r->c->lines[i].text);
    cr_expect(fits(str_text(&found), str_text(&expected)), "%s:%d: %s\nfound:\n%sexpected:\n%s", r->file->path,
              r->c->count ? r->c->lines[0].number : 0, r->c->name, str_text(&found), str_text(&expected));
    str_free(&expected);
    str_free(&found);
}

void bad_case_run(const bad_file *f, const bad_case *c)
{
    running r = { .file = f, .c = c };
    bool ran = false;
    run_begin();
    cr_assert_not_null(getcwd(r.here, sizeof r.here));
    setenv("HERE", r.here, 1);
    setenv("PLUGINS", LTHOST_TEST_PLUGINS, 1);
    setenv("SOURCE", LTHOST_TEST_SOURCE, 1);
    setenv("LTHOST", LTHOST_TEST_PROGRAM, 1);
    setenv("FIXTURES", LTHOST_TEST_BUILD "/unit/registry/fixtures", 1);
    char *base = str_format("%s/tests/integration/bad/base.ini", LTHOST_TEST_SOURCE), *text = run_read(base);
    run_write("base.ini", text);
    write_files(c);
    for (size_t i = 0; i < c->count; i++) {
        const bad_line *line = &c->lines[i];
        if (line->mark == '%')
            cr_assert_eq(system(line->text), 0, "%s:%d: the shell fails: %s", f->path, line->number, line->text);
        if (line->mark != '$')
            continue;
        cr_assert(!ran || r.status == 0, "%s:%d: a run before it fails: %d\n%s", f->path, line->number, r.status,
                  str_text(&r.said));
        run(&r, line);
        ran = true;
    }
    cr_assert(ran, "%s: '%s' runs nothing", f->path, c->name);
    judge(&r);
    str_free(&r.said);
    str_free(&r.left);
    free(text);
    free(base);
    run_end();
}
