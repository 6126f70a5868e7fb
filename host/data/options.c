/* SPDX-License-Identifier: Apache-2.0
 * data/options.c: the host's keys of [data]. */
#include "data.h"

static const lth_option rows[] = {
    LTH_OPTION(data_options, batch_size, "32", "1..1000000", "samples a training step"),
    LTH_OPTION(data_options, eval_batch_size, "0", "0..1000000", "samples a step of validation, test and predict; 0: batch_size"),
    LTH_OPTION(data_options, shuffle, "auto", "auto|true|false", "a new order every epoch; auto: for training alone"),
    LTH_OPTION(data_options, workers, "-1", "-1..256",
               "threads that load batches; 0: none; -1: none where a fetch is cheap, else 2"),
    LTH_OPTION(data_options, prefetch, "2", "1..64", "batches that each of these threads works ahead"),
    LTH_OPTION(data_options, drop_last, "false", NULL, "leave out a last training batch that is not full"),
    LTH_OPTION(data_options, sampler, "auto", "auto|sequential|random|weighted|bucket",
               "which samples a training epoch has, in which order; auto: by shuffle; bucket: batches of similar length"),
    LTH_OPTION(data_options, num_samples, "0", "0..", "sampler = weighted: samples an epoch; 0: as many as there are"),
    LTH_OPTION(data_options, replacement, "true", NULL, "sampler = weighted: a sample may come again in its epoch"),
    LTH_OPTION(data_options, buckets, "", "1..",
               "lengths, ascending, that batches of varying length are padded up to; none: their longest"),
};
const lth_options data_option_table = LTH_OPTIONS(rows);
