/* SPDX-License-Identifier: Apache-2.0
 * digits: 1,797 images of handwritten digits, 8 x 8 pixels, that come with the plugin (see README.md).
 *
 * A sample: x, pixels row by row in 0..1, f32, (64), (8, 8) or (1, 8, 8), or as tokens 0..16, i64, (64); y () i64, the digit.
 * Rows are held out at random, keyed by the seed, or from the end of the file; the parts keep the file's order. */
#include <lthost/datamodule.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 10, GREYS = 16 };

struct digits;

/* The rows of a stage. */
struct part {
    const struct digits *data;
    const int64_t *rows;
    int64_t count;
};

struct digits {
    const char *split, *layout;
    double val_fraction, test_fraction;
    int64_t split_seed;
    const lth_host *host;
    bool tokens; /* the layout */
    float *x;    /* (count, PIXELS) */
    int64_t *y;  /* (count) */
    int64_t count, capacity;
    int64_t *rows; /* those of training, of validation, of test */
    struct part train, validate, test;
};

static const lth_option options[] = {
    LTH_OPTION(struct digits, split, "random", "random|last", "which rows are held out; the last ones are of other writers"),
    LTH_OPTION(struct digits, layout, "flat", "flat|rows|image|tokens",
               "x: (64), (8, 8), (1, 8, 8) with a channel, or 64 numbers of 0..16"),
    LTH_OPTION(struct digits, val_fraction, "0.2", "[0..1)", "share of the rows held out for validation"),
    LTH_OPTION(struct digits, test_fraction, "0", "[0..1)",
               "share of the rows held out for test and predict; 0: those of validation"),
    LTH_OPTION(struct digits, split_seed, "-1", "-1..", "seed of the random split; -1: the run's"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct digits *d = self;
    d->host = host;
    d->tokens = strcmp(d->layout, "tokens") == 0;
    if (d->val_fraction + d->test_fraction >= 1)
        return lth_fail(host, LTH_INVALID, "val_fraction = %g and test_fraction = %g leave nothing to train on", d->val_fraction,
                        d->test_fraction);
    return LTH_OK;
}

static void destroy(void *self)
{
    struct digits *d = self;
    free(d->x);
    free(d->y);
    free(d->rows);
}

/* ---- The file ---- */

static bool make_room(struct digits *d)
{
    if (d->count < d->capacity)
        return true;
    int64_t capacity = d->capacity ? 2 * d->capacity : 2048;
    float *x = realloc(d->x, (size_t)capacity * PIXELS * sizeof *x);
    int64_t *y = realloc(d->y, (size_t)capacity * sizeof *y);
    d->x = x ? x : d->x;
    d->y = y ? y : d->y;
    d->capacity = x && y ? capacity : d->capacity;
    return x && y;
}

/* "0,5,13,...,7": 64 pixels in 0..16, then the digit. */
static bool read_row(const char *line, float *x, int64_t *y)
{
    for (int i = 0; i <= PIXELS; i++) {
        char *end;
        long value = strtol(line, &end, 10);
        bool last = i == PIXELS;
        if (end == line || value < 0 || value > (last ? CLASSES - 1 : GREYS) || (!last && *end != ','))
            return false;
        if (last)
            *y = value;
        else
            x[i] = (float)value / GREYS;
        line = end + 1;
    }
    return true;
}

static lth_status read_file(struct digits *d)
{
    char path[4096], line[512];
    snprintf(path, sizeof path, "%s/digits.csv.gz", d->host->api->plugin_dir(d->host));
    gzFile file = gzopen(path, "rb");
    if (!file)
        return lth_fail(d->host, LTH_ERROR, "cannot open %s, which belongs to the plugin", path);
    lth_status status = LTH_OK;
    int fault = Z_OK;
    while (!status && gzgets(file, line, sizeof line)) {
        gzerror(file, &fault);
        if (fault != Z_OK) /* so this line is cut off */
            break;
        if (!make_room(d))
            status = lth_fail(d->host, LTH_NO_MEMORY, "no memory for the digits");
        else if (!read_row(line, d->x + d->count * PIXELS, d->y + d->count))
            status = lth_fail(d->host, LTH_ERROR, "%s:%lld: not 64 pixels and a digit", path, (long long)d->count + 1);
        else
            d->count++;
    }
    gzerror(file, &fault);
    if (!status && (fault != Z_OK || d->count == 0))
        status = lth_fail(d->host, LTH_ERROR, "cannot read %s: %s", path,
                          fault == Z_OK          ? "it is empty"
                          : fault == Z_BUF_ERROR ? "it ends too early"
                                                 : "it is damaged");
    gzclose(file);
    return status;
}

/* ---- The split ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Fisher and Yates. */
static void shuffle(int64_t *rows, int64_t count, uint64_t seed)
{
    for (int64_t i = count - 1; i > 0; i--) {
        uint64_t word = lth_philox_at(seed, (uint32_t)i, 0, 0, LTH_STREAM_USER).word[0];
        int64_t j = (int64_t)(word * (uint64_t)(i + 1) >> 32), row = rows[i];
        rows[i] = rows[j];
        rows[j] = row;
    }
}

static struct part part_of(struct digits *d, int64_t start, int64_t count)
{
    struct part p = { d, d->rows + start, count };
    qsort(d->rows + start, (size_t)count, sizeof *d->rows, by_number);
    return p;
}

static lth_status split_rows(struct digits *d)
{
    int64_t val = (int64_t)(d->val_fraction * (double)d->count), test = (int64_t)(d->test_fraction * (double)d->count);
    d->rows = malloc((size_t)d->count * sizeof *d->rows);
    if (!d->rows)
        return lth_fail(d->host, LTH_NO_MEMORY, "no memory for the digits");
    for (int64_t i = 0; i < d->count; i++)
        d->rows[i] = i;
    if (strcmp(d->split, "random") == 0)
        shuffle(d->rows, d->count, d->split_seed < 0 ? d->host->api->seed(d->host) : (uint64_t)d->split_seed);
    int64_t train = d->count - val - test;
    d->train = part_of(d, 0, train);
    d->validate = part_of(d, train, val);
    d->test = test ? part_of(d, train + val, test) : d->validate;
    return LTH_OK;
}

/* ---- Samples ---- */

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct part *p = context;
    void *x = batch->api->field(batch, "x", NULL);
    int64_t *y = batch->api->field(batch, "y", NULL);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = p->rows[indices[i]];
        const float *pixels = p->data->x + row * PIXELS;
        if (!p->data->tokens)
            memcpy((float *)x + i * PIXELS, pixels, PIXELS * sizeof *pixels);
        for (int k = 0; p->data->tokens && k < PIXELS; k++)
            ((int64_t *)x)[i * PIXELS + k] = (int64_t)(pixels[k] * GREYS);
        y[i] = p->data->y[row];
    }
    return LTH_OK;
}

static void offer(lth_data *data, lth_stage stage, struct part *p)
{
    lth_dataset dataset = { .struct_size = sizeof dataset, .flags = LTH_DATASET_CHEAP | LTH_DATASET_FILLS, .length = p->count, .fetch = fetch };
    if (p->count > 0)
        data->api->dataset(data, stage, &dataset, p);
}

static lth_shape shape_of(const char *layout)
{
    static const struct {
        const char *layout;
        lth_shape shape;
    } shapes[] = {
        { "flat", { LTH_F32, 1, { PIXELS } } },
        { "rows", { LTH_F32, 2, { SIDE, SIDE } } },
        { "image", { LTH_F32, 3, { 1, SIDE, SIDE } } },
        { "tokens", { LTH_I64, 1, { PIXELS } } },
    };
    size_t i = 0;
    while (strcmp(shapes[i].layout, layout) != 0)
        i++;
    return shapes[i].shape;
}

static lth_status setup(void *self, lth_data *data)
{
    struct digits *d = self;
    lth_status status = d->rows ? LTH_OK : read_file(d);
    if (!status && !d->rows)
        status = split_rows(d);
    if (status)
        return status;
    lth_data_field(data, .name = "x", .shape = shape_of(d->layout), .num_classes = d->tokens ? GREYS + 1 : 0);
    lth_data_field(data, .name = "y", .shape = { LTH_I64, 0, { 0 } }, .num_classes = CLASSES);
    offer(data, LTH_STAGE_TRAIN, &d->train);
    offer(data, LTH_STAGE_VALIDATE, &d->validate);
    offer(data, LTH_STAGE_TEST, &d->test);
    offer(data, LTH_STAGE_PREDICT, &d->test);
    return LTH_OK;
}

LTH_DATAMODULE(digits, .summary = "1,797 handwritten digits of 8 x 8 pixels", .options = LTH_OPTIONS(options), .init = init,
               .destroy = destroy, .setup = setup);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(digits));
