/* SPDX-License-Identifier: Apache-2.0
 * planar.h: convolutions of few channels, on images that lie plane by plane. */
#ifndef CPU_PLANAR_H
#define CPU_PLANAR_H

#include <lthost/accel/plain/image.h>
#include <stdbool.h>

/* Whether such a kernel takes it: at most 16 channels in and out, in small images, with a stride of 1. */
bool planar_takes(const plain_conv *v);

#endif
