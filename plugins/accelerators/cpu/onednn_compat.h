/* SPDX-License-Identifier: Apache-2.0
 * onednn_compat.h: what differs between oneDNN 2 and 3, and nowhere else. In 3 memory descriptors are opaque and owned, and a
 * primitive's descriptor is made in one step. */
#ifndef CPU_ONEDNN_COMPAT_H
#define CPU_ONEDNN_COMPAT_H

#include <dnnl.h>

typedef struct onednn_layout {
    dnnl_memory_desc_t desc;
} onednn_layout;

/* Everything about a convolution that its three primitives are described by. */
typedef struct onednn_conv_desc {
    const onednn_layout *x, *w, *y;
    dnnl_dims_t stride, dilation, low, high; /* dilation: 0 is none */
} onednn_conv_desc;

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t onednn_layout_ref;
static inline onednn_layout_ref onednn_ref(const onednn_layout *l) { return l->desc; }
static inline void onednn_layout_free(onednn_layout *l)
{
    if (l->desc)
        dnnl_memory_desc_destroy(l->desc);
    l->desc = NULL;
}
static inline dnnl_status_t onednn_strided(onednn_layout *l, int rank, const dnnl_dims_t dim, dnnl_data_type_t type,
                                           const dnnl_dims_t stride)
{
    return dnnl_memory_desc_create_with_strides(&l->desc, rank, dim, type, stride);
}
static inline dnnl_status_t onednn_any(onednn_layout *l, int rank, const dnnl_dims_t dim, dnnl_data_type_t type)
{
    return dnnl_memory_desc_create_with_tag(&l->desc, rank, dim, type, dnnl_format_tag_any);
}
static inline dnnl_status_t onednn_layout_of(onednn_layout *l, const_dnnl_primitive_desc_t p, dnnl_query_t what)
{
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(p, what, 0);
    return found ? dnnl_memory_desc_clone(&l->desc, found) : dnnl_unimplemented;
}
static inline dnnl_status_t onednn_conv_forward(dnnl_primitive_desc_t *p, dnnl_engine_t e, dnnl_primitive_attr_t a,
                                                const onednn_conv_desc *c)
{
    return dnnl_convolution_forward_primitive_desc_create(p, e, dnnl_forward_training, dnnl_convolution_direct, c->x->desc,
                                                          c->w->desc, NULL, c->y->desc, c->stride, c->dilation, c->low, c->high,
                                                          a);
}
static inline dnnl_status_t onednn_conv_data(dnnl_primitive_desc_t *p, dnnl_engine_t e, dnnl_primitive_attr_t a,
                                             const onednn_conv_desc *c, const_dnnl_primitive_desc_t forward)
{
    return dnnl_convolution_backward_data_primitive_desc_create(p, e, dnnl_convolution_direct, c->x->desc, c->w->desc, c->y->desc,
                                                                c->stride, c->dilation, c->low, c->high, forward, a);
}
static inline dnnl_status_t onednn_conv_weight(dnnl_primitive_desc_t *p, dnnl_engine_t e, dnnl_primitive_attr_t a,
                                               const onednn_conv_desc *c, const_dnnl_primitive_desc_t forward)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(p, e, dnnl_convolution_direct, c->x->desc, c->w->desc, NULL,
                                                                   c->y->desc, c->stride, c->dilation, c->low, c->high, forward,
                                                                   a);
}
static inline dnnl_status_t onednn_matmul(dnnl_primitive_desc_t *p, dnnl_engine_t e, const onednn_layout *a, const onednn_layout *b,
                                          const onednn_layout *c)
{
    return dnnl_matmul_primitive_desc_create(p, e, a->desc, b->desc, NULL, c->desc, NULL);
}

#else

typedef const dnnl_memory_desc_t *onednn_layout_ref;
static inline onednn_layout_ref onednn_ref(const onednn_layout *l) { return &l->desc; }
static inline void onednn_layout_free(onednn_layout *l) { (void)l; }
static inline dnnl_status_t onednn_strided(onednn_layout *l, int rank, const dnnl_dims_t dim, dnnl_data_type_t type,
                                           const dnnl_dims_t stride)
{
    return dnnl_memory_desc_init_by_strides(&l->desc, rank, dim, type, stride);
}
static inline dnnl_status_t onednn_any(onednn_layout *l, int rank, const dnnl_dims_t dim, dnnl_data_type_t type)
{
    return dnnl_memory_desc_init_by_tag(&l->desc, rank, dim, type, dnnl_format_tag_any);
}
static inline dnnl_status_t onednn_layout_of(onednn_layout *l, const_dnnl_primitive_desc_t p, dnnl_query_t what)
{
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(p, what, 0);
    if (!found)
        return dnnl_unimplemented;
    l->desc = *found;
    return dnnl_success;
}
static inline dnnl_status_t onednn_conv_forward(dnnl_primitive_desc_t *p, dnnl_engine_t e, dnnl_primitive_attr_t a,
                                                const onednn_conv_desc *c)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status =
        dnnl_dilated_convolution_forward_desc_init(&d, dnnl_forward_training, dnnl_convolution_direct, &c->x->desc, &c->w->desc,
                                                   NULL, &c->y->desc, c->stride, c->dilation, c->low, c->high);
    return status ? status : dnnl_primitive_desc_create(p, &d, a, e, NULL);
}
static inline dnnl_status_t onednn_conv_data(dnnl_primitive_desc_t *p, dnnl_engine_t e, dnnl_primitive_attr_t a,
                                             const onednn_conv_desc *c, const_dnnl_primitive_desc_t forward)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, &c->x->desc, &c->w->desc,
                                                                            &c->y->desc, c->stride, c->dilation, c->low, c->high);
    return status ? status : dnnl_primitive_desc_create(p, &d, a, e, forward);
}
static inline dnnl_status_t onednn_conv_weight(dnnl_primitive_desc_t *p, dnnl_engine_t e, dnnl_primitive_attr_t a,
                                               const onednn_conv_desc *c, const_dnnl_primitive_desc_t forward)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
        &d, dnnl_convolution_direct, &c->x->desc, &c->w->desc, NULL, &c->y->desc, c->stride, c->dilation, c->low, c->high);
    return status ? status : dnnl_primitive_desc_create(p, &d, a, e, forward);
}
static inline dnnl_status_t onednn_matmul(dnnl_primitive_desc_t *p, dnnl_engine_t e, const onednn_layout *a, const onednn_layout *b,
                                          const onednn_layout *c)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t status = dnnl_matmul_desc_init(&d, &a->desc, &b->desc, NULL, &c->desc);
    return status ? status : dnnl_primitive_desc_create(p, &d, NULL, e, NULL);
}

#endif
#endif
