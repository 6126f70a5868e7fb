/* SPDX-License-Identifier: Apache-2.0
 * cli/host_keys.c: the tables of the host's own keys, by kind of component and by section. */
#include "cli/cli.h"
#include "data/data.h"
#include "trainer/options.h"

#include <string.h>

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

const cli_host_section *cli_host_section_of(const char *name, size_t index)
{
    static const cli_host_section all[] = {
        { "run", "run", &run_option_table },
        { "trainer", "trainer", &trainer_option_table },
        { "model", "model", &model_option_table },
        { "data", "data", &data_option_table },
        { "optimizer", "optimizer", &optimizer_option_table },
        { "optimizer", "optimizer.group.NAME", &group_option_table },
        { "scheduler", "scheduler", &scheduler_option_table },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0 && index-- == 0)
            return &all[i];
    return NULL;
}
