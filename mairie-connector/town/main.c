/* beffroi-mairie: the town's own server. One binary, one command per process or act. */
#include "mairie-connector/town/command.h"

static const struct command commands[] = {
    { "serve", mairie_serve, "the web process: the counter" },
    { "outbox", mairie_outbox, "requests to the IdP, its changes, audit sealer" },
    { "migrate", program_migrate, "bring the database's schema up to this program" },
    { "keys", program_keys, "init: make the key files that are missing" },
    { "agent", mairie_agent, "add: a person at the counter, with roles and a new one-time key" },
    { "authorisation", mairie_authorisation, "add: one more authorisation of this town" },
    { "audit", program_audit, "verify: name an audit row that was edited, is missing or unsealed" },
    { "doctor", mairie_doctor, "look at configuration, keys, database, certificates and the way to the IdP" },
    { "clock", program_clock, "show or move the clock (demo and test only)" },
    { "config", program_config, "sample, reference: print the settings" },
    { "routes", program_routes, "print the route table" },
    { "--check-config", program_check_config, "read a configuration and its templates, change nothing" },
};

int
main(int argc, char **argv)
{
    const struct program mairie = {
        .name = "beffroi-mairie", .version = BEFFROI_VERSION,
        .commands = commands, .ncommands = ARRAY_LEN(commands),
        .settings = mairie_conf_items, .nsettings = mairie_conf_nitems,
        .database = { .stmts = mairie_all_stmts, .schema = MAIRIE_SCHEMA,
                      .schema_min = MAIRIE_SCHEMA_MIN, .schema_max = MAIRIE_SCHEMA_MAX },
        .keys = mairie_key_files, .nkeys = mairie_key_nfiles,
        .doors = mairie_doors, .ndoors = mairie_ndoors,
        .load = mairie_site_load,
    };

    return program_main(&mairie, argc, argv);
}
