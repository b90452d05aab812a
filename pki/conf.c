/* conf: the settings of beffroi-pki. Parser, --check-config, the sample file and docs/configuration.md come from here. */
#include "pki/pki.h"

#define ITEM(setting, type, member, fallback, range, help)                                                    \
    { setting, type, offsetof(struct pki_conf, member), fallback, range, help }

const struct conf_item pki_conf_items[] = {
    ITEM("environment", CONF_CHOICE, environment, "production", "production|demo|test",
         "demo and test allow a movable clock; packaged units refuse them."),
    ITEM("base_url", CONF_TEXT, base_url, NULL, NULL,
         "Where the status process is found: what certificates say of lists and OCSP. http, as https would need a status too."),
    ITEM("name", CONF_TEXT, name, "pki", NULL, "Name of this machine in what processes say of themselves."),
    ITEM("migrations", CONF_PATH, migrations, NULL, NULL, "Folder with the SQL files of the schema: migrations/pki."),
    ITEM("profiles", CONF_PATH, profiles, NULL, NULL, "Folder of the certificate profiles, NAME.profile."),
    ITEM("keys.weak", CONF_PATH, weak_keys, "", NULL,
         "File or folder of known weak keys, in the format of openssl-blacklist; empty: none known."),
    ITEM("database", CONF_TEXT, database, NULL, NULL,
         "Connection string of this process (libpq); its role is pki_signer, pki_front or pki_status."),
    ITEM("database.worker", CONF_TEXT, database_worker, "", NULL,
         "Connection string of the signer's timers and audit seal, role pki_worker; the front's mail too."),
    ITEM("database.owner", CONF_TEXT, database_owner, "", NULL,
         "Connection string of the schema's owner, for `migrate` and the operator's commands only."),
    ITEM("keys", CONF_PATH, keys, NULL, NULL, "Folder of the key files made by `beffroi-pki keys init`."),
    ITEM("clock.file", CONF_PATH, clock_file, "", NULL, "Shared file of the movable clock; demo and test only."),
    ITEM("signer.socket", CONF_PATH, signer_socket, "", NULL, "Unix socket of the signer."),
    ITEM("signer.issuers", CONF_LIST, signer_issuers, "", NULL,
         "Users who may ask the signer for certificates and lists: that of the front, of status, of operators."),
    ITEM("signer.custodians", CONF_TEXT, signer_custodians, "", NULL,
         "Group whose members may give shares and lock; empty: nobody, the signer stays locked."),
    ITEM("signer.threads", CONF_INT, signer_threads, "0", "0..128",
         "Threads that sign, each with a connection; 0: eight per core, so that commits share their way to the disk."),
    ITEM("signer.collect_max", CONF_DURATION, unlock_collect, "15min", "1min..24h",
         "Shares that were given are forgotten after so long when the others do not come."),
    ITEM("signer.idle_max", CONF_DURATION, unlock_idle, "0s", "0s..30d", "Locks after so long without a signature; 0s: never."),
    ITEM("signer.published", CONF_PATH, signer_published, "", NULL,
         "Folder with the lists that are offered, CA.crl and CA-delta.crl as in their addresses: numbers go on above them after a "
         "restore, and nothing in them is lost; empty: none known."),
    ITEM("front.listen", CONF_LIST, front_listen, "", NULL, "Addresses of EST, registrations and revocations (mutual TLS)."),
    ITEM("front.url", CONF_TEXT, front_url, "", NULL, "What stations call it."),
    ITEM("front.tls.cert", CONF_PATH, front_tls_cert, "", NULL, "PEM chain of the front."),
    ITEM("front.tls.key", CONF_SECRET_PATH, front_tls_key, "", NULL, "Private key of front.tls.cert."),
    ITEM("front.client_ca", CONF_PATH, front_client_ca, "", NULL, "PEM of the authority that signs stations."),
    ITEM("status.listen", CONF_LIST, status_listen, "", NULL, "Addresses of lists, OCSP and CA certificates (plain HTTP)."),
    ITEM("status.folder", CONF_PATH, status_folder, "", NULL, "Folder in which the status process keeps lists and its keys."),
    ITEM("ocsp.stale_max", CONF_DURATION, ocsp_stale_max, "24h", "1min..7d",
         "How old the last sure knowledge of an OCSP answer may be while the database is away."),
    ITEM("proxy.trusted", CONF_LIST, trusted_proxies, "", NULL,
         "Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    ITEM("threads", CONF_INT, threads, "0", "0..256", "Event threads of front and status; 0: four per core, at least 8."),
    ITEM("mail.smtp.url", CONF_TEXT, mail_smtp_url, "", NULL, "smtp://host:port of the MTA for expiry notices; empty: no mail."),
    ITEM("mail.smtp.ca", CONF_PATH, mail_smtp_ca, "", NULL, "PEM to verify the MTA; empty: the system's."),
    ITEM("mail.from", CONF_TEXT, mail_from, "", NULL, "Sender of our mails."),
};
const size_t pki_conf_nitems = ARRAY_LEN(pki_conf_items);
