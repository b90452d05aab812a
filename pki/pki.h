/*
 * pki: what every process and command of the authority can reach: settings, profiles, key rings. Made once at the start,
 * read-only afterwards. Keys of CAs are not here: they live in the signer alone, while it is unlocked (pki/signer).
 */
#ifndef PKI_PKI_H
#define PKI_PKI_H

#include "base/core/conf.h"
#include "base/core/secret.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"
#include "base/http/server.h"
#include "base/pg/pg.h"
#include "base/program/program.h"
#include "pki/profile/profile.h"
#include "pki/request/key_quality.h"

/* Settings; the table is in pki/conf.c. Durations in microseconds. */
struct pki_conf {
    int environment;                     /* enum environment */
    char *base_url;                      /* of status: where certificates say that lists and answers are; http */
    char *name;                          /* of this process in table node */
    char *migrations;                    /* folder */
    char *profiles;                      /* folder */
    char *weak_keys;                     /* file or folder of known weak keys; may be empty */
    char *database;                      /* conninfo of this process */
    char *database_worker;               /* of the signer's timers, role pki_worker */
    char *database_owner;                /* for migrate and the operator's commands; may be empty */
    char *keys;                          /* folder: audit.pem, field/, csrf.key */
    char *clock_file;                    /* demo and test only */
    char *signer_socket;
    struct conf_list signer_issuers;     /* users who may ask to issue, and for lists */
    char *signer_custodians;             /* group whose members may unlock and lock */
    int64_t signer_threads;
    int64_t unlock_collect, unlock_idle;
    char *signer_published;              /* folder with the lists that are offered; may be empty */
    struct conf_list front_listen;
    char *front_url;
    char *front_tls_cert, *front_tls_key, *front_client_ca;
    int64_t front_issue_threads;
    int64_t front_rate_read, front_rate_issue, front_rate_revoke;    /* an hour; 0: no limit */
    struct conf_list status_listen;
    struct conf_list trusted_proxies;
    char *status_folder;                 /* lists and answers kept as files */
    int64_t status_keep;                 /* how long others may keep a list */
    int64_t ocsp_stale_max, ocsp_life, ocsp_retention;
    int64_t ocsp_cache;                  /* MiB */
    int ocsp_never_issued;               /* enum ocsp_never_issued */
    int64_t threads;
    char *mail_smtp_url, *mail_smtp_ca, *mail_from;
    struct conf_list alarm_mail, expiry_mail;
    int64_t expiry_first, expiry_last;
};

struct pki {
    struct pki_conf conf;
    struct profile_set profiles;
    struct key_blocklist *weak_keys;     /* NULL: none configured */
    struct key *audit_key;               /* Ed25519: checkpoints of the audit trail */
    struct keyring *field;               /* sealed columns: names in registrations */
    struct secret csrf_key;              /* 32 bytes; base/http wants one of every server */
};

/* What a process or command loads besides its settings; bits. */
enum pki_need {
    PKI_NEED_PROFILES = 1,               /* and the known weak keys */
    PKI_NEED_AUDIT = 2,                  /* signer, `audit verify` */
    PKI_NEED_FIELD = 4,                  /* signer, front, commands on requests */
    PKI_NEED_HTTP = 8                    /* front, status */
};
#define PKI_NEED_SIGNER (PKI_NEED_PROFILES | PKI_NEED_AUDIT | PKI_NEED_FIELD)
#define PKI_NEED_FRONT (PKI_NEED_PROFILES | PKI_NEED_FIELD | PKI_NEED_HTTP)
#define PKI_NEED_STATUS (PKI_NEED_PROFILES | PKI_NEED_HTTP)

/* ERR_INPUT and the like: why names the setting, the profile or the file. */
MUST_USE enum err pki_load(const char *config_path, unsigned need, struct pki **ret, struct why *why);
void pki_free(struct pki *pki);
DEFINE_FREEP(struct pki, pki_free)

extern const struct conf_item pki_conf_items[];
extern const size_t pki_conf_nitems;
/* The key folder (pki/keys.c); need: bits of enum pki_need. */
extern const struct keyfile pki_key_files[];
extern const size_t pki_key_nfiles;
extern const struct program_process pki_processes[];
extern const size_t pki_nprocesses;

#define PKI_SCHEMA "pki"
#define PKI_SCHEMA_MIN 4
#define PKI_SCHEMA_MAX 4

#endif
