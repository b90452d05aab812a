/* page-internal: what the files of this room share. */
#ifndef BASE_PAGE_PAGE_INTERNAL_H
#define BASE_PAGE_PAGE_INTERNAL_H

#include "base/page/page.h"

enum lang { LANG_FR, LANG_EN, LANG_COUNT };

/* Ceilings of the room. */
#define PAGE_FILE_MAX     (1u << 20)     /* one template, catalogue or asset, bytes */
#define PAGE_FILES_MAX    1000
#define PAGE_NAME_MAX     64             /* value, parameter, tag and attribute names */
#define PAGE_DEPTH_MAX    16             /* sections inside sections; includes inside includes */
#define PAGE_PROGRAM_MAX  (4u << 20)     /* text of one compiled template in one language: stops include bombs */
#define PAGE_MESSAGE_DEPTH 4             /* messages inside messages (page_msg values as placeholders) */

/* How a value is written at its place. */
enum esc {
    ESC_NONE,          /* .txt */
    ESC_HTML,          /* HTML text and double-quoted attributes */
    ESC_URL_WHOLE,     /* begins a URL attribute: scheme checked, then as ESC_HTML */
    ESC_URL_PART,      /* continues a URL attribute: percent-encoded */
    ESC_DATETIME       /* datetime attribute: RFC 3339 for moments, else as ESC_HTML */
};

/* --- names ------------------------------------------------------------------------------------------------ */
struct name {
    const char *p;
    uint32_t hash;
};
uint32_t name_hash(const char *p, size_t n);

/* --- values ------------------------------------------------------------------------------------------------ */
enum value_type { VALUE_STR, VALUE_INT, VALUE_BOOL, VALUE_HTML, VALUE_MSG, VALUE_TIME, VALUE_DATE, VALUE_LIST };

struct value {
    struct value *next;
    struct name name;
    enum value_type type;
    union {
        struct str text;                  /* STR, HTML; MSG: the key */
        int64_t number;                   /* INT, BOOL */
        struct { utime at; const char *zone; } time;
        struct page_data *first;          /* LIST, never NULL */
    } u;
    struct page_data *last;               /* LIST */
};

struct page_data {
    struct arena *arena;
    const struct page_data *parent;       /* what surrounds the list; NULL at the top */
    struct page_data *next;               /* next element of the same list */
    struct value *values;                 /* newest first */
};

/* Looks in d, then in what surrounds it. NULL: not set. */
const struct value *value_find(const struct page_data *d, struct name name);
bool value_true(const struct value *v);          /* v may be NULL */

/* --- messages ------------------------------------------------------------------------------------------------ */
struct segment {                 /* literal text, then a placeholder (name.p NULL: none) */
    struct str text;
    struct name name;
};
struct message {
    char *key;
    struct {
        struct segment *segments;
        size_t n;
        char *text;              /* owns what the segments show */
        int line;                /* in its file; 0: not there */
    } in[LANG_COUNT];
};
struct catalogue {
    struct message *messages;    /* sorted by key once checked */
    size_t n, cap;
};
MUST_USE enum err catalogue_read(struct catalogue *c, enum lang lang, const char *file, struct str text,
                                 struct why *why);
/* Sorts; both languages have the same keys and the same placeholders. */
MUST_USE enum err catalogue_check(struct catalogue *c, struct why *why);
const struct message *catalogue_find(const struct catalogue *c, struct str key);
void catalogue_done(struct catalogue *c);

/* --- where we are in HTML ----------------------------------------------------------------------------------- */
enum place_kind {
    PLACE_PLAIN,         /* .txt */
    PLACE_TEXT,
    PLACE_LT,            /* after '<' */
    PLACE_TAG_NAME,
    PLACE_TAG,           /* inside a tag, after white space */
    PLACE_TAG_EDGE,      /* inside a tag, white space or its end must follow */
    PLACE_ATTR_NAME,
    PLACE_EQUALS,        /* after '=', the quote must follow */
    PLACE_VALUE,
    PLACE_EMPTY,         /* after <script …> or <style …>: only its end may follow */
    PLACE_DECLARATION,   /* <!doctype …> */
    PLACE_COMMENT
};
struct place {
    enum place_kind kind;
    bool closing;                        /* an end tag */
    bool url, datetime;                  /* the attribute whose value this is */
    bool value_began;                    /* something of the value was written */
    uint8_t dashes;                      /* in a comment */
    uint8_t ntag, nattr;
    char tag[PAGE_NAME_MAX], attr[PAGE_NAME_MAX];
};
/* Walks static text. ERR_INPUT: not our HTML; *ret_bad is the offset where. */
MUST_USE enum err place_walk(struct place *p, struct str text, size_t *ret_bad, struct why *why);
/* A value stands here: how it is written. ERR_INPUT: none may stand here. */
MUST_USE enum err place_value(struct place *p, enum esc *ret, struct why *why);
/* A section that began at from ends at p (its body may be left out or repeated): p becomes what holds either way. */
MUST_USE enum err place_join(struct place *p, const struct place *from, struct why *why);

/* --- programs ------------------------------------------------------------------------------------------------ */
enum op { OP_TEXT, OP_VALUE, OP_HTML, OP_SECTION, OP_INVERTED, OP_END };

struct node {
    enum op op;
    enum esc esc;                /* VALUE */
    bool optional;               /* VALUE, HTML: may be missing. SECTION: of a list too, once */
    struct name name;            /* VALUE, HTML, SECTION, INVERTED; in the set's pool */
    uint32_t a, b;               /* TEXT: offset, length. SECTION, INVERTED: index after its END. END: of its section */
};
struct program {
    struct node *nodes;
    size_t n, cap;
    struct buf text;
};
struct template {
    char *name;
    bool html;
    struct program in[LANG_COUNT];
};

struct page_set {
    bool strict;
    struct catalogue catalogue;
    struct template *templates;          /* sorted by name */
    size_t ntemplates;
    struct page_asset *assets;           /* sorted by path */
    size_t nassets;
    char assets_base[32];
    struct arena *pool;                  /* names that programs point to */
};

/* Compiles files[i] into t for one language; includes are looked up among files. */
struct compile_env {
    const struct page_file *files;
    size_t nfiles;
    struct page_set *set;
};
MUST_USE enum err program_compile(const struct compile_env *env, const struct page_file *file, enum lang lang,
                                  struct program *ret, struct why *why);
void program_done(struct program *p);

/* --- themes ------------------------------------------------------------------------------------------------- */
/* base: beffroi.css. ERR_INPUT: a colour cannot be read on what it lies over, or is not written #rrggbb. */
MUST_USE enum err theme_check(const struct page_asset *base, const struct page_asset *theme, struct why *why);

/* --- escaping ------------------------------------------------------------------------------------------------ */
void esc_write(struct buf *out, enum esc esc, struct str s);
void url_part_escape(struct buf *out, struct str s);
bool url_is_safe(struct str s);
/* « 21 novembre 2026 à 22 h 14 » */
void moment_write(struct buf *out, utime at, const char *zone, bool with_hour, enum lang lang);

#endif
