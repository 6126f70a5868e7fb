/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_engine.c: the engine's tensors into a snapshot, and out of a checkpoint. */
#include "checkpoint_parts.h"

#include "util/memory.h"
#include "weights.h"

#include <stdlib.h>

static lth_status take(checkpoint_snapshot *s, engine *g, checkpoint_part part, error *e)
{
    weights_target *targets;
    uint32_t count = weights_of_engine(g, part == CHECKPOINT_MODEL, &targets);
    lth_status status = LTH_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        void *at = checkpoint_snapshot_tensor(s, part, targets[i].name, &targets[i].shape, e);
        status = at ? engine_tensor_get(g, targets[i].index, at, e) : LTH_NO_MEMORY;
    }
    free(targets);
    return status;
}

lth_status checkpoint_snapshot_engine(checkpoint_snapshot *s, engine *g, error *e)
{
    lth_status status = take(s, g, CHECKPOINT_MODEL, e);
    return status || s->facts.weights_only ? status : take(s, g, CHECKPOINT_OPTIMIZER, e);
}

/* One file's tensors, found in the engine. */
typedef struct matched {
    safetensors_file *file;
    weights_target *targets;
    int64_t *sources;
    uint32_t count;
} matched;

static lth_status match(checkpoint *c, const engine *g, checkpoint_part part, bool convert, matched *m, error *e)
{
    m->file = checkpoint_tensors(c, part);
    m->count = weights_of_engine(g, part == CHECKPOINT_MODEL, &m->targets);
    m->sources = memory_new((m->count + 1) * sizeof *m->sources);
    if (!m->file)
        return error_set(e, LTH_INVALID, "'%s' has weights only: there is no optimizer's state in it", checkpoint_path(c));
    return weights_match(m->file, m->targets, m->count, WEIGHTS_STRICT | (convert ? WEIGHTS_CONVERT : 0),
                         part == CHECKPOINT_OPTIMIZER ? "components/" : NULL, m->sources, NULL, NULL, e);
}

lth_status checkpoint_restore_engine(checkpoint *c, engine *g, bool all, error *e)
{
    matched m[2] = { 0 };
    lth_status status = match(c, g, CHECKPOINT_MODEL, !all, &m[0], e);
    if (!status && all)
        status = match(c, g, CHECKPOINT_OPTIMIZER, false, &m[1], e);
    for (int p = 0; p < 2; p++) {
        if (!status && m[p].file)
            status = weights_set(g, m[p].file, m[p].targets, m[p].count, m[p].sources, e);
        free(m[p].targets);
        free(m[p].sources);
    }
    return status;
}
