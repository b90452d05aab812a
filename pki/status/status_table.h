/*
 * status_table: the status of every certificate that was issued, in memory: what answers when the database is away.
 *
 * (authority, serial number) to status, in open addressing, 24 octets a slot; a million certificates take less than 40 MiB.
 * The table has parts with a lock each: one writer and any number of readers, who wait for each other only within a part and
 * only while one slot is written or one part (1/64 of the whole) grows. Serial numbers are random (certificate.h), so they are
 * their own hash: who asks cannot choose what is stored.
 */
#ifndef PKI_STATUS_STATUS_TABLE_H
#define PKI_STATUS_STATUS_TABLE_H

#include "pki/encode/certificate.h"

enum status_kind { STATUS_GOOD, STATUS_HELD, STATUS_REVOKED };

struct status {
    enum status_kind kind;
    int reason;                    /* as relying parties may see it, 0: none; of STATUS_REVOKED */
    utime revoked_at;              /* whole seconds from 1970 to 2106; not of STATUS_GOOD */
};

struct status_table;
struct status_table *status_table_new(size_t expected) MUST_USE;
void status_table_free(struct status_table *t);
DEFINE_FREEP(struct status_table, status_table_free)

/* ca: 1 to STATUS_CA_MAX, what the caller numbers its authorities by. serial: SERIAL_LEN octets. Puts it or replaces it. Only
 * certificates that were issued belong here: reserved and void ones are as if they were not. */
#define STATUS_CA_MAX 255
void status_table_put(struct status_table *t, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status);
/* serial: any octets, without leading zeros. false: not one of ours. */
bool status_table_find(struct status_table *t, int ca, struct str serial, struct status *ret);

/* Each certificate, in no order. */
typedef void (*status_each)(void *arg, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status);
void status_table_each(struct status_table *t, status_each each, void *arg);

size_t status_table_count(struct status_table *t);
size_t status_table_bytes(struct status_table *t);       /* memory taken */

#endif
