/*
 * page: templates of pages, mails and letters; Mustache syntax, compiled at start, escaped by the place they stand in.
 *
 * {{name}} is escaped for its place: HTML text, attribute, URL attribute (href/src/action: scheme checked), or not at
 * all in .txt templates. {{{name}}} takes only values set by page_html() (own type). {{#list}}…{{/list}} repeats or
 * tests, {{^x}}…{{/x}} is the opposite, {{>partial}} includes, {{$key}} is a message of the catalogue in the page's
 * language, {{$key with {0} placeholders}} is not a thing: messages have named placeholders {name} filled (and
 * escaped) from the data. A missing value is an error in tests and empty and logged in production; a missing message
 * breaks the build.
 */
#ifndef BASE_PAGE_PAGE_H
#define BASE_PAGE_PAGE_H

#include "base/core/arena.h"

struct page_set;      /* all templates and catalogues of a program */
struct page_data;     /* values for one rendering, in an arena */

/* Compiles every template below folder (*.html, *.txt) and reads folder/messages.fr, messages.en. Checks that all
 * partials and all messages of both languages exist. ERR_INPUT says file:line. */
MUST_USE enum err page_set_load(const char *folder, bool strict, struct page_set **ret, struct why *why);
void page_set_free(struct page_set *s);
DEFINE_FREEP(struct page_set, page_set_free)

struct page_data *page_data_new(struct arena *a);
void page_str(struct page_data *d, const char *name, const char *utf8);        /* copied; NULL = "" */
void page_strf(struct page_data *d, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void page_int(struct page_data *d, const char *name, int64_t v);
void page_bool(struct page_data *d, const char *name, bool v);
void page_html(struct page_data *d, const char *name, struct str trusted_html); /* made by us, never from outside */
struct page_data *page_item(struct page_data *d, const char *list_name);        /* appends one element */
/* A message key chosen by code: {{name}} prints the catalogue's text for message_key in the page's language. */
void page_msg(struct page_data *d, const char *name, const char *message_key);

/* name: "signon/login.html". lang: "fr" or "en". ERR_INTERNAL: no such template, or a value missing in strict mode. */
MUST_USE enum err page_render(const struct page_set *s, const char *name, const char *lang,
                              const struct page_data *d, struct buf *out, struct why *why);
/* A message by itself; the key when it is missing (and a log line). Placeholders from d (may be NULL), not escaped. */
const char *page_message(const struct page_set *s, const char *lang, const char *key, const struct page_data *d,
                         struct arena *a);

/* Escapers for the few writers that do not go through a template. */
void html_escape(struct buf *out, struct str s);

#endif
