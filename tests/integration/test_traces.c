/* SPDX-License-Identifier: Apache-2.0
 * The models of plugins/models take PyTorch's steps (tests/golden/traces.py), to the same bits each time and after a resume. */
#include "integration/run_lthost.h"

#include "trainer/safetensors.h"
#include "util/error.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEPS = 10 };

static const char *const models[] = { "resnet", "lstm", "gpt", "encoder", "autoencoder", "gan", "llama" };
enum { MODELS = sizeof models / sizeof *models };

TestSuite(traces, .init = run_begin, .fini = run_end);

/* The run file of a model, with a dir of its own; further settings follow. */
static outcome fit(const char *model, const char *dir, const char *a, const char *b, const char *c)
{
    char *file = str_format("%s/tests/integration/traces/%s.ini", LTHOST_TEST_SOURCE, model), *to = str_format("run.dir=%s", dir);
    const char *const arguments[] = { "fit", file, "--verbose", to, a, a ? b : NULL, a && b ? c : NULL, NULL };
    outcome o = run_lthost(arguments);
    free(file);
    free(to);
    return o;
}

static void must_fit(const char *model, const char *dir, const char *a, const char *b, const char *c)
{
    outcome o = fit(model, dir, a, b, c);
    cr_assert_eq(o.status, 0, "%s: %s", model, o.err);
    outcome_free(&o);
}

/* first, rest: the greatest relative difference of the first loss, which no update has touched, and of the others. */
static void expect_losses(const char *model, const char *dir, const json_t *golden, double first, double rest)
{
    char *path = str_format("%s/%s/version_0/metrics.csv", dir, model), *text = run_read(path);
    const char *name;
    json_t *losses;
    json_object_foreach((json_t *)golden, name, losses)
    {
        double got[STEPS];
        cr_assert_eq(run_column(text, name, got, STEPS), STEPS, "%s in %s: %s in\n%s", model, dir, name, text);
        for (int i = 0; i < STEPS; i++) {
            double want = 0;
            cr_assert(json_to_f64(json_array_get(losses, (size_t)i), &want));
            cr_expect(fabs(got[i] - want) <= (i ? rest : first) * fabs(want), "%s in %s, step %d: %s is %.9g, torch's %.9g",
                      model, dir, i, name, got[i], want);
        }
    }
    free(path);
    free(text);
}

/* What was recorded with torch; each model has a case. */
static json_t *read_golden(void)
{
    json_t *document = NULL;
    error e = { 0 };
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/traces.json", &document, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(json_array_size(json_object_get(document, "cases")), MODELS);
    return document;
}

static void follow_torch(const char *accelerator)
{
    char *setting = str_format("trainer.accelerator=%s", accelerator);
    json_t *document = read_golden(), *one;
    size_t i;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        const char *model = json_string_value(json_object_get(one, "model"));
        must_fit(model, accelerator, setting, NULL, NULL);
        expect_losses(model, accelerator, json_object_get(one, "losses_fp64"), 1e-5, 1e-5);
    }
    json_decref(document);
    free(setting);
}

Test(traces, ten_steps_on_cpu_have_the_losses_of_torch)
{
    if (access(LTHOST_TEST_PLUGINS "/cpu/cpu.so", R_OK) != 0)
        cr_skip_test("the accelerator cpu was not built");
    follow_torch("cpu");
}

Test(traces, ten_steps_on_reference_have_the_losses_of_torch) { follow_torch("reference"); }

/* The run's last model. */
static const char *sha_of(const char *dir, const char *model, char out[65])
{
    char *path = str_format("%s/%s/version_0/checkpoints/last/model.safetensors", dir, model);
    run_sha256(path, out);
    free(path);
    cr_assert(out[0], "%s: %s has no last checkpoint", model, dir);
    return out;
}

/* In one go, and in two. A loss is a mean over what was rounded by 2^-8 (2^-11), so its own error is less. The norms of resnet
 * divide by the deviations of 4 or 6 samples, and 10 steps at its rate magnify what that adds. */
static void try_precision(const char *model, const json_t *losses, const char *precision, const char *accelerator)
{
    char *in = str_format("trainer.precision=%s", precision), *on = str_format("trainer.accelerator=%s", accelerator);
    char *parted = str_format("%s-parted", precision), whole[65], other[65];
    char *run = str_format("%s/%s/version_0/run.ini", parted, model);
    must_fit(model, precision, in, on, NULL);
    expect_losses(model, precision, losses, 5e-4, strcmp(model, "resnet") == 0 ? 0.03 : 5e-3);
    must_fit(model, parted, in, on, "trainer.max_steps=7");
    char *from = str_format("%s/%s/version_0/checkpoints/last", parted, model);
    outcome o = RUN("fit", run, "--resume", from, "trainer.max_steps=-1");
    cr_assert_eq(o.status, 0, "%s in %s: %s", model, precision, o.err);
    cr_expect_str_eq(sha_of(precision, model, whole), sha_of(parted, model, other), "%s in %s: a resumed run has other bits",
                     model, precision);
    outcome_free(&o);
    char *const all[] = { in, on, parted, run, from };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

Test(traces, ten_steps_in_each_lower_precision_are_near_torch_s_in_fp64_and_the_same_bits_after_a_resume)
{
    bool has_cpu = access(LTHOST_TEST_PLUGINS "/cpu/cpu.so", R_OK) == 0;
    json_t *document = read_golden(), *one;
    size_t i;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        const char *model = json_string_value(json_object_get(one, "model"));
        const json_t *losses = json_object_get(one, "losses_fp64");
        try_precision(model, losses, "bf16-mixed", has_cpu ? "cpu" : "reference");
        try_precision(model, losses, "bf16-true", has_cpu ? "cpu" : "reference");
        try_precision(model, losses, "16-mixed", "reference");
    }
    json_decref(document);
}

Test(traces, the_same_seed_gives_the_same_bits_again_and_after_a_resume_within_an_epoch)
{
    static const char shuffled[] = "data.shuffle=true", weights[] = "model.weights=";
    char first[65], other[65];
    for (size_t i = 0; i < MODELS; i++) {
        must_fit(models[i], "whole", shuffled, weights, NULL);
        must_fit(models[i], "again", shuffled, weights, NULL);
        sha_of("whole", models[i], first);
        cr_expect_str_eq(first, sha_of("again", models[i], other), "%s: a second run has other bits", models[i]);

        must_fit(models[i], "parted", shuffled, weights, "trainer.max_steps=7"); /* the second batch of the second epoch */
        char *run = str_format("parted/%s/version_0/run.ini", models[i]);
        char *from = str_format("parted/%s/version_0/checkpoints/last", models[i]);
        outcome o = RUN("fit", run, "--resume", from, "trainer.max_steps=-1");
        cr_assert_eq(o.status, 0, "%s: %s", models[i], o.err);
        outcome_free(&o);
        cr_expect_str_eq(first, sha_of("parted", models[i], other), "%s: a resumed run has other bits", models[i]);
        free(run);
        free(from);
    }
}

Test(traces, a_batch_norm_tracks_each_part_of_an_accumulated_step)
{
    error e = { 0 };
    safetensors_file *f;
    int64_t batches = 0;
    must_fit("resnet", "parts", "trainer.accumulate_grad_batches=2", NULL, NULL);
    cr_assert_eq(safetensors_open("parts/resnet/version_0/checkpoints/last/model.safetensors", &f, &e), LTH_OK, "%s", e.text);
    int64_t at = safetensors_find(f, "bn1.num_batches_tracked");
    cr_assert_geq(at, 0);
    cr_assert_eq(safetensors_at(f, (uint32_t)at)->shape.dtype, LTH_I64);
    cr_assert_eq(safetensors_read(f, (uint32_t)at, &batches, &e), LTH_OK, "%s", e.text);
    cr_expect_eq(batches, STEPS, "%lld batches", (long long)batches); /* of 6 optimizer steps */
    safetensors_close(f);
}

Test(traces, a_short_last_batch_is_one_plan_more)
{
    for (size_t i = 0; i < MODELS; i++) {
        bool validates = strcmp(models[i], "gan") != 0;
        outcome o = fit(models[i], "plans", "trainer.num_sanity_val_steps=0", NULL, NULL);
        char *says = str_format("plans:   %d compiled", validates ? 4 : 2); /* 6 and 4 samples, in training and in validation */
        cr_assert_eq(o.status, 0, "%s: %s", models[i], o.err);
        cr_expect_not_null(strstr(o.err, says), "%s: not '%s' in %s", models[i], says, o.err);
        outcome_free(&o);
        free(says);
    }
}

Test(traces, random_windows_of_a_text_go_on_after_a_resume_as_they_would_have)
{
    char whole[65], parted[65];
    run_write("text.txt", "to be or not to be, that is the question; whether it is nobler in the mind to suffer\n");
    run_write("run.ini", "[trainer]\nmax_epochs = 2\n[model]\nuse = gpt\nlayers = 1\nheads = 2\nwidth = 8\n"
                         "[data]\nuse = text\npath = text.txt\ncontext = 7\nval_split = 0.2\nepoch_windows = 50\nbatch_size = 8\n"
                         "[optimizer]\nuse = adamw\n");
    const struct {
        const char *setting, *resume, *from;
    } runs[] = { { "run.dir=whole", NULL, NULL },
                 { "run.dir=parted", "trainer.max_steps=9", NULL },
                 { "run.dir=parted", "--resume", "auto" } };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        outcome o = RUN("fit", "run.ini", runs[i].setting, runs[i].resume, runs[i].from);
        cr_assert_eq(o.status, 0, "%s", o.err);
        outcome_free(&o);
    }
    cr_expect_str_eq(run_sha256("whole/run/version_0/checkpoints/last/model.safetensors", whole),
                     run_sha256("parted/run/version_0/checkpoints/last/model.safetensors", parted));
    cr_expect(whole[0]);
}

/* ---- Writing on ---- */

static void expect_written(const char *accelerator, const json_t *golden)
{
    char *on = str_format("trainer.accelerator=%s", accelerator), *to = str_format("run.dir=%s", accelerator);
    char *path = str_format("%s/gpt/version_0/predictions.safetensors", accelerator);
    outcome o =
        RUN("predict", LTHOST_TEST_SOURCE "/tests/integration/traces/gpt.ini", on, to, "data.samples=4", "model.generate=60",
            "model.temperature=0", "model.weights=" LTHOST_TEST_SOURCE "/tests/golden/traces/gpt_written.safetensors");
    error e = { 0 };
    safetensors_file *f;
    int64_t got[4][76];
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_assert_eq(safetensors_open(path, &f, &e), LTH_OK, "%s", e.text);
    int64_t at = safetensors_find(f, "predictions");
    cr_assert_geq(at, 0);
    cr_assert_eq(lth_shape_count(&safetensors_at(f, (uint32_t)at)->shape), 4 * 76);
    cr_assert_eq(safetensors_read(f, (uint32_t)at, got, &e), LTH_OK, "%s", e.text);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 76; k++)
            cr_assert_eq(got[i][k], json_integer_value(json_array_get(json_array_get(golden, i), k)), "%s: token %zu of text %zu",
                         accelerator, k, i);
    safetensors_close(f);
    outcome_free(&o);
    free(on);
    free(to);
    free(path);
}

/* 16 tokens of prompt fill the context, so it is begun anew seven times; torch computes each token from its whole window. */
Test(traces, what_gpt_writes_with_kept_keys_and_values_is_what_torch_writes_without)
{
    json_t *document = NULL;
    error e = { 0 };
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/traces.json", &document, &e), LTH_OK, "%s", e.text);
    expect_written("reference", json_object_get(document, "written"));
    if (access(LTHOST_TEST_PLUGINS "/cpu/cpu.so", R_OK) == 0)
        expect_written("cpu", json_object_get(document, "written"));
    json_decref(document);
}

static char *written_by(const char *dir, const char *seed)
{
    char *to = str_format("run.dir=%s", dir), *path = str_format("%s/run/version_0/predictions.txt", dir);
    outcome o = RUN("predict", "run.ini", "--verbose", to, seed);
    cr_assert_eq(o.status, 0, "%s", o.err);
    cr_expect_not_null(strstr(o.err, "plans:   1 compiled"), "%s", o.err);
    char *text = run_read(path);
    outcome_free(&o);
    free(to);
    free(path);
    return text;
}

Test(traces, two_hundred_tokens_are_one_plan_and_a_text_by_the_seed)
{
    run_write("text.txt", "to be or not to be, that is the question; to be or not to be, that is the question\n");
    run_write("run.ini", "[model]\nuse = gpt\nlayers = 1\nheads = 2\nwidth = 8\ncontext = 16\ngenerate = 200\ntop_k = 5\n"
                         "[data]\nuse = text\npath = text.txt\ncontext = 7\nval_split = 0.2\nprompt = \"to be\"\n"
                         "[optimizer]\nuse = adamw\n");
    char *first = written_by("a", "run.seed=1"), *again = written_by("b", "run.seed=1"), *other = written_by("c", "run.seed=2");
    cr_expect_eq(strlen(first), 5 + 200 + 1, "%s", first);
    cr_expect(strncmp(first, "to be", 5) == 0, "%s", first);
    cr_expect_str_eq(first, again);
    cr_expect_str_neq(first, other);
    free(first);
    free(again);
    free(other);
}

Test(traces, what_cannot_be_is_refused_with_its_place)
{
    static const struct {
        const char *model, *setting, *says;
    } cases[] = {
        { "gpt", "model.width=25", "width = 25 is no multiple of heads = 3" },
        { "gpt", "model.context=8", "the model's context is shorter than a sample" },
        { "llama", "model.groups=4", "heads = 6 is no multiple of groups = 4" },
        { "llama", "model.heads=24", "width = 24 is no multiple of twice heads = 24" },
        { "resnet", "model.blocks=60, 60", "blocks names 2 stages of 120 blocks in all" },
        { "autoencoder", "data.shape=1, 6, 8", "its height and width must be multiples of 4" },
        { "lstm", "data.shape=9", "field 'x' has 1 axes besides the batch's" },
        { "gan", "optimizer.generator.enabled=false", "no section [optimizer.generator]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *file = str_format("%s/tests/integration/traces/%s.ini", LTHOST_TEST_SOURCE, cases[i].model);
        outcome o = RUN("check", file, cases[i].setting);
        cr_expect_neq(o.status, 0, "%s", cases[i].says);
        cr_expect_not_null(strstr(o.err, cases[i].says), "'%s' is said instead of '%s'", o.err, cases[i].says);
        outcome_free(&o);
        free(file);
    }
}
