/* wire_write: typed messages into JSON. Members stand in the order of the header. */
#include "mairie-connector/wire/wire.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/secret.h"

static json_t *
time_json(utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(t, text);
    return json_string(text);
}

static json_t *
authz_json(const struct wire_authz_list *l)
{
    json_t *list = json_array();

    for (size_t i = 0; i < l->n; i++) {
        json_t *item = json_pack("{s:s}", "code", l->items[i].code);

        if (l->items[i].until != WIRE_UTIME_NONE)
            json_object_set_new(item, "until", time_json(l->items[i].until));
        json_array_append_new(list, item);
    }
    return list;
}

/* Takes the object over. The text may hold codes: wiped before it is released. */
static void
emit(struct buf *out, json_t *root)
{
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);

    CHECK(text != NULL);
    buf_adds(out, text);
    mem_wipe(text, strlen(text));
    free(text);
    json_decref(root);
}

/* NULL: no member. */
static json_t *
names_json(const struct wire_names *n)
{
    return n == NULL ? NULL : json_pack("{s:s*, s:s}", "given_name", n->given_name, "surname", n->surname);
}

static json_t *
lines_json(const struct wire_lines *l)
{
    json_t *list = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(list, json_string(l->items[i]));
    return list;
}

static json_t *
card_json(const struct wire_card *c)
{
    return c == NULL ? NULL : json_pack("{s:s*, s:s, s:o}", "given_name", c->given_name, "surname", c->surname, "address",
                                        lines_json(&c->address));
}

static json_t *
der_json(struct str der)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(WIRE_BODY_MAX);

    if (der.p == NULL)
        return NULL;
    base64_encode(&text, der.p, der.n);
    CHECK(buf_ok(&text));
    return json_string(buf_cstr(&text));
}

static json_t *
override_json(const struct wire_override *o)
{
    return o == NULL ? NULL : json_pack("{s:s, s:s}", "reason", o->reason, "second", o->second);
}

void
wire_write_create(struct buf *out, const struct wire_create *m)
{
    emit(out, json_pack("{s:s, s:s, s:s, s:o, s:b, s:s*, s:o*, s:o*}", "type", m->type, "handle", m->handle, "lang",
                        m->lang, "authorisations", authz_json(&m->authz), "sensitive", m->sensitive, "profile",
                        m->profile, "names", names_json(m->names), "card", card_json(m->card)));
}

void
wire_write_names(struct buf *out, const struct wire_names *m)
{
    emit(out, names_json(m));
}

void
wire_write_card_record(struct buf *out, const struct wire_card_record *m)
{
    size_t from = out->len;

    emit(out, json_pack("{s:s, s:s*, s:o, s:s, s:s, s:s}", "surname", m->surname, "given_name", m->given_name, "address",
                        lines_json(&m->address), "number", m->number, "reactivation_pin", m->reactivation_pin,
                        "revocation", m->revocation));
    while ((out->len - from) % WIRE_CARD_BLOCK != 0 && buf_ok(out))
        buf_addc(out, ' ');
}

void
wire_write_activate(struct buf *out, const struct wire_activate *m)
{
    emit(out, json_pack("{s:o*, s:o*, s:s*}", "certificate", der_json(m->certificate), "override",
                        override_json(m->override), "record", m->record));
}

void
wire_write_reactivate(struct buf *out, const struct wire_reactivate *m)
{
    json_t *lost = m->pin_lost == NULL ? NULL : json_pack("{s:s}", "second", m->pin_lost->second);

    emit(out, json_pack("{s:s, s:s*, s:o*, s:o*, s:o*, s:s*}", "otp", m->otp, "pin", m->pin, "pin_lost", lost,
                        "certificate", der_json(m->certificate), "override", override_json(m->override), "record",
                        m->record));
}

void
wire_write_authz(struct buf *out, const struct wire_authz_list *m)
{
    emit(out, json_pack("{s:o}", "authorisations", authz_json(m)));
}

void
wire_write_labels(struct buf *out, const struct wire_labels *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "code", m->items[i].code, "label_fr",
                                              m->items[i].label_fr, "label_en", m->items[i].label_en));
    emit(out, json_pack("{s:o}", "authorisations", list));
}

void
wire_write_reissue(struct buf *out, const struct wire_reissue *m)
{
    emit(out, json_pack("{s:s, s:b, s:o*, s:o*}", "what", m->what, "sensitive", m->sensitive, "names", names_json(m->names),
                        "card", card_json(m->card)));
}

void
wire_write_reason(struct buf *out, const struct wire_reason *m)
{
    emit(out, json_pack("{s:s}", "reason", m->reason));
}

void
wire_write_block(struct buf *out, const struct wire_block *m)
{
    emit(out, json_pack("{s:s}", "code", m->code));
}

void
wire_write_account(struct buf *out, const struct wire_account *m)
{
    emit(out, json_pack("{s:s, s:s, s:s*, s:s, s:o, s:b, s:b, s:b, s:o, s:s*}", "handle", m->handle, "type", m->type,
                        "number", m->number, "state", m->state, "state_since", time_json(m->state_since), "final", m->final, "contested",
                        m->contested, "acked", m->acked, "authorisations", authz_json(&m->authz), "sealed",
                        m->sealed));
}

void
wire_write_codes(struct buf *out, const struct wire_codes *m)
{
    json_t *root = json_pack("{s:s*, s:s, s:s*, s:s*, s:s*}", "creation", m->creation, "revocation", m->revocation, "sheet",
                             m->sheet, "reactivation_otp", m->reactivation_otp, "reactivation_pin", m->reactivation_pin);

    if (root != NULL && m->creation_until != WIRE_UTIME_NONE)
        json_object_set_new(root, "creation_until", time_json(m->creation_until));
    emit(out, root);
}

void
wire_write_blocked(struct buf *out, const struct wire_blocked *m)
{
    emit(out, json_pack("{s:s, s:s, s:s, s:o, s:b}", "handle", m->handle, "state", m->state, "receipt", m->receipt,
                        "at", time_json(m->at), "already", m->already));
}

void
wire_write_changes(struct buf *out, const struct wire_changes *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o}", "cursor", m->items[i].cursor, "handle",
                                              m->items[i].handle, "what", m->items[i].what, "state",
                                              m->items[i].state, "at", time_json(m->items[i].at)));
    emit(out, json_pack("{s:o, s:s}", "changes", list, "next", m->next));
}
