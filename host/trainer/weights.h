/* SPDX-License-Identifier: Apache-2.0
 * trainer/weights.h: `weights = FILE.safetensors` of [model]: tensors of a file into tensors of the run, by name. */
#ifndef TRAINER_WEIGHTS_H
#define TRAINER_WEIGHTS_H

#include "engine/engine.h"
#include "safetensors.h"

/* A tensor of the run that wants values. */
typedef struct weights_target {
    const char *name;
    lth_shape shape;
    uint32_t index; /* of the engine's tensor */
} weights_target;

enum {
    WEIGHTS_STRICT = 1, /* a missing, an unexpected name is an error, not a warning */
    WEIGHTS_CONVERT = 2, /* any floating type is converted to a target's F32, F64 or BF16; a finite value must stay finite */
    WEIGHTS_CHOICE = 4   /* the user chose WEIGHTS_STRICT, so an error says how not to */
};

/* A line for the user: a warning, or the rest of a list that does not fit into an error. */
typedef void (*weights_warn)(void *context, const char *text);

/* Where each target finds its values: sources[i] is an index into the file, or -1. Shapes and types that do not fit are
 * errors always; missing and unexpected names are, under WEIGHTS_STRICT, else they are one warning. One message lists all
 * of them; where it is longer than an error can be, the whole list goes to `warn` first. Names of the file that begin with
 * `apart` (NULL: none) are not this call's. warn may be NULL. */
lth_status weights_match(const safetensors_file *f, const weights_target *targets, uint32_t count, uint32_t flags,
                         const char *apart, int64_t *sources, weights_warn warn, void *context, error *e);

/* The values of one tensor of the file as `shape->dtype`, into out. */
lth_status weights_read(safetensors_file *f, uint32_t source, const lth_shape *shape, void *out, error *e);

/* The engine's tensors that a checkpoint holds: those of model.safetensors (parameters, persistent buffers) or the others, in
 * the engine's order. The caller frees *out; names are the engine's. */
uint32_t weights_of_engine(const engine *g, bool model, weights_target **out);
/* Sets the matched tensors of the engine. */
lth_status weights_set(engine *g, safetensors_file *f, const weights_target *targets, uint32_t count, const int64_t *sources,
                       error *e);

/* Loads parameters and persistent buffers of the engine from a file, or from the model.safetensors of a checkpoint folder;
 * a torch model's file fits as it is, names and shapes being those of PyTorch. strict: the run file's `weights_strict`.
 * Nothing is set unless names and
 * shapes fit. [main] */
lth_status weights_load(engine *g, const char *path, bool strict, weights_warn warn, void *context, error *e);

#endif
