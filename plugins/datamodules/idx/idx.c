/* SPDX-License-Identifier: Apache-2.0
 * idx: images and their classes from files in IDX format, as MNIST, Fashion-MNIST, EMNIST and KMNIST come.
 *
 * A sample: x f32, (1, H, W) from a file of greyscale images (N, H, W), else (dims...) from (N, dims...); y () i64. */
#include "file.h"

#include <lthost/datamodule.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256 };

/* Images and their labels: two files. */
typedef struct pairs {
    idx_file images, labels;
} pairs;

struct idx;

/* The rows of a stage. */
struct part {
    const struct idx *data;
    const pairs *from;
    const int64_t *rows; /* NULL: all */
    int64_t count;
    bool augment;
};

struct idx {
    const char *images, *labels, *test_images, *test_labels, *split, *normalise;
    double val_split, mean, std, flip;
    int64_t split_seed, shift, num_classes;
    bool scale;
    const lth_host *host;
    pairs first, test;
    int64_t *rows; /* of `first`: those of training, then of validation */
    struct part train_part, val_part, test_part;
    int64_t classes;
    lth_shape shape;
    float of_byte[BYTES]; /* what a byte's value becomes */
};

static const lth_option options[] = {
    LTH_OPTION(struct idx, images, NULL, NULL, "file of images, gzip or plain", .flags = LTH_OPTION_REQUIRED | LTH_OPTION_PATH),
    LTH_OPTION(struct idx, labels, NULL, NULL, "file of their classes", .flags = LTH_OPTION_REQUIRED | LTH_OPTION_PATH),
    LTH_OPTION(struct idx, test_images, "", NULL, "file of images to test with; empty: those of validation",
               .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct idx, test_labels, "", NULL, "file of their classes", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct idx, val_split, "0.1", "0..", "images held out for validation: below 1 a share, from 1 on a number"),
    LTH_OPTION(struct idx, split, "random", "random|last", "which images are held out"),
    LTH_OPTION(struct idx, split_seed, "-1", "-1..", "seed of the random split; -1: the run's"),
    LTH_OPTION(struct idx, num_classes, "0", "0..", "number of classes; 0: one more than the greatest label"),
    LTH_OPTION(struct idx, scale, "true", NULL, "bytes 0..255 become 0..1"),
    LTH_OPTION(struct idx, normalise, "none", "none|standard",
               "standard: mean and std are those of all elements that are trained on"),
    LTH_OPTION(struct idx, mean, "0", NULL, "taken from each element, once scaled"),
    LTH_OPTION(struct idx, std, "1", "(0..", "then divides it"),
    LTH_OPTION(struct idx, shift, "0", "0..4096", "training images are moved at random by up to so many pixels each way"),
    LTH_OPTION(struct idx, flip, "0", "0..1", "probability that a training image is mirrored left to right"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct idx *d = self;
    d->host = host;
    if (!*d->test_images != !*d->test_labels)
        return lth_fail(host, LTH_INVALID, "%s is given without %s", *d->test_images ? "test_images" : "test_labels",
                        *d->test_images ? "test_labels" : "test_images");
    if (d->val_split >= 1 && d->val_split != floor(d->val_split))
        return lth_fail(host, LTH_INVALID,
                        "val_split = %g: below 1 it is a share of the images, from 1 on a whole number of them", d->val_split);
    if (strcmp(d->normalise, "standard") == 0 && (d->mean != 0 || d->std != 1))
        return lth_fail(host, LTH_INVALID, "normalise = standard finds mean and std itself; leave them out");
    return LTH_OK;
}

static void destroy(void *self)
{
    struct idx *d = self;
    idx_file *const files[] = { &d->first.images, &d->first.labels, &d->test.images, &d->test.labels };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        idx_free(files[i]);
    free(d->rows);
}

/* ---- Files ---- */

static lth_status read_pairs(struct idx *d, pairs *p, const char *images, const char *labels)
{
    char message[1024];
    if (idx_read(&p->images, images, 2, LTH_MAX_RANK - 1, message, sizeof message) ||
        idx_read(&p->labels, labels, 1, 1, message, sizeof message))
        return lth_fail(d->host, LTH_INVALID, "%s", message); /* not LTH_IO: nothing is prepared that could yet come */
    if (p->images.dim[0] != p->labels.dim[0])
        return lth_fail(d->host, LTH_INVALID, "%s has %lld images, %s has %lld labels", images, (long long)p->images.dim[0],
                        labels, (long long)p->labels.dim[0]);
    return LTH_OK;
}

/* Every label is a class; `most`: the number of classes, or 0 where the labels tell it. */
static lth_status check_labels(struct idx *d, const idx_file *f, const char *path, int64_t most, int64_t *greatest)
{
    *greatest = 0;
    for (int64_t i = 0; i < f->dim[0]; i++) {
        double label = idx_at(f, i);
        if (!(label >= 0 && label <= INT32_MAX) || label != floor(label) || (most && label >= (double)most))
            return lth_fail(d->host, LTH_INVALID,
                            "%s: offset %lld: label %lld is %g, where a whole number of 0 to %lld is wanted", path,
                            (long long)idx_offset(f, i), (long long)i, label, most ? (long long)most - 1 : (long long)INT32_MAX);
        *greatest = label > (double)*greatest ? (int64_t)label : *greatest;
    }
    return LTH_OK;
}

static lth_status check_classes(struct idx *d)
{
    int64_t greatest;
    lth_status status = check_labels(d, &d->first.labels, d->labels, d->num_classes, &greatest);
    d->classes = d->num_classes ? d->num_classes : greatest + 1;
    return status || !*d->test_labels ? status : check_labels(d, &d->test.labels, d->test_labels, d->classes, &greatest);
}

static lth_status find_shape(struct idx *d)
{
    const idx_file *f = &d->first.images, *t = &d->test.images;
    d->shape = (lth_shape) { LTH_F32, 0, { 0 } };
    if (f->rank == 3)
        d->shape.dim[d->shape.rank++] = 1; /* the channel of greyscale images */
    for (int i = 1; i < f->rank; i++)
        d->shape.dim[d->shape.rank++] = f->dim[i];
    if (t->data && (t->rank != f->rank || memcmp(t->dim + 1, f->dim + 1, (size_t)(f->rank - 1) * sizeof *f->dim) != 0))
        return lth_fail(d->host, LTH_INVALID, "the images of %s are not of the size of those of %s", d->test_images, d->images);
    if (d->shape.rank < 2 && (d->shift || d->flip > 0))
        return lth_fail(d->host, LTH_INVALID, "%s: %s moves images of two axes or more; these have one", d->images,
                        d->shift ? "shift" : "flip");
    if (d->scale && (f->type != IDX_U8 || (t->data && t->type != IDX_U8)))
        return lth_fail(d->host, LTH_INVALID, "scale = true is for files of bytes (type 08); %s is of type %02x",
                        f->type != IDX_U8 ? d->images : d->test_images, f->type != IDX_U8 ? f->type : t->type);
    return LTH_OK;
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

static lth_status split_rows(struct idx *d)
{
    int64_t count = d->first.images.dim[0];
    double held = d->val_split < 1 ? floor(d->val_split * (double)count) : d->val_split;
    if (held >= (double)count)
        return lth_fail(d->host, LTH_INVALID, "val_split = %g leaves nothing of %lld images to train on", d->val_split,
                        (long long)count);
    int64_t val = (int64_t)held, train = count - val;
    d->rows = malloc((size_t)count * sizeof *d->rows);
    if (!d->rows)
        return lth_fail(d->host, LTH_NO_MEMORY, "no memory for %lld rows", (long long)count);
    for (int64_t i = 0; i < count; i++)
        d->rows[i] = i;
    if (strcmp(d->split, "random") == 0)
        shuffle(d->rows, count, d->split_seed < 0 ? d->host->api->seed(d->host) : (uint64_t)d->split_seed);
    qsort(d->rows, (size_t)train, sizeof *d->rows, by_number);
    qsort(d->rows + train, (size_t)val, sizeof *d->rows, by_number);
    d->train_part = (struct part) { d, &d->first, d->rows, train, d->shift > 0 || d->flip > 0 };
    d->val_part = (struct part) { d, &d->first, d->rows + train, val, false };
    d->test_part = d->test.images.data ? (struct part) { d, &d->test, NULL, d->test.images.dim[0], false } : d->val_part;
    return LTH_OK;
}

/* Mean and standard deviation of all elements that are trained on. */
static void find_statistics(struct idx *d)
{
    const idx_file *f = &d->first.images;
    const double unit = d->scale ? 1.0 / 255 : 1, count = (double)d->train_part.count * (double)f->row;
    double sum = 0, square = 0;
    for (int64_t i = 0; i < d->train_part.count; i++)
        for (int64_t k = 0; k < f->row; k++)
            sum += idx_at(f, d->train_part.rows[i] * f->row + k) * unit;
    d->mean = sum / count;
    for (int64_t i = 0; i < d->train_part.count; i++)
        for (int64_t k = 0; k < f->row; k++) {
            double away = idx_at(f, d->train_part.rows[i] * f->row + k) * unit - d->mean;
            square += away * away;
        }
    d->std = square > 0 ? sqrt(square / count) : 1;
}

static lth_status load(struct idx *d)
{
    lth_status status = read_pairs(d, &d->first, d->images, d->labels);
    if (!status && *d->test_images)
        status = read_pairs(d, &d->test, d->test_images, d->test_labels);
    if (!status)
        status = check_classes(d);
    if (!status)
        status = find_shape(d);
    if (!status)
        status = split_rows(d);
    if (status)
        return status;
    if (strcmp(d->normalise, "standard") == 0)
        find_statistics(d);
    for (int i = 0; i < BYTES; i++)
        d->of_byte[i] = (float)(((d->scale ? i / 255.0 : i) - d->mean) / d->std);
    return LTH_OK;
}

/* ---- Samples ---- */

static float element(const struct part *p, int64_t i)
{
    const idx_file *f = &p->from->images;
    return f->type == IDX_U8 ? p->data->of_byte[f->data[i]] : (float)((idx_at(f, i) - p->data->mean) / p->data->std);
}

/* How a training image is changed: drawn by seed, epoch and row, whatever thread fetches it. */
typedef struct change {
    int64_t down, right; /* pixels */
    bool flip;
} change;

static change draw_change(const struct idx *d, int64_t row, lth_batch *batch)
{
    lth_philox r = lth_philox_at(batch->api->seed(batch), (uint32_t)row, (uint32_t)(row >> 32),
                                 (uint32_t)batch->api->epoch(batch) + 1, LTH_STREAM_USER); /* + 1: 0 is the split's */
    const uint64_t ways = 2 * (uint64_t)d->shift + 1;
    return (change) { (int64_t)(r.word[0] * ways >> 32) - d->shift, (int64_t)(r.word[1] * ways >> 32) - d->shift,
                      lth_philox_uniform(r.word[2]) < d->flip };
}

/* The image with its last two axes moved and mirrored; what comes in from outside is 0 before mean and std. */
static void write_changed(const struct part *p, int64_t row, change c, float *x)
{
    const struct idx *d = p->data;
    const int64_t height = d->shape.dim[d->shape.rank - 2], width = d->shape.dim[d->shape.rank - 1], size = p->from->images.row;
    const float outside = (float)(-d->mean / d->std);
    for (int64_t i = 0; i < size; i++) {
        int64_t column = i % width, line = i / width % height, plane = i - line * width - column;
        int64_t from_line = line - c.down, from_column = (c.flip ? width - 1 - column : column) - c.right;
        bool inside = from_line >= 0 && from_line < height && from_column >= 0 && from_column < width;
        x[i] = inside ? element(p, row * size + plane + from_line * width + from_column) : outside;
    }
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct part *p = context;
    const int64_t size = p->from->images.row;
    float *x = batch->api->field(batch, "x", NULL);
    int64_t *y = batch->api->field(batch, "y", NULL);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = p->rows ? p->rows[indices[i]] : indices[i];
        y[i] = (int64_t)idx_at(&p->from->labels, row);
        if (p->augment)
            write_changed(p, row, draw_change(p->data, row, batch), x + i * size);
        else
            for (int64_t k = 0; k < size; k++)
                x[i * size + k] = element(p, row * size + k);
    }
    return LTH_OK;
}

static void offer(lth_data *data, lth_stage stage, struct part *p)
{
    lth_dataset dataset = {
        .struct_size = sizeof dataset, .flags = LTH_DATASET_FILLS | (p->augment ? 0 : LTH_DATASET_CHEAP), .length = p->count, .fetch = fetch
    };
    if (p->count > 0)
        data->api->dataset(data, stage, &dataset, p);
}

static lth_status setup(void *self, lth_data *data)
{
    struct idx *d = self;
    lth_status status = d->rows ? LTH_OK : load(d);
    if (status)
        return status;
    lth_data_field(data, .name = "x", .shape = d->shape);
    lth_data_field(data, .name = "y", .shape = { LTH_I64, 0, { 0 } }, .num_classes = d->classes);
    offer(data, LTH_STAGE_TRAIN, &d->train_part);
    offer(data, LTH_STAGE_VALIDATE, &d->val_part);
    offer(data, LTH_STAGE_TEST, &d->test_part);
    offer(data, LTH_STAGE_PREDICT, &d->test_part);
    return LTH_OK;
}

LTH_DATAMODULE(idx, .summary = "images in IDX format, as MNIST's", .options = LTH_OPTIONS(options), .init = init,
               .destroy = destroy, .setup = setup);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(idx));
