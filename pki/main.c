/* beffroi-pki: the certification authority. One binary, one command per process or act. */
#include "pki/ceremony/ceremony.h"
#include "pki/front/front.h"
#include "pki/operator/operator.h"

static const struct command commands[] = {
    { "signer", operator_signer, "the process that signs: keys of issuing CAs, a Unix socket, no network" },
    { "front", operator_front, "the process that stations speak to: EST, registrations, revocations over mutual TLS" },
    { "status", operator_status, "the process that publishes: lists, OCSP answers, certificates of authorities; plain HTTP" },
    { "migrate", program_migrate, "bring the database's schema up to this program" },
    { "keys", program_keys, "init, give: make the key files that are missing; copy those of one process" },
    { "ceremony", ceremony_command, "script, run, import, verify: acts on keys of CAs, before witnesses" },
    { "unlock", operator_unlock, "give one share of an activation secret to the signer" },
    { "lock", operator_lock, "lock the signer: every key is wiped" },
    { "signer-status", operator_signer_status, "what of the signer is locked and what is open" },
    { "person", operator_person, "key, add, list, end: persons of the authority" },
    { "role", operator_role, "propose, approve, withdraw, list: roles, granted by two" },
    { "station", operator_station, "add, approve, suspend, resume, end, list, show: programs that may ask for certificates" },
    { "responder", operator_responder, "add, end: status processes that answer OCSP for an authority" },
    { "request", operator_request, "add, list, show, approve, issue: certificates that an operator asks for" },
    { "certificate", operator_certificate, "show, list, accept, lint, export, verify-export: certificates that the authority knows" },
    { "crl", operator_crl, "make, list: lists of revoked certificates" },
    { "suspend", operator_suspend, "suspend a certificate, or all of a holder: what the profile says happens" },
    { "revoke", operator_revoke, "revoke a certificate, or all of a holder, for good" },
    { "resume", operator_resume, "a suspended certificate lives again: two release a hold" },
    { "alarm", operator_alarm, "list: what a person must look at" },
    { "doctor", operator_doctor, "look at an installation and say what is wrong" },
    { "lint", operator_lint, "hold the newest certificate of each profile against its profile" },
    { "verify", operator_verify, "look at every certificate, list, approval and record: is the database of one piece?" },
    { "routes", program_routes, "print the routes of the processes" },
    { "audit", program_audit, "verify: name an audit row that was edited, is missing or unsealed" },
    { "clock", program_clock, "show or move the clock (demo and test only)" },
    { "config", program_config, "sample, reference: print the settings" },
    { "--check-config", program_check_config, "read a configuration and its profiles, change nothing" },
};

static const struct program_door doors[] = { { "front", front_routes } };

int
main(int argc, char **argv)
{
    const struct program pki = {
        .name = "beffroi-pki", .version = BEFFROI_VERSION,
        .commands = commands, .ncommands = ARRAY_LEN(commands),
        .settings = pki_conf_items, .nsettings = pki_conf_nitems,
        .database = { .stmts = pki_command_stmts, .schema = PKI_SCHEMA,
                      .schema_min = PKI_SCHEMA_MIN, .schema_max = PKI_SCHEMA_MAX },
        .keys = pki_key_files, .nkeys = pki_key_nfiles,
        .processes = pki_processes, .nprocesses = pki_nprocesses,
        .doors = doors, .ndoors = ARRAY_LEN(doors),
        .load = operator_load,
    };

    return program_main(&pki, argc, argv);
}
