/* SPDX-License-Identifier: Apache-2.0 */
#include "end.h"

#include "util/file.h"
#include "util/path.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kill_run_file(kill_data data)
{
    static const char *const sections[] = {
        [KILL_DIGITS] = "use = digits\nbatch_size = 64\n",
        [KILL_STREAM] = "use = survivor_stream\nbatch_size = 64\nworkers = 2\n",
        [KILL_STREAM_REREAD] = "use = survivor_stream\nbatch_size = 64\nkeeps = false\n",
    };
    char *text =
        str_format("[run]\nseed = 5\nresume = auto\n"
                   "[trainer]\naccelerator = reference\nmax_epochs = 9\naccumulate_grad_batches = 3\nlog_every_n_steps = 1\n"
                   "val_check_interval = 11\ngradient_clip_val = 0.5\nenable_progress_bar = false\n"
                   "[model]\nuse = survivor\n[data]\n%s"
                   "[optimizer]\nuse = adamw\nlr = 3e-2\n"
                   "[scheduler]\nuse = cosine\ninterval = step\nt_max = 40\n"
                   "[callback.checkpoint]\nmonitor = val_loss\nsave_top_k = 2\nevery_n_train_steps = %d\n"
                   "[callback.accurate]\nuse = checkpoint\nmonitor = val_acc\nmode = max\nevery_n_train_steps = %d\n"
                   "filename = accurate-{step}\nsave_last = false\n"
                   "[callback.early_stopping]\nmonitor = val_loss\npatience = 2\nmin_delta = 0.05\n"
                   "[logger.csv]\n",
                   sections[data], KILL_INTERVAL, KILL_INTERVAL);
    run_write("run.ini", text);
    free(text);
}

/* Names below a folder, a line each. */
static void list_below(str *out, const char *folder)
{
    file_names names;
    error e = { 0 };
    cr_assert_eq(file_list(folder, &names, &e), LTH_OK, "%s", e.text);
    for (size_t i = 0; i < names.count; i++) {
        char target[256], *path = path_join(folder, names.at[i]);
        ssize_t n = readlink(path, target, sizeof target - 1);
        str_printf(out, "%s%s%.*s\n", path, n > 0 ? " -> " : "", n > 0 ? (int)n : 0, target);
        if (n <= 0 && path_is_dir(path))
            list_below(out, path);
        free(path);
    }
    file_names_free(&names);
}

end end_of_run(const char *what)
{
    end r = { .metrics = run_read(KILL_RUN "metrics.csv") };
    char best[256] = "";
    str files = { 0 };
    cr_assert_neq(run_sha256(KILL_RUN "checkpoints/last/model.safetensors", r.model)[0], '\0', "%s: there is no last checkpoint",
                  what);
    run_sha256(KILL_RUN "checkpoints/last/optimizer.safetensors", r.optimizer);
    run_sha256(KILL_RUN "checkpoints/best/model.safetensors", r.best_model);
    cr_assert_gt(readlink(KILL_RUN "checkpoints/best", best, sizeof best - 1), 0, "%s: there is no best checkpoint", what);
    list_below(&files, "runs");
    r.best = str_dup(best);
    r.files = str_dup(str_text(&files));
    str_free(&files);
    return r;
}

void end_free(end *e)
{
    free(e->best);
    free(e->metrics);
    free(e->files);
}

/* The first line in which two texts differ. */
static void expect_same_text(const char *a, const char *b, const char *what, const char *of)
{
    size_t line = 1;
    for (; *a && *a == *b; a++, b++)
        line += *a == '\n';
    cr_expect(*a == *b, "%s: %s differ in line %zu: from '%.*s' on it is '%.*s'", what, of, line, (int)strcspn(a, "\n"), a,
              (int)strcspn(b, "\n"), b);
}

void expect_same_end(const end *a, const end *b, const char *what)
{
    cr_expect_str_eq(a->model, b->model, "%s: the model differs", what);
    cr_expect_str_eq(a->optimizer, b->optimizer, "%s: the optimizer's state differs", what);
    cr_expect_str_eq(a->best, b->best, "%s: another checkpoint is best: %s, not %s", what, b->best, a->best);
    cr_expect_str_eq(a->best_model, b->best_model, "%s: the best model differs", what);
    expect_same_text(a->metrics, b->metrics, what, "rows of metrics.csv");
    cr_expect_str_eq(a->files, b->files, "%s: the files differ:\n%s---\n%s", what, a->files, b->files);
}

int64_t kill_setting(const char *name, int64_t otherwise)
{
    char *key = str_format("LTHOST_TEST_%s", name);
    const char *text = getenv(key);
    free(key);
    return text ? strtoll(text, NULL, 10) : otherwise;
}
