/* beffroi-idp: the identity provider. One binary, one command per process or act. */
#include "idp/keys.h"
#include "idp/operator/operator.h"
#include "idp/operator/sp.h"

static const struct command commands[] = {
    { "serve", operator_serve, "the web process: citizens, services, town servers" },
    { "worker", operator_worker, "mail in and out, audit sealer, purges" },
    { "notifier", operator_notifier, "tells services that a session ended" },
    { "migrate", program_migrate, "bring the database's schema up to this program" },
    { "keys", program_keys, "init, give: make the key files that are missing; copy those of one process" },
    { "town", operator_town, "add, policy, suspend, resume: town halls" },
    { "sp", saml_sp_command, "add, list, remove: SAML services" },
    { "client", operator_client, "add, list: OpenID Connect clients" },
    { "service", operator_service, "suspend, resume: a SAML service or OIDC client" },
    { "trust", operator_trust, "add, crl, list, remove: authorities whose certificates sign citizens in" },
    { "account", operator_account, "link-certificate, unlink-certificate, certificates: of one account" },
    { "audit", program_audit, "verify: name an audit row that was edited, is missing or unsealed" },
    { "doctor", operator_doctor, "look at the installation and say what is wrong" },
    { "purge", operator_purge, "remove what its time has passed (the worker does it every minute)" },
    { "clock", program_clock, "show or move the clock (demo and test only)" },
    { "config", program_config, "sample, reference: print the settings" },
    { "routes", program_routes, "print the route table" },
    { "--check-config", program_check_config, "read a configuration and its templates, change nothing" },
};

int
main(int argc, char **argv)
{
    const struct program idp = {
        .name = "beffroi-idp", .version = BEFFROI_VERSION,
        .commands = commands, .ncommands = ARRAY_LEN(commands),
        .settings = idp_conf_items, .nsettings = idp_conf_nitems,
        .database = { .stmts = idp_all_stmts, .schema = IDP_SCHEMA,
                      .schema_min = IDP_SCHEMA_MIN, .schema_max = IDP_SCHEMA_MAX },
        .keys = idp_key_files, .nkeys = idp_key_nfiles,
        .processes = idp_processes, .nprocesses = idp_nprocesses,
        .doors = idp_doors, .ndoors = idp_ndoors,
        .load = operator_load,
    };

    return program_main(&idp, argc, argv);
}
