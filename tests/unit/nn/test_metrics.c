/* SPDX-License-Identifier: Apache-2.0
 * Metrics gathered over uneven batches against the recordings made with torchmetrics, and what becomes of their state. */
#include "nn_fixture.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A step as the trainer gives it, over the lab's engine ---- */

typedef struct fake_step {
    lth_step abi;
    lab *lab;
    lth_trace *trace;
    int64_t batch_idx;
    lth_stage stage;
    char logged[16][64];
    uint32_t logged_count;
} fake_step;

static lth_stage fake_stage(lth_step *s) { return ((fake_step *)s)->stage; }
static int64_t fake_batch_idx(lth_step *s) { return ((fake_step *)s)->batch_idx; }
static lth_trace *fake_trace(lth_step *s) { return ((fake_step *)s)->trace; }
static void fake_log(lth_step *s, const char *name, const lth_log_args *args)
{
    fake_step *f = (fake_step *)s;
    snprintf(f->logged[f->logged_count++], sizeof f->logged[0], "%s", name);
    cr_assert_eq(lth_rank(args->value), 0);
    cr_assert_eq(args->reduce, LTH_REDUCE_LAST);
    engine_output(f->lab->g, args->value, args->file, args->line);
}
static const lth_step_api fake_api = {
    .struct_size = sizeof(lth_step_api), .log = fake_log, .stage = fake_stage, .batch_idx = fake_batch_idx, .trace = fake_trace
};

static fake_step begin(lab *l, int64_t batch_idx, lth_stage stage)
{
    lab_begin(l, stage == LTH_STAGE_TRAIN);
    return (fake_step) {
        .abi = { &fake_api }, .lab = l, .trace = lab_input(l, l->fields[0].name).trace, .batch_idx = batch_idx, .stage = stage
    };
}

/* ---- The recorded cases ---- */

typedef struct subject {
    const json_t *c;
    lth_class_metric class_metric;
    lth_confusion_matrix confusion;
    lth_curve_metric curve;
    lth_spearman spearman;
    lth_regression_metric regression;
    lth_mean_metric mean;
} subject;

static double option(const subject *m, const char *name, double otherwise)
{
    const json_t *value = json_object_get(json_object_get(m->c, "options"), name);
    cr_assert(!value || json_to_f64(value, &otherwise), "option %s", name);
    return otherwise;
}

/* The place of an option's word, counted from 1; 0 where it is absent. */
static uint32_t word(const subject *m, const char *name, const char *const *words)
{
    const char *is = json_string_value(json_object_get(json_object_get(m->c, "options"), name));
    for (uint32_t i = 0; is && words[i]; i++)
        if (strcmp(words[i], is) == 0)
            return i + 1;
    cr_assert_null(is, "%s", is);
    return 0;
}

static lth_average average(const subject *m)
{
    return word(m, "average", (const char *const[]) { "micro", "macro", "weighted", "none", NULL });
}
static int32_t whole(const subject *m, const char *name) { return (int32_t)option(m, name, 0); }
static int32_t ignores(const subject *m) { return json_object_get(json_object_get(m->c, "options"), "ignore_index") != NULL; }

#define CLASS_OPTIONS(m)                                                                                                    \
    whole(m, "classes"), .average = average(m), .multilabel = whole(m, "multilabel"), .ignore = ignores(m),                  \
    .ignore_index = whole(m, "ignore_index"), .top_k = whole(m, "top_k"), .threshold = option(m, "threshold", 0),            \
    .beta = option(m, "beta", 0)
#define CURVE_OPTIONS(m)                                                                                                    \
    whole(m, "classes"), .thresholds = whole(m, "thresholds"), .capacity = whole(m, "capacity"), .average = average(m), .multilabel = whole(m, "multilabel"),  \
    .probabilities = whole(m, "probabilities"), .ignore = ignores(m), .ignore_index = whole(m, "ignore_index")
#define REGRESSION_OPTIONS(m) whole(m, "outputs"), .multioutput = (lth_multioutput)whole(m, "multioutput")

#define MADE(name, member, ...) static void make_##name(subject *m, lth_setup *s) { m->member = __VA_ARGS__; }
MADE(accuracy, class_metric, lth_accuracy_new(s, "m", CLASS_OPTIONS(m)))
MADE(precision, class_metric, lth_precision_new(s, "m", CLASS_OPTIONS(m)))
MADE(recall, class_metric, lth_recall_new(s, "m", CLASS_OPTIONS(m)))
MADE(f1, class_metric, lth_f1_new(s, "m", CLASS_OPTIONS(m)))
MADE(f_beta, class_metric, lth_f_beta_new(s, "m", CLASS_OPTIONS(m)))
MADE(specificity, class_metric, lth_specificity_new(s, "m", CLASS_OPTIONS(m)))
MADE(jaccard, class_metric, lth_jaccard_new(s, "m", CLASS_OPTIONS(m)))
MADE(stat_scores, class_metric, lth_stat_scores_new(s, "m", CLASS_OPTIONS(m)))
MADE(confusion, confusion, lth_confusion_matrix_new(s, "m", whole(m, "classes"), .ignore = ignores(m), .ignore_index = whole(m, "ignore_index")))
MADE(auroc, curve, lth_auroc_new(s, "m", CURVE_OPTIONS(m)))
MADE(average_precision, curve, lth_average_precision_new(s, "m", CURVE_OPTIONS(m)))
MADE(spearman, spearman, lth_spearman_new(s, "m", .capacity = whole(m, "capacity")))
MADE(mae, regression, lth_mae_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(mse, regression, lth_mse_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(rmse, regression, lth_rmse_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(mape, regression, lth_mape_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(smape, regression, lth_smape_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(msle, regression, lth_msle_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(log_cosh, regression, lth_log_cosh_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(r2, regression, lth_r2_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(explained_variance, regression, lth_explained_variance_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(pearson, regression, lth_pearson_new(s, "m", REGRESSION_OPTIONS(m)))
MADE(mean, mean, lth_mean_metric_new(s, "m"))
MADE(sum, mean, lth_mean_metric_new(s, "m", .reduce = LTH_REDUCE_SUM))
MADE(min, mean, lth_mean_metric_new(s, "m", .reduce = LTH_REDUCE_MIN))
MADE(max, mean, lth_mean_metric_new(s, "m", .reduce = LTH_REDUCE_MAX))

#define UPDATED(name, ...) \
    static lth_tensor update_##name(subject *m, lth_step *step, lth_tensor x, lth_tensor y) { (void)y; return __VA_ARGS__; }
UPDATED(class_metric, lth_class_metric_update(&m->class_metric, step, x, y))
UPDATED(curve, lth_curve_metric_update(&m->curve, step, x, y))
UPDATED(spearman, lth_spearman_update(&m->spearman, step, x, y))
UPDATED(regression, lth_regression_metric_update(&m->regression, step, x, y))
UPDATED(kappa, lth_cohen_kappa(lth_confusion_matrix_update(&m->confusion, step, x, y), (lth_kappa)option(m, "weights", 0)))
UPDATED(matthews, lth_matthews_corrcoef(lth_confusion_matrix_update(&m->confusion, step, x, y)))
UPDATED(mean, lth_mean_metric_update(&m->mean, step, x, .weight = y))
UPDATED(perplexity, lth_perplexity_update(&m->mean, step, x, y, .ignore = ignores(m), .ignore_index = whole(m, "ignore_index")))
UPDATED(kl_divergence, lth_mean_metric_update(&m->mean, step, lth_kl_divergence(x, y)))
UPDATED(cosine_similarity, lth_mean_metric_update(&m->mean, step, lth_cosine_similarity(x, y, 1)))
UPDATED(hinge, lth_mean_metric_update(&m->mean, step, lth_hinge_scores(lth_softmax(x, 1), y)))

static lth_tensor update_confusion(subject *m, lth_step *step, lth_tensor x, lth_tensor y)
{
    lth_tensor matrix = lth_confusion_matrix_update(&m->confusion, step, x, y);
    uint32_t by = word(m, "normalize", (const char *const[]) { "true", "pred", "all", NULL });
    return by ? lth_confusion_normalized(matrix, by) : matrix;
}

#define ROW(name, update) { #name, make_##name, update_##update }
#define OVER(name, maker) { #name, make_##maker, update_##name }
static const struct kind {
    const char *name;
    void (*make)(subject *m, lth_setup *s);
    lth_tensor (*update)(subject *m, lth_step *step, lth_tensor x, lth_tensor y);
} kinds[] = {
    ROW(accuracy, class_metric), ROW(precision, class_metric), ROW(recall, class_metric), ROW(f1, class_metric), ROW(f_beta, class_metric),
    ROW(specificity, class_metric), ROW(jaccard, class_metric), ROW(stat_scores, class_metric), ROW(confusion, confusion),
    OVER(kappa, confusion), OVER(matthews, confusion), ROW(auroc, curve), ROW(average_precision, curve), ROW(spearman, spearman), ROW(mae, regression),
    ROW(mse, regression), ROW(rmse, regression), ROW(mape, regression), ROW(smape, regression), ROW(msle, regression),
    ROW(log_cosh, regression), ROW(r2, regression), ROW(explained_variance, regression), ROW(pearson, regression), ROW(mean, mean),
    ROW(sum, mean), ROW(min, mean), ROW(max, mean), OVER(perplexity, mean), OVER(kl_divergence, mean), OVER(cosine_similarity, mean),
    OVER(hinge, mean),
};

static const struct kind *kind_of(const json_t *c)
{
    const char *name = json_string_value(json_object_get(c, "metric"));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    cr_assert_fail("no metric '%s'", name);
    return NULL;
}

static lth_status configure(void *self, lth_setup *s)
{
    subject *m = self;
    kind_of(m->c)->make(m, s);
    return lth_setup_status(s);
}

static int64_t flatten_or_nan(const json_t *value, double *out)
{
    int64_t n = 0;
    size_t i;
    json_t *item;
    if (!json_is_array(value)) {
        *out = NAN;
        cr_assert(json_is_null(value) || json_to_f64(value, out));
        return 1;
    }
    json_array_foreach((json_t *)value, i, item)
        n += flatten_or_nan(item, out + n);
    return n;
}

static int compare(lab *l, const char *what, size_t batch, const json_t *expected)
{
    static double numbers[256];
    int64_t count = flatten_or_nan(expected, numbers);
    int wrong = 0;
    cr_assert_eq(lth_shape_count(lab_output_shape(l, 0)), count, "%s has another shape", what);
    cr_assert_eq(lab_output_shape(l, 0)->dtype, LTH_F64, "%s", what);
    for (int64_t i = 0; i < count; i++) {
        double is = lab_value(l, 0, i);
        bool same = isnan(numbers[i]) ? isnan(is) : fabs(is - numbers[i]) <= 1e-10 * (1 + fabs(numbers[i]));
        if (!same && wrong++ == 0)
            fprintf(stderr, "%s: after batch %zu, [%lld] = %.17g, torchmetrics has %.17g\n", what, batch, (long long)i, is, numbers[i]);
    }
    return wrong;
}

/* Two epochs: the second begins anew. */
static int check_case(const json_t *c)
{
    lab l;
    subject m = { .c = c };
    const char *what = json_string_value(json_object_get(c, "name"));
    json_t *batch;
    size_t i;
    int wrong = 0;
    lab_open(&l, LTH_F64, configure, &m);
    for (int epoch = 0; epoch < 2; epoch++)
        json_array_foreach(json_object_get(c, "batches"), i, batch) {
            lab_field(&l, "input", json_object_get(batch, "input"));
            lab_field(&l, "target", json_object_get(batch, "target"));
            fake_step step = begin(&l, (int64_t)i, LTH_STAGE_VALIDATE);
            engine_output(l.g, kind_of(c)->update(&m, &step.abi, lab_input(&l, "input"), lab_input(&l, "target")), LTH_HERE);
            if (lab_try_end(&l)) {
                fprintf(stderr, "%s: %s\n", what, l.e.text);
                wrong++;
            } else {
                wrong += compare(&l, what, i, json_array_get(json_object_get(c, "outputs"), i));
            }
            lab_clear_fields(&l);
        }
    lab_close(&l);
    return wrong != 0;
}

Test(nn_metrics, over_uneven_batches_are_those_of_torchmetrics)
{
    error e = { 0 };
    json_t *golden, *c;
    size_t i;
    int wrong = 0;
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/metrics.json", &golden, &e), LTH_OK, "%s", e.text);
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        wrong += check_case(c);
    cr_assert_eq(wrong, 0, "%d of %zu cases differ", wrong, json_array_size(json_object_get(golden, "cases")));
    cr_assert_gt(json_array_size(json_object_get(golden, "cases")), 150);
    json_decref(golden);
}

/* ---- What becomes of the state ---- */

typedef struct pair { lth_class_metric accuracy, recall, never; lth_mean_metric mean, greatest; } pair;

static lth_status make_pair(void *self, lth_setup *s)
{
    pair *m = self;
    m->accuracy = lth_accuracy_new(s, "accuracy", 3);
    m->recall = lth_recall_new(s, "recall", 3, .average = LTH_AVERAGE_NONE);
    m->mean = lth_mean_metric_new(s, "mean");
    m->greatest = lth_mean_metric_new(s, "greatest", .reduce = LTH_REDUCE_MAX);
    return lth_setup_status(s);
}

static void open_pair(lab *l, pair *m, lth_dtype floating)
{
    *m = (pair) { .never = { .measure = 0 } };
    lab_open(l, floating, make_pair, m);
    lab_field_text(l, "x", "[[0.1, 0.9, 0.0], [2.0, 1.0, 3.0], [1.0, 0.0, 0.5]]");
    lab_field_text(l, "y", "[1, 0, 0]");
}

Test(nn_metrics, count_exactly_whatever_the_type_of_the_logits)
{
    static const lth_dtype types[] = { LTH_F32, LTH_BF16 };
    for (int r = 0; r < 2; r++) {
        lab l;
        pair m;
        open_pair(&l, &m, LTH_F32);
        for (int64_t i = 0; i < 70; i++) {
            fake_step step = begin(&l, i, LTH_STAGE_VALIDATE);
            lth_tensor x = lth_cast(lab_input(&l, "x"), types[r]), y = lab_input(&l, "y");
            engine_output(l.g, lth_class_metric_update(&m.accuracy, &step.abi, x, y), LTH_HERE);
            lth_tensor number = lth_step_scalar(&step.abi, (double)i), twice = lth_step_scalar(&step.abi, 2);
            engine_output(l.g, lth_mean_metric_update(&m.mean, &step.abi, number, .weight = twice), LTH_HERE);
            lab_end(&l);
            cr_assert_float_eq(lab_value(&l, 0, 0), 2.0 / 3, 1e-15);
            cr_assert_eq(lab_value(&l, 1, 0), (double)i / 2);
        }
        lab_close(&l);
    }
}

Test(nn_metrics, need_one_plan_for_all_batches_of_a_shape)
{
    lab l;
    pair m;
    open_pair(&l, &m, LTH_F32);
    for (int64_t i = 0; i < 5; i++) {
        fake_step step = begin(&l, i, LTH_STAGE_VALIDATE);
        engine_output(l.g, lth_class_metric_update(&m.accuracy, &step.abi, lab_input(&l, "x"), lab_input(&l, "y")), LTH_HERE);
        engine_output(l.g, lth_mean_metric_update(&m.greatest, &step.abi, lab_input(&l, "x")), LTH_HERE);
        lab_end(&l);
    }
    engine_stats stats;
    engine_get_stats(l.g, &stats);
    cr_assert_eq(stats.plans_compiled, 1);
    lab_close(&l);
}

Test(nn_metrics, gather_every_update_of_a_batch)
{
    lab l;
    pair m;
    open_pair(&l, &m, LTH_F32);
    for (int64_t i = 0; i < 4; i++) { /* two epochs of two batches */
        fake_step step = begin(&l, i % 2, LTH_STAGE_VALIDATE);
        for (int k = 0; k < 3; k++) {
            lth_tensor value = lth_step_scalar(&step.abi, (double)(k + 3 * (i % 2)));
            engine_output(l.g, lth_mean_metric_update(&m.mean, &step.abi, value), LTH_HERE);
            engine_output(l.g, lth_mean_metric_update(&m.greatest, &step.abi, lth_neg(value)), LTH_HERE);
        }
        lab_end(&l);
        for (uint32_t k = 0; k < 3; k++) {
            cr_expect_eq(lab_value(&l, 2 * k, 0), (double)(k + 3 * (i % 2)) / 2, "batch %d, update %u", (int)i, k);
            cr_expect_eq(lab_value(&l, 2 * k + 1, 0), 0);
        }
    }
    lab_close(&l);
}

Test(nn_metrics, a_vector_is_logged_as_its_elements)
{
    lab l;
    pair m;
    open_pair(&l, &m, LTH_F32);
    fake_step step = begin(&l, 0, LTH_STAGE_TEST);
    lth_log_each(&step.abi, "recall", lth_class_metric_update(&m.recall, &step.abi, lab_input(&l, "x"), lab_input(&l, "y")),
                 .reduce = LTH_REDUCE_LAST);
    lab_end(&l);
    cr_assert_eq(step.logged_count, 3);
    cr_assert_str_eq(step.logged[0], "recall_0");
    cr_assert_str_eq(step.logged[2], "recall_2");
    cr_assert(lab_value(&l, 0, 0) == 0.5 && lab_value(&l, 1, 0) == 1 && lab_value(&l, 2, 0) == 0);
    lab_close(&l);
}

Test(nn_metrics, refuse_what_would_mix_or_was_never_made)
{
    lab l;
    pair m;
    open_pair(&l, &m, LTH_F32);
    for (int i = 0; i < 4; i++) {
        static const char *const texts[] = { NULL, "make one for each", "never made", "of 3 classes was given (3, 2)" };
        fake_step step = begin(&l, 0, i == 1 ? LTH_STAGE_TRAIN : i == 0 ? LTH_STAGE_SANITY : LTH_STAGE_VALIDATE);
        lth_tensor x = i == 3 ? lth_slice(lab_input(&l, "x"), 1, 0, 2) : lab_input(&l, "x");
        lth_class_metric_update(i == 2 ? &m.never : &m.accuracy, &step.abi, x, lab_input(&l, "y"));
        lth_status status = lab_try_end(&l);
        cr_assert_eq(status != LTH_OK, texts[i] != NULL, "%d: %s", i, l.e.text);
        cr_assert(!texts[i] || (strstr(l.e.text, texts[i]) && strstr(l.e.text, "test_metrics.c:")), "%s", l.e.text);
    }
    lab_close(&l);
}

typedef struct few { lth_curve_metric auroc; lth_spearman spearman; } few;

static lth_status make_few(void *self, lth_setup *s)
{
    few *m = self;
    m->auroc = lth_auroc_new(s, "auroc", 1, .capacity = 4);
    m->spearman = lth_spearman_new(s, "spearman", .capacity = 4);
    return lth_setup_status(s);
}

/* Three samples a batch: the second has no room, and leaves nothing behind. */
Test(nn_metrics, that_keep_all_samples_refuse_more_than_they_have_room_for)
{
    static const int64_t batches[] = { 0, 1, 0 };
    lab l;
    few m = { .spearman = { .state = { .loop = 0 } } };
    lab_open(&l, LTH_F32, make_few, &m);
    lab_field_text(&l, "x", "[0.5, -1.0, 2.0]");
    lab_field_text(&l, "y", "[1, 0, 1]");
    for (int metric = 0; metric < 2; metric++)
        for (int i = 0; i < 3; i++) {
            fake_step step = begin(&l, batches[i], LTH_STAGE_VALIDATE);
            lth_tensor x = lab_input(&l, "x"), y = lab_input(&l, "y");
            engine_output(l.g, metric ? lth_spearman_update(&m.spearman, &step.abi, x, lth_cast(y, LTH_F64))
                                      : lth_curve_metric_update(&m.auroc, &step.abi, x, y), LTH_HERE);
            lth_status status = lab_try_end(&l);
            cr_assert_eq(status, i == 1 ? LTH_CHECK : LTH_OK, "%s", l.e.text);
            cr_assert(i != 1 || strstr(l.e.text, "an epoch has more samples than .capacity = 4"), "%s", l.e.text);
            cr_assert(i == 1 || fabs(lab_value(&l, 0, 0) - (metric ? sqrt(3) / 2 : 1)) < 1e-15, "%.17g", lab_value(&l, 0, 0));
        }
    fake_step step = begin(&l, 0, LTH_STAGE_VALIDATE);
    lth_tensor x = lab_input(&l, "x"), parts[2] = { x, x };
    lth_tensor six = lth_concat(parts, 2, 0);
    lth_spearman_update(&m.spearman, &step.abi, six, six);
    cr_assert_eq(lab_try_end(&l), LTH_INVALID);
    cr_assert(strstr(l.e.text, "a metric with .capacity = 4 was given 6 samples at once"), "%s", l.e.text);
    lab_close(&l);
}

static lth_status make_wrong(void *self, lth_setup *s)
{
    switch (*(int *)self) {
    case 0: lth_accuracy_new(s, "wrong", 3, .top_k = 4); break;
    case 1: lth_f1_new(s, "wrong", 3, .beta = 2); break;
    case 2: lth_recall_new(s, "wrong", 3, .threshold = 0.4); break;
    case 3: lth_precision_new(s, "wrong", 1, .average = LTH_AVERAGE_MACRO); break;
    case 4: lth_accuracy_new(s, "wrong", 3, .multilabel = 1, .top_k = 2); break;
    case 5: lth_confusion_matrix_new(s, "wrong", 3, .multilabel = 1); break;
    case 6: lth_auroc_new(s, "wrong", 3, .thresholds = 1); break;
    case 9: lth_auroc_new(s, "wrong", 3, .thresholds = 10, .capacity = 100); break;
    case 10: lth_spearman_new(s, "wrong", .capacity = 0); break;
    case 7: lth_mae_new(s, "wrong", 2, .multioutput = LTH_MULTIOUTPUT_RAW); break;
    default: lth_mean_metric_new(s, "wrong", .reduce = LTH_REDUCE_LAST); break;
    }
    return lth_setup_status(s);
}

Test(nn_metrics, are_refused_in_configure_with_what_would_be_right)
{
    static const char *const texts[] = { "top_k (4)", ".beta", ".threshold", ".average", ".top_k", "none of", "at least 2", ".multioutput",
                                         "LTH_REDUCE_MEAN", "in place of .thresholds", ".capacity says how many" };
    bench b;
    bench_open(&b, "reference");
    for (int i = 0; i < 11; i++) {
        error e = { 0 };
        engine_options options = { .accelerator = b.accelerator, .accelerator_self = b.self, .floating = LTH_F32, .seed = 3 };
        engine *g = engine_new(&options, &e);
        cr_expect_neq(engine_configure(g, NULL, 0, make_wrong, &i, &e), LTH_OK, "%d", i);
        cr_expect(strstr(e.text, texts[i]) && strstr(e.text, "test_metrics.c:"), "%s", e.text);
        engine_free(g);
    }
    bench_close(&b);
}
