/*
 * state: what the table knows of certificates, and how it follows the database.
 *
 * First all of them, page by page, beginning at a snapshot of the database's transactions; then, each time, those that changed
 * in a transaction which was not over at the snapshot before. Nothing is missed, however long a transaction was open, and
 * nothing is read twice. The truth is always the certificate's row, not the change. After the connection was lost all are read
 * again: what is back may be an older copy.
 *
 * A change is written to the journal, synced, and then told. Revoked stays revoked: a database that says otherwise was
 * restored from an older copy or edited, and is not believed.
 */
#include <stdio.h>

#include "base/core/log.h"
#include "pki/status/status-internal.h"

#define HEARTBEAT (30 * USEC_PER_SEC)    /* the journal says at least so often that it is the truth */
#define WRITE_AGAIN (60 * USEC_PER_SEC)

void
states_load(struct status_process *s)
{
    struct why why = WHY_INIT;
    utime known_at = 0;
    const enum err e = journal_load(s->journal, s->table, &known_at, &why);

    if (e == OK) {
        atomic_store(&s->known_at, known_at);
        LOG_INFO_EV("status.states", LF_STR("from", "folder"), LF_INT("certificates", status_table_count(s->table)),
                    LF_INT("age", (clock_now() - known_at) / USEC_PER_SEC));
    } else if (e != ERR_NOT_FOUND) {
        LOG_ERROR_EV("status.states", LF_ERR(e), LF_WHY(&why));
    }
}

/* As relying parties may see it. */
static struct status
status_of(const struct status_process *s, const struct state_row *row)
{
    const struct profile *p;

    if (row->revoked_at == UTIME_NULL)
        return (struct status){ STATUS_GOOD, 0, 0 };
    if (row->reason == CRL_HOLD)
        return (struct status){ STATUS_HELD, 0, row->revoked_at };
    p = profile_set_find(&s->pki->profiles, str_of(row->profile));
    return (struct status){ STATUS_REVOKED, p != NULL && p->crl_reasons ? row->reason : 0, row->revoked_at };
}

static bool
same(const struct status *a, const struct status *b)
{
    return a->kind == b->kind && a->reason == b->reason && a->revoked_at / USEC_PER_SEC == b->revoked_at / USEC_PER_SEC;
}

/* Is it ours, and another status than the table has? say: what is not believed. */
static bool
row_is_news(struct status_process *s, const struct state_row *row, bool say, struct status *ret)
{
    struct status before;

    if (row->serial.n != SERIAL_LEN || authority_by_id(s, row->ca_id) == NULL)
        return false;
    *ret = status_of(s, row);
    if (!status_table_find(s->table, row->ca_id, row->serial, &before))
        return true;
    if (before.kind == STATUS_REVOKED && ret->kind != STATUS_REVOKED) {
        if (say)
            LOG_ERROR_EV("status.went_back", LF_INT("ca", row->ca_id), LF_STR("why", "the database no longer says revoked"));
        return false;
    }
    return !same(&before, ret);
}

/* Into the journal, or into the table, which is read by who answers. */
static void
rows_put(struct status_process *s, const struct pg_result *r, bool journal)
{
    for (int i = 0; i < pg_rows(r); i++) {
        struct state_row row;
        struct status status;
        unsigned char serial[SERIAL_LEN];

        if (!state_store_row(r, i, &row) || !row_is_news(s, &row, journal, &status))
            continue;
        memcpy(serial, row.serial.p, SERIAL_LEN);
        if (journal)
            journal_add(s->journal, row.ca_id, serial, &status);
        else
            status_table_put(s->table, row.ca_id, serial, &status);
    }
}

/* What is news, on the disk first. known_at: until when all is the truth then. */
static void
rows_take(struct status_process *s, const struct pg_result *r, utime known_at)
{
    struct why why = WHY_INIT;
    enum err e;

    rows_put(s, r, true);
    if (journal_pending(s->journal) > 0 || clock_monotonic() >= s->beat_at) {
        if ((e = journal_append(s->journal, known_at, &why)) != OK && e != ERR_NOT_FOUND)
            LOG_ERROR_EV("status.journal", LF_ERR(e), LF_WHY(&why));
        s->beat_at = clock_monotonic() + HEARTBEAT;
    }
    rows_put(s, r, false);
}

/* The file anew; without one we go on, and a start without the database has nothing to say. */
static void
journal_renew(struct status_process *s, utime known_at)
{
    struct why why = WHY_INIT;
    enum err e;

    if (!journal_is_due(s->journal, s->table) || clock_monotonic() < s->write_again)
        return;
    if ((e = journal_write(s->journal, s->table, known_at, &why)) != OK) {
        s->write_again = clock_monotonic() + WRITE_AGAIN;
        LOG_ERROR_EV("status.journal", LF_ERR(e), LF_WHY(&why));
    }
    s->beat_at = clock_monotonic() + HEARTBEAT;
}

static enum err
load_all(struct status_process *s, struct pg *pg, struct why *why)
{
    const utime known_at = atomic_load(&s->known_at);                /* not more before all of it is here */
    unsigned char serial[SERIAL_LEN] = { 0 };
    int ca = 0, rows = STATE_PAGE;
    enum err e;

    if ((e = state_store_snapshot(pg, s->next_snapshot, sizeof(s->next_snapshot), why)) != OK)
        return e;
    while (rows == STATE_PAGE && !atomic_load(&s->stop)) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        struct state_row last;

        if ((e = state_store_page(pg, ca, (struct str){ (const char *)serial, ca == 0 ? 0 : SERIAL_LEN }, &r, why)) != OK)
            return e;
        rows_take(s, r, known_at);
        if ((rows = pg_rows(r)) > 0) {
            (void)state_store_row(r, rows - 1, &last);
            ca = last.ca_id;
            memcpy(serial, last.serial.p, SERIAL_LEN);
        }
    }
    LOG_INFO_EV("status.states", LF_STR("from", "database"), LF_INT("certificates", status_table_count(s->table)),
                LF_INT("octets", status_table_bytes(s->table)));
    s->beat_at = 0;
    return OK;
}

static enum err
changes_read(struct status_process *s, struct pg *pg, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    bool back = false;
    enum err e;

    if ((e = state_store_changes(pg, s->snapshot, &r, s->next_snapshot, sizeof(s->next_snapshot), &back, why)) != OK)
        return e;
    if (back) {
        LOG_ERROR_EV("status.went_back", LF_STR("why", "the database is older than it was: all certificates are read again"));
        return load_all(s, pg, why);
    }
    rows_take(s, r, now);
    return OK;
}

void
states_forget(struct status_process *s)
{
    s->snapshot[0] = '\0';
}

/* now: read before the database was asked. */
enum err
states_follow(struct status_process *s, struct pg *pg, utime now, struct why *why)
{
    const bool all = s->snapshot[0] == '\0';
    const enum err e = all ? load_all(s, pg, why) : changes_read(s, pg, now, why);

    if (e != OK)
        states_forget(s);
    if (e != OK || (all && atomic_load(&s->stop)))                   /* it may have stopped half-way */
        return e;
    memcpy(s->snapshot, s->next_snapshot, sizeof(s->snapshot));
    atomic_store(&s->known_at, now);
    journal_renew(s, now);
    return OK;
}

void
states_end(struct status_process *s)
{
    struct why why = WHY_INIT;
    enum err e;

    if (s->snapshot[0] == '\0')
        return;
    if ((e = journal_append(s->journal, atomic_load(&s->known_at), &why)) != OK && e != ERR_NOT_FOUND)
        LOG_ERROR_EV("status.journal", LF_ERR(e), LF_WHY(&why));
}
