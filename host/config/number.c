/* SPDX-License-Identifier: Apache-2.0
 * config/number.c */
#include "number.h"
#include "util/str.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A decimal's parts: digits without the point, and the power of ten that they are to be multiplied with. */
typedef struct decimal {
    const char *digits; /* as written, with the point */
    size_t length;
    long exponent; /* already less the digits behind the point */
    bool negative, has_point, has_exponent;
} decimal;

enum { EXPONENT_LIMIT = 100000 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* [+-] digits [. digits] [e [+-] digits], with a digit before the exponent, and nothing else. */
static bool split_decimal(const char *text, decimal *d)
{
    *d = (decimal) { .negative = *text == '-' };
    text += *text == '-' || *text == '+';
    d->digits = text;
    size_t count = 0;
    for (; is_digit(*text) || (*text == '.' && !d->has_point); text++) {
        d->has_point = d->has_point || *text == '.';
        count += *text != '.';
        d->exponent -= d->has_point && *text != '.';
    }
    d->length = (size_t)(text - d->digits);
    d->has_exponent = *text == 'e' || *text == 'E';
    if (d->has_exponent) {
        const char *first = text + 1 + (text[1] == '-' || text[1] == '+');
        long power = 0;
        for (text = first; is_digit(*text); text++)
            power = power < EXPONENT_LIMIT ? power * 10 + (*text - '0') : power;
        if (text == first)
            return false;
        d->exponent += first[-1] == '-' ? -power : power;
    }
    return count && !*text;
}

/* value * 10 + digit, towards the sign's own side, so that the least int64_t fits too. */
static bool push_digit(int64_t *value, int digit, bool negative)
{
    return !__builtin_mul_overflow(*value, (int64_t)10, value) &&
           !__builtin_add_overflow(*value, (int64_t)(negative ? -digit : digit), value);
}

lth_status number_read_int(const char *text, int64_t *out, error *e)
{
    decimal d;
    if (!split_decimal(text, &d) || (d.has_point && !d.has_exponent))
        return error_set(e, LTH_INVALID, "is not a whole number");
    size_t end = d.length;
    for (; d.exponent < 0 && end > 1 && (d.digits[end - 1] == '0' || d.digits[end - 1] == '.'); end--)
        d.exponent += d.digits[end - 1] == '0';
    int64_t value = 0;
    bool fits = true;
    for (size_t i = 0; i < end && fits; i++)
        fits = d.digits[i] == '.' || push_digit(&value, d.digits[i] - '0', d.negative);
    if (fits && value == 0)
        d.exponent = 0;
    if (d.exponent < 0)
        return error_set(e, LTH_INVALID, "is not a whole number");
    for (; d.exponent > 0 && fits; d.exponent--)
        fits = push_digit(&value, 0, d.negative);
    if (!fits)
        return error_set(e, LTH_INVALID, "does not fit into 64 bits");
    *out = value;
    return LTH_OK;
}

lth_status number_read_float(const char *text, double *out, error *e)
{
    const char *bare = text + (*text == '-' || *text == '+');
    decimal d;
    if (!strcmp(bare, "inf")) {
        *out = *text == '-' ? -INFINITY : INFINITY;
        return LTH_OK;
    }
    if (!split_decimal(text, &d))
        return error_set(e, LTH_INVALID, "is not a number");
    errno = 0;
    double value = strtod(text, NULL);
    if (errno == ERANGE && (isinf(value) || value == 0))
        return error_set(e, LTH_INVALID, "is too %s for a number of 64 bits", value == 0 ? "small" : "large");
    *out = value;
    return LTH_OK;
}

/* One alternative of a range. Whole numbers are kept apart: a double does not hold them all. */
typedef struct bound {
    int64_t i;
    double f;
    bool given, open;
} bound;

typedef struct interval {
    bound low, high;
} interval;

static lth_status read_bound(const char *text, bool whole, bound *b, error *e)
{
    b->given = *text;
    if (!b->given)
        return LTH_OK;
    return whole ? number_read_int(text, &b->i, e) : number_read_float(text, &b->f, e);
}

/* "low..high" with brackets of either kind, or one number. */
static lth_status read_interval(const char *part, size_t length, bool whole, interval *out, error *e)
{
    char text[128];
    *out = (interval) { 0 };
    if (length >= sizeof text)
        return error_set(e, LTH_INVALID, "a range is longer than %zu bytes", sizeof text - 1);
    memcpy(text, part, length);
    text[length] = 0;

    char *at = str_trim(text), *dots = strstr(at, "..");
    size_t n = strlen(at);
    if (!dots) {
        lth_status s = n ? read_bound(at, whole, &out->low, e) : error_set(e, LTH_INVALID, "is empty");
        out->high = out->low;
        return s;
    }
    out->low.open = at[0] == '(';
    out->high.open = at[n - 1] == ')';
    if (out->high.open || at[n - 1] == ']')
        at[n - 1] = 0;
    at += at[0] == '(' || at[0] == '[';
    *dots = 0;
    lth_status s = read_bound(str_trim(at), whole, &out->low, e);
    return s ? s : read_bound(str_trim(dots + 2), whole, &out->high, e);
}

static bool holds_int(const interval *r, int64_t v)
{
    return !(r->low.given && (v < r->low.i || (r->low.open && v == r->low.i))) &&
           !(r->high.given && (v > r->high.i || (r->high.open && v == r->high.i)));
}

static bool holds_float(const interval *r, double v)
{
    return !(r->low.given && (v < r->low.f || (r->low.open && v == r->low.f))) &&
           !(r->high.given && (v > r->high.f || (r->high.open && v == r->high.f)));
}

/* Is the value in one of the alternatives? A wrong range holds nothing. */
static bool in_range(const char *range, bool whole, int64_t i, double f)
{
    const char *part;
    for (size_t n; str_split(&range, '|', &part, &n);) {
        interval r;
        if (!read_interval(part, n, whole, &r, NULL) && (whole ? holds_int(&r, i) : holds_float(&r, f)))
            return true;
    }
    return false;
}

lth_status number_check_int(const char *range, int64_t value, error *e)
{
    return !range || in_range(range, true, value, 0) ? LTH_OK : error_set(e, LTH_INVALID, "is out of range");
}

lth_status number_check_float(const char *range, double value, error *e)
{
    return !range || in_range(range, false, 0, value) ? LTH_OK : error_set(e, LTH_INVALID, "is out of range");
}

lth_status number_check_range(const char *range, bool whole, error *e)
{
    const char *rest = range, *part;
    for (size_t n; str_split(&rest, '|', &part, &n);) {
        interval r;
        error why = { 0 };
        if (read_interval(part, n, whole, &r, &why))
            return error_set(e, LTH_INVALID, "the range '%s' is wrong: '%.*s' %s", range, (int)n, part, why.text);
        if (r.low.given && r.high.given && (whole ? r.low.i > r.high.i : r.low.f > r.high.f))
            return error_set(e, LTH_INVALID, "the range '%s' is empty: '%.*s'", range, (int)n, part);
    }
    return LTH_OK;
}
