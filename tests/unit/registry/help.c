/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"
#include "registry/descriptor.h"
#include "registry/library.h"
#include "util/file.h"
#include "util/path.h"
#include "util/sha256.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char place[64];
static arena memory; /* of the whole test; freed with the place */

const char *help_dir(void)
{
    strcpy(place, "/tmp/lthost-test-XXXXXX");
    cr_assert_not_null(mkdtemp(place));
    return place;
}

void help_remove_dir(void)
{
    error e = { 0 };
    file_remove_tree(place, &e);
    arena_free(&memory);
}

const char *help_path(const char *dir, const char *name) { return arena_format(&memory, "%s/%s", dir, name); }

void help_write(const char *path, const char *text)
{
    error e = { 0 };
    cr_assert_eq(file_write_atomic(path, text, strlen(text), &e), LTH_OK, "%s", e.text);
}

static void copy(const char *from, const char *to)
{
    char *data;
    size_t size;
    error e = { 0 };
    cr_assert_eq(file_read(from, 0, &data, &size, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(file_write_atomic(to, data, size, &e), LTH_OK, "%s", e.text);
    free(data);
}

const char *help_install(const char *dir, const char *name, const char *fixture)
{
    error e = { 0 };
    diagnostics d = { 0 };
    manifest m;
    str text = { 0 };
    char hash[SHA256_HEX_SIZE];
    const char *folder = help_path(dir, name), *leaf = arena_format(&memory, "%s.so", fixture);
    const char *library = help_path(folder, leaf);
    descriptor_args args = { .library = leaf, .arch = library_host_arch(), .sha256 = hash };
    cr_assert_eq(file_make_dirs(folder, &e), LTH_OK, "%s", e.text);
    copy(help_path(FIXTURES, leaf), library);
    cr_assert_eq(sha256_of_file(library, hash, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(library_load(library, &args.descriptor, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(descriptor_read(&args, &m, &memory, &d), LTH_OK, "%s", d.count ? d.at[0].text : "");
    manifest_write(&text, &m);
    help_write(help_path(folder, MANIFEST_FILE), str_text(&text));
    str_free(&text);
    diagnostics_free(&d);
    return folder;
}

const char *help_install_unchecked(const char *dir, const char *name, const char *library, const char *component)
{
    error e = { 0 };
    char hash[SHA256_HEX_SIZE] = "0000000000000000000000000000000000000000000000000000000000000000";
    const char *folder = help_path(dir, name), *leaf = path_base(library);
    cr_assert_eq(file_make_dirs(folder, &e), LTH_OK, "%s", e.text);
    if (path_exists(library)) {
        copy(library, help_path(folder, leaf));
        cr_assert_eq(sha256_of_file(library, hash, &e), LTH_OK, "%s", e.text);
    }
    help_write(help_path(folder, MANIFEST_FILE),
               arena_format(&memory,
                            "[plugin]\nformat = 1\nid = %s\nversion = 1.0.0\nlicense = MIT\napi = %d.%d\nlibrary = %s\narch = %s\n"
                            "sha256 = %s\ncomponents = 1\n[callback.%s]\ninterface = callback/1\nsummary = x\noptions = 0\n",
                            name, LTH_API_MAJOR, LTH_API_MINOR, leaf, library_host_arch(), hash, component));
    return folder;
}

registry *help_open(const char *dir, ...)
{
    const char *dirs[8];
    size_t count = 0;
    va_list more;
    va_start(more, dir);
    for (const char *d = dir; d; d = va_arg(more, const char *))
        dirs[count++] = d;
    va_end(more);
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", "", 1);
    unsetenv("LTHOST_PLUGIN_PATH");
    diagnostics d = { 0 };
    const registry_paths paths = { .plugin_dirs = dirs, .plugin_dir_count = count };
    registry *r = registry_open(&paths, &d);
    diagnostics_free(&d);
    return r;
}
