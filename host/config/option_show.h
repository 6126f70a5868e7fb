/* SPDX-License-Identifier: Apache-2.0
 * config/option_show.h: a table of options for people: as INI ready to paste, and as one line in a message. */
#ifndef CONFIG_OPTION_SHOW_H
#define CONFIG_OPTION_SHOW_H

#include "util/str.h"
#include <lthost/option.h>

/* Appends the section with every option at its default, each under a comment with its help and range:
 *     [model]
 *     use = mlp
 *
 *     ; width of the hidden layer (1..65536)
 *     hidden = 128
 * `use` may be NULL. What is required stands with an empty value; what was removed is left out. */
void option_show(str *out, const char *title, const char *use, const lth_options *options);

/* Appends "learning rate, 0.., default 1e-3". */
void option_describe(str *out, const lth_option *option);

#endif
