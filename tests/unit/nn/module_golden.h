/* SPDX-License-Identifier: Apache-2.0
 * Layers against recordings made with torch: a case names the module, its options, the values of its parameters by torch's
 * names, inputs, outputs, what the outputs are multiplied with, and the gradients of that sum. */
#ifndef TEST_NN_MODULE_GOLDEN_H
#define TEST_NN_MODULE_GOLDEN_H

#include "nn_fixture.h"

enum { MODULE_OUTPUTS = 4 };

typedef struct module_trial {
    lab lab;
    const json_t *options;
    union {
        void *align;
        char bytes[131072];
    } layer; /* the row's own: a layer's struct */
} module_trial;

typedef struct module_row {
    const char *module;
    lth_status (*configure)(void *self, lth_setup *s); /* self: the trial */
    void (*run)(module_trial *t, lth_tensor *outputs); /* in the order of the recording */
} module_row;

double module_option(const module_trial *t, const char *name, double otherwise);
const char *module_word(const module_trial *t, const char *name, const char *otherwise);
/* A field of the batch; none where the case has none of that name. */
lth_tensor module_input(module_trial *t, const char *name);

/* The parameters of every module of init.json that a row names (`configure` alone is called) have torch's names, shapes and laws.
 */
void module_begins_as_torch_s(const module_row *rows, size_t count);

/* Runs every case of tests/golden/NAME in fp64; all must agree, and all rows must be met. */
void module_golden(const char *name, const module_row *rows, size_t count);

/* The same in each lower precision, on each accelerator that has it: within so many roundings (lab_precision.c), and to the same
 * bits when it is run again. */
void module_golden_lower(const char *name, const module_row *rows, size_t count, double roundings);

#endif
