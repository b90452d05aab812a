/* wire_write: typed messages into JSON. Members stand in the order of the header. */
#include "mairie-connector/wire/wire.h"

#include <jansson.h>
#include <stdlib.h>

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

void
wire_write_create(struct buf *out, const struct wire_create *m)
{
    emit(out, json_pack("{s:s, s:s, s:s, s:o, s:b}", "type", m->type, "handle", m->handle, "lang", m->lang,
                        "authorisations", authz_json(&m->authz), "sensitive", m->sensitive));
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
    emit(out, json_pack("{s:s, s:b}", "what", m->what, "sensitive", m->sensitive));
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
    emit(out, json_pack("{s:s, s:s, s:s, s:o, s:b, s:b, s:b, s:o, s:s*}", "handle", m->handle, "type", m->type,
                        "state", m->state, "state_since", time_json(m->state_since), "final", m->final, "contested",
                        m->contested, "acked", m->acked, "authorisations", authz_json(&m->authz), "sealed",
                        m->sealed));
}

void
wire_write_codes(struct buf *out, const struct wire_codes *m)
{
    json_t *root = json_pack("{s:s*, s:s, s:s*}", "creation", m->creation, "revocation", m->revocation, "sheet",
                             m->sheet);

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
