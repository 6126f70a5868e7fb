/* SPDX-License-Identifier: Apache-2.0
 * lthost/lthost.h: the whole ABI. Authors of models want <lthost/model.h> and <lthost/nn.h>. */
#ifndef LTHOST_LTHOST_H
#define LTHOST_LTHOST_H

#include "accelerator.h"
#include "arrange.h"
#include "callback.h"
#include "choose.h"
#include "clip.h"
#include "collective.h"
#include "component.h"
#include "control.h"
#include "create.h"
#include "custom.h"
#include "datamodule.h"
#include "draw.h"
#include "einsum.h"
#include "graph.h"
#include "image.h"
#include "logger.h"
#include "model.h"
#include "optimizer.h"
#include "order.h"
#include "random.h"
#include "scheduler.h"
#include "sequence.h"
#include "statistics.h"
#include "strategy.h"
#include "threads.h"
#include "tuner.h"

#endif
