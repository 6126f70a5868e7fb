/* SPDX-License-Identifier: Apache-2.0
 * `lthost manifest` and `lthost plugins` as a user calls them. */
#include "config/ini.h"
#include "help.h"
#include "util/file.h"
#include "util/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char output[1 << 16];

/* Runs `lthost ARGUMENTS`, keeps what it says (stderr too where asked for), answers its exit status. */
static int lthost(bool with_errors, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int lthost(bool with_errors, const char *format, ...)
{
    str command = { 0 };
    va_list arguments;
    va_start(arguments, format);
    str_append(&command, "LTHOST_PLUGIN_SYSTEM_PATH= " LTHOST_TEST_PROGRAM " ");
    str_vprintf(&command, format, arguments);
    str_append(&command, with_errors ? " 2>&1" : " 2>/dev/null");
    va_end(arguments);
    FILE *pipe = popen(str_text(&command), "r");
    cr_assert_not_null(pipe);
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = '\0';
    int status = pclose(pipe);
    str_free(&command);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define ASSERT_SAYS(part) cr_assert_not_null(strstr(output, part), "it says: %s", output)

TestSuite(commands, .fini = help_remove_dir);

Test(commands, manifest_writes_what_the_library_says)
{
    const char *dir = help_dir(), *folder = help_install(dir, "good", "good"), *path = help_path(folder, "again.ini");
    cr_assert_eq(lthost(true, "manifest %s --output %s", help_path(folder, "good.so"), path), 0, "%s", output);
    cr_assert_str_empty(output);
    char *command, *library;
    size_t size;
    error e = { 0 };
    cr_assert_eq(file_read(path, 0, &command, &size, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(file_read(help_path(folder, MANIFEST_FILE), 0, &library, &size, &e), LTH_OK, "%s", e.text);
    cr_assert_str_eq(command, library);
    cr_assert_eq(lthost(false, "manifest %s", help_path(folder, "good.so")), 0);
    cr_assert_str_eq(output, library);
    free(command);
    free(library);
}

Test(commands, manifest_of_what_is_no_right_plugin_fails_and_says_why)
{
    help_dir();
    static const struct {
        const char *arguments, *says;
        int status;
    } cases[] = {
        { FIXTURES "/no_entry.so", "does not export", 1 },
        { FIXTURES "/undefined.so", "function_of_a_missing_library", 1 },
        { FIXTURES "/other_minor.so", "plugin 'other_minor' 0.0.0 was built for plugin API 0.99", 1 },
        { FIXTURES "/nothing.so", "nothing.so", 1 },
        { "/etc/passwd", "is not a shared library", 1 },
        { "", "needs one library", 2 },
        { "a.so b.so", "needs one library", 2 },
        { "a.so --outptu x", "did you mean '--output'", 2 },
        { "a.so --output", "needs a value", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(lthost(true, "manifest %s", cases[i].arguments), cases[i].status, "%s: %s", cases[i].arguments, output);
        ASSERT_SAYS(cases[i].says);
    }
}

Test(commands, plugins_lists_what_works_and_what_does_not)
{
    const char *dir = help_dir();
    help_install(dir, "good", "good");
    remove(help_path(help_install(dir, "older", "older"), "older.so"));
    cr_assert_eq(lthost(false, "plugins --plugin-dir %s", dir), 0);
    ASSERT_SAYS("callback     probe                1.2.3      0.2   on ");
    ASSERT_SAYS("callback     older                0.0.0      0.2   unusable");
    ASSERT_SAYS("older.so' is missing");

    json_t *answer = NULL;
    error e = { 0 };
    cr_assert_eq(lthost(false, "plugins --json --plugin-dir=%s", dir), 0);
    cr_assert_eq(json_read_text(output, strlen(output), "stdout", &answer, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(json_array_size(json_object_get(answer, "components")), 3);
    cr_assert_eq(json_array_size(json_object_get(answer, "unusable")), 1);
    json_decref(answer);
}

static void count_key(void *context, const ini_item *item)
{
    if (item->key)
        ++*(int *)context;
}

Test(commands, show_prints_a_section_that_a_run_file_can_have)
{
    const char *dir = help_dir();
    int keys = 0;
    diagnostics d = { 0 };
    help_install(dir, "good", "good");
    cr_assert_eq(lthost(false, "plugins show callback.probe --plugin-dir %s", dir), 0);
    cr_assert_eq(ini_read_text("stdout", output, strlen(output), count_key, &keys, &d), LTH_OK, "%s", d.count ? d.at[0].text : "");
    cr_assert_eq(keys, 8);
    ASSERT_SAYS("[callback.probe]");
    cr_assert_eq(lthost(true, "plugins show prob --plugin-dir %s", dir), 1);
    ASSERT_SAYS("did you mean 'probe'?");
    diagnostics_free(&d);
}

Test(commands, why_tells_every_place_and_which_one_won)
{
    const char *dir = help_dir(), *a = help_path(dir, "a"), *b = help_path(dir, "b");
    help_install(a, "good", "good");
    help_install(b, "good", "good");
    cr_assert_eq(lthost(false, "plugins why probe --plugin-dir %s --plugin-dir %s", b, a), 0);
    const char *used = strstr(output, "/b/good 1.2.3\n      used"), *shadowed = strstr(output, "/a/good 1.2.3\n      shadowed");
    cr_assert(used && shadowed && used < shadowed, "%s", output);
    cr_assert_eq(lthost(true, "plugins why nothing --plugin-dir %s", a), 1);
    ASSERT_SAYS("searched");
    ASSERT_SAYS("there is no plugin 'nothing'");
}

Test(commands, a_wrong_command_line_gets_the_nearest_right_one_and_status_2)
{
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        { "plugin", "did you mean 'plugins'" }, { "", "--help" },
        { "plugins shw x", "'show' and 'why'" }, { "plugins show", "needs one name" },
        { "plugins --jsn", "did you mean '--json'" }, { "elephant", "there is no command 'elephant'" },
    };
    help_dir();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(lthost(true, "%s", cases[i].arguments), 2, "%s: %s", cases[i].arguments, output);
        ASSERT_SAYS(cases[i].says);
    }
    cr_assert_eq(lthost(true, "--version"), 0);
    ASSERT_SAYS("plugin API");
    cr_assert_eq(lthost(true, "plugins --help"), 0);
    ASSERT_SAYS("usage: lthost plugins");
}

Test(commands, what_cannot_be_written_is_an_error)
{
    static const char *const cases[] = { "--version", "--help", "plugins", "plugins --json", "plugins why nothing --json",
                                         "plugins --help" };
    help_dir();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        str command = { 0 };
        str_printf(&command, LTHOST_TEST_PROGRAM " %s 2>&1 >/dev/full", cases[i]);
        FILE *pipe = popen(str_text(&command), "r");
        cr_assert_not_null(pipe);
        output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
        int status = pclose(pipe);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s", cases[i]);
        ASSERT_SAYS("cannot write to the standard output");
        str_free(&command);
    }
}

Test(commands, closed_standard_files_are_no_ones_else)
{
    const char *dir = help_dir(), *folder = help_install(dir, "good", "good"), *path = help_path(folder, "again.ini");
    cr_assert_eq(lthost(false, "manifest %s --output %s 0<&- >&- 2>&-", help_path(folder, "good.so"), path), 0);
    cr_assert_eq(lthost(false, "plugins 0<&- >&-"), 0);
}

Test(commands, a_path_with_a_sign_in_it_is_a_file)
{
    const char *dir = help_dir(), *folder = help_path(dir, "epoch=3-step=92"), *path = help_path(folder, "run.ini");
    cr_assert_eq(mkdir(folder, 0700), 0);
    help_write(path, "[nonsense]\n");
    cr_assert_eq(lthost(true, "check %s", path), 2, "%s", output);
    ASSERT_SAYS("run.ini:1: error: there is no kind of section 'nonsense'");
    cr_assert_eq(lthost(true, "check %s/none=1.ini", dir), 2, "%s", output);
    ASSERT_SAYS("none=1.ini");
    cr_assert_eq(lthost(true, "check trainer.max_epochs=3"), 2);
    ASSERT_SAYS("needs a run file");
    cr_assert_eq(lthost(true, "check %s model.weights=/a/b=c", path), 2, "%s", output);
    ASSERT_SAYS("'nonsense'");
}

Test(commands, show_prints_the_hosts_own_keys_of_a_section)
{
    static const struct {
        const char *name, *title, *key;
    } cases[] = {
        { "run", "[run]\n", "\nseed = 0\n" },
        { "trainer", "[trainer]\n", "\nmax_epochs = " },
        { "model", "[model]\n", "\nweights =\n" },
        { "data", "[data]\n", "\nbatch_size = 32\n" },
        { "optimizer", "[optimizer.group.NAME]\n", "\nparameters =\n" },
        { "scheduler", "[scheduler]\n", "\ninterval = epoch\n" },
    };
    help_dir();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(lthost(true, "plugins show %s", cases[i].name), 0, "%s", output);
        ASSERT_SAYS(cases[i].title);
        ASSERT_SAYS(cases[i].key);
        json_t *answer = NULL;
        error e = { 0 };
        cr_assert_eq(lthost(false, "plugins show %s --json", cases[i].name), 0);
        cr_assert_eq(json_read_text(output, strlen(output), "stdout", &answer, &e), LTH_OK, "%s", e.text);
        cr_assert_gt(json_array_size(json_object_get(json_array_get(answer, 0), "options")), 0);
        json_decref(answer);
    }
}

Test(commands, a_plugin_that_cannot_be_used_is_told_from_one_that_is_not_there)
{
    const char *dir = help_dir();
    help_write(help_path(help_install(dir, "bad", "good"), MANIFEST_FILE), "nonsense\n");
    static const char *const verbs[] = { "why", "show" };
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(lthost(true, "plugins %s bad --plugin-dir %s", verbs[i], dir), 1, "%s", output);
        ASSERT_SAYS("lthost: 'bad' cannot be used: ");
        cr_assert_null(strstr(output, "did you mean"), "%s", output);
    }
}
