/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn.h: layers, activations, losses, initial values and metrics, composed of ops and compiled into the plugin; and the
 * functions of tensors that they are written with. */
#ifndef LTHOST_NN_H
#define LTHOST_NN_H

#include <lthost/arrange.h>
#include <lthost/choose.h>
#include <lthost/create.h>
#include <lthost/draw.h>
#include <lthost/einsum.h>
#include <lthost/order.h>
#include <lthost/statistics.h>

#include <lthost/nn/activation.h>
#include <lthost/nn/attention.h>
#include <lthost/nn/attention_cache.h>
#include <lthost/nn/batch_norm.h>
#include <lthost/nn/binary_loss.h>
#include <lthost/nn/class_metric.h>
#include <lthost/nn/classification_loss.h>
#include <lthost/nn/confusion_matrix.h>
#include <lthost/nn/contrastive_loss.h>
#include <lthost/nn/ctc_loss.h>
#include <lthost/nn/curve_metric.h>
#include <lthost/nn/distance.h>
#include <lthost/nn/conv.h>
#include <lthost/nn/dropout.h>
#include <lthost/nn/embedding.h>
#include <lthost/nn/fold.h>
#include <lthost/nn/gpt.h>
#include <lthost/nn/group_norm.h>
#include <lthost/nn/init.h>
#include <lthost/nn/linear.h>
#include <lthost/nn/llama.h>
#include <lthost/nn/mean_metric.h>
#include <lthost/nn/metric.h>
#include <lthost/nn/norm.h>
#include <lthost/nn/pair_loss.h>
#include <lthost/nn/positional.h>
#include <lthost/nn/recurrent.h>
#include <lthost/nn/regression_loss.h>
#include <lthost/nn/regression_metric.h>
#include <lthost/nn/sample_metric.h>
#include <lthost/nn/swiglu.h>
#include <lthost/nn/transformer.h>

#endif
