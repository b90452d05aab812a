/*
 * keyfolder: the key folder of a program (setting keys): makes it, and loads from it what a process needs.
 *
 * The program gives a table with a row per file: how it is made, which needs of a process load it, and where in the
 * program's struct it then stands. A process that does not have the need of a row never opens that file. The functions
 * make and open in the order of the table.
 */
#ifndef BASE_PROGRAM_KEYFOLDER_H
#define BASE_PROGRAM_KEYFOLDER_H

#include "base/core/secret.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"

enum keyfile_kind {              /* the file, and what stands at offset: */
    KEYFILE_PRIVATE,             /* private key, PEM: struct key * */
    KEYFILE_CERTIFICATE,         /* self-signed certificate over the key "of", DER: struct buf */
    KEYFILE_PUBLIC,              /* public half of the key "of", PEM, anybody may read it: never loaded */
    KEYFILE_SECRET,              /* KEYFILE_SECRET_LEN random bytes in hexadecimal: struct secret */
    KEYFILE_RING                 /* folder of versioned keys (base/crypto/seal.h): struct keyring * */
};
#define KEYFILE_SECRET_LEN 32

struct keyfile {
    const char *name;            /* below the key folder: "saml.pem" */
    enum keyfile_kind kind;
    unsigned need;               /* loaded by processes that have one of these bits, the program's own; 0: by none */
    size_t offset;               /* in the struct given to keyfolder_load() */
    enum key_alg alg;            /* KEYFILE_PRIVATE */
    int bits;                    /* the same, of an RSA key */
    enum key_purpose purpose;    /* the same */
    const char *of;              /* KEYFILE_CERTIFICATE and _PUBLIC: name of a KEYFILE_PRIVATE before it in the table */
    const char *common_name;     /* KEYFILE_CERTIFICATE */
    int64_t life;                /* the same, microseconds */
};

/* Makes the folder (mode 0700) and what is missing in it; replaces nothing. A file appears whole or not at all. */
MUST_USE enum err keyfolder_init(const char *folder, const struct keyfile *files, size_t n, utime now, struct why *why);
/* Loads the files whose need is among need into target, zeroed at first. ERR_NOT_FOUND, ERR_DENIED (owner or mode),
 * ERR_INPUT: why names the file. What was loaded before a failure stays in target: keyfolder_done() releases it. */
MUST_USE enum err keyfolder_load(const char *folder, const struct keyfile *files, size_t n, unsigned need, void *target,
                                 struct why *why);
/* Releases what was loaded; the members are as they were before. */
void keyfolder_done(const struct keyfile *files, size_t n, void *target);

#endif
