/* SPDX-License-Identifier: Apache-2.0
 * trainer/resume.h: what save.c and resume.c agree on. */
#ifndef TRAINER_RESUME_H
#define TRAINER_RESUME_H

#define RESUME_LOADER "data/loader" /* the training loader's position, among the components' states */

#endif
