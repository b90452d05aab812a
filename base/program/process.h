/*
 * process: how a process that stays begins, serves and ends.
 *
 * process_begin() first, before any thread; then what the process is for; then process_wait(), or process_serve(), which
 * waits itself. SIGTERM and SIGINT end it: what runs is finished. It stays in the foreground and logs to standard error.
 */
#ifndef BASE_PROGRAM_PROCESS_H
#define BASE_PROGRAM_PROCESS_H

#include <signal.h>

#include "base/core/conf.h"
#include "base/http/server.h"

struct process {
    const char *config;          /* --config FILE */
    const char *database;        /* --database CONNINFO, else NULL: as configured */
    sigset_t signals;
};

/* Reads the words after the command, blocks the signals that process_wait() takes, starts the log as "<program> <title>".
 * reloads: SIGHUP is one of them. Returns 0, or the exit status after saying the usage. */
int process_begin(int argc, char **argv, const char *command, const char *title, bool reloads, struct process *ret);
/* Returns at SIGTERM or SIGINT. SIGHUP calls reload(arg), whose failure is logged as serve.reload and changes nothing.
 * reload is NULL in a process that began without reloads. */
void process_wait(const struct process *p, enum err (*reload)(void *arg, struct why *why), void *arg);

/* Keeps the memory of this process, what it has and what it will have, out of swap; pages are locked when they are touched. For
 * processes that hold keys of others. ERR_UNAVAILABLE: the system refuses; why names the limit. */
MUST_USE enum err process_lock_memory(struct why *why);

/* --- over HTTP -------------------------------------------------------------------------------------------------------- */

/* Appends a listener per address to list, which has the room; returns how many there are then. tls, routes and base_url
 * as in struct http_listener. */
size_t process_listeners(struct http_listener *list, size_t n, const struct conf_list *addresses,
                         const struct http_tls *tls, const struct http_routes *const *routes, const char *base_url);
/* The server of conf, until the end; SIGHUP reads certificates and keys again. base_url: for the log. ERR_INPUT:
 * no listener; others as http_server_start(). */
MUST_USE enum err process_serve(const struct process *p, const struct http_server_config *conf, const char *base_url,
                                struct why *why);

#endif
