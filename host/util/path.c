/* SPDX-License-Identifier: Apache-2.0
 * util/path.c */
#include "path.h"
#include "memory.h"
#include "str.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0])
        return str_dup(name);
    return str_format("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return str_dup(".");
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? str_dup("/") : str_dup_part(path, (size_t)(slash - path));
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_expand(const char *path, const char *base)
{
    if (!path[0])
        return str_dup("");
    const char *home = getenv("HOME");
    if (path[0] == '~' && (!path[1] || path[1] == '/') && home && home[0])
        return path[1] && path[2] ? path_join(home, path + 2) : str_dup(home);
    while (path[0] == '.' && path[1] == '/')
        for (path += 2; path[0] == '/';)
            path++;
    return path[0] && strcmp(path, ".") != 0 ? path_join(base, path) : str_dup(base);
}

char *path_current(void)
{
    char *dir = getcwd(NULL, 0);
    return dir ? dir : str_dup(".");
}

lth_status path_real(const char *path, char **out, error *e)
{
    *out = realpath(path, NULL);
    return *out ? LTH_OK : error_set(e, LTH_IO, "cannot find '%s': %s", path, strerror(errno));
}

lth_status path_of_program(char **out, error *e) { return path_real("/proc/self/exe", out, e); }

bool path_exists(const char *path)
{
    struct stat s;
    return !stat(path, &s);
}

bool path_is_dir(const char *path)
{
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}
