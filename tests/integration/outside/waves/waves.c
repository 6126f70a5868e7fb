/* SPDX-License-Identifier: Apache-2.0
 * A datamodule: points on a plane with a little noise. The plane's slopes lie in a file beside the plugin. */
#include <lthost/datamodule.h>

#include <stdio.h>

enum { DIM = 4 };

struct waves {
    int64_t samples;
    double noise;
    const lth_host *host;
    float slope[DIM];
};

static const lth_option options[] = {
    LTH_OPTION(struct waves, samples, "256", "1..", "training samples; a quarter of it for validation"),
    LTH_OPTION(struct waves, noise, "0.01", "0..", "standard deviation of what is added to y"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct waves *w = self;
    char path[4096];
    w->host = host;
    snprintf(path, sizeof path, "%s/weights.txt", host->api->plugin_dir(host));
    FILE *file = fopen(path, "r");
    if (!file)
        return lth_fail(host, LTH_IO, "cannot open %s", path);
    int read = 0;
    for (int i = 0; i < DIM; i++)
        read += fscanf(file, "%f", &w->slope[i]);
    fclose(file);
    return read == DIM ? LTH_OK : lth_fail(host, LTH_IO, "%s has no %d numbers", path, DIM);
}

static lth_status fetch_part(struct waves *w, uint32_t part, const int64_t *indices, int64_t count, lth_batch *batch)
{
    float *x = batch->api->field(batch, "x", NULL), *y = batch->api->field(batch, "y", NULL);
    for (int64_t row = 0; row < count; row++) {
        double sum = 0;
        for (int64_t k = 0; k < DIM; k++) {
            x[row * DIM + k] = (float)lth_random_normal(7, part, 0, (uint32_t)k, indices[row]);
            sum += (double)w->slope[k] * (double)x[row * DIM + k];
        }
        y[row] = (float)(sum + w->noise * lth_random_normal(7, part, 1, 0, indices[row]));
    }
    return LTH_OK;
}

static lth_status fetch_train(void *self, const int64_t *indices, int64_t count, lth_batch *batch)
{
    return fetch_part(self, 1, indices, count, batch);
}

static lth_status fetch_validation(void *self, const int64_t *indices, int64_t count, lth_batch *batch)
{
    return fetch_part(self, 2, indices, count, batch);
}

static lth_status setup(void *self, lth_data *data)
{
    struct waves *w = self;
    const lth_dataset train = { .struct_size = sizeof train, .length = w->samples, .fetch = fetch_train };
    const lth_dataset validation = { .struct_size = sizeof validation, .length = (w->samples + 3) / 4, .fetch = fetch_validation };
    lth_data_field(data, .name = "x", .shape = { LTH_F32, 1, { DIM } });
    lth_data_field(data, .name = "y", .shape = { LTH_F32, 1, { 1 } });
    data->api->dataset(data, LTH_STAGE_TRAIN, &train, w);
    data->api->dataset(data, LTH_STAGE_VALIDATE, &validation, w);
    return LTH_OK;
}

LTH_DATAMODULE(waves, .summary = "noisy points on a plane", .options = LTH_OPTIONS(options), .init = init, .setup = setup);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(waves));
