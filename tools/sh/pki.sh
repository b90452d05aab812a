# pki.sh: the demo's certification authority, made and run by beffroi-pki. Sourced by ./run; needs common.sh, process.sh,
# postgres.sh and demo.sh.
#
#   KEY_DIR/root      the root's medium: register, sealed key, certificates, lists, records, keys and shares of persons
#   KEY_DIR/pki       key files of all processes, sealed keys of the issuing authorities; KEY_DIR/pki-PROCESS: those of one
#   KEY_DIR/pki-lists what the status process keeps
#   PKI_DIR           what others read: root-ca.pem, servers-ca.pem …, one NAME.pem (with its chain) and NAME.key per program
#
# Ceremonies are run from prepared answers, whose pass phrases are in STATE/secrets: this is a demonstration, and the records say
# so. The signer forgets its keys when it stops: each ./run gives it two custodians' shares again.
# shellcheck shell=bash

PKI_ORGANIZATION='Syndicat intercommunal de démonstration'
PKI_IDENTIFIER=552100554                       # a SIREN whose check digit is right
PKI_ISSUING="servers soft cards"
PKI_CUSTODIANS="bruno chloe denis"             # two of the three open
PKI_PERSONS="anne $PKI_CUSTODIANS emma farid sylvie"    # emma enters requests, farid validates them
PKI_STATION=guichet-est                        # who asks over EST in the demo

pki_person_label() {
    case $1 in
    anne) printf 'Anne Sécurité' ;;
    bruno) printf 'Bruno Premier' ;;
    chloe) printf 'Chloé Seconde' ;;
    denis) printf 'Denis Tiers' ;;
    emma) printf 'Emma Saisie' ;;
    farid) printf 'Farid Contrôle' ;;
    sylvie) printf 'Sylvie Systèmes' ;;
    esac
}
pki_person_role() {
    case $1 in
    anne) printf security ;;
    emma) printf registration ;;
    farid) printf validation ;;
    sylvie) printf systems ;;
    *) printf custodian ;;
    esac
}
pki_ca_title() {
    case $1 in
    servers) printf 'Beffroi demo servers' ;;
    soft) printf 'Beffroi demo software certificates' ;;
    cards) printf 'Beffroi demo cards' ;;
    esac
}
# Pass phrases of a person's key and of their share.
pki_key_phrase() { printf '%s-cle-%s' "$PKI_PHRASE" "$1"; }
pki_share_phrase() { printf '%s-part-%s' "$PKI_PHRASE" "$1"; }

# pki_command NAME COMMAND…: a command of the authority as the demo's user; standard input is its answers, its words are printed.
pki_command() {
    local name=$1
    shift
    as_demo "$PKI_BIN" "$@" 2>"$LOG_DIR/$name.log" && return 0
    cat "$LOG_DIR/$name.log" >&2
    die "$name failed (above)" "It was: $PKI_BIN $*"
}

# --- the ceremonies -------------------------------------------------------------------------------------------------
# Answers in the order of the script (docs/key-ceremony.md).
pki_attend() { # fresh|again PERSON…
    local how=$1 who
    shift
    for who in "$@"; do
        printf 'person = %s\n' "$who"
        [ "$how" = again ] || printf '%s.label = %s\n%s.roles = %s\n' "$who" "$(pki_person_label "$who")" "$who" "$(pki_person_role "$who")"
    done
    printf 'person = -\nwitness = -\n'
    for who in "$@"; do printf '%s.key.file =\n%s.key.phrase = %s\n' "$who" "$who" "$(pki_key_phrase "$who")"; done
    printf 'clock = oui\noffline = oui\n'
}
pki_new_secret() {
    local who
    printf 'threshold = 2\n'
    for who in $PKI_CUSTODIANS; do printf '%s.share.file =\n%s.share.phrase = %s\n' "$who" "$who" "$(pki_share_phrase "$who")"; done
    for who in $PKI_CUSTODIANS; do printf '%s.share.again = %s\n' "$who" "$(pki_share_phrase "$who")"; done
}
# The files of the shares of bruno and chloe in the set that opens that authority.
pki_share_file() { # AUTHORITY NUMBER
    printf '%s/root/shares/%s-%d.share' "$KEY_DIR" "$(pki_set_of "$1")" "$2"
}
pki_set_of() { # AUTHORITY: the register has "ca LABEL SET …"
    as_demo awk -v ca="$1-g1" '$1 == "ca" && $2 == ca { print $3 }' "$KEY_DIR/root/register"
}
pki_open_set() { # WHICH AUTHORITY
    local who number=0
    for who in bruno chloe; do
        number=$((number + 1))
        printf '%s.custodian = %s\n%s.share.file = %s\n%s.share.phrase = %s\n' "$1" "$who" "$who" "$(pki_share_file "$2" "$number")" \
            "$who" "$(pki_share_phrase "$who")"
    done
}
pki_root_answers() {
    # shellcheck disable=SC2086
    pki_attend fresh $PKI_PERSONS
    pki_new_secret
    printf 'organization = %s\nidentifier = %s\ncommon_name = Beffroi demo root\nrecord.read = oui\n' "$PKI_ORGANIZATION" "$PKI_IDENTIFIER"
}
pki_issuing_answers() { # AUTHORITY
    if [ "$1" = servers ]; then
        # shellcheck disable=SC2086
        pki_attend again anne $PKI_CUSTODIANS
        pki_new_secret
    else
        pki_attend again anne bruno chloe
        printf 'set = same\n'
        pki_open_set ca servers
    fi
    pki_open_set root root
    printf 'organization = %s\nidentifier = %s\ncommon_name = %s\nstatus.url = %s\nrecord.read = oui\n' \
        "$PKI_ORGANIZATION" "$PKI_IDENTIFIER" "$(pki_ca_title "$1")" "$PKI_STATUS_URL"
}

# pki_ceremony KIND AUTHORITY ANSWERS…: one ceremony; its transcript is LOG_DIR/ceremony-AUTHORITY.log.
pki_ceremony() {
    local kind=$1 ca=$2 key=()
    shift 2
    [ "$kind" = root ] || key=(--key "sealed:$KEY_DIR/pki/$ca.key")
    step "ceremony: making the authority $ca"
    pki_command "ceremony-$ca" ceremony run "$kind" --ca "$ca" --dir "$KEY_DIR/root" --profiles "$PROG_DIR/profiles" --level 1 \
        --database "$PKI_DATABASE_OWNER" "${key[@]}" --answers fd:3 3< <("$@") >>"$LOG_DIR/ceremony-$ca.log"
}
# Each ceremony is whole or was not: what the register names is there.
pki_ceremonies() {
    local ca
    as_demo mkdir -p -m 0700 "$KEY_DIR/root"
    [ -n "$(pki_set_of root 2>/dev/null)" ] || pki_ceremony root root pki_root_answers
    for ca in $PKI_ISSUING; do
        [ -n "$(pki_set_of "$ca")" ] || pki_ceremony issuing "$ca" pki_issuing_answers "$ca"
    done
    for ca in root $PKI_ISSUING; do
        as_demo openssl x509 -inform DER -in "$KEY_DIR/root/$ca-g1.cer" | write_file "$PKI_DIR/$ca-ca.pem" 0644
    done
    write_file "$PKI_DIR/ca.pem" 0644 <"$PKI_DIR/root-ca.pem"
}

# --- configuration --------------------------------------------------------------------------------------------------
pki_conf() { # ROLE KEYS: the settings of one process of the authority
    local socket="host=$STATE/pg/operator/socket port=$PG_OPERATOR_PORT dbname=pki options='-c search_path=pki'"
    cat <<CONF
# One process of the demo's certification authority; made by ./run, changed by the next ./run.
environment = demo
base_url = $PKI_STATUS_URL
name = demo
migrations = $PROG_DIR/migrations/pki
profiles = $PROG_DIR/profiles
database = $socket user=$1
database.worker = $socket user=pki_worker
database.owner = $socket user=pki_owner
keys = $KEY_DIR/$2
clock.file = $CLOCK_DIR/offset
signer.socket = $KEY_DIR/pki/signer.socket
signer.issuers = $DEMO_NAME, $(id -un)
signer.custodians = $DEMO_GROUP
mail.smtp.url = smtp://127.0.0.1:$SMTP_OUT_PORT
mail.from = ne-pas-repondre@$SUFFIX
CONF
}
pki_configure() {
    DEMO_NAME=$(as_demo id -un) DEMO_GROUP=$(as_demo id -gn)
    PKI_DATABASE_OWNER="host=$STATE/pg/operator/socket port=$PG_OPERATOR_PORT dbname=pki user=pki_owner options='-c search_path=pki'"
    PKI_CONFIG=$CONF_DIR/pki.conf
    PKI_SIGNER_CONFIG=$CONF_DIR/pki-signer.conf
    PKI_FRONT_CONFIG=$CONF_DIR/pki-front.conf
    PKI_STATUS_CONFIG=$CONF_DIR/pki-status.conf
    # The operator's, with every key: what commands are given. Each process has one with its own keys.
    pki_conf pki_signer pki | write_file "$PKI_CONFIG"
    pki_conf pki_signer pki-signer | write_file "$PKI_SIGNER_CONFIG"
    {
        pki_conf pki_front pki-front
        cat <<CONF
front.listen = $(listen_list "$PKI_PORT")
front.url = $PKI_URL
front.tls.cert = $PKI_DIR/pki.pem
front.tls.key = $PKI_DIR/pki.key
front.client_ca = $PKI_DIR/servers-ca.pem
CONF
    } | write_file "$PKI_FRONT_CONFIG"
    {
        pki_conf pki_status pki-status
        cat <<CONF
status.listen = $(listen_list "$PKI_STATUS_PORT")
status.folder = $KEY_DIR/pki-lists
CONF
    } | write_file "$PKI_STATUS_CONFIG"
    demo_reads "$PKI_CONFIG" "$PKI_SIGNER_CONFIG" "$PKI_FRONT_CONFIG" "$PKI_STATUS_CONFIG"
    # Whose names and addresses certificates have: with others, everything is made anew.
    if [ "$(cat "$PKI_DIR/made-for" 2>/dev/null)" != "$SUFFIX $PKI_STATUS_URL $TOWN_NAME" ]; then
        pki_forget
        printf '%s\n' "$SUFFIX $PKI_STATUS_URL $TOWN_NAME" | write_file "$PKI_DIR/made-for"
    fi
    as_demo mkdir -p -m 0700 "$KEY_DIR/pki" "$KEY_DIR/pki-lists"
    pg_database_make operator "$PG_OPERATOR_PORT" pki pki pki_owner "$PKI_OWNER_PASSWORD" pki_signer pki_worker pki_front pki_status
}
pki_forget() {
    local name
    for name in pki-front pki-status pki-signer; do proc_stop "$name"; done
    rm -rf -- "$KEY_DIR/root" "$KEY_DIR"/pki "$KEY_DIR"/pki-*
    rm -f -- "$PKI_DIR"/*
    printf 'SET client_min_messages = warning;\nDROP DATABASE IF EXISTS pki WITH (FORCE);\n' | pg_super operator "$PG_OPERATOR_PORT" postgres
}

# --- the signer -----------------------------------------------------------------------------------------------------
pki_signer_start() {
    local i
    proc_start pki-signer "$PKI_SIGNER_CONFIG $(staged profiles)" "$PKI_BIN" signer --config "$PKI_SIGNER_CONFIG"
    for ((i = 0; i < 600; i++)); do
        as_demo test -S "$KEY_DIR/pki/signer.socket" && as_demo "$PKI_BIN" signer-status --config "$PKI_CONFIG" >"$LOG_DIR/signer-status.log" 2>&1 && break
        proc_pid pki-signer >/dev/null || proc_failed pki-signer "the signer ended at its start"
        sleep 0.1
    done
    grep -q '"open"' "$LOG_DIR/signer-status.log" && ! grep -q '"locked"' "$LOG_DIR/signer-status.log" || pki_unlock
}
pki_unlock() {
    local who number=0
    for who in bruno chloe; do
        number=$((number + 1))
        pki_command unlock unlock --config "$PKI_CONFIG" --share "$(pki_share_file servers "$number")" --answers fd:3 \
            3< <(printf 'phrase = %s\n' "$(pki_share_phrase "$who")") >>"$LOG_DIR/unlock.log"
    done
}

# What stations speak to, and what everybody reads.
pki_doors_start() {
    proc_start pki-front "$PKI_FRONT_CONFIG $PKI_DIR/pki.pem $PKI_DIR/servers-ca.pem $(staged profiles)" "$PKI_BIN" front --config "$PKI_FRONT_CONFIG"
    proc_start pki-status "$PKI_STATUS_CONFIG $(staged profiles)" "$PKI_BIN" status --config "$PKI_STATUS_CONFIG"
    proc_wait_ready pki-front "$PKI_PORT"
    proc_wait_ready pki-status "$PKI_STATUS_PORT"
}

# --- certificates of the demo's programs ------------------------------------------------------------------------------
# pki_certificate FILE PROFILE HOLDER OPTION…: a key and a certificate that two persons approved, as an operator asks for them; what is
# there and holds for another 30 days stays.
pki_certificate() {
    local file=$PKI_DIR/$1 profile=$2 holder=$3 id certificate who ca=servers
    shift 3
    if [ -s "$file.pem" ] && [ -s "$file.key" ] && openssl x509 -in "$file.pem" -noout -checkend 2592000 >/dev/null 2>&1; then return 0; fi
    step "certificate of $holder: asked for, approved by two, signed"
    (
        umask 077
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$file.key.new" 2>/dev/null
        openssl req -new -sha256 -key "$file.key.new" -subj "/CN=$holder" -out "$file.csr" 2>/dev/null
    )
    chmod 0644 "$file.csr"
    id=$(pki_command request-add request add --config "$PKI_CONFIG" --profile "$profile" --holder "$holder" --csr "$file.csr" \
        --by emma "$@")
    for who in emma farid; do pki_signed "$who" request-approve request approve "$id"; done
    certificate=$(pki_command request-issue request issue "$id" --config "$PKI_CONFIG")
    pki_command certificate-show certificate show "$certificate" --config "$PKI_CONFIG" --out "$KEY_DIR/pki/$certificate.pem" >/dev/null
    case $profile in citizen-*) ca=soft ;; esac
    cat "$KEY_DIR/pki/$certificate.pem" "$PKI_DIR/$ca-ca.pem" | write_file "$file.pem" 0644
    as_demo rm -f "$KEY_DIR/pki/$certificate.pem"
    demo_owns "$file.key.new"
    mv -f "$file.key.new" "$file.key"
    rm -f "$file.csr"
}
# pki_signed WHO NAME COMMAND…: a command that the person signs with their key.
pki_signed() {
    local who=$1 name=$2
    shift 2
    pki_command "$name" "$@" --config "$PKI_CONFIG" --key "$KEY_DIR/root/persons/$who.key" --answers fd:3 \
        3< <(printf 'phrase = %s\n' "$(pki_key_phrase "$who")") >/dev/null
}
# pki_station NAME FILE PROFILES: a station that two persons let in, for all towns, and its client certificate.
pki_station() {
    local name=$1
    if [ ! -e "$PKI_DIR/$2.pem" ]; then
        step "letting the station $name in"
        if ! as_demo "$PKI_BIN" station show "$name" --config "$PKI_CONFIG" >"$LOG_DIR/station-show.log" 2>&1; then
            pki_signed sylvie station-add station add "$name" --profile "$3" --all-towns --may-revoke
        fi
        grep -q '"state":"active"' "$LOG_DIR/station-show.log" || pki_signed anne station-approve station approve "$name"
    fi
    pki_certificate "$2" station "$name" --common-name "$name"
}
# Who asks over EST by hand, the identity provider (accounts with software certificates, and the blocking of cards); the OCSP
# responders of the status process.
pki_stations() {
    local ca
    if [ ! -e "$PKI_DIR/station.pem" ]; then
        step "registering the OCSP responders"
        for ca in $PKI_ISSUING; do
            pki_command responder-add responder add "$ca" demo --config "$PKI_CONFIG" --common-name "OCSP $ca demo" >/dev/null
        done
    fi
    pki_station "$PKI_STATION" station citizen-soft,citizen-card,citizen-card-local,server,town,station
    pki_station idp idp-station citizen-soft,citizen-soft-named,citizen-card,citizen-card-local
}
pki_certificates() {
    local name
    for name in idp api mairie agenda sondage pki; do pki_certificate "$name" server "$name" --dns "$name.$SUFFIX"; done
    pki_certificate doors server carte --dns "carte.$SUFFIX,*.carte.$SUFFIX,certificat.$SUFFIX,*.certificat.$SUFFIX"
    pki_certificate town town "$TOWN_NAME" --common-name "$TOWN_NAME"
    pki_certificate town2 town "${TOWN_NAME}2" --common-name "${TOWN_NAME}2"
    pki_stations
    pki_stranger
}
# A client certificate with the town's name, from somebody else's authority: the name of ours, another key.
pki_stranger() {
    local file=$PKI_DIR/stranger
    if [ -s "$file.pem" ] && openssl x509 -in "$file.pem" -noout -checkend 2592000 >/dev/null 2>&1; then return 0; fi
    (
        umask 077
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$file-ca.key"
        openssl x509 -in "$PKI_DIR/servers-ca.pem" -signkey "$file-ca.key" -days 397 -out "$file-ca.pem"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 397 -subj "/CN=$TOWN_NAME" \
            -CA "$file-ca.pem" -CAkey "$file-ca.key" -addext 'basicConstraints=critical,CA:FALSE' -addext extendedKeyUsage=clientAuth \
            -keyout "$file.key" -out "$file.pem"
    ) 2>"$LOG_DIR/stranger.log" || { cat "$LOG_DIR/stranger.log" >&2; die "openssl failed (above)"; }
    chmod 0644 "$file.pem" "$file-ca.pem"
    demo_owns "$file.key"
}
