/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_geometry.h"

#include <lthost/accel/plain/convert.h>
#include <stdlib.h>
#include <string.h>

static conv_axis axis_of(const plain_conv *v, int32_t i, bool turned)
{
    int64_t reach = (v->kernel[i] - 1) * v->dilation[i], pad = turned ? reach / v->stride[i] : v->low[i];
    return (conv_axis) { .source = turned ? v->out[i] : v->in[i],
                         .result = turned ? v->in[i] : v->out[i],
                         .kernel = v->kernel[i],
                         .stride = v->stride[i],
                         .dilation = v->dilation[i],
                         .low = v->low[i],
                         .pad = pad,
                         .span = (turned ? pad : reach) + 1,
                         .classes = turned ? v->stride[i] : 1,
                         .turned = turned };
}

/* q(r); and how far it is from a unit's first row, which in a data gradient is a multiple of the stride, to the one r below. */
static int64_t place_of(const conv_axis *a, int64_t r) { return a->turned ? (r + a->low) / a->stride : r * a->stride; }
static int64_t step_to(const conv_axis *a, int64_t r) { return a->turned ? (a->low % a->stride + r) / a->stride : r * a->stride; }

static int64_t offset_of(const conv_axis *a, int64_t k)
{
    return a->turned ? a->pad - k * a->dilation / a->stride : k * a->dilation;
}

static int64_t class_of(const conv_axis *a, int64_t r) { return (r + a->low) % a->classes; }
static int64_t class_of_tap(const conv_axis *a, int64_t k) { return k * a->dilation % a->classes; }

/* Elements of a class among the first `count`; taps of a class. */
static int64_t class_size(const conv_axis *a, int64_t class, int64_t count)
{
    int64_t size = 0;
    for (int64_t r = 0; r < count; r++)
        size += class_of(a, r) == class;
    return size;
}

static int64_t class_taps(const conv_axis *a, int64_t class)
{
    int64_t taps = 0;
    for (int64_t k = 0; k < a->kernel; k++)
        taps += class_of_tap(a, k) == class;
    return taps;
}

/* The i-th tap of a class, from the nearest offset to the farthest. */
static int64_t tap_at(const conv_axis *a, int64_t class, int64_t i)
{
    for (int64_t k = a->turned ? a->kernel - 1 : 0;; k += a->turned ? -1 : 1)
        if (class_of_tap(a, k) == class && i-- == 0)
            return k;
}

static int64_t up_to(int64_t x, int64_t grain) { return (x + grain - 1) / grain * grain; }

/* Bands of an image are about alike. */
static void choose_units(conv_geometry *g, int64_t grain, int64_t pixels)
{
    const conv_axis *h = &g->axis[0], *w = &g->axis[1];
    int64_t rows = up_to((pixels + w->result - 1) / w->result, grain * h->classes), bands = (h->result + rows - 1) / rows;
    rows = bands > 1 ? up_to((h->result + bands - 1) / bands, grain * h->classes) : rows;
    g->band = rows < h->result ? rows : h->result;
    g->bands = (h->result + g->band - 1) / g->band;
    g->images = rows < h->result ? 1 : (pixels + h->result * w->result - 1) / (h->result * w->result);
    g->images = g->images < g->N ? g->images : g->N;
    g->units = (g->N + g->images - 1) / g->images * g->bands;
    int64_t below = place_of(h, h->result - 1) + h->span - h->pad, right = place_of(w, w->result - 1) + w->span - w->pad;
    g->direct = !g->widens && h->pad == 0 && w->pad == 0 && below <= h->source && right <= w->source && place_of(w, 0) == 0;
    g->rows = step_to(h, g->band - 1) + h->span;
    g->width = g->direct ? w->source : step_to(w, w->result - 1) + w->span;
    g->image = (g->direct ? h->source : g->rows) * g->width * g->channels;
}

/* Runs: the taps of a row lie side by side, or each is one. */
static void fill_runs(const conv_geometry *g, conv_class *c, int64_t taps_h, int64_t taps_w)
{
    const conv_axis *h = &g->axis[0], *w = &g->axis[1];
    bool merged = c->runs == taps_h;
    int32_t *tap = c->tap;
    for (int64_t i = 0; i < taps_h; i++)
        for (int64_t j = 0; j < taps_w; j++) {
            int64_t kh = tap_at(h, c->at[0], i), kw = tap_at(w, c->at[1], j);
            if (!merged || j == 0)
                c->run[merged ? i : i * taps_w + j] = (int32_t)((offset_of(h, kh) * g->width + offset_of(w, kw)) * g->channels);
            *tap++ = (int32_t)(kh * w->kernel + kw);
        }
}

static void fill_pixels(const conv_geometry *g, conv_class *c)
{
    const conv_axis *h = &g->axis[0], *w = &g->axis[1];
    int64_t at = 0;
    for (int64_t n = 0; n < g->images; n++)
        for (int64_t i = 0; i < g->band; i++)
            for (int64_t j = 0; j < w->result && class_of(h, i) == c->at[0]; j++)
                if (class_of(w, j) == c->at[1]) {
                    c->from[at] = (int32_t)(n * g->image + (step_to(h, i) * g->width + step_to(w, j)) * g->channels);
                    c->to[at++] = (int32_t)(((n * h->result + i) * w->result + j) * g->columns);
                }
}

static lth_status make_class(const conv_geometry *g, conv_class *c, int32_t rest_h, int32_t rest_w)
{
    const conv_axis *h = &g->axis[0], *w = &g->axis[1];
    int64_t taps_h = class_taps(h, rest_h), taps_w = class_taps(w, rest_w);
    bool merged = taps_w > 1;
    for (int64_t j = 1; j < taps_w; j++)
        merged &= offset_of(w, tap_at(w, rest_w, j)) == offset_of(w, tap_at(w, rest_w, j - 1)) + 1;
    c->at[0] = rest_h;
    c->at[1] = rest_w;
    c->per_row = class_size(w, rest_w, w->result);
    c->taps = (int32_t)(taps_h * taps_w);
    c->runs = merged ? (int32_t)taps_h : c->taps;
    c->length = (merged ? taps_w : 1) * g->channels;
    int64_t pixels = g->images * class_size(h, rest_h, g->band) * c->per_row;
    c->from = malloc(((size_t)(2 * pixels) + 2 * (size_t)c->taps + 1) * sizeof *c->from);
    if (!c->from)
        return LTH_NO_MEMORY;
    c->to = c->from + pixels;
    c->run = c->to + pixels;
    c->tap = c->run + c->taps;
    fill_runs(g, c, taps_h, taps_w);
    fill_pixels(g, c);
    return LTH_OK;
}

static lth_status make(conv_geometry *g, const plain_conv *v, bool turned, bool widens, int64_t grain, int64_t pixels)
{
    *g = (conv_geometry) { .axis = { axis_of(v, 1, turned), axis_of(v, 2, turned) },
                           .N = v->N,
                           .channels = turned ? v->K : v->C,
                           .columns = turned ? v->C : v->K,
                           .widens = widens };
    choose_units(g, grain, pixels);
    g->class_count = (int32_t)(g->axis[0].classes * g->axis[1].classes);
    g->classes = calloc((size_t)g->class_count, sizeof *g->classes);
    lth_status status = g->classes ? LTH_OK : LTH_NO_MEMORY;
    for (int32_t i = 0; i < g->class_count && !status; i++)
        status = make_class(g, &g->classes[i], i / (int32_t)g->axis[1].classes, i % (int32_t)g->axis[1].classes);
    return status;
}

lth_status conv_geometry_make(conv_geometry *g, const plain_conv *v, bool turned, int64_t grain, int64_t pixels)
{
    return make(g, v, turned, false, grain, pixels);
}

lth_status conv_geometry_make_wide(conv_geometry *g, const plain_conv *v, bool turned, int64_t grain, int64_t pixels)
{
    return make(g, v, turned, true, grain, pixels);
}

void conv_geometry_free(conv_geometry *g)
{
    for (int32_t i = 0; i < g->class_count && g->classes; i++)
        free(g->classes[i].from);
    free(g->classes);
}

conv_unit conv_unit_at(const conv_geometry *g, int64_t unit)
{
    conv_unit u = { unit / g->bands * g->images, g->images, unit % g->bands * g->band, g->band };
    if (u.image + u.images > g->N)
        u.images = g->N - u.image;
    if (u.row + u.rows > g->axis[0].result)
        u.rows = g->axis[0].result - u.row;
    return u;
}

int64_t conv_unit_pixels(const conv_geometry *g, const conv_class *c, const conv_unit *u)
{
    return u->images * class_size(&g->axis[0], c->at[0], u->rows) * c->per_row;
}

/* Elements of so many bytes; or bf16 that becomes f32. */
typedef enum copy_kind { COPY_16 = 2, COPY_32 = 4, WIDEN = 8 } copy_kind;

static void copy_elements(copy_kind kind, const char *from, char *to, int64_t n)
{
    if (kind == WIDEN)
        plain_widen(LTH_BF16, from, (float *)(void *)to, n);
    else
        memcpy(to, from, (size_t)n * kind);
}

/* Rows of the source that are there, between zeros. */
static void copy_image(const conv_geometry *g, copy_kind kind, const char *source, int64_t first_row, char *to)
{
    const conv_axis *w = &g->axis[1];
    int64_t shift = w->pad - place_of(w, 0), from = shift < 0 ? -shift : 0, left = shift > 0 ? shift : 0;
    int64_t in = g->channels * (kind == COPY_32 ? 4 : 2), out = g->channels * (kind == COPY_16 ? 2 : 4); /* bytes of a pixel */
    left = left < g->width ? left : g->width;
    int64_t there = g->width - left < w->source - from ? g->width - left : w->source - from, row = g->width * out;
    there = there > 0 ? there : 0;
    for (int64_t i = 0; i < g->rows; i++, to += row) {
        int64_t r = first_row + i;
        if (r < 0 || r >= g->axis[0].source) {
            memset(to, 0, (size_t)row);
            continue;
        }
        memset(to, 0, (size_t)(left * out));
        copy_elements(kind, source + (r * w->source + from) * in, to + left * out, there * g->channels);
        memset(to + (left + there) * out, 0, (size_t)((g->width - left - there) * out));
    }
}

static const void *unit_source(const conv_geometry *g, const conv_unit *u, copy_kind kind, const void *source, void *scratch)
{
    int64_t in = kind == COPY_32 ? 4 : 2, out = kind == COPY_16 ? 2 : 4;
    int64_t row = g->axis[1].source * g->channels * in, image = g->axis[0].source * row;
    if (g->direct)
        return (const char *)source + u->image * image + place_of(&g->axis[0], u->row) * row;
    for (int64_t n = 0; n < u->images; n++)
        copy_image(g, kind, (const char *)source + (u->image + n) * image, place_of(&g->axis[0], u->row) - g->axis[0].pad,
                   (char *)scratch + n * g->image * out);
    return scratch;
}

const float *conv_unit_source(const conv_geometry *g, const conv_unit *u, const void *source, float *scratch)
{
    return unit_source(g, u, g->widens ? WIDEN : COPY_32, source, scratch);
}

const uint16_t *conv_unit_half(const conv_geometry *g, const conv_unit *u, const uint16_t *source, uint16_t *scratch)
{
    return unit_source(g, u, COPY_16, source, scratch);
}
