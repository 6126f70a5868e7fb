/* SPDX-License-Identifier: Apache-2.0
 * Functions of tensors that are composed of ops: as torch's, what torch does not say, and in which words they refuse. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Against torch ---- */

static lth_status make_nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

static int32_t axis(const module_trial *t) { return (int32_t)module_option(t, "axis", 0); }
static bool has(const module_trial *t, const char *name) { return json_object_get(t->options, name) != NULL; }
static int32_t is(const module_trial *t, const char *name) { return (int32_t)module_option(t, name, 0); }
static lth_tensor real(lth_tensor x, lth_tensor as) { return lth_cast(x, lth_dtype_of(as)); }

/* The option's list of whole numbers. */
static uint32_t list(const module_trial *t, const char *name, int64_t *to)
{
    const json_t *value = json_object_get(t->options, name);
    uint32_t n = 0;
    for (; n < json_array_size(value) && n < LTH_MAX_RANK; n++)
        to[n] = json_integer_value(json_array_get(value, n));
    return n;
}

#define RUN(name, ...)                                                 \
    static void run_##name(module_trial *t, lth_tensor *outputs)       \
    {                                                                  \
        lth_tensor x = module_input(t, "input");                       \
        __VA_ARGS__                                                    \
    }

RUN(cumsum, outputs[0] = lth_cumsum(x, axis(t), .exclusive = is(t, "exclusive"), .reverse = is(t, "reverse"));)
RUN(sort, lth_sorted s = lth_sort(x, axis(t), .descending = is(t, "descending")); outputs[0] = s.values; outputs[1] = real(s.indices, x);)
RUN(topk, lth_sorted s = lth_topk(x, is(t, "k"), axis(t), .smallest = is(t, "smallest")); outputs[0] = s.values; outputs[1] = real(s.indices, x);)
RUN(median, outputs[0] = lth_median_axis(x, axis(t), is(t, "keep"));)
RUN(quantile, outputs[0] = lth_quantile_axis(x, module_option(t, "q", -1), axis(t), is(t, "keep"));)
RUN(var, outputs[0] = has(t, "axis") ? lth_var_axis(x, axis(t), is(t, "correction"), is(t, "keep")) : lth_var(x, is(t, "correction"));)
RUN(std, outputs[0] = has(t, "axis") ? lth_std_axis(x, axis(t), is(t, "correction"), is(t, "keep")) : lth_std(x, is(t, "correction"));)
RUN(clamp, outputs[0] = lth_clamp(x, module_option(t, "low", 0), module_option(t, "high", 0));)
RUN(clamp_tensors, outputs[0] = lth_clamp(x, module_input(t, "low"), module_input(t, "high"));)
RUN(masked_fill, outputs[0] = lth_masked_fill(x, module_input(t, "mask"), module_option(t, "value", 0));)
RUN(index_select, outputs[0] = lth_index_select(x, axis(t), module_input(t, "index"));)
RUN(tril, outputs[0] = lth_tril(x, is(t, "diagonal"));)
RUN(triu, outputs[0] = lth_triu(x, is(t, "diagonal"));)
RUN(stack, lth_tensor parts[3] = { x, module_input(t, "other"), x }; outputs[0] = lth_stack(parts, 3, axis(t));)
RUN(split, int64_t lengths[LTH_MAX_RANK]; uint32_t n = list(t, "lengths", lengths); lth_split(x, axis(t), lengths, n, outputs);)
RUN(chunk, cr_assert_eq(lth_chunk(x, 3, axis(t), outputs), 3);)
RUN(squeeze, outputs[0] = lth_unsqueeze(lth_unsqueeze(lth_squeeze(x, 1), 0), -1);)
RUN(repeat_interleave, outputs[0] = lth_repeat_interleave(x, is(t, "times"), axis(t));)
RUN(roll, outputs[0] = lth_roll(x, is(t, "shift"), axis(t));)
RUN(flip, outputs[0] = lth_flip_axes(x, 0, 2);)
RUN(select, outputs[0] = lth_select(x, axis(t), is(t, "index"));)
RUN(slice_step, outputs[0] = lth_slice_step(x, axis(t), is(t, "start"), is(t, "stop"), is(t, "step"));)
#define RUN_AXES(name) RUN(name, int64_t a[LTH_MAX_RANK] = { 0 }; list(t, "axes", a); outputs[0] = lth_##name(x, is(t, "keep"), a[0], a[1]);)
RUN_AXES(sum_axes)
RUN_AXES(mean_axes)
RUN_AXES(max_axes)
RUN_AXES(min_axes)
RUN(outer, outputs[0] = lth_outer(x, module_input(t, "b"));)
RUN(bmm, outputs[0] = lth_bmm(x, module_input(t, "b"));)

RUN(repeat, int64_t n[LTH_MAX_RANK] = { 0 };
    outputs[0] = list(t, "times", n) == 2 ? lth_repeat(x, n[0], n[1]) : lth_repeat(x, n[0], n[1], n[2]);)

RUN(norm, const char *word = module_word(t, "p", NULL);
    double p = !word ? module_option(t, "p", 0) : word[0] == '-' ? -INFINITY : INFINITY;
    outputs[0] = has(t, "axis") ? lth_norm_axis(x, p, axis(t), 0) : lth_norm(x, p);)

static void run_einsum(module_trial *t, lth_tensor *outputs)
{
    const lth_tensor x[] = { module_input(t, "input"), module_input(t, "b"), module_input(t, "c"), module_input(t, "d") };
    uint64_t count = 0;
    while (count < 4 && !lth_is_none(x[count]))
        count++;
    outputs[0] = lth_einsum_(module_word(t, "formula", ""), x, count, LTH_HERE);
}

#define ROW(name) { #name, make_nothing, run_##name }

static const module_row golden_rows[] = {
    ROW(cumsum), ROW(sort), ROW(topk), ROW(median), ROW(quantile), ROW(var), ROW(std), ROW(norm), ROW(clamp), ROW(clamp_tensors),
    ROW(masked_fill), ROW(index_select), ROW(tril), ROW(triu), ROW(stack), ROW(split), ROW(chunk), ROW(squeeze), ROW(repeat),
    ROW(repeat_interleave), ROW(roll), ROW(flip), ROW(einsum), ROW(outer), ROW(bmm),
    ROW(select), ROW(slice_step), ROW(sum_axes), ROW(mean_axes), ROW(max_axes), ROW(min_axes),
};

Test(nn_tensors, functions_have_the_values_and_gradients_of_torch)
{
    module_golden("order.json", golden_rows, sizeof golden_rows / sizeof *golden_rows);
}

Test(nn_tensors, and_in_lower_precisions_within_some_roundings_of_16_bits)
{
    module_golden_lower("order.json", golden_rows, sizeof golden_rows / sizeof *golden_rows, 4);
}

/* ---- By hand ---- */

static lab l;
static void open_lab(void) { lab_open(&l, LTH_F64, NULL, NULL); }
static void close_lab(void) { lab_close(&l); }
TestSuite(nn_tensors_by_hand, .init = open_lab, .fini = close_lab);

static lth_tensor field(const char *name, const char *json)
{
    if (json)
        lab_field_text(&l, name, json);
    lab_begin(&l, false);
    return lab_input(&l, name);
}

static uint32_t out(lth_tensor x) { return engine_output(l.g, x, LTH_HERE); }

static void expect(const char *what, uint32_t slot, lth_dtype dtype, int64_t count, const double *wanted)
{
    const lth_shape *s = lab_output_shape(&l, slot);
    cr_assert_eq(s->dtype, dtype, "%s is %s", what, lth_dtype_name(s->dtype));
    cr_assert_eq(lth_shape_count(s), count, "%s has %lld elements", what, (long long)lth_shape_count(s));
    for (int64_t i = 0; i < count; i++) {
        double got = lab_value(&l, slot, i);
        cr_assert(isnan(wanted[i]) ? isnan(got) : fabs(got - wanted[i]) <= 1e-14, "%s[%lld] is %.17g, not %.17g", what, (long long)i, got,
                  wanted[i]);
    }
}
#define EXPECT(what, slot, dtype, ...) \
    expect(what, slot, dtype, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), (double[]){ __VA_ARGS__ })

Test(nn_tensors_by_hand, tensors_come_from_a_shape_alone)
{
    lth_tensor x = field("x", "[[0.5, 2.0]]");
    out(lth_zeros(x, LTH_SHAPE(2)));
    out(lth_ones_like(x));
    out(lth_full(x, LTH_REF(lth_shape, LTH_BOOL, 1, { 2 }), 1));
    out(lth_arange(x, 2, 5));
    out(lth_arange(x, 1, -1, .step = -0.5, .dtype = LTH_F32));
    out(lth_arange(x, 3, 3));
    out(lth_linspace(x, -1, 1, 5));
    out(lth_linspace(x, 4, 7, 1));
    out(lth_eye(x, 2, 3));
    out(lth_one_hot(lth_arange(x, 0, 3), 2));
    out(lth_full_like(x, 0.25));
    lab_end(&l);
    EXPECT("zeros", 0, LTH_F64, 0, 0);
    EXPECT("ones", 1, LTH_F64, 1, 1);
    EXPECT("full", 2, LTH_BOOL, 1, 1);
    EXPECT("arange", 3, LTH_I64, 2, 3, 4);
    EXPECT("arange down", 4, LTH_F32, 1, 0.5, 0, -0.5);
    cr_assert_eq(lth_shape_count(lab_output_shape(&l, 5)), 0);
    EXPECT("linspace", 6, LTH_F64, -1, -0.5, 0, 0.5, 1);
    EXPECT("linspace of one", 7, LTH_F64, 4);
    EXPECT("eye", 8, LTH_F64, 1, 0, 0, 0, 1, 0);
    EXPECT("one_hot, the last out of range", 9, LTH_I64, 1, 0, 0, 1, 0, 0);
    EXPECT("full_like", 10, LTH_F64, 0.25, 0.25);
}

Test(nn_tensors_by_hand, sorting_and_statistics_know_nan_and_whole_numbers)
{
    lab_field_text(&l, "n", "[[3, 1, 2, 1], [0, 0, 0, 0]]");
    lth_tensor x = field("x", "[[3.0, 1.0, 2.0], [0.0, 4.0, 1.0]]"), n = lab_input(&l, "n");
    lth_tensor holed = lth_where(lth_eq(x, 4), NAN, x);
    out(lth_argsort(holed, 1));
    out(lth_argsort(holed, 1, .descending = 1));
    out(lth_median_axis(holed, 1, 0));
    out(lth_quantile_axis(holed, 0.5, 1, 0));
    out(lth_median_axis(n, 1, 0));
    out(lth_median(n));
    out(lth_topk(n, 0, 1).values);
    out(lth_any_axis(n, 1, 0));
    out(lth_all(n));
    out(lth_any(lth_gt(x, 3)));
    out(lth_all_axis(lth_gt(x, -1), 0, 1));
    out(lth_norm_axis(x, 0, 1, 0));
    out(lth_var(lth_slice(x, 1, 0, 0), 0));
    out(lth_var(lth_reshape(lth_slice(lth_slice(x, 0, 0, 1), 1, 0, 1), 1), 1));
    lab_end(&l);
    EXPECT("argsort", 0, LTH_I64, 1, 2, 0, 0, 2, 1);
    EXPECT("argsort down", 1, LTH_I64, 0, 2, 1, 1, 2, 0);
    EXPECT("median", 2, LTH_F64, 2, NAN);
    EXPECT("quantile", 3, LTH_F64, 2, NAN);
    EXPECT("median of whole numbers", 4, LTH_I64, 1, 0);
    EXPECT("median of all", 5, LTH_I64, 0);
    cr_assert_eq(lth_shape_count(lab_output_shape(&l, 6)), 0);
    EXPECT("any", 7, LTH_BOOL, 1, 0);
    EXPECT("all", 8, LTH_BOOL, 0);
    EXPECT("any of bools", 9, LTH_BOOL, 1);
    EXPECT("all of bools", 10, LTH_BOOL, 1, 1, 1);
    EXPECT("how many are not 0", 11, LTH_F64, 3, 2);
    EXPECT("the variance of nothing", 12, LTH_F64, NAN);
    EXPECT("the variance of one", 13, LTH_F64, NAN);
}

Test(nn_tensors_by_hand, arranging_reaches_the_ends_of_what_can_be)
{
    lth_tensor x = field("x", "[1.0, 2.0, 3.0]"), many[150], parts[4];
    for (int i = 0; i < 150; i++)
        many[i] = lth_sum(lth_mul(lth_slice(x, 0, i % 3, i % 3 + 1), (double)i));
    out(lth_sum(lth_stack(many, 150, 0)));
    out(lth_slice(lth_stack(many, 150, -1), 0, 148, 150));
    cr_assert_eq(lth_chunk(x, 4, 0, parts), 3);
    cr_assert(lth_is_none(parts[3]));
    out(parts[2]);
    out(lth_repeat(x, 0));
    out(lth_roll(x, -4, -1));
    out(lth_tril(lth_gt(lth_outer(x, x), 0), -1));
    out(lth_unsqueeze(lth_sum(x), 0));
    out(lth_einsum("ii->i", lth_slice(lth_slice(lth_outer(x, x), 0, 0, 0), 1, 0, 0)));
    out(lth_repeat(lth_reshape(x, 1, 1, 1, 1, 1, 1, 1, 3), 2, 1, 1, 1, 1, 1, 1, 2));
    lab_end(&l);
    double sum = 0;
    for (int i = 0; i < 150; i++)
        sum += i * (i % 3 + 1);
    EXPECT("stacked scalars", 0, LTH_F64, sum);
    EXPECT("the last of them", 1, LTH_F64, 148 * 2, 149 * 3);
    EXPECT("chunk", 2, LTH_F64, 3);
    cr_assert_eq(lth_shape_count(lab_output_shape(&l, 3)), 0);
    EXPECT("roll", 4, LTH_F64, 2, 3, 1);
    EXPECT("tril of bools", 5, LTH_BOOL, 0, 0, 0, 1, 0, 0, 1, 1, 0);
    EXPECT("unsqueeze", 6, LTH_F64, 6);
    cr_assert_eq(lth_shape_count(lab_output_shape(&l, 7)), 0);
    EXPECT("repeat in eight dimensions", 8, LTH_F64, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3);
}

Test(nn_tensors_by_hand, draws_are_of_their_range_and_as_likely_as_is_said)
{
    enum { N = 4000 };
    lth_tensor x = field("x", "[0.0, 1.0]");
    lth_tensor logits = lth_add(lth_zeros(x, LTH_SHAPE(N, 4)), lth_ln(lth_mul(lth_arange(x, 0, 4, .dtype = LTH_F64), 0.5))); /* 0, 1, 2, 3 of 6 */
    lth_tensor faces = lth_randint(x, -2, 3, LTH_SHAPE(N)), again = lth_randint(x, -2, 3, LTH_SHAPE(N)), classes = lth_categorical(logits);
    lth_tensor p = lth_full(x, LTH_SHAPE(N), 0.3), coin = lth_bernoulli(p);
    out(faces);
    out(classes);
    out(coin);
    out(lth_bernoulli(lth_select(lth_stack(((lth_tensor[]){ lth_zeros_like(p), lth_ones_like(p) }), 2, 0), 0, 1)));
    out(lth_cast(lth_eq(faces, again), LTH_F64));
    out(lth_rand_like(faces));
    out(lth_randn_like(lth_cast(p, LTH_F32)));
    lab_end(&l);
    cr_assert_eq(lab_output_shape(&l, 0)->dtype, LTH_I64);
    cr_assert_eq(lab_output_shape(&l, 5)->dtype, LTH_F64, "of whole numbers: of the run's floating type");
    cr_assert_eq(lab_output_shape(&l, 6)->dtype, LTH_F32);
    int face[5] = { 0 }, class_[4] = { 0 }, heads = 0, equal = 0;
    for (int i = 0; i < N; i++) {
        double f = lab_value(&l, 0, i), c = lab_value(&l, 1, i);
        cr_assert(f >= -2 && f <= 2 && f == floor(f) && c >= 0 && c <= 3);
        face[(int)f + 2]++;
        class_[(int)c]++;
        heads += lab_value(&l, 2, i) == 1;
        cr_assert(lab_value(&l, 3, i) == 1);
        equal += lab_value(&l, 4, i) == 1;
    }
    /* Within 4 standard deviations of sqrt(N p (1 - p)). */
    for (int i = 0; i < 5; i++)
        cr_assert(abs(face[i] - N / 5) < 105, "%d: %d", i - 2, face[i]);
    cr_assert_eq(class_[0], 0, "a logit of -INFINITY");
    for (int i = 1; i < 4; i++)
        cr_assert(abs(class_[i] - N * i / 6) < 130, "%d: %d", i, class_[i]);
    cr_assert(abs(heads - N * 3 / 10) < 120, "%d", heads);
    cr_assert(abs(equal - N / 5) < 105, "two draws have nothing to do with each other: %d", equal);
}

/* ---- Refusals, at the author's line ---- */

static void refuses(int line, const char *message)
{
    char wanted[512];
    snprintf(wanted, sizeof wanted, "test_tensors.c:%d: %s", line, message);
    cr_assert_eq(lab_try_end(&l), LTH_INVALID, "accepted, where the message should be: %s", message);
    cr_assert(strstr(l.e.text, wanted) != NULL, "'%s' is not '%s'", l.e.text, wanted);
    error_clear(&l.e);
}
#define REFUSES(call, message)               \
    do {                                     \
        lth_tensor x = field("x", NULL);     \
        (void)x;                             \
        (void)(call);                        \
        refuses(__LINE__, message);          \
    } while (0)

Test(nn_tensors_by_hand, what_cannot_be_is_refused_where_it_was_written)
{
    lth_tensor parts[3];
    const int64_t lengths[] = { 1, 1 };
    lab_field_text(&l, "x", "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]");
    lab_field_text(&l, "n", "[[1, 2, 3], [4, 5, 6]]");
    REFUSES(lth_topk(x, 4, 1), "argsort: the first 4 along axis 1 of (2, 3), which has 3");
    REFUSES(lth_quantile_axis(x, 1.5, 1, 0), "lth_quantile(1.5) of f64 (2, 3) along axis 1: takes q from 0 to 1 and a floating tensor");
    REFUSES(lth_masked_select(x, x), "lth_masked_select: how many elements it gives would depend on data");
    REFUSES(lth_unsqueeze(x, 4), "lth_unsqueeze: axis 4 of (2, 3): -3 to 2 are possible");
    REFUSES((parts[0] = x, parts[1] = lth_transpose(x, 0, 1), lth_stack(parts, 2, 0)), "lth_stack: tensor 1 is (3, 2), the first is (2, 3)");
    REFUSES((lth_split(x, 1, lengths, 2, parts), x), "lth_split: the lengths do not add up to the 3 of axis 1 of (2, 3)");
    REFUSES(lth_repeat(x, 2), "lth_repeat: (2, 3) takes 2 to 8 numbers, one for each dimension at least");
    REFUSES(lth_flip_axes(x, 0, -2), "lth_flip_axes: axis 0 is named twice");
    REFUSES(lth_index_select(x, 0, lab_input(&l, "n")), "lth_index_select: the index is a vector, not (2, 3) (lth_gather takes any)");
    REFUSES(lth_tril(lth_sum(x), 0), "lth_tril: () has fewer than two dimensions");
    REFUSES(lth_norm(x, -2), "lth_norm: the order must be 0 or above, or -INFINITY, not -2");
    REFUSES(lth_arange(x, 0, 3, .step = 0.5), "lth_arange: from 0 in steps of 0.5 in i64: .dtype = LTH_F32, say");
    REFUSES(lth_arange(x, 0, 3, .step = -1), "lth_arange: no way from 0 to 3 in steps of -1");
    REFUSES(lth_one_hot(x, 3), "lth_one_hot: takes whole numbers of at most 7 dimensions and one class at least, not f64 (2, 3) of 3");
    REFUSES(lth_select(x, 1, 3), "lth_select: index 3 of axis 1 of (2, 3): -3 to 2 are possible");
    REFUSES(lth_slice_step(x, 1, 2, 1, 1), "lth_slice_step: 2 to 1 in steps of 1 along axis 1 of (2, 3)");
    REFUSES(lth_slice_step(x, 1, 0, 3, 0), "lth_slice_step: 0 to 3 in steps of 0 along axis 1 of (2, 3)");
    REFUSES(lth_mean_axes(x, 0, 1, -1), "lth_mean_axes: axis 1 is named twice");
    REFUSES(lth_sum_axes(x, 0, 0, 2), "lth_sum_axes: axis 2 of (2, 3): -2 to 1 are possible");
    REFUSES(lth_randint(x, 3, 3, LTH_SHAPE(2)), "lth_randint: low < high, at most 2^24 apart, are wanted, not 3 and 3");
    REFUSES(lth_categorical(lab_input(&l, "n")), "lth_categorical: takes floating logits (..., C), not i64 (2, 3)");
    REFUSES(lth_bernoulli(lab_input(&l, "n")), "lth_bernoulli: takes floating probabilities, not i64");
    REFUSES(lth_zeros(x, LTH_SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1)), "more than 8 dimensions");
    REFUSES(lth_slice(x, 1, INT64_MIN, 2), "slice: axis 1: a length of -1");
    REFUSES(lth_outer(x, x), "lth_outer: takes two vectors, not (2, 3) and (2, 3)");
    REFUSES(lth_bmm(x, x), "lth_bmm: takes (B, M, K) and (B, K, N), not (2, 3) and (2, 3) (lth_matmul broadcasts)");
}

Test(nn_tensors_by_hand, einsum_says_what_its_formula_lacks)
{
    lab_field_text(&l, "x", "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]");
    lab_field_text(&l, "n", "[[1, 2, 3], [4, 5, 6]]");
    REFUSES(lth_einsum("ijk->i", x), "lth_einsum(\"ijk->i\"): operand 1 is (2, 3), but has 3 letters");
    REFUSES(lth_einsum("ij,jk->ik", x, x), "lth_einsum(\"ij,jk->ik\"): axis 0 of operand 2 (2, 3) is not of length 3, as another of its name");
    REFUSES(lth_einsum("ij,ij->i", x), "lth_einsum(\"ij,ij->i\"): has another number of terms than operands");
    REFUSES(lth_einsum("ij->i", x, x), "lth_einsum(\"ij->i\"): has another number of terms than operands");
    REFUSES(lth_einsum("ij,jk", x, lth_none()), "lth_einsum(\"ij,jk\"): an operand has no value: it was never assigned");
    REFUSES(lth_einsum("ij->ik", x), "lth_einsum(\"ij->ik\"): a letter of the result is in no operand");
    REFUSES(lth_einsum("ij->ii", x), "lth_einsum(\"ij->ii\"): a letter stands twice in the result");
    REFUSES(lth_einsum("ii->i", x), "lth_einsum(\"ii->i\"): axis 1 of operand 1 (2, 3) is not of length 2, as another of its name");
    REFUSES(lth_einsum("i1->i", x), "lth_einsum(\"i1->i\"): what is wanted are letters, \"...\" once a term, \",\" and one \"->\", not 1");
    REFUSES(lth_einsum("ij-i", x), "lth_einsum(\"ij-i\"): an arrow is written ->");
    REFUSES(lth_einsum("ij->i->j", x), "lth_einsum(\"ij->i->j\"): there is one result");
    REFUSES(lth_einsum("ij,kj->ik", lab_input(&l, "n"), lab_input(&l, "n")),
            "lth_einsum(\"ij,kj->ik\"): matrix products need a floating type: lth_cast the operands, which are i64");
    REFUSES(lth_einsum("abcdefghi->a", x), "lth_einsum(\"abcdefghi->a\"): a tensor has at most 8 dimensions");
    REFUSES(lth_einsum("ij,kl,mn,op,qr->ijklmnopqr", x, x, x, x, x), "lth_einsum(\"ij,kl,mn,op,qr->ijklmnopqr\"): a tensor has at most 8 dimensions");
    REFUSES(lth_einsum("ij,kl,mn,op,qr", x, x, x, x, x), "lth_einsum(\"ij,kl,mn,op,qr\"): the result would have more than 8 dimensions");
}
