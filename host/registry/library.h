/* SPDX-License-Identifier: Apache-2.0
 * registry/library.h: a plugin's library as a file, before and at its loading.
 *
 * Loading runs the library's constructors, so everything that can be told from the file alone is told before. */
#ifndef REGISTRY_LIBRARY_H
#define REGISTRY_LIBRARY_H

#include "util/error.h"
#include <lthost/component.h>

/* Reads the file's ELF header: *arch becomes the processor's name ("x86_64"; static). LTH_INVALID: no shared library. [any] */
lth_status library_arch(const char *path, const char **arch, error *e);

/* The processor this host was compiled for, in the same words. */
const char *library_host_arch(void);

/* Loads the library and calls its entry. `path` is absolute and real, and ends in ".so"; one that is loaded already,
 * under whatever name (the same device and inode), is not loaded again. A library is never unloaded.
 * LTH_INVALID: it does not load, and the message is the linker's own; or it has no entry. [main] */
lth_status library_load(const char *path, const lth_plugin **descriptor, error *e);

/* Refuses what somebody else could have put there: a file or folder that others may write, or whose owner is neither
 * root nor the user. LTH_INVALID; LTH_IO where it does not exist. [any] */
lth_status library_check_trust(const char *path, error *e);

#endif
