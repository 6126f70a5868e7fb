/* SPDX-License-Identifier: Apache-2.0
 * trainer/predictions.h: what predict_step returned, batch after batch, as one tensor a dataset: `predictions` (or
 * `predictions/dataloader_idx_N`) in the run's predictions.safetensors. */
#ifndef TRAINER_PREDICTIONS_H
#define TRAINER_PREDICTIONS_H

#include "trainer/session.h"

typedef struct predictions_set {
    char name[64];
    lth_shape shape; /* axis 0: samples so far */
    unsigned char *data;
    size_t capacity;
} predictions_set;

typedef struct predictions {
    predictions_set *at;
    size_t count, capacity;
} predictions;

/* What follows belongs to dataset `index` of `count`. */
void predictions_dataset(predictions *p, uint32_t index, uint32_t count);
/* Takes an output of the step; batches may differ in axis 0 alone. */
lth_status predictions_add(predictions *p, engine *g, uint64_t ticket, uint32_t slot, error *e);
lth_status predictions_write(const predictions *p, session *s, error *e);
void predictions_free(predictions *p);

#endif
