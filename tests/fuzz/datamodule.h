/* SPDX-License-Identifier: Apache-2.0
 * fuzz/datamodule.h: the datamodule that is compiled into the target, as the host would use it: options, init, setup, samples. */
#ifndef FUZZ_DATAMODULE_H
#define FUZZ_DATAMODULE_H

#include "target.h"

/* Sets up one instance and takes samples of every stage. `options`: lines of its section in a run file; then each of `files`
 * (options that are paths; NULL at the end) gets the next part of the input; where there is none, a required one gets nothing. */
void fuzz_datamodule(const char *options, const char *const *files, const uint8_t *data, size_t size);

#endif
