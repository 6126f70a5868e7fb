/* SPDX-License-Identifier: Apache-2.0
 * Metrics gathered over an epoch, in a real run: with a short last batch, several validation sets, accumulation, and stopped
 * anywhere. The rows hold what this file computes by itself from the run's own predictions. */
#include "integration/run_lthost.h"
#include "trainer/safetensors.h"
#include "util/file.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS "runs/run/version_0/"

static const char run_ini[] = "[run]\nseed = 5\n"
                              "[trainer]\naccelerator = reference\nmax_epochs = 3\naccumulate_grad_batches = 2\n"
                              "enable_progress_bar = false\nlog_every_n_steps = 1\n"
                              "[model]\nuse = scored\n"
                              "[data]\nuse = scored_data\nbatch_size = 5\n"
                              "[optimizer]\nuse = adamw\nlr = 0.05\n"
                              "[callback.checkpoint]\nevery_n_train_steps = 1\n";

TestSuite(metrics_of_runs, .init = run_begin, .fini = run_end);

/* ---- What the run wrote ---- */

/* The last value in a column of metrics.csv; NaN where there is none. */
static double last_in_column(const char *path, const char *name)
{
    char *text = run_read(path), *save = NULL;
    int column = -1;
    double value = NAN;
    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        int at = 0;
        for (char *cell = line, *end; cell; cell = end ? end + 1 : NULL, at++) {
            end = strchr(cell, ',');
            size_t length = end ? (size_t)(end - cell) : strlen(cell);
            if (column < 0 && length == strlen(name) && strncmp(cell, name, length) == 0)
                column = at;
            else if (column == at && length > 0)
                value = strtod(cell, NULL);
        }
    }
    free(text);
    return value;
}

enum { CLASSES = 3, MOST = 64, THRESHOLDS = 20 };
typedef struct predictions {
    float logits[MOST][CLASSES];
    int64_t target[MOST], count;
} predictions;

/* `first`: the number of the first sample, as in plugins/scored. */
static predictions read_predictions(const char *path, const char *name, int64_t first)
{
    predictions p = { .count = 0 };
    error e = { 0 };
    safetensors_file *f;
    cr_assert_eq(safetensors_open(path, &f, &e), LTH_OK, "%s", e.text);
    int64_t at = safetensors_find(f, name);
    cr_assert_geq(at, 0, "no %s", name);
    const safetensors_tensor *t = safetensors_at(f, (uint32_t)at);
    p.count = t->shape.dim[0];
    cr_assert_eq(safetensors_read(f, (uint32_t)at, p.logits, &e), LTH_OK, "%s", e.text);
    safetensors_close(f);
    for (int64_t i = 0; i < p.count; i++)
        p.target[i] = (first + i) * (first + i) % 7 % CLASSES;
    return p;
}

/* ---- The metrics by themselves ---- */

typedef struct scores {
    double accuracy, f1, auroc, kappa, recall[CLASSES];
} scores;

static int best(const float *logits) { return logits[1] > logits[0] ? (logits[2] > logits[1] ? 2 : 1) : logits[2] > logits[0] ? 2 : 0; }

/* The area by trapezoids between the thresholds, one class against all others. */
static double area(const predictions *p, int c)
{
    double before[2] = { 0, 0 }, sum = 0;
    for (int t = THRESHOLDS - 1; t >= 0; t--) {
        double hits = 0, alarms = 0, yes = 0;
        for (int64_t i = 0; i < p->count; i++) {
            double all = 0;
            for (int k = 0; k < CLASSES; k++)
                all += exp((double)p->logits[i][k]);
            bool over = exp((double)p->logits[i][c]) / all >= (double)t / (THRESHOLDS - 1), own = p->target[i] == c;
            yes += own;
            hits += over && own;
            alarms += over && !own;
        }
        double now[2] = { hits / yes, alarms / ((double)p->count - yes) };
        if (t < THRESHOLDS - 1)
            sum += (now[1] - before[1]) * (now[0] + before[0]) / 2;
        before[0] = now[0];
        before[1] = now[1];
    }
    return sum;
}

static scores score(const predictions *p)
{
    double matrix[CLASSES][CLASSES] = { { 0 } }, right = 0, chance = 0, n = (double)p->count;
    scores s = { .f1 = 0 };
    for (int64_t i = 0; i < p->count; i++)
        matrix[p->target[i]][best(p->logits[i])]++;
    for (int c = 0; c < CLASSES; c++) {
        double wanted = 0, said = 0, tp = matrix[c][c];
        for (int k = 0; k < CLASSES; k++) {
            wanted += matrix[c][k];
            said += matrix[k][c];
        }
        cr_assert_gt(wanted, 0);
        right += tp;
        chance += wanted * said / n;
        s.recall[c] = tp / wanted;
        s.f1 += 2 * tp / (wanted + said) / CLASSES;
        s.auroc += area(p, c) / CLASSES;
    }
    s.accuracy = right / n;
    s.kappa = (right - chance) / (n - chance);
    return s;
}

static void expect_validation(const char *csv, const char *suffix, const scores *s)
{
    const struct { const char *name; double value; } rows[] = {
        { "val_f1", s->f1 },           { "val_auroc", s->auroc },         { "val_kappa", s->kappa },
        { "val_recall_0", s->recall[0] }, { "val_recall_1", s->recall[1] }, { "val_recall_2", s->recall[2] },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[100];
        snprintf(name, sizeof name, "%s%s", rows[i].name, suffix);
        double is = last_in_column(csv, name);
        cr_expect(fabs(is - rows[i].value) < 1e-9, "%s is %.12g in %s, and %.12g by its predictions", name, is, csv, rows[i].value);
    }
}

static void succeed(outcome o)
{
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
}

/* ---- Tests ---- */

Test(metrics_of_runs, a_row_holds_the_metric_of_all_samples_in_a_run_with_a_short_last_batch)
{
    run_write("run.ini", run_ini);
    succeed(RUN("fit", "run.ini"));
    succeed(RUN("predict", "run.ini", "--ckpt", "last"));
    predictions p = read_predictions("runs/run/version_1/predictions.safetensors", "predictions/dataloader_idx_0", 1000);
    cr_assert_eq(p.count, 13);
    scores s = score(&p);
    cr_assert(s.f1 > 0 && s.f1 < 1, "%g", s.f1);
    expect_validation(RUNS "metrics.csv", "", &s);
    succeed(RUN("test", "run.ini", "--ckpt", "last")); /* the same metrics, in another stage */
    expect_validation("runs/run/version_2/metrics.csv", "", &s);
}

Test(metrics_of_runs, each_validation_set_has_a_value_of_its_own)
{
    run_write("run.ini", run_ini);
    succeed(RUN("fit", "run.ini", "data.val_sets=2"));
    succeed(RUN("predict", "run.ini", "data.val_sets=2", "--ckpt", "last"));
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "predictions/dataloader_idx_%d", i);
        predictions p = read_predictions("runs/run/version_1/predictions.safetensors", name, 1000 + 1000 * i);
        scores s = score(&p);
        snprintf(name, sizeof name, "/dataloader_idx_%d", i);
        expect_validation(RUNS "metrics.csv", name, &s);
    }
}

Test(metrics_of_runs, a_training_epoch_gathers_over_accumulated_batches_and_past_validation)
{
    run_write("run.ini", run_ini);
    succeed(RUN("fit", "run.ini", "model.still=true", "trainer.val_check_interval=0.5"));
    succeed(RUN("predict", "run.ini", "model.still=true", "--ckpt", "last"));
    predictions p = read_predictions("runs/run/version_1/predictions.safetensors", "predictions/dataloader_idx_1", 0);
    cr_assert_eq(p.count, 22);
    cr_expect_float_eq(last_in_column(RUNS "metrics.csv", "train_accuracy"), score(&p).accuracy, 1e-12);
}

Test(metrics_of_runs, a_run_stopped_in_mid_validation_or_mid_epoch_goes_on_to_the_same_rows_and_bits)
{
    static const char *const stops[] = { "v 1 1 9", "v 1 2 15", "v 0 2 9", "t 1 3 9", "t 1 1 15", "t 2 4 9" };
    char model[65], again[65];
    error e = { 0 };
    run_write("run.ini", run_ini);
    succeed(RUN("fit", "run.ini", "trainer.val_check_interval=0.5"));
    char *rows = run_read(RUNS "metrics.csv");
    cr_assert_neq(run_sha256(RUNS "checkpoints/last/model.safetensors", model)[0], '\0');
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        file_remove_tree("runs", &e);
        setenv("LTHOST_TEST_STOP", stops[i], 1);
        outcome o = RUN("fit", "run.ini", "trainer.val_check_interval=0.5");
        cr_assert_eq(o.status, strstr(stops[i], " 15") ? 143 : 1000 + SIGKILL, "%s: %d %s", stops[i], o.status, o.err);
        outcome_free(&o);
        unsetenv("LTHOST_TEST_STOP");
        succeed(RUN("fit", "run.ini", "trainer.val_check_interval=0.5", "--resume", "auto"));
        char *is = run_read(RUNS "metrics.csv");
        cr_expect_str_eq(is, rows, "%s:\n%s---\n%s", stops[i], is, rows);
        cr_expect_str_eq(run_sha256(RUNS "checkpoints/last/model.safetensors", again), model, "%s: the model differs", stops[i]);
        free(is);
    }
    free(rows);
}
