/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/library.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    uint16_t machine;
    unsigned char class;
    const char *name;
} machines[] = {
    { EM_X86_64, ELFCLASS64, "x86_64" }, { EM_AARCH64, ELFCLASS64, "aarch64" }, { EM_RISCV, ELFCLASS64, "riscv64" },
    { EM_PPC64, ELFCLASS64, "ppc64" },   { EM_S390, ELFCLASS64, "s390x" },      { EM_LOONGARCH, ELFCLASS64, "loongarch64" },
    { EM_386, ELFCLASS32, "i386" },      { EM_ARM, ELFCLASS32, "arm" },
};

const char *library_host_arch(void)
{
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__powerpc64__)
    return "ppc64";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__loongarch64)
    return "loongarch64";
#elif defined(__i386__)
    return "i386";
#elif defined(__arm__)
    return "arm";
#else
#error "add this processor here and to the table above"
#endif
}

lth_status library_arch(const char *path, const char **arch, error *e)
{
    /* The fields read here lie at the same place in 32-bit and 64-bit files. */
    Elf64_Ehdr head = { 0 };
    FILE *file = fopen(path, "rb");
    if (!file)
        return error_set(e, LTH_IO, "cannot open '%s': %s", path, strerror(errno));
    size_t size = fread(&head, 1, sizeof head, file);
    fclose(file);
    if (size < sizeof(Elf32_Ehdr) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_type != ET_DYN)
        return error_set(e, LTH_INVALID, "'%s' is not a shared library", path);
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (machines[i].machine == head.e_machine && machines[i].class == head.e_ident[EI_CLASS]) {
            *arch = machines[i].name;
            return LTH_OK;
        }
    return error_set(e, LTH_INVALID, "'%s' is for a processor that lthost does not know (ELF machine %u)", path, head.e_machine);
}

lth_status library_check_trust(const char *path, error *e)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return error_set(e, LTH_IO, "cannot open '%s': %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) /* a pipe would hold up everything that reads it */
        return error_set(e, LTH_INVALID, "'%s' is neither a file nor a folder", path);
    if (s.st_uid != 0 && s.st_uid != geteuid())
        return error_set(e, LTH_INVALID, "'%s' belongs to user %u, neither to root nor to you: plugins of others are not loaded",
                         path, (unsigned)s.st_uid);
    if (s.st_mode & S_IWOTH)
        return error_set(e, LTH_INVALID, "'%s' may be written by anyone, so it is not loaded: chmod o-w '%s'", path, path);
    return LTH_OK;
}
