/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "data/data.h"
#include "trainer/options.h"

void cli_host_keys(const descriptor_host_keys **keys, size_t *count)
{
    static const descriptor_host_keys all[] = {
        { "model", &model_option_table },
        { "datamodule", &data_option_table },
        { "optimizer", &group_option_table },
        { "scheduler", &scheduler_option_table },
    };
    *keys = all;
    *count = sizeof all / sizeof *all;
}
