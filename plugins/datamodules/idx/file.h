/* SPDX-License-Identifier: Apache-2.0
 * idx/file.h: a file in IDX format, the format of the MNIST database (LeCun, Cortes, Burges), gzip or plain: two bytes 0, a
 * type, the number of dimensions, each dimension as a 32-bit number, then the elements row by row; all big-endian. */
#ifndef IDX_FILE_H
#define IDX_FILE_H

#include <stddef.h>
#include <stdint.h>

enum { IDX_MAX_RANK = 8 };
enum { IDX_U8 = 0x08, IDX_I8 = 0x09, IDX_I16 = 0x0B, IDX_I32 = 0x0C, IDX_F32 = 0x0D, IDX_F64 = 0x0E };

typedef struct idx_file {
    unsigned char *data; /* the elements as they are in the file */
    int type, rank;
    int64_t dim[IDX_MAX_RANK];
    int64_t row; /* elements below one index of the first dimension */
} idx_file;

/* Reads a file whose rank is from min_rank to max_rank. 0, or -1 with the file, the place and what is wrong in `message`. */
int idx_read(idx_file *f, const char *path, int min_rank, int max_rank, char *message, size_t size);
void idx_free(idx_file *f);

/* Element i, counted through all dimensions. [any] */
double idx_at(const idx_file *f, int64_t i);
/* Where it stands in the file, uncompressed. [any] */
int64_t idx_offset(const idx_file *f, int64_t i);

#endif
