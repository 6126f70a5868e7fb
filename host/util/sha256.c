/* SPDX-License-Identifier: Apache-2.0
 * util/sha256.c */
#include "sha256.h"
#include "sha256_blocks.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium/utils.h>
#include <string.h>
#include <unistd.h>

void sha256_start(sha256 *s)
{
    crypto_hash_sha256_init(&s->state);
    s->by_blocks = sha256_blocks_usable();
}

/* libsodium's state is eight words, a count of bits and the bytes of a block that is not whole: whole blocks can go past it. */
void sha256_bytes(sha256 *s, const void *data, size_t size)
{
    const unsigned char *at = data;
    size_t held = s->state.count / 8 % 64, head = held ? 64 - held : 0;
    if (s->by_blocks && size >= head + 64) {
        size_t blocks = (size - head) / 64;
        crypto_hash_sha256_update(&s->state, at, head);
        sha256_blocks(s->state.state, at + head, blocks);
        s->state.count += 512 * (uint64_t)blocks;
        at += head + 64 * blocks;
        size -= head + 64 * blocks;
    }
    crypto_hash_sha256_update(&s->state, at, size);
}

void sha256_finish(sha256 *s, char hex[SHA256_HEX_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&s->state, digest);
    sodium_bin2hex(hex, SHA256_HEX_SIZE, digest, sizeof digest);
}

void sha256_of(const void *data, size_t size, char hex[SHA256_HEX_SIZE])
{
    sha256 s;
    sha256_start(&s);
    sha256_bytes(&s, data, size);
    sha256_finish(&s, hex);
}

lth_status sha256_of_file(const char *path, char hex[SHA256_HEX_SIZE], error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, LTH_IO, "cannot open '%s': %s", path, strerror(errno));
    sha256 s;
    sha256_start(&s);
    unsigned char piece[1 << 16];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            sha256_bytes(&s, piece, (size_t)n);
    int reason = errno;
    close(fd);
    if (n < 0)
        return error_set(e, LTH_IO, "cannot read '%s': %s", path, strerror(reason));
    sha256_finish(&s, hex);
    return LTH_OK;
}
