/* SPDX-License-Identifier: Apache-2.0
 * rnn.h: what the cells of recurrent layers read and write. Elements are of the type of the kernel that is called; the cells are
 * in the order of LTH_RNN_*. */
#ifndef CPU_RNN_H
#define CPU_RNN_H

#include <stdint.h>

enum { CPU_RNN_CELLS = 4 };

/* One sequence's step: x w_ih', h w_hh' and the two biases (G H), the state before it (H) -> the state (H), what is saved (S H).
 */
typedef struct cpu_rnn_row {
    const void *x, *u, *b_ih, *b_hh, *h, *c;
    void *y, *saved;
} cpu_rnn_row;

/* One sequence's way back through a step. d_h, d_c: of the state after it, from later steps; then of the state before it. d_u: of
 * a GRU alone. */
typedef struct cpu_rnn_row_back {
    const void *saved, *h, *c, *d_y;
    void *d_h, *d_c, *d_x, *d_u;
} cpu_rnn_row_back;

typedef void cpu_rnn_cell(const cpu_rnn_row *row, int64_t H);
typedef void cpu_rnn_cell_back(const cpu_rnn_row_back *row, int64_t H);

#endif
