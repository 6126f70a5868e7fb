/* SPDX-License-Identifier: Apache-2.0
 * trainer/hooks.c: who is called, in which order. Lightning's: callbacks, then the model, then the datamodule; setup and
 * teardown the datamodule first. But callbacks that write checkpoints come last of all: what the model and the datamodule do
 * in the same hook, a run that goes on from there has done. A hook that a plugin leaves out costs a load and a test. */
#include "trainer/session.h"

#include "util/memory.h"

#include <string.h>

static const char *slots_of_hooks(const lth_hooks *hooks) { return (const char *)hooks; }

static const char *slots_of_callback(const component *c)
{
    return (const char *)c->table + offsetof(lth_callback, setup) - offsetof(lth_hooks, setup);
}

lth_status hooks_prepare(session *s)
{
    s->targets = memory_new((s->callback_count + 2) * sizeof *s->targets);
    for (uint32_t i = 0; i < s->callback_count; i++) {
        component *c = s->callbacks[i];
        s->targets[s->target_count++] = (hook_target) { c, slots_of_callback(c), ((const lth_callback *)c->table)->order };
    }
    s->targets[s->target_count++] = (hook_target) { s->model, slots_of_hooks(s->model_table->hooks), 0 };
    s->targets[s->target_count++] = (hook_target) { s->data, slots_of_hooks(((const lth_datamodule *)s->data->table)->hooks), 0 };
    return LTH_OK;
}

/* What the plugin reported, else a mistake in what it logged. */
static lth_status hook_result(session *s, component *c, const char *name, lth_status status, error *e)
{
    status = component_result(c, name, status, e);
    if (status == LTH_OK && s->step.error.status != LTH_OK)
        return error_set(e, s->step.error.status, "[%s] %s: %s", c->title, name, s->step.error.text);
    return status;
}

lth_status hooks_call_one(session *s, const hook_target *t, size_t offset, const char *name, error *e)
{
    lth_hook hook = NULL;
    if (t->slots)
        memcpy(&hook, t->slots + offset, sizeof hook);
    if (!hook)
        return LTH_OK;
    s->step.hook = name;
    s->caller = t->who;
    component_enter(t->who, name);
    lth_status status = hook(t->who->self, &s->trainer);
    s->caller = NULL;
    if (status == LTH_END && offset == offsetof(lth_hooks, on_train_batch_start)) {
        component_leave();
        return LTH_END;
    }
    return hook_result(s, t->who, name, status, e);
}

/* Targets [from, to), in order. The answer LTH_END is given once all of them were asked. */
static lth_status call_range(session *s, uint32_t from, uint32_t to, size_t offset, const char *name, error *e)
{
    lth_status answer = LTH_OK;
    for (uint32_t i = from; i < to; i++) {
        lth_status status = hooks_call_one(s, &s->targets[i], offset, name, e);
        if (status == LTH_END)
            answer = LTH_END;
        else if (status != LTH_OK)
            return status;
    }
    return answer;
}

static uint32_t first_saver(const session *s)
{
    uint32_t savers = s->callback_count; /* from here on; callbacks come by their order */
    while (savers > 0 && s->targets[savers - 1].order >= LTH_ORDER_CHECKPOINT)
        savers--;
    return savers;
}

lth_status hooks_call(session *s, size_t offset, const char *name, error *e)
{
    uint32_t savers = first_saver(s);
    const uint32_t parts[][2] = { { 0, savers }, { s->callback_count, s->target_count }, { savers, s->callback_count } };
    lth_status answer = LTH_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        lth_status status = call_range(s, parts[i][0], parts[i][1], offset, name, e);
        if (status == LTH_END)
            answer = LTH_END;
        else if (status != LTH_OK)
            return status;
    }
    return answer;
}

lth_status hooks_call_rest(session *s, const char *name, const char *after, error *e)
{
#define HOOK(h)                    \
    {                              \
        offsetof(lth_hooks, h), #h \
    }
    static const struct {
        size_t offset;
        const char *name;
    } saving[] = { HOOK(on_train_batch_end), HOOK(on_validation_end), HOOK(on_train_epoch_end) };
#undef HOOK
    uint32_t i = first_saver(s);
    while (i < s->callback_count && strcmp(s->targets[i].who->title, after) != 0)
        i++;
    for (size_t h = 0; h < sizeof saving / sizeof *saving; h++)
        if (strcmp(saving[h].name, name) == 0 && i < s->callback_count)
            return call_range(s, i + 1, s->callback_count, saving[h].offset, saving[h].name, e);
    return LTH_OK;
}

lth_status hooks_call_ordered(session *s, size_t offset, const char *name, int32_t from, int32_t to, bool model, error *e)
{
    for (uint32_t i = 0; i < s->callback_count; i++)
        if (s->targets[i].order >= from && s->targets[i].order <= to &&
            hooks_call_one(s, &s->targets[i], offset, name, e) != LTH_OK)
            return e->status;
    return model ? call_range(s, s->callback_count, s->target_count, offset, name, e) : LTH_OK;
}

lth_status hooks_call_data_first(session *s, size_t offset, const char *name, error *e)
{
    uint32_t data = s->target_count - 1;
    if (call_range(s, data, data + 1, offset, name, e) != LTH_OK)
        return e->status;
    return call_range(s, 0, data, offset, name, e);
}

lth_status hooks_call_step(session *s, size_t offset, const char *name, error *e)
{
    for (uint32_t i = 0; i < s->target_count; i++) {
        const hook_target *t = &s->targets[i];
        lth_step_hook hook = NULL;
        if (t->slots)
            memcpy(&hook, t->slots + offset, sizeof hook);
        if (!hook)
            continue;
        s->step.hook = name;
        component_enter(t->who, name);
        if (hook_result(s, t->who, name, hook(t->who->self, &s->trainer, &s->step.abi), e) != LTH_OK)
            return e->status;
    }
    return LTH_OK;
}

lth_status hooks_call_backward(session *s, lth_tensor loss, error *e)
{
    static const char name[] = "on_before_backward";
    for (uint32_t i = 0; i < s->target_count; i++) {
        const hook_target *t = &s->targets[i];
        const lth_hooks *hooks = (const lth_hooks *)t->slots;
        if (!hooks || !hooks->on_before_backward)
            continue;
        s->step.hook = name;
        component_enter(t->who, name);
        if (hook_result(s, t->who, name, hooks->on_before_backward(t->who->self, &s->trainer, &s->step.abi, loss), e) != LTH_OK)
            return e->status;
    }
    return LTH_OK;
}

void hooks_exception(session *s, const char *message)
{
    for (uint32_t i = 0; i < s->target_count; i++) {
        const hook_target *t = &s->targets[i];
        const lth_hooks *hooks = (const lth_hooks *)t->slots;
        if (!hooks || !hooks->on_exception)
            continue;
        component_enter(t->who, "on_exception");
        hooks->on_exception(t->who->self, &s->trainer, message);
        component_leave();
    }
}
