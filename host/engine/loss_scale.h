/* SPDX-License-Identifier: Apache-2.0
 * engine/loss_scale.h: dynamic loss scaling of f16, as torch.amp.GradScaler does it (Micikevicius et al., "Mixed precision
 * training", 2018), wholly within the plan.
 *
 * A loss is multiplied by the scale before it is differentiated, so that gradients of f16 do not vanish, and the gradients, in
 * f32 again, are divided by it at once: what hooks, sums and clipping see is unscaled. An update whose gradients are not all
 * finite changes nothing: each of its writes is selected by the test. It halves the scale; 2,000 good updates in a row double it.
 * Both numbers are state of the engine, in its checkpoints: "scaler/scale" and "scaler/growth_tracker".
 *
 * Gradients that are not finite at a scale of 2^-14 either fail the step. */
#ifndef ENGINE_LOSS_SCALE_H
#define ENGINE_LOSS_SCALE_H

#include "engine/expand.h"

/* Makes the two numbers, where the engine computes in f16. */
void loss_scale_allocate(engine *g);
bool loss_scale_is_used(const engine *g);

/* A loss times the scale; a gradient of such a loss divided by it. The value itself where there is no scale. */
uint32_t loss_scale_apply(expansion *x, uint32_t loss, uint32_t site);
uint32_t loss_scale_remove(expansion *x, uint32_t gradient, uint32_t site);

/* An optimizer's gradients, a vector a group, are complete: whether the update that follows takes place, and the next scale. */
void loss_scale_step(expansion *x, const uint32_t *flats, size_t count, uint32_t site);

/* What such an update writes: `value`, or `old` where it does not take place. */
uint32_t loss_scale_select(expansion *x, uint32_t value, uint32_t old, uint32_t site);

#endif
