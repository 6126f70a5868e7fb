/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"
#include "util/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(search, .fini = help_remove_dir);

#define ASSERT_SAYS(text, part) cr_assert_not_null(strstr(text, part), "it says: %s", text)

static registry *open_with(const char *const *dirs, size_t count, diagnostics *d)
{
    const registry_paths paths = { .plugin_dirs = dirs, .plugin_dir_count = count };
    return registry_open(&paths, d);
}

static const char *made(const char *dir, const char *name)
{
    const char *path = help_path(dir, name);
    error e = { 0 };
    cr_assert_eq(file_make_dirs(path, &e), LTH_OK, "%s", e.text);
    return path;
}

Test(search, places_come_in_their_documented_order)
{
    const char *dir = help_dir();
    const char *first = made(dir, "first"), *run = made(dir, "run"), *env = made(dir, "env"), *data = made(dir, "data");
    char both[400];
    snprintf(both, sizeof both, "%s:%s/not-there", env, dir);
    setenv("LTHOST_PLUGIN_PATH", both, 1);
    setenv("XDG_DATA_HOME", data, 1);
    unsetenv("LTHOST_PLUGIN_SYSTEM_PATH");
    diagnostics d = { 0 };
    const registry_paths paths = { .plugin_dirs = &first, .plugin_dir_count = 1, .run_dirs = &run, .run_dir_count = 1 };
    registry *r = registry_open(&paths, &d);
    size_t count;
    const registry_place *const *places = registry_places(r, &count);
    cr_assert_geq(count, 6);
    cr_assert_str_eq(places[0]->dir, first);
    cr_assert_str_eq(places[1]->dir, run);
    cr_assert_str_eq(places[2]->dir, env);
    cr_assert_str_eq(places[3]->problem, "does not exist");
    cr_assert_str_eq(places[4]->dir, help_path(data, "lthost/plugins"));
    cr_assert_str_eq(places[5]->origin, "beside the program");
    cr_assert_str_eq(places[count - 1]->origin, "built in");
    registry_free(r);

    setenv("LTHOST_PLUGIN_SYSTEM_PATH", data, 1);
    r = registry_open(&paths, &d);
    places = registry_places(r, &count);
    cr_assert_eq(count, 5, "the system's places are replaced");
    cr_assert_str_eq(places[4]->dir, data);
    registry_free(r);
    cr_assert_eq(d.count, 0);
    diagnostics_free(&d);
}

Test(search, the_current_folder_is_never_searched)
{
    const char *dir = help_dir();
    help_install(dir, "good", "good");
    cr_assert_eq(chdir(dir), 0);
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", "", 1);
    setenv("LTHOST_PLUGIN_PATH", ":.:relative:", 1);
    diagnostics d = { 0 };
    registry *r = open_with(NULL, 0, &d);
    cr_assert_null(registry_find(r, "callback", "probe"));
    cr_assert_eq(d.count, 2, "relative folders are told");
    ASSERT_SAYS(d.at[0].text, "'.' is not absolute");
    registry_free(r);

    const char *named = ".";
    r = open_with(&named, 1, &d);
    cr_assert_not_null(registry_find(r, "callback", "probe"), "named on the command line it is");
    registry_free(r);
    diagnostics_free(&d);
}

Test(search, the_first_of_an_id_wins_and_the_others_are_shadowed)
{
    const char *dir = help_dir(), *a = made(dir, "a"), *b = made(dir, "b");
    help_install(a, "good", "good");
    help_install(b, "good", "good");
    registry *r = help_open(a, b, NULL);
    size_t count;
    const registry_plugin *const *plugins = registry_plugins(r, &count);
    cr_assert_eq(count, 2);
    cr_assert_null(plugins[0]->shadowed_by);
    cr_assert_eq(plugins[1]->shadowed_by, plugins[0]);
    cr_assert_eq(registry_find(r, "callback", "probe")->plugin, plugins[0]);
    size_t walked = 0;
    for (const registry_component *c = NULL; (c = registry_next(r, NULL, c));)
        walked++;
    cr_assert_eq(walked, 2, "shadowed components are not walked");
    registry_free(r);
}

Test(search, one_component_in_two_plugins_belongs_to_the_first)
{
    const char *dir = help_dir();
    help_install_unchecked(dir, "aa", FIXTURES "/older.so", "same");
    help_install_unchecked(dir, "bb", FIXTURES "/older.so", "same");
    registry *r = help_open(dir, NULL);
    size_t count;
    const registry_component *const *all = registry_components(r, &count);
    cr_assert_eq(count, 2);
    cr_assert_str_eq(registry_find(r, "callback", "same")->plugin->manifest.id, "aa");
    cr_assert_str_eq(all[1]->shadowed_by->manifest.id, "aa");
    registry_free(r);
}

Test(search, a_folder_reached_by_two_names_is_searched_once)
{
    const char *dir = help_dir(), *a = made(dir, "a"), *link = help_path(dir, "link");
    help_install(a, "good", "good");
    cr_assert_eq(symlink(a, link), 0);
    registry *r = help_open(a, link, a, NULL);
    size_t places, plugins;
    registry_places(r, &places);
    registry_plugins(r, &plugins);
    cr_assert_eq(places, 1);
    cr_assert_eq(plugins, 1);
    registry_free(r);
}

Test(search, what_anyone_may_write_is_not_loaded)
{
    const char *dir = help_dir(), *spoilt[4];
    const char *folder = help_install(dir, "good", "good");
    spoilt[0] = dir;
    spoilt[1] = folder;
    spoilt[2] = help_path(folder, MANIFEST_FILE);
    spoilt[3] = help_path(folder, "good.so");
    for (int i = 0; i < 4; i++) {
        struct stat before;
        cr_assert_eq(stat(spoilt[i], &before), 0);
        cr_assert_eq(chmod(spoilt[i], before.st_mode | S_IWOTH), 0);
        registry *r = help_open(dir, NULL);
        const registry_component *c = registry_find(r, "callback", "probe");
        const char *problem = "";
        size_t count;
        if (i == 0)
            problem = registry_places(r, &count)[0]->problem;
        else
            problem = registry_plugins(r, &count)[0]->problem;
        cr_assert_not_null(problem, "%s is taken though anyone may write it", spoilt[i]);
        ASSERT_SAYS(problem, "may be written by anyone");
        ASSERT_SAYS(problem, spoilt[i]);
        if (c) { /* known, for its options, and still not loaded */
            const lth_component_head *table;
            error e = { 0 };
            cr_assert_eq(i, 3, "%s: nothing of it may even be read", spoilt[i]);
            cr_assert_eq(registry_load(r, c, &table, &e), LTH_INVALID);
        }
        registry_free(r);
        cr_assert_eq(chmod(spoilt[i], before.st_mode), 0);
    }
}

Test(search, what_belongs_to_somebody_else_is_not_loaded)
{
    if (geteuid() != 0)
        cr_skip_test("only root may give files away");
    const char *dir = help_dir(), *folder = help_install(dir, "good", "good");
    cr_assert_eq(chown(help_path(folder, "good.so"), 12345, 12345), 0);
    registry *r = help_open(dir, NULL);
    ASSERT_SAYS(registry_find(r, "callback", "probe")->plugin->problem, "belongs to user 12345");
    registry_free(r);
}

Test(search, a_pipe_in_the_place_of_a_manifest_holds_nothing_up)
{
    const char *dir = help_dir();
    cr_assert_eq(mkfifo(help_path(made(dir, "pipe"), MANIFEST_FILE), 0600), 0);
    registry *r = help_open(dir, NULL);
    size_t count;
    ASSERT_SAYS(registry_plugins(r, &count)[0]->problem, "neither a file nor a folder");
    registry_free(r);
}

Test(search, a_folder_that_was_named_and_is_not_there_is_an_error)
{
    const char *dir = help_path(help_dir(), "nowhere");
    setenv("LTHOST_PLUGIN_SYSTEM_PATH", "", 1);
    diagnostics d = { 0 };
    registry *r = open_with(&dir, 1, &d);
    cr_assert_eq(d.error_count, 1);
    ASSERT_SAYS(d.at[0].text, "--plugin-dir");
    ASSERT_SAYS(d.at[0].text, "does not exist");
    registry_free(r);
    diagnostics_free(&d);
}

/* What registry_require says, under run.ini:7. */
static void assert_required(const registry *r, const char *kind, const char *id, const char *text, const char *hint)
{
    diagnostics d = { 0 };
    registry_require(r, kind, id, "run.ini", 7, &d);
    cr_assert_eq(d.error_count, 1);
    cr_assert_eq(d.at[0].line, 7);
    ASSERT_SAYS(d.at[0].text, text);
    if (hint)
        ASSERT_SAYS(d.at[0].hint, hint);
    diagnostics_free(&d);
}

Test(search, a_name_that_is_not_there_gets_the_nearest_one)
{
    const char *dir = help_dir();
    help_install(dir, "good", "good");
    help_write(help_path(made(dir, "broken"), MANIFEST_FILE), "[plugin]\nformat = 1\nid = broken\n");
    unlink(help_path(help_install(dir, "older", "older"), "older.so"));
    registry *r = help_open(dir, NULL);
    assert_required(r, "callback", "prob", "there is no callback 'prob'", "did you mean 'probe'");
    assert_required(r, "model", "probe", "there is no model 'probe'", "'probe' is a callback");
    assert_required(r, "model", "elephant", "there is no model 'elephant'", "lthost plugins why elephant");
    assert_required(r, "model", "broken", "the plugin 'broken' cannot be used: ", NULL);
    assert_required(r, "callback", "older", "older.so' is missing", NULL);
    diagnostics d = { 0 };
    cr_assert_not_null(registry_require(r, "callback", "probe", "run.ini", 7, &d));
    cr_assert_eq(d.count, 0);
    registry_free(r);
}

Test(search, a_manifest_of_another_api_is_unusable_before_anything_is_loaded)
{
    const char *dir = help_dir();
    const char *path = help_path(help_install(dir, "good", "good"), MANIFEST_FILE);
    char *text;
    size_t size;
    error e = { 0 };
    cr_assert_eq(file_read(path, 0, &text, &size, &e), LTH_OK);
    char *api = strstr(text, "api = ");
    api[6] = '7';
    help_write(path, text);
    free(text);
    registry *r = help_open(dir, NULL);
    ASSERT_SAYS(registry_find(r, "callback", "probe")->plugin->problem, "plugin 'good' 1.2.3 was built for plugin API 7.");
    registry_free(r);
}
