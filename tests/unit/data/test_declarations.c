/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static lth_status no_fetch(void *context, const int64_t *indices, int64_t count, lth_batch *b)
{
    (void)context, (void)indices, (void)count, (void)b;
    return LTH_OK;
}

static lth_status no_next(void *context, lth_reference *r)
{
    (void)context, (void)r;
    return LTH_END;
}

/* What a setup under test declares. */
static struct plan {
    lth_field fields[3];
    int field_count;
    lth_dataset set;
    lth_stage set_stage;
    bool fails;
    lth_status status;
} plan;

static lth_status setup(void *self, lth_data *d)
{
    (void)self;
    for (int i = 0; i < plan.field_count; i++)
        d->api->field(d, &plan.fields[i]);
    if (plan.set.struct_size)
        d->api->dataset(d, plan.set_stage, &plan.set, NULL);
    if (plan.fails)
        return d->api->fail(d, LTH_IO, "digits.csv.gz is not there yet");
    return plan.status;
}

static lth_field a_field(const char *name, lth_shape shape, double pad)
{
    return (lth_field) { .struct_size = sizeof(lth_field), .name = name, .shape = shape, .pad = pad };
}

static lth_status run_setup(error *e)
{
    static const lth_datamodule module = { .struct_size = sizeof module, .id = "planned", .setup = setup };
    data_options options = default_options();
    data_args args = { .module = &module, .options = &options, .world = 1 };
    data_module *m = data_open(&args, e);
    lth_status status = data_setup(m, LTH_STAGE_TRAIN, e);
    data_close(m);
    return status;
}

Test(declarations, wrong_fields_and_datasets_are_refused_with_their_names)
{
    const lth_dataset good = { .struct_size = sizeof good, .length = 3, .fetch = no_fetch };
    lth_dataset neither = { .struct_size = sizeof neither, .length = 3 }, both = good, endless = good,
                no_decode = { .struct_size = sizeof no_decode };
    both.next = no_next;
    endless.length = -1;
    no_decode.next = no_next;
    const struct {
        struct plan plan;
        const char *says;
    } cases[] = {
        { { .field_count = 0 }, "declares no field" },
        { { .fields = { a_field("", (lth_shape) { LTH_F32, 0, { 0 } }, 0) }, .field_count = 1 }, "no name" },
        { { .fields = { a_field("x", (lth_shape) { LTH_DTYPE_NONE, 0, { 0 } }, 0) }, .field_count = 1 }, "'x' has no shape" },
        { { .fields = { a_field("x", (lth_shape) { LTH_F32, 2, { 3, 0 } }, 0) }, .field_count = 1 }, "'x' has no shape" },
        { { .fields = { a_field("x", (lth_shape) { LTH_F32, 2, { -1, -1 } }, 0) }, .field_count = 1 }, "'x' has no shape" },
        { { .fields = { a_field("x", (lth_shape) { LTH_F32, 8, { 1, 1, 1, 1, 1, 1, 1, 1 } }, 0) }, .field_count = 1 },
          "'x' has no shape" },
        { { .fields = { a_field("x", (lth_shape) { LTH_I64, 1, { -1 } }, 0.5) }, .field_count = 1 },
          "cannot be padded with 0.5" },
        { { .fields = { a_field("x", (lth_shape) { LTH_U8, 1, { -1 } }, -1) }, .field_count = 1 }, "cannot be padded with -1" },
        { { .fields = { a_field("x", (lth_shape) { LTH_F32, 0, { 0 } }, 0), a_field("x", (lth_shape) { LTH_F32, 0, { 0 } }, 0) },
            .field_count = 2 },
          "'x' is declared twice" },
        { { .fields = { a_field("x", (lth_shape) { LTH_F32, 1, { -1 } }, 0),
                        a_field("x_length", (lth_shape) { LTH_I64, 0, { 0 } }, 0) },
            .field_count = 2 },
          "'x_length' is declared twice" },
        { { .set = neither }, "train dataset has neither" },
        { { .set = both }, "has both" },
        { { .set = endless }, "no length" },
        { { .set = no_decode, .set_stage = LTH_STAGE_TEST }, "test dataset has next, and not decode" },
        { { .set = good, .set_stage = 9 }, "stage 9" },
        { { .fails = true }, "digits.csv.gz is not there yet" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error e = { 0 };
        plan = cases[i].plan;
        cr_assert_neq(run_setup(&e), LTH_OK, "case %zu", i);
        cr_assert(strstr(e.text, cases[i].says), "case %zu: '%s'", i, e.text);
    }
}

Test(declarations, a_failed_setup_keeps_its_status)
{
    error e = { 0 };
    plan = (struct plan) { .fails = true };
    cr_assert_eq(run_setup(&e), LTH_IO, "LTH_IO tells `check` that the data is not prepared yet");
}

Test(declarations, a_varying_field_is_accompanied_by_its_length)
{
    fixture f = { .length = 4, .varies = true };
    fixture_open(&f);
    const lth_field_info *fields;
    cr_assert_eq(data_fields(f.module, &fields), 4);
    cr_assert_str_eq(fields[2].name, "t");
    cr_assert_eq(fields[2].shape.dim[0], -1);
    cr_assert_str_eq(fields[3].name, "t_length");
    cr_assert(fields[3].shape.dtype == LTH_I64 && fields[3].shape.rank == 0);
    fixture_close(&f);
}

Test(declarations, a_second_setup_may_not_change_the_fields)
{
    fixture f = { .length = 4 };
    fixture_open(&f);
    error e = { 0 };
    cr_assert_eq(data_setup(f.module, LTH_STAGE_TEST, &e), LTH_OK);
    cr_assert_eq(data_dataset_count(f.module, LTH_STAGE_SANITY), 1);
    f.varies = true;
    cr_assert_eq(data_setup(f.module, LTH_STAGE_TEST, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "'t' otherwise than in an earlier setup"), "%s", e.text);
    fixture_close(&f);
}

Test(declarations, a_stage_without_a_dataset_is_told)
{
    const lth_dataset good = { .struct_size = sizeof good, .length = 3, .fetch = no_fetch };
    static const lth_datamodule module = { .struct_size = sizeof module, .id = "planned", .setup = setup };
    plan = (struct plan) { .fields = { a_field("x", (lth_shape) { LTH_F32, 0, { 0 } }, 0) }, .field_count = 1, .set = good };
    data_options options = default_options();
    data_args args = { .module = &module, .options = &options, .world = 1 };
    error e = { 0 };
    data_module *m = data_open(&args, &e);
    cr_assert_eq(data_setup(m, LTH_STAGE_TRAIN, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(data_dataset_count(m, LTH_STAGE_TRAIN), 1);
    cr_assert_eq(data_dataset_count(m, LTH_STAGE_VALIDATE), 0);
    data_loader_args loader = { .stage = LTH_STAGE_VALIDATE, .limit = -1 };
    cr_assert_null(data_loader_new(m, &loader, &e));
    cr_assert_str_eq(e.text, "the datamodule gives no validate dataset 0");
    data_close(m);
}
