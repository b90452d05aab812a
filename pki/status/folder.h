/*
 * folder: files of the status process. A file appears whole or not at all: written beside, synced, renamed, the folder
 * synced. What fails half-way leaves the file that was there.
 */
#ifndef PKI_STATUS_FOLDER_H
#define PKI_STATUS_FOLDER_H

#include "base/core/buf.h"

#define FOLDER_NAME_MAX 128

struct folder {
    int fd, crl, ocsp;             /* the folder and those in it; -1: none */
    int lock;                      /* held as long as it is open */
};
#define FOLDER_INIT { -1, -1, -1, -1 }

/* Makes what is missing (0700) and takes the lock. ERR_CONFLICT: another process has it; ERR_DENIED: others may write there. */
MUST_USE enum err folder_open(const char *path, struct folder *ret, struct why *why);
void folder_close(struct folder *f);

/* dir: a descriptor of above. ERR_UNAVAILABLE: no room, and the like. */
MUST_USE enum err folder_put(int dir, const char *name, struct str content, unsigned mode, struct why *why);
/* The file in memory, read only, until folder_unmap(); it may be replaced meanwhile. ERR_NOT_FOUND. ERR_INPUT: empty, or longer
 * than max. */
MUST_USE enum err folder_map(int dir, const char *name, size_t max, struct str *ret, struct why *why);
void folder_unmap(struct str file);
/* Overwrites with zeros, as far as the file system does that in place, and removes. A file that is not there is OK. */
MUST_USE enum err folder_wipe(int dir, const char *name, struct why *why);
/* Names in dir, sorted; each(name, arg). */
MUST_USE enum err folder_each(int dir, void (*each)(const char *name, void *arg), void *arg, struct why *why);

#endif
