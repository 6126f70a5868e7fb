/* SPDX-License-Identifier: Apache-2.0
 * An engine in fp64 on the reference accelerator, for what nn/ composes of ops. */
#ifndef TEST_NN_FIXTURE_H
#define TEST_NN_FIXTURE_H

#include "engine/accel_fixture.h"
#include "engine/engine.h"

#include <jansson.h>
#include <lthost/model.h>
#include <lthost/nn.h>

enum { LAB_FIELDS = 8, LAB_OUTPUTS = 8 };

typedef struct lab {
    bench bench;
    engine *g;
    error e;
    engine_field fields[LAB_FIELDS];
    uint32_t field_count;
    uint64_t ticket;
} lab;

/* configure may be NULL. Fails the test where the engine refuses. */
void lab_open(lab *l, lth_dtype floating, lth_status (*configure)(void *self, lth_setup *s), void *self);
void lab_close(lab *l);

/* A field from nested lists: real numbers are f64, integers i64, booleans bool. NULL: none is made. */
void lab_field(lab *l, const char *name, const json_t *value);
void lab_field_text(lab *l, const char *name, const char *json);
void lab_clear_fields(lab *l);

void lab_begin(lab *l, bool training);
/* A field as a tensor; none where there is none of that name. */
lth_tensor lab_input(lab *l, const char *name);
/* Ends the step, which must succeed. */
void lab_end(lab *l);
lth_status lab_try_end(lab *l);
/* Element i of an output. */
double lab_value(lab *l, uint32_t slot, int64_t i);
const lth_shape *lab_output_shape(lab *l, uint32_t slot);

/* What `configure` makes must be refused with the message, which names the file of its call. */
void lab_refuses_to_make(lth_status (*configure)(void *self, lth_setup *s), void *self, const char *message, const char *file);

/* A step in which `expression` stands must fail with the message, at this line. */
#define LAB_REFUSES(lab, expression, message)                                                                          \
    do {                                                                                                               \
        (void)(expression);                                                                                            \
        lab_refuses((lab), (message), __FILE__, __LINE__);                                                             \
    } while (0)
/* Ends the step that was begun. */
void lab_refuses(lab *l, const char *message, const char *file, int line);

/* Nested lists as one: how many numbers, and each. */
int64_t json_flatten(const json_t *value, double *out, int64_t room);

#endif
