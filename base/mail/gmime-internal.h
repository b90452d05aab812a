/* The fence around GMime: the only header of ours that includes it; for message.c and message_words.c. */
#ifndef BASE_MAIL_GMIME_INTERNAL_H
#define BASE_MAIL_GMIME_INTERNAL_H

#include <gmime/gmime.h>

/* Initialises the library, once; every way in begins with this. */
void mail_gmime_start(void);
GMimeParserOptions *mail_gmime_options(void);    /* after it */

/* Releases for AUTO, on a pointer to any GObject and to a string of GLib. */
static inline void
object_unref(void *pp)
{
    GObject **o = pp;

    if (*o != NULL)
        g_object_unref(*o);
    *o = NULL;
}

static inline void
glib_free(void *pp)
{
    char **p = pp;

    g_free(*p);
    *p = NULL;
}

#endif
