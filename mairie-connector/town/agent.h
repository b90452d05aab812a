/*
 * agent: who works at the counter, and the sessions of those who are signed in.
 *
 * Sign-in is a login, a password (argon2id) and a one-time code (TOTP, each step once). Failures slow the login and
 * the address, they never lock out; a wrong login costs and looks like a wrong password.
 */
#ifndef MAIRIE_TOWN_AGENT_H
#define MAIRIE_TOWN_AGENT_H

#include "mairie-connector/town/mairie.h"

enum agent_role { ROLE_GUICHET = 1, ROLE_VALIDATION = 2, ROLE_CONTROLEUR = 4 };
#define ROLES_OFFICE (ROLE_GUICHET | ROLE_VALIDATION)
/* "guichet,validation" to bits; ERR_INPUT: another word. */
MUST_USE enum err agent_roles_parse(const char *text, unsigned *ret);
const char *agent_role_name(unsigned bit);

#define AGENT_COOKIE "__Host-counter"
#define AGENT_LOGIN_MAX 64

struct agent {
    char id[37];
    const char *login, *name;
    unsigned roles;                /* those in force now */
};

/* What is needed to check who says to be an agent. */
struct agent_secret {
    char id[37];
    const char *password;
    struct str totp;               /* sealed */
    int64_t totp_step;
};

extern const struct pg_stmts agent_stmts;
struct agent_new {
    const char *login, *name, *password_phc;
    const struct buf *totp;        /* sealed */
    char id[37];
    unsigned roles;
};
/* ERR_CONFLICT: the login is taken, or the roles are incompatible (the schema's rule). */
MUST_USE enum err agent_add(struct pg *pg, const struct agent_new *in, const char *operator_name, utime now,
                            struct why *why);
MUST_USE enum err agent_secret_find(struct pg *pg, const char *login, struct arena *a, struct agent_secret *ret,
                                    struct why *why);
/* The step of a one-time code is taken: ERR_DENIED when it was already. */
MUST_USE enum err agent_step_take(struct pg *pg, const char *id, int64_t step, struct why *why);
/* One line for each role in force or to come, or one for an agent without any. */
struct agent_line {
    const char *login, *name, *role;       /* role "": none */
    utime from, until, ended_at;           /* UTIME_NULL: open; works here */
};
MUST_USE enum err agent_list(struct pg *pg, utime now, struct arena *a, struct agent_line **ret, size_t *ret_n,
                             struct why *why);
/* The agent leaves for good (T-24): no sign-in, sessions and roles end now. ERR_NOT_FOUND: no agent of this login works
 * here. Logins are not given twice: the trail names persons. */
MUST_USE enum err agent_end(struct pg *pg, const char *login, const char *operator_name, utime now, struct why *why);
/* role: one bit. until UTIME_NULL: open. ERR_CONFLICT: the agent has the role then, or one that does not go with it. */
struct role_change {
    const char *login;             /* NULL (ending only): every agent */
    unsigned role;                 /* 0 (ending only): every role */
    utime from, until;             /* ending: until */
};
MUST_USE enum err role_grant(struct pg *pg, const struct role_change *in, const char *operator_name, utime now,
                             struct why *why);
/* Roles end at in->until, at once when that is now; who has none any more is signed out. ERR_NOT_FOUND: nothing ends. */
MUST_USE enum err role_end(struct pg *pg, const struct role_change *in, const char *operator_name, utime now,
                           int64_t *ret_n, struct why *why);
/* Display name of an agent, for timelines; "" when unknown. */
MUST_USE enum err agent_name(struct pg *pg, const char *id, struct arena *a, const char **ret, struct why *why);

/* Session by digest: ERR_NOT_FOUND when ended. Extends the idle end. */
MUST_USE enum err session_find(struct pg *pg, const unsigned char digest[32], utime now, utime idle_until,
                               struct arena *a, struct agent *ret, struct why *why);
MUST_USE enum err session_start(struct pg *pg, const unsigned char digest[32], const char *agent_id, utime now,
                                utime idle_until, utime abs_until, struct why *why);
MUST_USE enum err session_end(struct pg *pg, const unsigned char digest[32], struct why *why);

/* --- throttle_store.c --- */
extern const struct pg_stmts throttle_stmts;
struct throttle_rule {
    const char *name;              /* separates the rules' keys */
    double burst;                  /* so many at once without waiting */
    double leak;                   /* forgiven per second */
    double delay_first, delay_max; /* seconds: the wait after the burst, doubling up to the longest */
};
extern const struct throttle_rule throttle_login, throttle_address;      /* failed sign-ins */
extern const struct throttle_rule throttle_create;                       /* accounts that one agent asks for (T-05) */
/* One more; *ret_wait > 0: not allowed yet, nothing was counted. */
MUST_USE enum err throttle_take(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule,
                                const char *key, utime now, int64_t *ret_wait, struct why *why);
MUST_USE enum err throttle_forgive(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule,
                                   const char *key, struct why *why);

/* --- login.c --- */
enum err agent_session_load(struct http_request *req, struct why *why);    /* the session hook */
/* The agent of a route that needs a session; replies 403 and returns NULL when none of the roles is theirs. */
const struct agent *agent_with(struct http_request *req, unsigned roles);

#endif
