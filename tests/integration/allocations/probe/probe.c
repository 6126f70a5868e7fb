/* SPDX-License-Identifier: Apache-2.0
 * A callback that opens a counting window at the start of an epoch's second batch and closes it at the end of the last but
 * one: from then on every plan is compiled and every buffer has its size. */
#include <lthost/callback.h>

#include <dlfcn.h>

struct probe { int64_t from_epoch; void (*begin)(void), (*end)(void); };

static const lth_option options[] = {
    LTH_OPTION(struct probe, from_epoch, "3", "0..", "first epoch that counts"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct probe *p = self;
    *(void **)&p->begin = dlsym(RTLD_DEFAULT, "count_begin");
    *(void **)&p->end = dlsym(RTLD_DEFAULT, "count_end");
    return p->begin && p->end ? LTH_OK : lth_fail(host, LTH_ERROR, "the counting library is not preloaded");
}

static lth_status on_train_batch_start(void *self, lth_trainer *t)
{
    struct probe *p = self;
    lth_progress at = lth_trainer_progress(t);
    if (at.current_epoch >= p->from_epoch && at.batch_idx == 1)
        p->begin();
    return LTH_OK;
}

static lth_status on_train_batch_end(void *self, lth_trainer *t)
{
    struct probe *p = self;
    lth_progress at = lth_trainer_progress(t);
    if (at.current_epoch >= p->from_epoch && at.batch_idx == at.num_batches - 2)
        p->end();
    return LTH_OK;
}

LTH_CALLBACK(probe, .summary = "opens and closes the counting window", .options = LTH_OPTIONS(options), .init = init,
             .on_train_batch_start = on_train_batch_start, .on_train_batch_end = on_train_batch_end);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(probe));
