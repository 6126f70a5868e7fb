/* SPDX-License-Identifier: Apache-2.0
 * Folders of plugins for a test, each in a fresh place that ends with it. */
#ifndef TESTS_REGISTRY_HELP_H
#define TESTS_REGISTRY_HELP_H

#include "registry/registry.h"

/* A fresh absolute folder for this test process. */
const char *help_dir(void);
void help_remove_dir(void);

/* dir/name, for the rest of the test. */
const char *help_path(const char *dir, const char *name);
void help_write(const char *path, const char *text);

/* Puts the fixture FIXTURE.so into dir/name with the manifest that `lthost manifest` would write; answers its folder. */
const char *help_install(const char *dir, const char *name, const char *fixture);
/* The same with a manifest by hand, for libraries that do not load: one callback `component`. */
const char *help_install_unchecked(const char *dir, const char *name, const char *library, const char *component);

/* A registry over these folders alone (ends with NULL), and nothing from the environment. */
registry *help_open(const char *dir, ...) __attribute__((sentinel));

#endif
