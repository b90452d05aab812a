/*
 * ceremony-internal: a ceremony while it runs, shared by the files of this room.
 *
 * script.c has the tables of steps and runs them; attend.c who is there; shares.c the activation secret; certify.c keys,
 * certificates and lists; record.c the record; import.c the database.
 */
#ifndef PKI_CEREMONY_CEREMONY_INTERNAL_H
#define PKI_CEREMONY_CEREMONY_INTERNAL_H

#include "base/core/arena.h"
#include "base/crypto/key.h"
#include "pki/ceremony/ceremony.h"
#include "pki/ceremony/register.h"
#include "pki/custody/vault.h"
#include "pki/encode/parts.h"
#include "pki/profile/profile.h"

#define PARTICIPANTS_MAX SHAMIR_TOTAL_MAX
#define WITNESSES_MAX 8
#define MADE_MAX 64
#define PATH_MAX_LEN 1024

struct words {
    const char *fr, *en;
};

struct participant {
    struct register_person *person;      /* in the register, which owns it */
    bool fresh;                          /* made in this ceremony */
    struct key *key;                     /* for the record */
};

struct witness {
    const char *label;
    bool external;
};

struct ceremony {
    const struct ceremony_config *conf;
    struct ask *ask;
    struct arena *arena;
    char id[37];
    utime started;
    struct buf record;
    size_t next;                         /* step */

    struct root_register *reg;
    struct participant participants[PARTICIPANTS_MAX];
    struct witness witnesses[WITNESSES_MAX];
    size_t nparticipants, nwitnesses;

    struct secret secret;                /* of the set in hand, while it is open */
    char set[37];
    bool new_set;
    const char *share_files[SHAMIR_TOTAL_MAX];   /* of a new set, by number - 1; NULL: an old set */
    int threshold, total;
    struct secret root_secret;           /* of the root, while it is open */

    char label[CA_LABEL_SIZE];           /* the CA in hand */
    int generation;
    char root_label[CA_LABEL_SIZE];      /* the root that signs */
    struct key *key;                     /* of the CA in hand */
    struct key *root_key;
    const char *key_uri;                 /* of the CA in hand */

    const char *made[MADE_MAX];          /* files, removed when the ceremony fails */
    size_t nmade;
    bool kept;                           /* the ceremony is over: what was made stays */
};

/* --- script.c: talk --- */
const char *say(const struct ceremony *c, struct words w);
void tell(struct ceremony *c, struct words w);
/* Question NAME, or OWNER.NAME when owner is given. */
MUST_USE enum err ask_for(struct ceremony *c, const char *owner, const char *name, struct words prompt,
                          const char *fallback, struct buf *ret, struct why *why);
MUST_USE enum err ask_secret(struct ceremony *c, const char *owner, const char *name, struct words prompt, bool twice,
                             struct secret *ret, struct why *why);
/* After a mistake of those present: on a terminal they are told why, and it is asked again until they break off (^C). false:
 * it is the end, because answers were prepared, somebody broke off, or the shares do not belong together. */
bool try_again(struct ceremony *c, struct why *why);
/* ERR_DENIED (code "ceremony.no") unless the answer is yes. */
MUST_USE enum err ask_agreed(struct ceremony *c, const char *name, struct words prompt, struct why *why);
utime now_of(const struct ceremony *c);
/* A path below the medium, in the ceremony's arena. */
const char *path_in(struct ceremony *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* --- certify.c, before the first step --- */
/* Is the profile of the certificate that will be made good? A mistake in it costs nothing here. */
MUST_USE enum err certify_check(const struct ceremony *c, struct why *why);

/* --- import.c --- */
/* Roles as the database has them now, and the persons it knows beside those of the register. */
MUST_USE enum err persons_from_database(struct ceremony *c, struct why *why);

/* --- record.c --- */
void record_begin(struct ceremony *c);
void record_line(struct ceremony *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* "made NAME sha256 HEX" */
void record_made(struct ceremony *c, const char *name, struct str octets);
/* A new file, mode 0400, whole or not at all; it is remembered and recorded under its last name. ERR_CONFLICT: it exists. */
MUST_USE enum err file_make(struct ceremony *c, const char *path, struct str content, struct why *why);
/* Over an older one of that name. */
MUST_USE enum err file_replace(const char *path, struct str content, struct why *why);
MUST_USE enum err file_read(const char *path, size_t max, struct buf *ret, struct why *why);
/* Signs and writes the record. */
MUST_USE enum err record_close(struct ceremony *c, struct why *why);

/* --- steps --- */
typedef enum err (*step_fn)(struct ceremony *c, struct why *why);
MUST_USE enum err step_attend(struct ceremony *c, struct why *why);
MUST_USE enum err step_keys(struct ceremony *c, struct why *why);
MUST_USE enum err step_machine(struct ceremony *c, struct why *why);
MUST_USE enum err step_secret(struct ceremony *c, struct why *why);
MUST_USE enum err step_rehearse(struct ceremony *c, struct why *why);
MUST_USE enum err step_open_root(struct ceremony *c, struct why *why);
MUST_USE enum err step_open_ca(struct ceremony *c, struct why *why);
MUST_USE enum err step_key(struct ceremony *c, struct why *why);
MUST_USE enum err step_certificate(struct ceremony *c, struct why *why);
MUST_USE enum err step_cross(struct ceremony *c, struct why *why);
MUST_USE enum err step_revoke(struct ceremony *c, struct why *why);
MUST_USE enum err step_list(struct ceremony *c, struct why *why);
MUST_USE enum err step_destroy(struct ceremony *c, struct why *why);
MUST_USE enum err step_lock(struct ceremony *c, struct why *why);
MUST_USE enum err step_close(struct ceremony *c, struct why *why);

/* Runs step number index, which must be the next one: ERR_CONFLICT, code "ceremony.order". */
MUST_USE enum err ceremony_step(struct ceremony *c, size_t index, struct why *why);
size_t ceremony_steps(enum ceremony_kind kind);
struct ceremony *ceremony_new(const struct ceremony_config *conf) MUST_USE;
void ceremony_free(struct ceremony *c);          /* wipes; removes what was made unless it is kept */
DEFINE_FREEP(struct ceremony, ceremony_free)
/* Reads the register, finds the CA in hand. */
MUST_USE enum err ceremony_prepare(struct ceremony *c, struct why *why);

struct participant *participant_find(struct ceremony *c, const char *name);
/* "root-g2" to "root" and 2. */
MUST_USE enum err label_split(const char *label, char ret_name[CA_NAME_MAX + 1], int *ret_generation);

#endif
