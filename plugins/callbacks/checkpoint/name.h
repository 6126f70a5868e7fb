/* SPDX-License-Identifier: Apache-2.0
 * checkpoint/name.h: names of checkpoints from a template: "{epoch}-{step}", "best-{val_loss:.3f}". */
#ifndef CHECKPOINT_NAME_H
#define CHECKPOINT_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_SIZE = 200 }; /* with the NUL; leaves room for a suffix below what file systems allow */

/* The value that stands for `{key}`; one that is not known is 0. */
typedef double (*name_value)(void *context, const char *key);

/* Writes the name, one path component. insert: each value comes with its key, "epoch=3". NULL, or what is wrong with the
 * template. A value is written as its format says (`:.3f`, `:04d`; f, e, g, d), else as a whole number or with %g. */
const char *name_format(char out[NAME_SIZE], const char *template_text, bool insert, name_value value, void *context);

#endif
