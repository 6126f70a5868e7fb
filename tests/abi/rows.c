/* SPDX-License-Identifier: Apache-2.0
 * The record leaves out no field: a struct's rows follow one another from its first byte to its last. */
#include <lthost/lthost.h>

#include <stdio.h>
#include <string.h>

typedef struct row {
    const char *table, *field; /* field NULL: the table itself */
    size_t offset, size;
} row;

#define OWN(T)
#define TABLE(T, size) { #T, NULL, 0, size },
#define HEAD(T) { #T, "(head)", 0, sizeof(lth_component_head) },
#define SLOT(T, f, offset, ...) { #T, #f, offset, sizeof(((T *)0)->f) },

static const row rows[] = {
#include "layout.h"
#include "layout_kinds.h"
};

int main(void)
{
    int failed = 0;
    size_t next = 0;
    const row *table = rows;
    for (const row *r = rows; r < rows + sizeof rows / sizeof *rows; r++) {
        if (!r->field) {
            if (r > rows && next != table->size)
                failed = printf("%s: its rows end at byte %zu of %zu\n", table->table, next, table->size);
            table = r;
            next = 0;
            continue;
        }
        if (strcmp(r->table, table->table) != 0 || r->offset != next)
            failed = printf("%s.%s: at byte %zu, but the row before it ends at %zu\n", r->table, r->field, r->offset, next);
        next = r->offset + r->size;
    }
    if (next != table->size)
        failed = printf("%s: its rows end at byte %zu of %zu\n", table->table, next, table->size);
    return failed ? 1 : 0;
}
