/*
 * page: templates of pages, mails and letters; Mustache syntax, compiled at start, escaped by the place they stand in.
 *
 * Who may call it: anything that answers a person. Templates hold text, code holds decisions (STYLE §11).
 *
 *   {{name}}            a value, escaped for its place: HTML text, quoted attribute, URL attribute (href, src, action,
 *                       formaction, cite, poster: the scheme is checked when the value begins the URL, the value is
 *                       percent-encoded when it continues one), datetime attribute (RFC 3339); as it is in .txt
 *   {{{name}}}          only values set by page_html(), only in HTML text
 *   {{#x}}…{{/x}}       repeats for each element of a list; once when x is a true flag, a non-empty text, a number
 *                       other than 0; not at all otherwise (a missing x is false)
 *   {{#x?}}…{{/x?}}     once when the list x has elements: what stands around them
 *   {{^x}}…{{/x}}       the opposite
 *   {{$key}}            a message of the catalogue in the page's language; the message may have {name} placeholders,
 *                       filled from the data and escaped like values
 *   {{>file p=q}}       includes a file, compiled in place with parameters; inside it @p stands for q in any tag:
 *                       {{@p}} prints the text q, {{=@p}} the value named q, {{$@p}} the message q, {{#@p}} tests it;
 *                       what that file includes in its turn sees them too
 *   {{?p}}…{{/?p}}      compiled only when the parameter p was given and is not empty; {{^?p}}…{{/?p}} the opposite
 *   {{!takes … }}       before all others: one value per line, "name", "name?" (may be missing), "name[]" (list);
 *                       fields of a list have their own lines ("name[].field"); what follows the name is for people.
 *                       A name that is used but not declared is an error, and so is the reverse.
 *   {{! … }}            a comment
 *
 * Two parameters always exist: @lang ("fr", "en") and @assets ("/assets/<version>").
 * HTML is checked while it is compiled: attributes in double quotes, no style or on… attribute, nothing inside
 * <script> and <style> (so that a strict content policy can stand), a section ends where it began.
 *
 * A missing value is an error in strict mode (tests), empty and logged otherwise. A missing message, a message that
 * lacks one of the languages, or whose placeholders differ between them, stops the start.
 *
 * What bites: a value set to "" is not missing. Inside a list element, names that the element lacks are looked for in
 * what surrounds the list. French messages get their no-break spaces (before : ; ! ?, inside « ») from the loader.
 */
#ifndef BASE_PAGE_PAGE_H
#define BASE_PAGE_PAGE_H

#include "base/core/arena.h"
#include "base/core/clock.h"

struct page_set;      /* all templates, catalogues and assets of a program; read-only once loaded */
struct page_data;     /* values for one rendering, in an arena */

/* Compiles every template below folder (*.html, *.txt), reads folder/messages.fr, messages.en and the files below
 * folder/assets and folder/themes (whose colours must be readable on assets/beffroi.css). ERR_INPUT says file:line; ERR_UNAVAILABLE: cannot be read. */
MUST_USE enum err page_set_load(const char *folder, bool strict, struct page_set **ret, struct why *why);
void page_set_free(struct page_set *s);
DEFINE_FREEP(struct page_set, page_set_free)

/* The same from memory: names as they are relative to the folder ("messages.fr" among them). For tests. */
struct page_file {
    const char *name;
    struct str text;
};
MUST_USE enum err page_set_compile(const struct page_file *files, size_t n, bool strict, struct page_set **ret,
                                   struct why *why);

struct page_data *page_data_new(struct arena *a);
/* Setting a name again replaces its value. Names are kept by reference: literals, or in the arena. */
void page_str(struct page_data *d, const char *name, const char *utf8);        /* copied; NULL = "" */
void page_strf(struct page_data *d, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void page_int(struct page_data *d, const char *name, int64_t v);
void page_bool(struct page_data *d, const char *name, bool v);
void page_html(struct page_data *d, const char *name, struct str trusted_html); /* made by us, never from outside */
struct page_data *page_item(struct page_data *d, const char *list_name);        /* appends one element */
/* A message key chosen by code: {{name}} prints the catalogue's text for message_key in the page's language. */
void page_msg(struct page_data *d, const char *name, const char *message_key);
/* A moment, written in the page's language in this zone: « 21 novembre 2026 à 22 h 14 », "21 November 2026 at 22:14";
 * page_date() leaves the hour out. In a datetime attribute: RFC 3339, UTC. zone is kept by reference. */
void page_time(struct page_data *d, const char *name, utime t, const char *zone);
void page_date(struct page_data *d, const char *name, utime t, const char *zone);

/* What every page shows around its content: partials/head.html and foot.html. All kept by reference. */
struct page_site {
    const char *name;        /* « Ville de Rivemont », "Compte citoyen du Grand Rivemont" */
    const char *theme;       /* folder below templates/themes/; NULL: "default" */
    const char *help_url;    /* or NULL */
    const char *phone;       /* to call a person; NULL: none */
    const char *access_url;  /* accessibility statement; NULL: none */
};
/* lang_href: this page in the other language ("?lang=en"), NULL: no switch (an answer to a POST). */
void page_site(struct page_data *d, const struct page_site *site, const char *lang_href);
/* A code as code_shown() writes it, "G6J7-2QGR-RB3K", as the list name of its groups for partials/code.html. */
void page_code(struct page_data *d, const char *name, const char *shown);
/* One refused form field: an entry of the summary (list "errors") and, as {{<field>_error}}, the text beside the
 * field. Fills the data of partials/errors.html and partials/field.html. */
void page_field_error(struct page_data *d, const char *field, const char *message_key);

/* name: "signon/login.html". lang: "fr" or "en" (anything else is "fr"). ERR_NOT_FOUND: no such template.
 * ERR_INTERNAL: in strict mode a value is missing or of the wrong type; or the page passes the ceiling of out. */
MUST_USE enum err page_render(const struct page_set *s, const char *name, const char *lang,
                              const struct page_data *d, struct buf *out, struct why *why);
/* A message by itself; the key when it is missing (and a log line). Placeholders from d (may be NULL), not escaped. */
const char *page_message(const struct page_set *s, const char *lang, const char *key, const struct page_data *d,
                         struct arena *a);
bool page_has_message(const struct page_set *s, const char *key);
bool page_has_template(const struct page_set *s, const char *name);

/* Static files: what stands below /assets/ in URLs. path is what follows "/assets/": "<version>/beffroi.css", or
 * "beffroi.css" without version. Theme files are "<version>/themes/<town>/theme.css". NULL: no such file.
 * *ret_versioned: the path has our version, the answer may be kept for ever. It is false for no version and for that of
 * another node (an upgrade under way): the file is ours, and must not be kept under that name. */
struct page_asset {
    char *path;                  /* without version */
    const char *content_type;
    struct str body;
    char etag[20];               /* quoted */
};
const struct page_asset *page_asset_find(const struct page_set *s, const char *path, bool *ret_versioned);
const char *page_assets_base(const struct page_set *s);     /* "/assets/<version>" */

/* Names of all templates, for the tools and tests that render them all. */
size_t page_template_count(const struct page_set *s);
const char *page_template_name(const struct page_set *s, size_t i);

/* text ("mailto:…") as a QR code, appended to out as inline SVG for page_html(), with its quiet zone; label is what a
 * screen reader says. ERR_INPUT: too long for any code. */
MUST_USE enum err page_qr(const char *text, const char *label, struct buf *out, struct why *why);

/* Escapers for the few writers that do not go through a template: HTML text and quoted attributes alike. */
void html_escape(struct buf *out, struct str s);

#endif
