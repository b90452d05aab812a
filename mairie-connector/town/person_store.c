/*
 * person_store: the table person. Names are sealed; what finds them again are keyed hashes of the trigrams of their
 * folded form, 64 bits each: two persons with the same trigram share a hash and nothing more can be read (T-09).
 */
#include "mairie-connector/town/person.h"

#include "base/core/text.h"

enum { S_ADD };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "person.add",
        "INSERT INTO person (id, birth_name, usual_name, given_names, tokens) VALUES ($1, $2, $3, $4, $5::int8[])", 5 },
};
const struct pg_stmts person_stmts = PG_STMTS(stmts);

/* --- folding and tokens ------------------------------------------------------------------------------------------------ */

static void
words_only(struct buf *out, struct str s)
{
    bool gap = true;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool letter = c >= 0x80 || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (letter)
            buf_addc(out, (char)c);
        else if (!gap)
            buf_addc(out, ' ');
        gap = !letter;
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        buf_truncate(out, out->len - 1);
}

/* "d'Ô" → "D O"; a name in a script that ASCII cannot hold is case-folded as it is. */
const char *
person_fold(const char *name, struct arena *a)
{
    AUTO(buf_free) struct buf ascii = BUF_SECRET(4096);
    AUTO(buf_free) struct buf words = BUF_SECRET(4096);

    if (name == NULL)
        return "";
    if (text_ascii_upper(str_of(name), &ascii) != OK || memchr(buf_cstr(&ascii), '?', ascii.len) != NULL) {
        buf_reset(&ascii);
        if (text_nfkc_fold(str_of(name), &ascii) != OK)
            return "";
    }
    words_only(&words, buf_view(&ascii));
    return arena_strdup(a, buf_cstr(&words));
}

static bool
token_add(const struct mairie *m, struct str trigram, struct person_tokens *t)
{
    unsigned char mac[MAC_LEN];
    int64_t token = 0;

    if (mac_compute(m->pepper, keyring_oldest(m->pepper), "person.trigram", trigram, mac) != OK)
        return false;
    for (int i = 0; i < 8; i++)
        token = (int64_t)((uint64_t)token << 8 | mac[i]);
    for (size_t i = 0; i < t->n; i++) {
        if (t->list[i] == token)
            return true;
    }
    if (t->n < PERSON_TOKENS_MAX)
        t->list[t->n++] = token;
    return true;
}

/* Trigrams of bytes of each word with a space before it: " DU", "DUP", "UPO", …; a one-letter word gives " D". */
bool
person_tokens_of(const struct mairie *m, const char *folded, struct person_tokens *t)
{
    struct str rest = str_of(folded);

    while (rest.p != NULL) {
        struct str word = str_split(rest, ' ', &rest);
        char padded[512];

        if (word.n == 0)
            continue;
        if (word.n > sizeof(padded) - 1)
            word.n = sizeof(padded) - 1;
        padded[0] = ' ';
        memcpy(padded + 1, word.p, word.n);
        for (size_t i = 0; i == 0 || i + 3 <= word.n + 1; i++) {
            size_t n = word.n + 1 - i < 3 ? word.n + 1 - i : 3;

            if (!token_add(m, (struct str){ padded + i, n }, t))
                return false;
        }
    }
    return true;
}

/* --- the row ------------------------------------------------------------------------------------------------------------- */

static enum err
name_seal(const struct mairie *m, const char *place, const char *id, const char *name, struct buf *out)
{
    return name == NULL ? OK : column_seal(m->field, place, id, str_of(name), out);
}

static void
arg_sealed(struct pg_args *args, const struct buf *b)
{
    if (b->len == 0)
        pg_arg_null(args);
    else
        pg_arg_buf(args, b);
}

enum err
person_add(struct pg *pg, const struct mairie *m, const char *id, const struct person_names *in, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(64 * 1024);
    AUTO(buf_free) struct buf birth = BUF_BOUNDED(4096);
    AUTO(buf_free) struct buf usual = BUF_BOUNDED(4096);
    AUTO(buf_free) struct buf given = BUF_BOUNDED(4096);
    struct person_tokens t = { .n = 0 };
    struct pg_args args = PG_ARGS_INIT;

    if (name_seal(m, "person.birth_name", id, in->birth, &birth) != OK ||
        name_seal(m, "person.usual_name", id, in->usual, &usual) != OK ||
        name_seal(m, "person.given_names", id, in->given, &given) != OK ||
        !person_tokens_of(m, person_fold(in->birth, a), &t) || !person_tokens_of(m, person_fold(in->usual, a), &t) ||
        !person_tokens_of(m, person_fold(in->given, a), &t))
        return why_set(why, ERR_INTERNAL, "names cannot be sealed");
    pg_arg_uuid(&args, id);
    pg_arg_buf(&args, &birth);
    arg_sealed(&args, &usual);
    arg_sealed(&args, &given);
    pg_arg_i64s(&args, t.list, t.n);
    return pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
}

static enum err
name_open(const struct mairie *m, const char *place, const char *id, const struct pg_result *r, int row, int col,
          struct arena *a, const char **ret, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(4096);
    enum err e;

    *ret = NULL;
    if (pg_is_null(r, row, col))
        return OK;
    if ((e = column_open(m->field, place, id, pg_str(r, row, col), &plain, why)) != OK)
        return why_set(why, ERR_INTERNAL, "%s of %s cannot be opened", place, id);
    *ret = arena_strdup(a, buf_cstr(&plain));
    return OK;
}

enum err
person_open(const struct mairie *m, const struct pg_result *r, int row, int col, struct arena *a,
            struct person_names *ret, struct why *why)
{
    char id[37];
    enum err e;

    pg_uuid(r, row, col, id);
    if ((e = name_open(m, "person.birth_name", id, r, row, col + 1, a, &ret->birth, why)) != OK ||
        (e = name_open(m, "person.usual_name", id, r, row, col + 2, a, &ret->usual, why)) != OK)
        return e;
    return name_open(m, "person.given_names", id, r, row, col + 3, a, &ret->given, why);
}

const char *
person_surname(const struct person_names *n)
{
    return n->usual != NULL ? n->usual : n->birth;
}

const char *
person_shown(const struct person_names *n, struct arena *a)
{
    const char *given = n->given != NULL ? n->given : "", *gap = n->given != NULL ? " " : "";

    if (n->usual != NULL)
        return arena_printf(a, "%s%s%s (%s)", given, gap, n->usual, n->birth);
    return arena_printf(a, "%s%s%s", given, gap, n->birth);
}

/* --- comparing ------------------------------------------------------------------------------------------------------------- */

static bool
first_word_equal(const char *x, const char *y)
{
    size_t nx = strcspn(x, " "), ny = strcspn(y, " ");

    return nx == ny && memcmp(x, y, nx) == 0;
}

bool
person_alike(const struct person_names *x, const struct person_names *y, struct arena *a)
{
    const char *xn[2] = { person_fold(x->birth, a), person_fold(x->usual, a) };
    const char *yn[2] = { person_fold(y->birth, a), person_fold(y->usual, a) };
    bool same = false;

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++)
            same = same || (xn[i][0] != '\0' && strcmp(xn[i], yn[k]) == 0);
    }
    return same && first_word_equal(person_fold(x->given, a), person_fold(y->given, a));
}

bool
person_has_words(const struct person_names *n, const char *folded_query, struct arena *a)
{
    const char *all = arena_printf(a, " %s %s %s", person_fold(n->birth, a), person_fold(n->usual, a),
                                   person_fold(n->given, a));
    struct str rest = str_of(folded_query);

    while (rest.p != NULL) {
        struct str word = str_split(rest, ' ', &rest);
        const char *needle = arena_printf(a, " %.*s", (int)word.n, word.p);

        if (word.n > 0 && strstr(all, needle) == NULL)
            return false;
    }
    return true;
}
