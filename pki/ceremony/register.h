/*
 * register: what the root's own medium knows, in one text file beside the root's key: persons, shares, authorities, the
 * certificates that the root signed and its lists. A ceremony needs no database.
 *
 *     beffroi-pki root register 1
 *     person ID NAME KEY ROLES CEREMONY LABEL
 *     share SET NUMBER THRESHOLD TOTAL PERSON SHA256
 *     ca LABEL SET CEREMONY STATE KEY-URI
 *     certificate ISSUER SERIAL LABEL SHA256 UNTIL STATE AT REASON
 *     list LABEL NUMBER
 *
 * Written whole and put in place by rename; nothing in it is secret.
 */
#ifndef PKI_CEREMONY_REGISTER_H
#define PKI_CEREMONY_REGISTER_H

#include "base/core/arena.h"
#include "base/core/clock.h"
#include "pki/authority/ca.h"
#include "pki/custody/role.h"

#define REGISTER_PERSONS_MAX 64
#define REGISTER_SHARES_MAX 256
#define REGISTER_CAS_MAX 64
#define REGISTER_CERTIFICATES_MAX 256

struct register_person {
    char id[37], name[PERSON_NAME_MAX + 1], ceremony[37];
    const char *label;
    struct str public_key;
    role_set roles;                 /* declared in that ceremony */
    role_set roles_now;             /* not written: what the database says, or the same */
};
struct register_share {
    struct share_info info;
    unsigned char sha256[SHA256_LEN];
};
struct register_ca {
    char label[CA_LABEL_SIZE], set[37], ceremony[37];
    enum ca_state state;
    const char *key_uri;
};
struct register_certificate {
    char issuer[CA_LABEL_SIZE], label[CA_LABEL_SIZE];
    char serial[41];                /* hexadecimal */
    unsigned char sha256[SHA256_LEN];
    utime not_after;
    bool revoked;
    utime at;                       /* revoked */
    int reason;                     /* RFC 5280 §5.3.1 */
};
struct register_list {
    char label[CA_LABEL_SIZE];
    int64_t number;                 /* last one given */
};

struct root_register {
    struct arena *arena;            /* owned */
    struct register_person persons[REGISTER_PERSONS_MAX];
    struct register_share shares[REGISTER_SHARES_MAX];
    struct register_ca cas[REGISTER_CAS_MAX];
    struct register_certificate certificates[REGISTER_CERTIFICATES_MAX];
    struct register_list lists[REGISTER_CAS_MAX];
    size_t npersons, nshares, ncas, ncertificates, nlists;
};

struct root_register *root_register_new(void) MUST_USE;
void root_register_free(struct root_register *r);
DEFINE_FREEP(struct root_register, root_register_free)

/* ERR_NOT_FOUND: there is none; ERR_INPUT: damaged, with its line. */
MUST_USE enum err root_register_load(const char *path, struct root_register **ret, struct why *why);
MUST_USE enum err root_register_save(const struct root_register *r, const char *path, struct why *why);

/* NULL: none. */
struct register_person *register_person_find(struct root_register *r, const char *name);
struct register_ca *register_ca_find(struct root_register *r, const char *label);
struct register_certificate *register_certificate_find(struct root_register *r, const char *label);
/* The newest generation of that name in the register; 0: none. */
int register_generation(const struct root_register *r, const char *name);
/* Number of the next list of that root. */
int64_t register_list_next(struct root_register *r, const char *label);

#endif
