/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"
#include "util/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(manifest, .fini = help_remove_dir);

static lth_status read_text(const char *path, const char *text, manifest *m, arena *memory, diagnostics *d)
{
    help_write(path, text);
    return manifest_read(path, m, memory, d);
}

static char *written(const char *path)
{
    char *text;
    size_t size;
    error e = { 0 };
    cr_assert_eq(file_read(path, 0, &text, &size, &e), LTH_OK, "%s", e.text);
    return text;
}

Test(manifest, what_is_written_reads_back_to_the_same_bytes)
{
    const char *folder = help_install(help_dir(), "good", "good");
    char *first = written(help_path(folder, MANIFEST_FILE));
    arena memory = { 0 };
    diagnostics d = { 0 };
    manifest m;
    cr_assert_eq(manifest_read(help_path(folder, MANIFEST_FILE), &m, &memory, &d), LTH_OK, "%s", d.count ? d.at[0].text : "");
    str again = { 0 };
    manifest_write(&again, &m);
    cr_assert_str_eq(str_text(&again), first);
    cr_assert_eq(m.component_count, 2);
    cr_assert_eq(m.components[0].options.count, 8);
    cr_assert_eq(m.components[0].flags, LTH_DEFAULT_ON);
    cr_assert_str_eq(m.components[0].options.at[4].initial, "\";\"");
    cr_assert_str_eq(m.components[0].options.at[7].initial, "");
    cr_assert_str_eq(m.components[0].options.at[0].old_name, "times");
    str_free(&again);
    arena_free(&memory);
    diagnostics_free(&d);
    free(first);
}

Test(manifest, one_cut_off_after_any_line_is_refused)
{
    const char *folder = help_install(help_dir(), "good", "good"), *path = help_path(folder, MANIFEST_FILE);
    char *whole = written(path);
    size_t length = strlen(whole), cuts = 0;
    for (size_t i = 1; i < length; i++) {
        if (whole[i - 1] != '\n' || whole[i] != '[')
            continue; /* cut in front of a section, where nothing else shows it */
        arena memory = { 0 };
        diagnostics d = { 0 };
        manifest m;
        char *cut = strndup(whole, i);
        cr_assert_neq(read_text(path, cut, &m, &memory, &d), LTH_OK, "cut at byte %zu", i);
        free(cut);
        arena_free(&memory);
        diagnostics_free(&d);
        cuts++;
    }
    cr_assert_geq(cuts, 10);
    free(whole);
}

Test(manifest, one_cut_off_anywhere_does_no_harm)
{
    const char *folder = help_install(help_dir(), "good", "good"), *path = help_path(folder, MANIFEST_FILE);
    char *whole = written(path);
    for (size_t i = 0, length = strlen(whole); i < length; i += 7) {
        arena memory = { 0 };
        diagnostics d = { 0 };
        manifest m;
        char *cut = strndup(whole, i);
        lth_status status = read_text(path, cut, &m, &memory, &d);
        cr_assert_eq(status == LTH_OK, d.error_count == 0);
        free(cut);
        arena_free(&memory);
        diagnostics_free(&d);
    }
    free(whole);
}

static const char *const plugin_head = "[plugin]\nformat = 1\nid = a\nversion = 1.0.0\nlicense = MIT\napi = 0.1\n"
                                       "library = a.so\narch = x86_64\ncomponents = 0\nsha256 = "
                                       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

Test(manifest, what_is_wrong_is_told_with_its_line)
{
    static const struct {
        const char *from, *to, *message;
        int line;
    } cases[] = {
        { "format = 1", "format = 2", "format 1", 0 },
        { "format = 1\n", "", "format 1", 0 },
        { "id = a\n", "", "no 'id'", 0 },
        { "id = a", "id = ../a", "no name for a plugin", 0 },
        { "api = 0.1", "api = 0", "MAJOR.MINOR", 6 },
        { "api = 0.1", "api = 0.99999999", "MAJOR.MINOR", 6 },
        { "api = 0.1", "api = -1.1", "MAJOR.MINOR", 6 },
        { "library = a.so", "library = ../a.so", "not the name of a .so", 0 },
        { "library = a.so", "library = a.la", "not the name of a .so", 0 },
        { "sha256 = 0", "sha256 = x", "64 hexadecimal", 0 },
        { "components = 0", "components = many", "whole number", 9 },
        { "components = 0", "components = 3", "cut off", 0 },
    };
    const char *path = help_path(help_dir(), MANIFEST_FILE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena memory = { 0 };
        diagnostics d = { 0 };
        manifest m;
        const char *at = strstr(plugin_head, cases[i].from);
        cr_assert_not_null(at);
        char *text =
            arena_format(&memory, "%.*s%s%s", (int)(at - plugin_head), plugin_head, cases[i].to, at + strlen(cases[i].from));
        cr_assert_neq(read_text(path, text, &m, &memory, &d), LTH_OK, "%s", cases[i].to);
        cr_assert_not_null(strstr(d.at[0].text, cases[i].message), "%s: %s", cases[i].to, d.at[0].text);
        cr_assert_eq(d.at[0].line, cases[i].line, "%s: line %d", cases[i].to, d.at[0].line);
        arena_free(&memory);
        diagnostics_free(&d);
    }
}

Test(manifest, keys_of_a_later_host_are_passed_over)
{
    const char *path = help_path(help_dir(), MANIFEST_FILE);
    arena memory = { 0 };
    diagnostics d = { 0 };
    manifest m;
    char *text = arena_format(&memory, "%ssigned_by = someone\n[provenance]\nbuilder = x\n", plugin_head);
    cr_assert_eq(read_text(path, text, &m, &memory, &d), LTH_OK, "%s", d.count ? d.at[0].text : "");
    cr_assert_str_eq(m.id, "a");
    arena_free(&memory);
    diagnostics_free(&d);
}

Test(manifest, the_first_difference_to_the_library_is_named)
{
    const char *folder = help_install(help_dir(), "good", "good"), *path = help_path(folder, MANIFEST_FILE);
    arena memory = { 0 };
    diagnostics d = { 0 };
    manifest library, file;
    error e = { 0 };
    cr_assert_eq(manifest_read(path, &library, &memory, &d), LTH_OK);
    char *text = written(path), *at = strstr(text, "default = 0.5");
    cr_assert_not_null(at);
    memcpy(at, "default = 0.6", 13);
    cr_assert_eq(read_text(path, text, &file, &memory, &d), LTH_OK);
    cr_assert_eq(manifest_same(&library, &library, &e), LTH_OK);
    cr_assert_neq(manifest_same(&file, &library, &e), LTH_OK);
    cr_assert_str_eq(e.text, "callback/1 'probe': option 'rate': its default is '0.6' in the manifest and '0.5' in the library");
    free(text);
    arena_free(&memory);
    diagnostics_free(&d);
}

Test(manifest, an_api_version_is_refused_with_both_versions_and_a_remedy)
{
    static const struct {
        uint16_t major, minor;
        const char *remedy;
    } cases[] = { { LTH_API_MAJOR + 1, 0, "newer lthost" }, { LTH_API_MAJOR, LTH_API_MINOR + 1, "newer lthost" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error e = { 0 };
        cr_assert_eq(manifest_check_api("p", "1.0.0", cases[i].major, cases[i].minor, &e), LTH_UNSUPPORTED);
        cr_assert_not_null(strstr(e.text, "plugin 'p' 1.0.0"), "%s", e.text);
        cr_assert_not_null(strstr(e.text, cases[i].remedy), "%s", e.text);
        char both[64];
        snprintf(both, sizeof both, "API %u.%u, this lthost has %d.%d", cases[i].major, cases[i].minor, LTH_API_MAJOR,
                 LTH_API_MINOR);
        cr_assert_not_null(strstr(e.text, both), "%s", e.text);
    }
    cr_assert_eq(manifest_check_api("p", "1.0.0", LTH_API_MAJOR, LTH_API_MINOR, NULL), LTH_OK);
}

Test(manifest, a_plugin_is_served_by_hosts_of_its_major_and_of_its_minor_or_a_later_one)
{
    static const struct {
        uint16_t host_major, host_minor, major, min_minor;
        bool serves;
    } cases[] = {
        { 1, 3, 1, 3, true },  { 1, 3, 1, 0, true }, { 1, 3, 1, 4, false }, { 1, 3, 2, 0, false }, { 1, 3, 0, 3, false },
        { 2, 0, 1, 9, false }, { 0, 2, 0, 2, true }, { 0, 2, 0, 1, false }, { 0, 2, 0, 3, false }, { 0, 2, 1, 2, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(manifest_api_serves(cases[i].host_major, cases[i].host_minor, cases[i].major, cases[i].min_minor),
                     cases[i].serves, "case %zu", i);
}
