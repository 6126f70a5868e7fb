/* SPDX-License-Identifier: Apache-2.0
 * A callback: counts training batches and writes the number into the run's folder. */
#include <lthost/callback.h>

#include <stdio.h>

struct tally { const char *file; int64_t batches; };

static const lth_option options[] = {
    LTH_OPTION(struct tally, file, "tally.txt", NULL, "name of the file in the run's folder"),
};

static lth_status on_train_batch_end(void *self, lth_trainer *t)
{
    (void)t;
    ((struct tally *)self)->batches++;
    return LTH_OK;
}

static lth_status on_fit_end(void *self, lth_trainer *t)
{
    struct tally *c = self;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", t->api->run_dir(t), c->file);
    FILE *file = fopen(path, "w");
    if (!file)
        return LTH_IO;
    fprintf(file, "%lld\n", (long long)c->batches);
    return fclose(file) == 0 ? LTH_OK : LTH_IO;
}

LTH_CALLBACK(tally, .summary = "counts batches", .options = LTH_OPTIONS(options), .on_train_batch_end = on_train_batch_end,
             .on_fit_end = on_fit_end);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(tally));
