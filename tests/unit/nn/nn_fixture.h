/* SPDX-License-Identifier: Apache-2.0
 * An engine for what nn/ composes of ops: in fp64 on the reference accelerator, if nothing else is said. */
#ifndef TEST_NN_FIXTURE_H
#define TEST_NN_FIXTURE_H

#include "engine/accel_fixture.h"
#include "engine/engine.h"

#include <jansson.h>
#include <lthost/model.h>
#include <lthost/nn.h>

enum { LAB_FIELDS = 12, LAB_OUTPUTS = 8 };

/* As `precision` of a run file has it. */
typedef struct lab_precision {
    const char *name, *accelerator;
    lth_dtype floating, lower, stored;
} lab_precision;
extern const lab_precision lab_exact; /* fp64 on reference */

typedef struct lab {
    bench bench;
    const lab_precision *precision;
    engine *g;
    error e;
    engine_field fields[LAB_FIELDS];
    uint32_t field_count;
    uint64_t ticket;
    double greatest; /* the most roundings that lab_differs met */
} lab;

/* configure may be NULL. Fails the test where the engine refuses. */
void lab_open(lab *l, lth_dtype floating, lth_status (*configure)(void *self, lth_setup *s), void *self);
/* Fields of real numbers are of the precision's floating type. */
void lab_open_in(lab *l, const lab_precision *precision, lth_status (*configure)(void *self, lth_setup *s), void *self);
void lab_close(lab *l);

/* A field from nested lists: real numbers are f64 (lab_open_in: of its type), integers i64, booleans bool. NULL: none is made. */
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

/* ---- Lower precisions (lab_precision.c) ---- */

/* Calls back with each lower precision on each accelerator that was built and has it. */
void lab_each_lower(void (*run)(const lab_precision *precision, void *context), void *context);
/* Scales a loss in f16 so that no gradient of what the recordings draw overflows; nothing in another precision. */
void lab_set_scale(lab *l);
/* lab_input. In a lower precision, real numbers are the result of a product, so that what takes them finds them in the lower type. */
lth_tensor lab_operand(lab *l, const char *name);
/* Tells on stderr whether an output is further than it may be from what was recorded in fp64. exact: the bound in fp64, absolute
 * below 1 and relative above; roundings: that in a lower precision. */
bool lab_differs(lab *l, const char *what, const char *of, uint32_t slot, const json_t *expected, double exact, double roundings);
/* A hash of the bits of so many outputs. */
uint64_t lab_bits(lab *l, uint32_t slots);

/* Nested lists as one: how many numbers, and each. */
int64_t json_flatten(const json_t *value, double *out, int64_t room);

#endif
