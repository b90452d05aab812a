/* conf: the settings of beffroi-mairie. Parser, --check-config, the sample file and the reference come from here. */
#include "mairie-connector/town/mairie.h"

#define ITEM(setting, type, member, fallback, range, help)                                                    \
    { setting, type, offsetof(struct mairie_conf, member), fallback, range, help }

const struct conf_item mairie_conf_items[] = {
    ITEM("environment", CONF_CHOICE, environment, "production", "production|demo|test",
         "demo and test allow a movable clock; packaged units refuse them."),
    ITEM("base_url", CONF_URL, base_url, NULL, NULL, "What clerks call us; never taken from a request's Host."),
    ITEM("name.fr", CONF_TEXT, name_fr, "Mairie", NULL, "Name of the counter on French pages."),
    ITEM("name.en", CONF_TEXT, name_en, "Town hall", NULL, "Name of the counter on English pages."),
    ITEM("town", CONF_TEXT, town, NULL, NULL, "Name of the town on the sheet: Rivemont."),
    ITEM("help.url", CONF_TEXT, help_url, "", NULL, "Where clerks find help; empty: no link."),
    ITEM("phone", CONF_TEXT, phone, "", NULL, "Telephone of the town hall, on pages and on the sheet; empty: none."),
    ITEM("theme", CONF_TEXT, theme, "default", NULL, "Folder below templates/themes."),
    ITEM("templates", CONF_PATH, templates, NULL, NULL, "Folder with templates, messages and assets."),
    ITEM("migrations", CONF_PATH, migrations, NULL, NULL, "Folder with the SQL files of the schema: migrations/mairie."),
    ITEM("database", CONF_TEXT, database, NULL, NULL,
         "Connection string of this process (libpq); its role is mairie_web or mairie_outbox."),
    ITEM("database.owner", CONF_TEXT, database_owner, "", NULL,
         "Connection string of the schema's owner, for `migrate` and the operator's commands only."),
    ITEM("listen", CONF_LIST, listen, "", NULL, "Addresses for clerks, e.g. 127.0.0.1:8444, [::1]:8444."),
    ITEM("tls.cert", CONF_PATH, tls_cert, "", NULL, "PEM chain of our name; empty: plain HTTP behind a front."),
    ITEM("tls.key", CONF_SECRET_PATH, tls_key, "", NULL, "Private key of tls.cert."),
    ITEM("proxy.trusted", CONF_LIST, trusted_proxies, "", NULL,
         "Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    ITEM("threads", CONF_INT, threads, "4", "0..256", "Event threads, each with a connection; 0: four per core, at least 8."),
    ITEM("threads.slow", CONF_INT, slow_threads, "2", "0..64",
         "Threads for password hashing and for first calls to the IdP; 0: one per core."),
    ITEM("keys", CONF_PATH, keys, NULL, NULL, "Folder of the key files made by `beffroi-mairie keys init`."),
    ITEM("clock.file", CONF_PATH, clock_file, "", NULL, "Shared file of the movable clock; demo and test only."),
    ITEM("idp.url", CONF_URL, idp_url, NULL, NULL, "The IdP's town door."),
    ITEM("idp.ca", CONF_PATH, idp_ca, "", NULL, "PEM of the authority of the door's certificate; empty: the system's."),
    ITEM("idp.cert", CONF_PATH, idp_cert, NULL, NULL, "PEM of this town's client certificate."),
    ITEM("idp.key", CONF_SECRET_PATH, idp_key, NULL, NULL, "Private key of idp.cert."),
    ITEM("idp.private", CONF_BOOL, idp_private, "no", NULL, "Whether the door may have a private or loopback address."),
    ITEM("idp.timeout", CONF_DURATION, idp_timeout, "5s", "1s..60s", "How long one call may take."),
    ITEM("idp.changes", CONF_DURATION, changes_every, "5s", "500ms..1h", "How often the IdP is asked what has changed."),
    ITEM("sheet.mail_address", CONF_TEXT, mail_address, NULL, NULL, "Address on the sheet: where creation codes are sent."),
    ITEM("sheet.block_url", CONF_TEXT, block_url, NULL, NULL, "Address of the blocking page on the sheet, as people type it."),
    ITEM("session.idle", CONF_DURATION, session_idle, "10min", "1min..60min", "A counter session ends after so long without use."),
    ITEM("session.max", CONF_DURATION, session_max, "10h", "10min..24h", "And after so long in any case."),
    ITEM("password.memory", CONF_INT, argon2_memory_kib, "19456", "8192..1048576", "argon2id memory in KiB for new hashes."),
    ITEM("password.passes", CONF_INT, argon2_passes, "2", "1..16", "argon2id passes for new hashes."),
};
const size_t mairie_conf_nitems = ARRAY_LEN(mairie_conf_items);
