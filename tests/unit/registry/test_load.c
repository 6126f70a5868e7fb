/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"
#include "registry/library.h"
#include "util/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(load, .fini = help_remove_dir);

/* Loads the callback `id` from dir and answers the message; "" where it loaded. */
static const char *message_of(const char *dir, const char *id)
{
    static error e;
    const lth_component_head *table = NULL;
    error_clear(&e);
    registry *r = help_open(dir, NULL);
    const registry_component *c = registry_find(r, "callback", id);
    cr_assert_not_null(c, "no callback '%s'", id);
    lth_status status = registry_load(r, c, &table, &e);
    cr_assert_eq(status == LTH_OK, table != NULL);
    cr_assert_eq(status, e.status);
    registry_free(r);
    return e.text;
}

#define ASSERT_SAYS(text, part) cr_assert_not_null(strstr(text, part), "it says: %s", text)

Test(load, a_right_plugin_loads_with_its_options_in_place)
{
    const char *dir = help_dir();
    help_install(dir, "good", "good");
    registry *r = help_open(dir, NULL);
    const registry_component *c = registry_find(r, "callback", "probe");
    const lth_component_head *table, *again;
    error e = { 0 };
    cr_assert_eq(registry_load(r, c, &table, &e), LTH_OK, "%s", e.text);
    const lth_callback *callback = (const lth_callback *)table;
    cr_assert_eq(callback->struct_size, sizeof *callback);
    cr_assert_not_null(callback->on_fit_start);
    cr_assert_null(callback->on_fit_end);
    cr_assert_eq(table->options.count, 8);
    cr_assert_eq(table->options.at[1].offset, 8);
    cr_assert_eq(c->options.at[1].offset, 0);
    cr_assert_eq(c->flags, LTH_DEFAULT_ON);
    cr_assert_eq(registry_load(r, c, &again, &e), LTH_OK);
    cr_assert_eq(again, table);
    registry_free(r);
}

Test(load, a_plugin_of_an_older_minor_gets_null_for_slots_that_it_does_not_know)
{
    const char *dir = help_dir();
    help_install(dir, "older", "older");
    registry *r = help_open(dir, NULL);
    const lth_component_head *table;
    error e = { 0 };
    cr_assert_eq(registry_load(r, registry_find(r, "callback", "older"), &table, &e), LTH_OK, "%s", e.text);
    cr_assert_not_null(((const lth_callback *)table)->on_fit_start);
    cr_assert_null(((const lth_callback *)table)->teardown);
    registry_free(r);
}

Test(load, a_missing_library_is_named)
{
    const char *dir = help_dir();
    unlink(help_path(help_install(dir, "good", "good"), "good.so"));
    const char *text = message_of(dir, "probe");
    ASSERT_SAYS(text, "cannot load the callback 'probe'");
    ASSERT_SAYS(text, "good/good.so' is missing");
}

Test(load, garbage_is_refused_before_the_linker_sees_it)
{
    const char *dir = help_dir(), *garbage = help_path(dir, "garbage.so");
    help_write(garbage, "this is no library");
    help_install_unchecked(dir, "garbage", garbage, "garbage");
    ASSERT_SAYS(message_of(dir, "garbage"), "is not a shared library");
}

Test(load, a_library_cut_off_behind_its_header_gives_the_linkers_own_words)
{
    const char *dir = help_dir(), *cut = help_path(dir, "cut.so");
    char *data;
    size_t size;
    error e = { 0 };
    cr_assert_eq(file_read(FIXTURES "/good.so", 0, &data, &size, &e), LTH_OK);
    cr_assert_eq(file_write_atomic(cut, data, 100, &e), LTH_OK);
    free(data);
    help_install_unchecked(dir, "cut", cut, "cut");
    const char *text = message_of(dir, "cut");
    ASSERT_SAYS(text, "does not load");
    cr_assert_null(strstr(text, "file not found"), "libltdl's words instead of the linker's: %s", text);
}

Test(load, a_library_without_the_entry_is_told_as_that)
{
    const char *dir = help_dir();
    help_install_unchecked(dir, "no_entry", FIXTURES "/no_entry.so", "x");
    ASSERT_SAYS(message_of(dir, "x"), "does not export lth_plugin_entry_v1");
}

Test(load, an_entry_that_gives_nothing_is_told_as_that)
{
    const char *dir = help_dir();
    help_install_unchecked(dir, "no_descriptor", FIXTURES "/no_descriptor.so", "x");
    ASSERT_SAYS(message_of(dir, "x"), "returned nothing");
}

Test(load, an_undefined_symbol_is_found_at_once_and_named)
{
    const char *dir = help_dir();
    help_install_unchecked(dir, "undefined", FIXTURES "/undefined.so", "undefined");
    ASSERT_SAYS(message_of(dir, "undefined"), "function_of_a_missing_library");
}

Test(load, another_api_version_behind_a_manifest_that_hides_it_is_refused)
{
    const char *dir = help_dir();
    help_install_unchecked(dir, "other_major", FIXTURES "/other_major.so", "other_major");
    help_install_unchecked(dir, "other_minor", FIXTURES "/other_minor.so", "other_minor");
    ASSERT_SAYS(message_of(dir, "other_major"), "was built for plugin API 9.0, this lthost has");
    ASSERT_SAYS(message_of(dir, "other_minor"), "was built for plugin API 0.99, this lthost has");
}

Test(load, a_library_other_than_the_manifests_is_refused_by_its_hash)
{
    const char *dir = help_dir(), *folder = help_install(dir, "good", "good");
    FILE *file = fopen(help_path(folder, "good.so"), "ab");
    cr_assert_not_null(file);
    fputc(0, file);
    fclose(file);
    const char *text = message_of(dir, "probe");
    ASSERT_SAYS(text, "SHA-256 differs");
    ASSERT_SAYS(text, "lthost manifest");
}

Test(load, a_manifest_that_does_not_describe_its_library_is_refused)
{
    const char *dir = help_dir();
    help_install_unchecked(dir, "older", FIXTURES "/older.so", "newer");
    ASSERT_SAYS(message_of(dir, "newer"), "does not describe its library");
}

Test(load, a_library_for_another_processor_is_refused_before_it_is_opened)
{
    const char *dir = help_dir(), *other = help_path(dir, "other.so");
    char *data;
    size_t size;
    error e = { 0 };
    cr_assert_eq(file_read(FIXTURES "/good.so", 0, &data, &size, &e), LTH_OK);
    data[18] = (char)183; /* e_machine: EM_AARCH64 */
    data[19] = 0;
    if (strcmp(library_host_arch(), "aarch64") == 0)
        data[18] = 62; /* EM_X86_64 */
    cr_assert_eq(file_write_atomic(other, data, size, &e), LTH_OK);
    free(data);
    help_install_unchecked(dir, "other", other, "other");
    ASSERT_SAYS(message_of(dir, "other"), ", this machine is ");
}

Test(load, one_library_under_two_names_is_one_library)
{
    const char *dir = help_dir(), *folder = help_install(dir, "good", "good"), *link = help_path(dir, "link.so");
    const lth_plugin *a, *b;
    error e = { 0 };
    cr_assert_eq(symlink(help_path(folder, "good.so"), link), 0);
    cr_assert_eq(library_load(help_path(folder, "good.so"), &a, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(library_load(link, &b, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(a, b);
}

Test(load, neither_a_bare_name_nor_a_la_file_nor_the_environment_leads_elsewhere)
{
    const char *dir = help_dir(), *folder = help_install(dir, "good", "good");
    const lth_plugin *p;
    error e = { 0 };
    setenv("LTDL_LIBRARY_PATH", folder, 1);
    setenv("LD_LIBRARY_PATH", folder, 1);
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(library_load("good.so", &p, &e), LTH_INVALID);
    error_clear(&e);
    cr_assert_eq(library_load(help_path(folder, "good"), &p, &e), LTH_INVALID);

    /* A .la beside the library names another one. */
    help_write(help_path(folder, "undefined.la"), "dlname='good.so'\nlibrary_names='good.so'\ninstalled=yes\nlibdir='/nowhere'\n");
    error_clear(&e);
    cr_assert_eq(library_load(help_path(folder, "undefined.so"), &p, &e), LTH_IO, "%s", e.text);
}
