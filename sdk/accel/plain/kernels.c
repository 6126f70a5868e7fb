/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

plain_kernel plain_find(uint32_t code, lth_dtype dtype)
{
    static const plain_family *const families[] = { &plain_leaf_ops,   &plain_pointwise_ops, &plain_shape_ops,
                                                  &plain_reduce_ops, &plain_index_ops,     &plain_network_ops,
                                                  &plain_conv_ops,   &plain_pool_ops,      &plain_resize_ops,
                                                  &plain_attention_ops, &plain_order_ops,
                                                  &plain_norm_ops,    &plain_custom_ops };
    if (dtype >= LTH_DTYPE_COUNT)
        return NULL;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (uint32_t i = 0; i < families[f]->count; i++)
            if (families[f]->ops[i].code == code)
                return families[f]->ops[i].by_dtype[dtype];
    return NULL;
}
