/* SPDX-License-Identifier: Apache-2.0
 * Layers, overrides and the environment. */
#include "config/config.h"
#include "expect.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static config *load(const char *text, const char *const *overrides, size_t count, diagnostics *d)
{
    return config_load_text("dir/run.ini", text, strlen(text), overrides, count, d);
}

static void has(const config *c, const char *title, const char *key, const char *value, const char *file, int line)
{
    config_section *s = config_find(c, title);
    cr_assert(s, "no section %s", title);
    config_entry *entry = config_take(s, key);
    cr_assert(entry, "no key %s in %s", key, title);
    cr_assert_str_eq(entry->value, value);
    cr_assert_str_eq(entry->file, file);
    cr_assert(entry->line == line, "%s is in line %d", key, entry->line);
}

Test(config, knows_kinds_names_and_places)
{
    diagnostics d = { 0 };
    config *c = load("[run]\nseed = 1\n[callback.best]\nuse = checkpoint\n[logger.csv]\n[optimizer.group.bias]\nlr = 1\n"
                     "[callback.last]\nuse = \"early stop\"\n[model]\n",
                     NULL, 0, &d);
    EXPECT_MESSAGES(&d, "");
    cr_assert(c->count == 6);
    config_section *best = config_find(c, "callback.best"), *group = config_find(c, "optimizer.group.bias");
    cr_assert(!strcmp(best->kind, "callback") && !strcmp(best->name, "best") && best->line == 3 && best->enabled);
    cr_assert(!strcmp(group->kind, "optimizer") && !strcmp(group->name, "group.bias"));
    cr_assert_str_eq(config_component(c, best), "checkpoint");
    cr_assert_str_eq(config_component(c, config_find(c, "logger.csv")), "csv");
    cr_assert_str_eq(config_component(c, config_find(c, "callback.last")), "early stop");
    cr_assert_str_eq(config_component(c, config_find(c, "model")), "");
    cr_assert_str_eq(config_component(c, NULL), "");
    cr_assert_str_eq(config_text(c, config_find(c, "run"), "seed", "0"), "1");
    cr_assert_str_eq(config_text(c, config_find(c, "run"), "name", "run"), "run");
    cr_assert(config_next(c, "callback", NULL) == best && config_next(c, "callback", best) == config_find(c, "callback.last"));
    cr_assert(!config_next(c, "callback", config_find(c, "callback.last")) && !config_next(c, "tuner", NULL));
    config_free(c);
}

Test(config, puts_layers_over_each_other)
{
    char paths[3][40];
    static const char *const texts[] = { "[trainer]\nmax_epochs = 1\nprecision = 32\n[model]\nhidden = 8\n",
                                         "\n\n[model]\nhidden = 16\n[trainer]\nmax_epochs = 2\n", "[trainer]\nmax_epochs = 3\n" };
    const char *files[3];
    for (int i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/lthost-layer-XXXXXX");
        int fd = mkstemp(paths[i]);
        cr_assert(fd >= 0 && write(fd, texts[i], strlen(texts[i])) == (ssize_t)strlen(texts[i]));
        close(fd);
        files[i] = paths[i];
    }
    diagnostics d = { 0 };
    static const char *const overrides[] = { "model.hidden=32", "callback.best.monitor = val_loss ",
                                             "logger.csv.flush=a=b;c # d" };
    config *c = config_load(files, 3, overrides, 3, &d);
    for (int i = 0; i < 3; i++)
        unlink(paths[i]);
    EXPECT_MESSAGES(&d, "");
    has(c, "trainer", "max_epochs", "3", paths[2], 2);
    has(c, "trainer", "precision", "32", paths[0], 3);
    has(c, "model", "hidden", "32", CONFIG_COMMAND_LINE, 0);
    has(c, "callback.best", "monitor", "val_loss", CONFIG_COMMAND_LINE, 0);
    has(c, "logger.csv", "flush", "a=b;c # d", CONFIG_COMMAND_LINE, 0);
    cr_assert_str_eq(c->file, paths[0]);
    cr_assert_str_eq(c->base_dir, "/tmp");
    config_free(c);
}

Test(config, refuses_titles_keys_and_overrides_that_are_none)
{
    diagnostics d = { 0 };
    static const char *const overrides[] = { "max_epochs=3", "trainer.max_epochs", "=", ".=1", "Trainer.x=1",
                                             "a..b=1",       "model.x=\xff",       "" };
    config *c = load("x = 1\n[Model]\ny = 1\n[a b]\n[a.]\n[.a]\n[a..b]\n", overrides, 8, &d);
    config_free(c);
    cr_assert(d.error_count == 14);
    str text = { 0 };
    diagnostics_render(&d, &text);
    cr_assert(strstr(text.at, "command line: error: 'max_epochs=3' is not understood (an override is section.key=value, such as "
                              "trainer.max_epochs=3)\n"));
    cr_assert(strstr(text.at, "dir/run.ini:1: error: 'x' stands before the first section\n"));
    cr_assert(strstr(text.at, "dir/run.ini:2: error: [Model] is not the name of a section (a section is [kind]"));
    cr_assert(strstr(text.at, "command line: error: 'model.x=' goes on with bytes that are not UTF-8\n"));
    str_free(&text);
    diagnostics_free(&d);
}

Test(config, takes_values_from_the_environment)
{
    setenv("LTHOST_T", "value", 1);
    setenv("LTHOST_EMPTY", "", 1);
    setenv("LTHOST_ODD", "a, \"b\" ; c", 1);
    unsetenv("LTHOST_NONE");
    diagnostics d = { 0 };
    static const char *const overrides[] = { "a.from_shell=${LTHOST_T}" };
    config *c = load(
        "[a]\nwhole = ${LTHOST_T}\npart = x/${LTHOST_T}.y${LTHOST_T}\nor = ${LTHOST_NONE:-other} \n"
        "or_empty = ${LTHOST_EMPTY:-other}\nempty = ${LTHOST_EMPTY}\nnothing = ${LTHOST_NONE:-}\nplain = $ $x {y} $${LTHOST_T}\n"
        "dollars = $$${LTHOST_T}\nquoted = \"${LTHOST_ODD}\", z\nraw = ${LTHOST_ODD}\n",
        overrides, 1, &d);
    EXPECT_MESSAGES(&d, "");
    has(c, "a", "whole", "value", "dir/run.ini", 2);
    has(c, "a", "part", "x/value.yvalue", "dir/run.ini", 3);
    has(c, "a", "or", "other", "dir/run.ini", 4);
    has(c, "a", "or_empty", "other", "dir/run.ini", 5);
    has(c, "a", "empty", "", "dir/run.ini", 6);
    has(c, "a", "nothing", "", "dir/run.ini", 7);
    has(c, "a", "plain", "$ $x {y} ${LTHOST_T}", "dir/run.ini", 8);
    has(c, "a", "dollars", "$${LTHOST_T}", "dir/run.ini", 9);
    has(c, "a", "quoted", "\"a, \\\"b\\\" ; c\", z", "dir/run.ini", 10);
    has(c, "a", "raw", "a, \"b\" ; c", "dir/run.ini", 11);
    has(c, "a", "from_shell", "value", CONFIG_COMMAND_LINE, 0);
    cr_assert_str_eq(config_take(config_find(c, "a"), "whole")->written, "${LTHOST_T}");
    config_free(c);
}

Test(config, tells_what_the_environment_does_not_have)
{
    unsetenv("LTHOST_NONE");
    setenv("LTHOST_BYTES", "\xff", 1);
    diagnostics d = { 0 };
    config *c = load("[a]\nx = ${LTHOST_NONE}\ny = ${not a name}\nz = ${LTHOST_NONE\nw = ${}\nv = ${9}\nu = ${LTHOST_BYTES}\n",
                     NULL, 0, &d);
    cr_assert(config_take(config_find(c, "a"), "x")->broken);
    cr_assert_str_eq(config_text(c, config_find(c, "a"), "x", "otherwise"), "otherwise");
    config_free(c);
    static const char form[] = "(${NAME} or ${NAME:-text}; $${ stands for ${ itself)";
    str expected = { 0 };
    str_append(
        &expected,
        "dir/run.ini:2: error: x: the environment has no 'LTHOST_NONE' (set it, or give a default: ${LTHOST_NONE:-text})\n");
    static const char *const wrong[] = { "3: error: y", "${not a name}", "4: error: z", "${LTHOST_NONE",
                                         "5: error: w", "${}",           "6: error: v", "${9}" };
    for (int i = 0; i < 8; i += 2)
        str_printf(&expected, "dir/run.ini:%s: not a reference to the environment: '%s' %s\n", wrong[i], wrong[i + 1], form);
    str_append(&expected,
               "dir/run.ini:7: error: u: not UTF-8 is the environment's 'LTHOST_BYTES' (only text can stand in a run file)\n");
    EXPECT_MESSAGES(&d, expected.at);
    str_free(&expected);
}

Test(config, switches_sections_off)
{
    diagnostics d = { 0 };
    static const char *const overrides[] = { "callback.b.enabled=no", "callback.c.enabled=true" };
    config *c = load("[callback.a]\nenabled = false\n[callback.b]\n[callback.c]\nenabled = off\n[callback.d]\nenabled = maybe\n",
                     overrides, 2, &d);
    cr_assert(!config_find(c, "callback.a")->enabled && !config_find(c, "callback.b")->enabled);
    cr_assert(config_find(c, "callback.c")->enabled && config_find(c, "callback.d")->enabled);
    EXPECT_MESSAGES(&d, "dir/run.ini:7: error: [callback.d] enabled = 'maybe' is neither true nor false\n");
    config_free(c);
}

Test(config, reports_sections_that_nobody_knows_or_reads)
{
    static const char *const kinds[] = { "run", "trainer", "model", "callback" };
    diagnostics d = { 0 };
    config *c = load("[run]\n[trianer]\n[trainer.fast]\n[calback.best]\nx = 1\n[zzz]\n[callback.off]\nenabled = false\n[model]\n",
                     NULL, 0, &d);
    config_check_kinds(c, kinds, 4, &d);
    config_take(config_find(c, "run"), "seed");
    config_component(c, config_find(c, "model"));
    config_check_used(c, kinds, 4, &d);
    EXPECT_MESSAGES(
        &d, "dir/run.ini:2: error: there is no kind of section 'trianer' for [trianer] (did you mean [trainer]?)\n"
            "dir/run.ini:3: error: nothing reads the section [trainer.fast]\n"
            "dir/run.ini:4: error: there is no kind of section 'calback' for [calback.best] (did you mean [callback.best]?)\n"
            "dir/run.ini:6: error: there is no kind of section 'zzz' for [zzz]\n");
    config_free(c);
}

Test(config, is_there_also_without_any_file)
{
    diagnostics d = { 0 };
    static const char *const overrides[] = { "model.hidden=3" };
    config *c = config_load(NULL, 0, overrides, 1, &d);
    EXPECT_MESSAGES(&d, "");
    has(c, "model", "hidden", "3", CONFIG_COMMAND_LINE, 0);
    cr_assert(!strcmp(c->file, CONFIG_COMMAND_LINE) && c->base_dir[0] == '/');
    config_free(c);
    static const char *const missing[] = { "/nonexistent/a.ini", "/nonexistent/b.ini" };
    c = config_load(missing, 2, NULL, 0, &d);
    cr_assert(c->count == 0 && d.error_count == 2);
    diagnostics_free(&d);
    config_free(c);
    config_free(NULL);
}
