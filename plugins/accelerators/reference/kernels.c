/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

ref_kernel ref_find(uint32_t code, lth_dtype dtype)
{
    static const ref_family *const families[] = { &ref_leaf_ops,   &ref_pointwise_ops, &ref_shape_ops,
                                                  &ref_reduce_ops, &ref_index_ops,     &ref_network_ops };
    if (dtype >= LTH_DTYPE_COUNT)
        return NULL;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (uint32_t i = 0; i < families[f]->count; i++)
            if (families[f]->ops[i].code == code)
                return families[f]->ops[i].by_dtype[dtype];
    return NULL;
}
