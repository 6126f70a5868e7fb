/* SPDX-License-Identifier: Apache-2.0
 * trainer/weights_convert.h: elements of one floating type as another. [any] */
#ifndef TRAINER_WEIGHTS_CONVERT_H
#define TRAINER_WEIGHTS_CONVERT_H

#include "util/error.h"

/* Whether weights_convert can: from any floating type to F32, F64 or BF16. */
bool weights_can_convert(lth_dtype from, lth_dtype to);

/* Rounds to nearest, ties to even. Returns the index of the first finite element that did not stay finite, or -1. */
int64_t weights_convert(lth_dtype from, const void *in, lth_dtype to, void *out, int64_t count);

#endif
