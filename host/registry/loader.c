/* SPDX-License-Identifier: Apache-2.0
 * Loading through libltdl by a loader of our own.
 *
 * libltdl's stock loader binds lazily, so that a plugin with an undefined symbol loads and dies in mid-training, and it
 * turns every failure into "file not found". Ours binds at once, keeps the plugin's symbols to itself, never unloads
 * (thread-local destructors and OpenBLAS do not survive it) and keeps the linker's own words. The stock loader must go:
 * libltdl would try it next and succeed. */
#include "registry/library.h"
#include "util/memory.h"
#include "util/str.h"

#include <dlfcn.h>
#include <ltdl.h>
#include <libltdl/lt_dlloader.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRY "lth_plugin_entry_v1"

/* libltdl's own state is global, hence this is, too. All of it belongs to [main]. */
static struct loader {
    bool ready;
    char *reason; /* of the last failure */
    struct loaded {
        dev_t device;
        ino_t inode;
        lt_dlhandle handle;
    } *loaded;
    size_t count, capacity;
} loader;

static void keep_reason(void)
{
    const char *reason = dlerror();
    free(loader.reason);
    loader.reason = str_dup(reason ? reason : "the linker gave no reason");
}

static lt_module bind_now(lt_user_data data, const char *path, lt_dladvise advise)
{
    (void)data, (void)advise;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!module)
        keep_reason();
    return module;
}

static int keep_open(lt_user_data data, lt_module module)
{
    (void)data, (void)module;
    return 0;
}

static void *find_symbol(lt_user_data data, lt_module module, const char *name)
{
    (void)data;
    void *symbol = dlsym(module, name);
    if (!symbol)
        keep_reason();
    return symbol;
}

static lth_status loader_start(error *e)
{
    if (loader.ready)
        return LTH_OK;
    if (lt_dlinit() != 0)
        return error_set(e, LTH_ERROR, "libltdl does not start: %s", lt_dlerror());
    lt_dlvtable *table = memory_new(sizeof *table); /* libltdl frees it */
    table->name = "lthost";
    table->module_open = bind_now;
    table->module_close = keep_open;
    table->find_sym = find_symbol;
    table->priority = LT_DLLOADER_PREPEND;
    if (lt_dlloader_add(table) != 0)
        return error_set(e, LTH_ERROR, "libltdl does not take a loader: %s", lt_dlerror());
    free(lt_dlloader_remove("lt_dlopen"));
    loader.ready = true;
    return LTH_OK;
}

static lth_status open_once(const char *path, lt_dlhandle *handle, error *e)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return error_set(e, LTH_IO, "'%s' is missing", path);
    for (size_t i = 0; i < loader.count; i++)
        if (loader.loaded[i].device == s.st_dev && loader.loaded[i].inode == s.st_ino) {
            *handle = loader.loaded[i].handle;
            return LTH_OK;
        }
    *handle = lt_dlopen(path);
    if (!*handle) {
        const char *reason = loader.reason ? loader.reason : lt_dlerror();
        if (str_starts(reason, path)) /* dlerror begins with it */
            reason += strlen(path) + strspn(reason + strlen(path), ": ");
        return error_set(e, LTH_INVALID, "'%s' does not load: %s", path, reason);
    }
    loader.loaded = memory_grow(loader.loaded, &loader.capacity, loader.count + 1, sizeof *loader.loaded);
    loader.loaded[loader.count++] = (struct loaded){ s.st_dev, s.st_ino, *handle };
    return LTH_OK;
}

lth_status library_load(const char *path, const lth_plugin **descriptor, error *e)
{
    /* Any other path is searched for: LTDL_LIBRARY_PATH, a .la beside the .so, the current folder. */
    if (path[0] != '/' || !str_ends(path, ".so"))
        return error_set(e, LTH_INVALID, "'%s' is not the absolute path of a .so", path);
    lt_dlhandle handle = NULL;
    if (loader_start(e) != LTH_OK || open_once(path, &handle, e) != LTH_OK)
        return e->status;

    const lth_plugin *(*entry)(void) = NULL;
    void *symbol = lt_dlsym(handle, ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* C has no cast from void * to a function */
    if (!entry)
        return error_set(e, LTH_INVALID, "'%s' is no plugin of lthost: it does not export " ENTRY, path);
    *descriptor = entry();
    if (!*descriptor)
        return error_set(e, LTH_INVALID, "'%s' is no plugin of lthost: " ENTRY " returned nothing", path);
    return LTH_OK;
}
