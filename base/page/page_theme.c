/*
 * page_theme: is a town's theme readable? Asked when templates load, so that colours nobody can read stop the start.
 *
 * A theme sets tokens --town-… of beffroi.css to #rrggbb. Each pair that the style sheet lays over each other must have
 * the contrast of WCAG 2.2, 1.4.3 (4.5 to 1), in the light and in the dark. The other colour of a pair, and what a theme
 * leaves out, comes from beffroi.css itself: its light tokens stand first, the dark ones after.
 */
#include "base/page/page-internal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define CONTRAST_AA 4.5

struct pair {
    const char *above, *below;      /* tokens */
    bool dark;
};

static const struct pair pairs[] = {
    { "--town-accent", "--paper", false },
    { "--town-accent", "--sheet", false },
    { "--on-accent", "--town-accent", false },
    { "--on-accent", "--town-accent-strong", false },
    { "--town-accent-strong", "--town-accent-soft", false },
    { "--ink", "--town-accent-soft", false },
    { "--town-accent-dark", "--paper", true },
    { "--town-accent-dark", "--sheet", true },
    { "--on-accent", "--town-accent-dark", true },
    { "--on-accent", "--town-accent-dark-strong", true },
    { "--town-accent-dark-strong", "--town-accent-dark-soft", true },
    { "--ink", "--town-accent-dark-soft", true },
};

/* What follows the n-th "token:" of a sheet; p NULL: not there. */
static struct str
token_find(struct str css, const char *name, int nth)
{
    size_t n = strlen(name);

    for (size_t i = 0; i + n < css.n; i++)
        if (memcmp(css.p + i, name, n) == 0 && css.p[i + n] == ':' && nth-- == 0)
            return (struct str){ css.p + i + n + 1, css.n - i - n - 1 };
    return STR_NULL;
}

/* "#rrggbb;" after blanks. */
static bool
colour_read(struct str value, double rgb[3])
{
    char hex[7] = "";
    unsigned long all;

    value = str_trim(str_split(value, ';', &(struct str){ NULL, 0 }));
    if (value.n != 7 || value.p[0] != '#')
        return false;
    memcpy(hex, value.p + 1, 6);
    for (size_t i = 0; i < 6; i++)
        if (!isxdigit((unsigned char)hex[i]))
            return false;
    all = strtoul(hex, NULL, 16);
    rgb[0] = (double)(all >> 16) / 255.0;
    rgb[1] = (double)(all >> 8 & 0xff) / 255.0;
    rgb[2] = (double)(all & 0xff) / 255.0;
    return true;
}

/* WCAG 2.2, "relative luminance". */
static double
luminance(const double rgb[3])
{
    static const double weight[3] = { 0.2126, 0.7152, 0.0722 };
    double sum = 0;

    for (size_t i = 0; i < 3; i++)
        sum += weight[i] * (rgb[i] <= 0.04045 ? rgb[i] / 12.92 : pow((rgb[i] + 0.055) / 1.055, 2.4));
    return sum;
}

static double
contrast(const double a[3], const double b[3])
{
    double la = luminance(a) + 0.05, lb = luminance(b) + 0.05;

    return la > lb ? la / lb : lb / la;
}

static enum err
colour_of(const struct page_asset *base, const struct page_asset *theme, const char *name, bool dark, double rgb[3],
          struct why *why)
{
    struct str value = token_find(theme->body, name, 0);

    if (value.p == NULL)
        value = token_find(base->body, name, dark ? 1 : 0);
    if (value.p == NULL)
        value = token_find(base->body, name, 0);
    if (value.p == NULL || !colour_read(value, rgb))
        return why_set(why, ERR_INPUT, "%s: %s is not written #rrggbb", theme->path, name);
    return OK;
}

enum err
theme_check(const struct page_asset *base, const struct page_asset *theme, struct why *why)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        double above[3], below[3], ratio;
        enum err e;

        if ((e = colour_of(base, theme, pairs[i].above, pairs[i].dark, above, why)) != OK ||
            (e = colour_of(base, theme, pairs[i].below, pairs[i].dark, below, why)) != OK)
            return e;
        ratio = contrast(above, below);
        if (ratio < CONTRAST_AA)
            return why_set(why, ERR_INPUT, "%s: %s on %s%s has a contrast of %.2f to 1, less than %.1f", theme->path,
                           pairs[i].above, pairs[i].below, pairs[i].dark ? " in the dark" : "", ratio, CONTRAST_AA);
    }
    return OK;
}
