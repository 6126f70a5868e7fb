/* SPDX-License-Identifier: Apache-2.0
 * Random graphs of all ops: chains of some, drawn op by op, between samples of any (engine/op_samples.h); with state that is read
 * and assigned, and outputs. Numbers stay small, so that errors do not grow from op to op. */
#ifndef TEST_DRAW_GRAPH_H
#define TEST_DRAW_GRAPH_H

#include "accel_fixture.h"

enum { DRAW_STATE = 4096 }; /* elements of the graph's one arena */

/* Resets the bench and draws a graph. The same seed makes the same graph on every bench; floating: F32 or F64, the numbers are
 * the same in both. loops: with some, where a run-time index is used, too. */
void draw_graph(bench *b, lth_dtype floating, uint64_t seed, bool loops);

#endif
