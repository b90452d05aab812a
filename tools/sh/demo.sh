# demo.sh: the steps of ./run, in the order in which it takes them. Sourced by ./run; needs common.sh, process.sh,
# postgres.sh and pki.sh.
#
# DATA/demo holds everything (STATE is its real place):
#   endpoints.env   addresses, accounts and files, for people and tests
#   settings        base port and host names of the last start
#   secrets         passwords drawn once, the clerk's and the citizen's among them
#   conf/ pki/ prog/ run/ log/   written by us, read by the demo's user
#   pg/ keys/ mail/ clock/ agenda/ sondage/   the demo user's own
# shellcheck shell=bash

# The order of starting; stopping goes the other way.
PROCESSES="pg-operator pg-town mta pki-signer pki-status pki-front idp idp2 idp-worker idp-notifier mairie mairie-outbox agenda sondage"

TOWN_NAME=valbourg
TOWN_LABEL='Ville de Valbourg'

# --- the folder ---------------------------------------------------------------------------------------------------
demo_paths() {
    RUN_DIR=$STATE/run LOG_DIR=$STATE/log CONF_DIR=$STATE/conf PKI_DIR=$STATE/pki PROG_DIR=$STATE/prog
    KEY_DIR=$STATE/keys MAIL_DIR=$STATE/mail CLOCK_DIR=$STATE/clock
    demo_prefix
}

# Finds the demo of DATA; fails when there is none.
demo_open() {
    [ -e "$DATA/demo/.beffroi-demo" ] || return 1
    STATE=$(readlink -f "$DATA/demo")
    demo_paths
    BASE_PORT_LAST='' SUFFIX_LAST=''
    # shellcheck source=/dev/null
    [ ! -r "$STATE/settings" ] || . "$STATE/settings"
    BASE_PORT=${BASE_PORT:-$BASE_PORT_LAST}
    SUFFIX=${SUFFIX:-$SUFFIX_LAST}
}

demo_lock() {
    exec 9>"$DATA/.lock"
    flock -n 9 || { say "Waiting for another ./run that is at work in $DATA …"; flock 9; }
}
demo_unlock() { exec 9>&-; }

# A place for STATE: in DATA when the demo's user can walk there and the paths of the Unix sockets stay short enough
# (108 bytes, unix(7)); else in a folder of the system, with a link to it in DATA.
demo_prepare() {
    local place id
    demo_user_make
    if ! demo_open; then
        [ ! -e "$DATA/demo" ] && [ ! -L "$DATA/demo" ] ||
            die "$DATA/demo is there and is not a demo of ours" "Take it away, or choose another place with --data DIR."
        need_space "$DATA" 500 "the demo"
        STATE=$DATA/demo
        demo_prefix
        if ! as_demo test -x "$DATA" 2>/dev/null || [ ${#DATA} -gt 70 ]; then
            id=$(printf '%s' "$DATA" | sha256sum | cut -c1-10)
            if am_root; then place=/var/lib/beffroi-demo; else place=/var/tmp/beffroi-demo-$(id -u); fi
            mkdir -p -m 0755 "$place"
            [ -O "$place" ] && [ ! -L "$place" ] || die "$place belongs to somebody else"
            STATE=$place/$id
            say "The demo's files go to $STATE: $DATA is closed to the user that runs the demo, or its path is too long."
            # What an earlier checkout of this path left there is ours to go on with.
            if [ -e "$STATE" ]; then
                [ -O "$STATE" ] && [ ! -L "$STATE" ] && [ -e "$STATE/.beffroi-demo" ] ||
                    die "$STATE is there and is not a demo of ours" "Take it away, or choose another place with --data DIR."
            else
                mkdir -m 0750 "$STATE"
            fi
            ln -s "$STATE" "$DATA/demo"
        else
            mkdir -m 0750 "$STATE"
        fi
        : >"$STATE/.beffroi-demo"
    fi
    demo_paths
    mkdir -p "$RUN_DIR" "$LOG_DIR" "$CONF_DIR" "$PKI_DIR" "$PROG_DIR"
    mkdir -p "$STATE/pg" "$KEY_DIR" "$MAIL_DIR" "$CLOCK_DIR" "$STATE/agenda" "$STATE/sondage"
    chmod 0750 "$STATE" "$RUN_DIR" "$LOG_DIR" "$CONF_DIR" "$PKI_DIR" "$PROG_DIR" "$STATE/pg"
    demo_reads "$STATE" "$CONF_DIR" "$PKI_DIR" "$PROG_DIR" "$STATE/pg"
    demo_owns "$KEY_DIR" "$MAIL_DIR" "$CLOCK_DIR" "$STATE/agenda" "$STATE/sondage"
    chmod 0700 "$KEY_DIR" "$MAIL_DIR" "$CLOCK_DIR" "$STATE/agenda" "$STATE/sondage"
}

demo_delete() {
    [ -n "$STATE" ] && [ -e "$STATE/.beffroi-demo" ] || die "$STATE is not a demo of ours"
    rm -rf -- "$STATE"
    if [ -L "$DATA/demo" ]; then rm -f "$DATA/demo"; fi
    say "The demo's data are gone."
}

# --- build --------------------------------------------------------------------------------------------------------
demo_build() {
    local log
    [ -z "$BUILD_DIR" ] || return 0
    BUILD_DIR=$TOP/build
    need_space "$TOP" 500 "the build"
    mkdir -p "$BUILD_DIR"
    log=$BUILD_DIR/build.log
    exec 7>"$BUILD_DIR/.lock"
    flock 7
    # A checkout that was moved: CMake refuses the old cache.
    if [ -e "$BUILD_DIR/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$TOP" "$BUILD_DIR/CMakeCache.txt"; then
        rm -rf "$BUILD_DIR/CMakeCache.txt" "$BUILD_DIR/CMakeFiles"
    fi
    [ -e "$BUILD_DIR/idp/beffroi-idp" ] || step "building (the log is $log)"
    # Warnings are for those who work on it (./check): another compiler's new one must not keep anybody from a demo.
    if ! { cmake -S "$TOP" -B "$BUILD_DIR" -DBUILD_TESTING=OFF -DBEFFROI_WERROR=OFF && make -C "$BUILD_DIR" -j"$(nproc)"; } >"$log" 2>&1; then
        grep -E -A3 'error|Error|No space' "$log" | head -n 40 >&2 || tail -n 20 "$log" >&2
        die "the build failed (above)" "All of it: $log"
    fi
    exec 7>&-
}

# --- names and ports ----------------------------------------------------------------------------------------------
demo_names() {
    local name names missing=''
    SUFFIX=${SUFFIX:-beffroi.localhost}
    IDP_HOST=idp.$SUFFIX API_HOST=api.$SUFFIX MAIRIE_HOST=mairie.$SUFFIX AGENDA_HOST=agenda.$SUFFIX SONDAGE_HOST=sondage.$SUFFIX
    PKI_HOST=pki.$SUFFIX CERT_HOST=certificat.$SUFFIX CARD_HOST=carte.$SUFFIX
    names="$IDP_HOST $API_HOST $MAIRIE_HOST $AGENDA_HOST $SONDAGE_HOST $PKI_HOST $CERT_HOST $CARD_HOST"
    if [ "$HOSTS" = yes ]; then
        for name in $names; do
            grep -qE "^[^#]*[[:space:]]$name([[:space:]]|\$)" /etc/hosts || missing="$missing $name"
        done
        if [ -n "$missing" ]; then
            step "adding to /etc/hosts:$missing"
            printf '127.0.0.1%s # beffroi demo\n' "$missing" | as_root tee -a /etc/hosts >/dev/null ||
                die "cannot write /etc/hosts" "It takes root or sudo."
        fi
    fi
    for name in $names; do
        resolves "$name" || die "this machine does not know the host name $name" \
            "Names below .localhost need the package libnss-myhostname or systemd-resolved;" \
            "./run --hosts writes the names into /etc/hosts instead."
    done
}

# Each use has its place counted from the base port; docs/demo.md has the table.
demo_ports() {
    local taken port name who
    BASE_PORT=${BASE_PORT:-8440}
    IDP_PORT=$BASE_PORT IDP2_PORT=$((BASE_PORT + 1)) API_PORT=$((BASE_PORT + 2)) API2_PORT=$((BASE_PORT + 3))
    MAIRIE_PORT=$((BASE_PORT + 4)) AGENDA_PORT=$((BASE_PORT + 5)) SONDAGE_PORT=$((BASE_PORT + 6))
    SMTP_IN_PORT=$((BASE_PORT + 7)) SMTP_OUT_PORT=$((BASE_PORT + 8)) LMTP_PORT=$((BASE_PORT + 9))
    PG_OPERATOR_PORT=$((BASE_PORT + 10)) PG_TOWN_PORT=$((BASE_PORT + 11)) SMTP_ALIGNED_PORT=$((BASE_PORT + 12))
    PKI_PORT=$((BASE_PORT + 13)) PKI_STATUS_PORT=$((BASE_PORT + 14))
    CERT_PORT=$((BASE_PORT + 15))
    # Moving to other ports or names means starting anew.
    if [ -n "${BASE_PORT_LAST:-}" ] && [ "$BASE_PORT_LAST $SUFFIX_LAST" != "$BASE_PORT $SUFFIX" ]; then
        demo_stop_quietly
    fi
    if [ -z "$(proc_names)" ]; then
        taken=$(ports_taken $(seq "$BASE_PORT" $((BASE_PORT + 15))) | head -n 1)
        if [ -n "$taken" ]; then
            who=$(port_holder "$taken")
            die "port $taken is taken${who:+ by $who}" \
                "Choose another place for the 16 ports with --base-port N, for example ./run --base-port $((BASE_PORT + 1000))."
        fi
    fi
    write_file "$STATE/settings" <<SETTINGS
BASE_PORT_LAST=$BASE_PORT
SUFFIX_LAST=$SUFFIX
SETTINGS
    IDP_BASE_URL=https://$IDP_HOST:$IDP_PORT
    IDP2_BASE_URL=https://$IDP_HOST:$IDP2_PORT
    TOWN_API_URL=https://$API_HOST:$API_PORT
    TOWN_API2_URL=https://$API_HOST:$API2_PORT
    MAIRIE_URL=https://$MAIRIE_HOST:$MAIRIE_PORT
    AGENDA_URL=https://$AGENDA_HOST:$AGENDA_PORT
    SONDAGE_URL=https://$SONDAGE_HOST:$SONDAGE_PORT
    PKI_URL=https://$PKI_HOST:$PKI_PORT
    PKI_STATUS_URL=http://$PKI_HOST:$PKI_STATUS_PORT
    CERT_LOGIN_URL=https://$CERT_HOST:$CERT_PORT
    CARD_LOGIN_URL=https://$CARD_HOST:$CERT_PORT
}

# Drawn once for this folder.
demo_secrets() {
    if [ ! -s "$STATE/secrets" ]; then
        write_file "$STATE/secrets" <<SECRETS
IDP_OWNER_PASSWORD=$(random_word)
MAIRIE_OWNER_PASSWORD=$(random_word)
PKI_OWNER_PASSWORD=$(random_word)
PKI_PHRASE=$(random_word 12)
CLERK_PASSWORD=guichet-$(random_word 6)-$(random_word 6)
CITIZEN_PASSWORD=citoyen-$(random_word 6)-$(random_word 6)
CITIZEN_P12_PASSWORD=fichier-$(random_word 6)-$(random_word 6)
SONDAGE_CLIENT_SECRET=$(random_word 24)
SECRETS
    fi
    # shellcheck source=/dev/null
    . "$STATE/secrets"
    CLERK_LOGIN=lea.guichet
    CITIZEN_LOGIN=camille.demo
    CLERK_TOTP_SECRET='' TOWN_SEAL_KEY='' CITIZEN_P12=''      # the town hall's program draws them
}

# The authority, from its ceremonies to the certificates that the others start with.
demo_pki() {
    local process
    pki_configure
    demo_command pki-migrate "$PKI_BIN" migrate --config "$PKI_CONFIG"
    demo_command pki-keys "$PKI_BIN" keys init --config "$PKI_CONFIG"
    for process in signer front status; do
        demo_command pki-keys "$PKI_BIN" keys give "$process" "$KEY_DIR/pki-$process" --config "$PKI_CONFIG"
    done
    pki_ceremonies
    pki_signer_start
    pki_certificates
    pki_doors_start
}

# --- programs -----------------------------------------------------------------------------------------------------
# Copies what runs into PROG_DIR: the demo's user may not be able to walk into the checkout, and a later build does
# not pull the rug from under running processes.
demo_stage() {
    IDP_BIN=$PROG_DIR/beffroi-idp
    MAIRIE_BIN=$PROG_DIR/beffroi-mairie
    PKI_BIN=$PROG_DIR/beffroi-pki
    stage_file "$BUILD_DIR/idp/beffroi-idp" beffroi-idp
    stage_file "$BUILD_DIR/mairie-connector/beffroi-mairie" beffroi-mairie
    stage_file "$BUILD_DIR/pki/beffroi-pki" beffroi-pki
    stage_folder "$TOP/templates" templates
    stage_profiles
    stage_folder "$TOP/migrations" migrations
    stage_folder "$TOP/tools/demo-agenda" demo-agenda
    "$TOP/tools/npm-packages" "$TOP/tools/demo-oidc"
    stage_folder "$TOP/tools/demo-oidc" demo-oidc
    "$TOP/tools/install-packages" --unpack "$TOP/var/pkg"
    stage_file "$TOP/var/pkg/root/usr/lib/apache2/modules/mod_auth_mellon.so" mod_auth_mellon.so
}
# The profiles, but authorities sign servers below the demo's names only: a browser that trusts them trusts them for nothing else.
stage_profiles() {
    local from=$STATE/.profiles
    rm -rf "$from"
    cp -R "$TOP/pki/profiles" "$from"
    printf 'permitted.dns = %s\n' "$SUFFIX" >>"$from/issuing-ca.profile"
    stage_folder "$from" profiles
    rm -rf "$from"
}
stage_file() { # FROM NAME
    [ -f "$1" ] || die "there is no ${1#"$TOP/"}" "The demo needs it; what the build made is in $BUILD_DIR."
    if ! cmp -s "$1" "$PROG_DIR/$2"; then
        install -m 0755 "$1" "$PROG_DIR/.$2.new"
        mv -f "$PROG_DIR/.$2.new" "$PROG_DIR/$2"
    fi
}
stage_folder() { # FROM NAME
    if ! diff -rq "$1" "$PROG_DIR/$2" >/dev/null 2>&1; then
        rm -rf "${PROG_DIR:?}/.$2.new"
        cp -R "$1" "$PROG_DIR/.$2.new"
        chmod -R u+rwX,go+rX "$PROG_DIR/.$2.new"
        rm -rf "${PROG_DIR:?}/$2"
        mv "$PROG_DIR/.$2.new" "$PROG_DIR/$2"
    fi
}
staged() { find "$PROG_DIR/$1" -type f 2>/dev/null | sort; }

# --- databases ----------------------------------------------------------------------------------------------------
demo_databases() {
    pg_cluster_make operator "$PG_OPERATOR_PORT"
    pg_cluster_make town "$PG_TOWN_PORT"
    pg_cluster_start operator "$PG_OPERATOR_PORT"
    pg_cluster_start town "$PG_TOWN_PORT"
    pg_database_make operator "$PG_OPERATOR_PORT" beffroi idp idp_owner "$IDP_OWNER_PASSWORD" idp_web idp_worker idp_notifier
    pg_database_make town "$PG_TOWN_PORT" mairie mairie mairie_owner "$MAIRIE_OWNER_PASSWORD" mairie_web mairie_outbox
    IDP_DATABASE_URL=postgresql://idp_owner:$IDP_OWNER_PASSWORD@127.0.0.1:$PG_OPERATOR_PORT/beffroi
    PKI_DATABASE_URL=postgresql://pki_owner:$PKI_OWNER_PASSWORD@127.0.0.1:$PG_OPERATOR_PORT/pki
    MAIRIE_DATABASE_URL=postgresql://mairie_owner:$MAIRIE_OWNER_PASSWORD@127.0.0.1:$PG_TOWN_PORT/mairie
}

# --- configuration ------------------------------------------------------------------------------------------------
listen_list() { loopbacks | sed "s/.*:.*/[&]/; s/\$/:$1/" | paste -sd, -; }
idp_conf() { # PORT TOWN-PORT ROLE KEYS: the settings of one IdP process
    cat <<CONF
# One process of the demo's IdP; made by ./run, changed by the next ./run.
environment = demo
base_url = $IDP_BASE_URL
name.fr = Mon compte $TOWN_LABEL
name.en = My $TOWN_LABEL account
help.phone = 01 99 00 12 34
templates = $PROG_DIR/templates
migrations = $PROG_DIR/migrations/idp
database = host=$STATE/pg/operator/socket port=$PG_OPERATOR_PORT dbname=beffroi user=$3 options='-c search_path=idp'
database.owner = host=$STATE/pg/operator/socket port=$PG_OPERATOR_PORT dbname=beffroi user=idp_owner options='-c search_path=idp'
listen = $(listen_list "$1")
tls.cert = $PKI_DIR/idp.pem
tls.key = $PKI_DIR/idp.key
town.listen = $(listen_list "$2")
town.url = $TOWN_API_URL
town.tls.cert = $PKI_DIR/api.pem
town.tls.key = $PKI_DIR/api.key
town.client_ca = $PKI_DIR/servers-ca.pem
keys = $KEY_DIR/$4
cardops.seal_key = $PKI_DIR/cardops-seal.pem
clock.file = $CLOCK_DIR/offset
mail.address = $MAIL_IN_ADDRESS
mail.lmtp.listen = $MAIL_LMTP_LISTEN
mail.authserv_id = $MAIL_AUTHSERV_ID
mail.smtp.url = smtp://127.0.0.1:$SMTP_OUT_PORT
mail.from = ne-pas-repondre@$SUFFIX
mail.from_name = $TOWN_LABEL
outgoing.ca = $PKI_DIR/ca.pem
outgoing.private = yes
cert.url = $CERT_LOGIN_URL
cert.card.url = $CARD_LOGIN_URL
cert.fresh_names = $CERT_FRESH
trust.crl.refresh = 1min
pki.url = $PKI_URL
pki.ca = $PKI_DIR/ca.pem
pki.cert = $PKI_DIR/idp-station.pem
pki.key = $PKI_DIR/idp-station.key
CONF
}
# The certificate door stands at the first node: a handshake there asks for a certificate.
idp_door_conf() {
    cat <<CONF
cert.listen = $(listen_list "$CERT_PORT")
cert.tls.cert = $PKI_DIR/doors.pem
cert.tls.key = $PKI_DIR/doors.key
CONF
}
mairie_conf() { # ROLE: the settings of one process of the town hall
    cat <<CONF
# One process of the demo's town hall; made by ./run, changed by the next ./run.
environment = demo
base_url = $MAIRIE_URL
town = Valbourg
name.fr = Guichet – $TOWN_LABEL
name.en = Counter – Town of Valbourg
phone = 01 99 00 12 34
templates = $PROG_DIR/templates
migrations = $PROG_DIR/migrations/mairie
database = host=$STATE/pg/town/socket port=$PG_TOWN_PORT dbname=mairie user=$1 options='-c search_path=mairie'
database.owner = host=$STATE/pg/town/socket port=$PG_TOWN_PORT dbname=mairie user=mairie_owner options='-c search_path=mairie'
listen = $(listen_list "$MAIRIE_PORT")
tls.cert = $PKI_DIR/mairie.pem
tls.key = $PKI_DIR/mairie.key
keys = $KEY_DIR/mairie
clock.file = $CLOCK_DIR/offset
idp.url = $TOWN_API_URL
idp.ca = $PKI_DIR/ca.pem
idp.cert = $PKI_DIR/town.pem
idp.key = $PKI_DIR/town.key
idp.private = yes
account.certificate = yes
account.card = yes
certificate.named = yes
hours.fr = du lundi au vendredi, de 8 h 30 à 17 h
hours.en = Monday to Friday, 8.30 to 17.00
sheet.mail_address = $MAIL_IN_ADDRESS
sheet.block_url = ${BLOCK_URL#https://}
CONF
}
# What card records are sealed to. The private half is card operations' alone: no program of the demo reads it yet.
demo_cardops_key() {
    local key=$KEY_DIR/cardops/seal.pem
    as_demo test -s "$key" || as_demo sh -c 'umask 077 && mkdir -p "$1" && openssl genpkey -algorithm EC \
        -pkeyopt ec_paramgen_curve:P-256 -out "$1/.seal.pem" 2>/dev/null && chmod 0400 "$1/.seal.pem" && mv "$1/.seal.pem" "$1/seal.pem"' \
        sh "$(dirname "$key")"
    as_demo openssl pkey -in "$key" -pubout | write_file "$PKI_DIR/cardops-seal.pem" 0644
}
demo_configure() {
    SAML_METADATA_URL=$IDP_BASE_URL/saml/metadata
    OIDC_ISSUER=$IDP_BASE_URL
    BLOCK_URL=$IDP_BASE_URL/blocage
    # A name of its own for each attempt, where every name below the door's leads to this machine.
    case $SUFFIX in *.localhost) CERT_FRESH=yes ;; *) CERT_FRESH=no ;; esac
    MAIL_IN_ADDRESS=activation@$SUFFIX
    MAIL_AUTHSERV_ID=mx.$SUFFIX
    MAIL_LMTP_LISTEN=127.0.0.1:$LMTP_PORT
    MAIL_OUT_DIR=$MAIL_DIR/out
    IDP_CONFIG=$CONF_DIR/idp.conf
    IDP_WEB_CONFIG=$CONF_DIR/idp-web.conf
    IDP2_CONFIG=$CONF_DIR/idp2.conf
    IDP_WORKER_CONFIG=$CONF_DIR/idp-worker.conf
    IDP_NOTIFIER_CONFIG=$CONF_DIR/idp-notifier.conf
    MAIRIE_CONFIG=$CONF_DIR/mairie.conf
    MAIRIE_OUTBOX_CONFIG=$CONF_DIR/mairie-outbox.conf
    demo_cardops_key
    # The operator's, with every key: what commands are given. Each process has one with its own keys.
    idp_conf "$IDP_PORT" "$API_PORT" idp_web idp | write_file "$IDP_CONFIG"
    { idp_conf "$IDP_PORT" "$API_PORT" idp_web idp-web; idp_door_conf; } | write_file "$IDP_WEB_CONFIG"
    idp_conf "$IDP2_PORT" "$API2_PORT" idp_web idp-web | write_file "$IDP2_CONFIG"
    idp_conf "$IDP_PORT" "$API_PORT" idp_worker idp-worker | write_file "$IDP_WORKER_CONFIG"
    idp_conf "$IDP_PORT" "$API_PORT" idp_notifier idp-notifier | write_file "$IDP_NOTIFIER_CONFIG"
    demo_reads "$IDP_CONFIG" "$IDP_WEB_CONFIG" "$IDP2_CONFIG" "$IDP_WORKER_CONFIG" "$IDP_NOTIFIER_CONFIG"
    mairie_conf mairie_web | write_file "$MAIRIE_CONFIG"
    mairie_conf mairie_outbox | write_file "$MAIRIE_OUTBOX_CONFIG"
    demo_reads "$MAIRIE_CONFIG" "$MAIRIE_OUTBOX_CONFIG"
}

demo_migrate() {
    local process
    demo_command idp-migrate "$IDP_BIN" migrate --config "$IDP_CONFIG"
    demo_command idp-keys "$IDP_BIN" keys init --config "$IDP_CONFIG"
    for process in web worker notifier; do
        demo_command idp-keys "$IDP_BIN" keys give "$process" "$KEY_DIR/idp-$process" --config "$IDP_CONFIG"
    done
    demo_command mairie-migrate "$MAIRIE_BIN" migrate --config "$MAIRIE_CONFIG"
    demo_command mairie-keys "$MAIRIE_BIN" keys init --config "$MAIRIE_CONFIG"
}

# A real MTA of our own: mail from outside, mail from us, and the way from it to the worker.
demo_mail_start() {
    "$TOP/tools/mta" prepare --dir "$STATE/mta" --in-port "$SMTP_IN_PORT" --aligned-port "$SMTP_ALIGNED_PORT" \
        --submit-port "$SMTP_OUT_PORT" --lmtp "$MAIL_LMTP_LISTEN" --out-dir "$MAIL_OUT_DIR" --address "$MAIL_IN_ADDRESS" \
        --authserv-id "$MAIL_AUTHSERV_ID" --user "$DEMO_USER"
    proc_start mta "$(find "$STATE/mta" -maxdepth 1 -name '*.conf' | sort)" "$STATE/mta/mta-run"
    proc_wait_ready mta "$SMTP_IN_PORT"
    proc_wait_ready mta "$SMTP_OUT_PORT"
}

demo_programs_start() {
    local files
    files="$PKI_DIR/idp.pem $PKI_DIR/doors.pem $PKI_DIR/api.pem $PKI_DIR/servers-ca.pem $(staged templates)"
    proc_start idp "$IDP_WEB_CONFIG $files" "$IDP_BIN" serve --config "$IDP_WEB_CONFIG"
    proc_start idp2 "$IDP2_CONFIG $files" "$IDP_BIN" serve --config "$IDP2_CONFIG"
    proc_start idp-worker "$IDP_WORKER_CONFIG $files" "$IDP_BIN" worker --config "$IDP_WORKER_CONFIG"
    proc_start idp-notifier "$IDP_NOTIFIER_CONFIG $files" "$IDP_BIN" notifier --config "$IDP_NOTIFIER_CONFIG"
    # The listeners open one after the other; the town's door comes last.
    proc_wait_ready idp "$API_PORT"
    proc_wait_ready idp2 "$API2_PORT"
    proc_wait_ready idp-worker "$LMTP_PORT"
}

# --- the two services ---------------------------------------------------------------------------------------------
# agenda: Apache with mod_auth_mellon. Its metadata are made here, the IdP's are fetched from where the IdP offers them.
agenda_make() {
    local dir=$STATE/agenda entity=$AGENDA_URL/mellon/metadata cert
    if [ ! -s "$dir/sp.key" ]; then
        as_demo openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj "/CN=$AGENDA_HOST" \
            -keyout "$dir/sp.key" -out "$dir/sp.pem" 2>/dev/null
    fi
    cert=$(grep -v -- '-----' "$dir/sp.pem")
    write_file "$CONF_DIR/agenda-sp.xml" 0644 <<XML
<?xml version="1.0" encoding="UTF-8"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="$entity">
  <SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
$cert
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
    <KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
$cert
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
    <SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="$AGENDA_URL/mellon/logout"/>
    <NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</NameIDFormat>
    <AssertionConsumerService index="0" isDefault="true" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="$AGENDA_URL/mellon/postResponse"/>
  </SPSSODescriptor>
  <Organization>
    <OrganizationName xml:lang="fr">Agenda</OrganizationName>
    <OrganizationDisplayName xml:lang="fr">Agenda des services municipaux</OrganizationDisplayName>
    <OrganizationURL xml:lang="fr">$AGENDA_URL/</OrganizationURL>
  </Organization>
</EntityDescriptor>
XML
    # mod_auth_mellon reads it from a folder it may walk: the same file, the demo user's copy.
    as_demo cp "$CONF_DIR/agenda-sp.xml" "$dir/sp-metadata.xml"
    AGENDA_METADATA=$CONF_DIR/agenda-sp.xml
}
agenda_start() {
    local dir=$STATE/agenda listen address
    listen=$(for address in $(loopbacks); do
        case $address in
        *:*) printf 'Listen [%s]:%s\\n' "$address" "$AGENDA_PORT" ;;
        *) printf 'Listen %s:%s\\n' "$address" "$AGENDA_PORT" ;;
        esac
    done)
    sed "s|@DIR@|$dir|g; s|@HOST@|$AGENDA_HOST|g; s|@PORT@|$AGENDA_PORT|g; s|@LISTEN@|$listen|; s|@PKI@|$PKI_DIR|g
        s|@MODULES@|/usr/lib/apache2/modules|g; s|@MELLON@|$PROG_DIR/mod_auth_mellon.so|
        s|@PROG@|$PROG_DIR/demo-agenda|g" "$TOP/tools/demo-agenda/httpd.conf.in" | write_file "$CONF_DIR/agenda.conf"
    demo_reads "$CONF_DIR/agenda.conf"
    # Apache refuses to start beside its own stale pid file after a crash when another process has got the number.
    proc_pid agenda >/dev/null || rm -f "$dir/httpd.pid"
    proc_start agenda "$CONF_DIR/agenda.conf $dir/sp-metadata.xml $dir/idp-metadata.xml $PKI_DIR/agenda.pem" \
        apache2 -DFOREGROUND -f "$CONF_DIR/agenda.conf"
    proc_wait_ready agenda "$AGENDA_PORT"
}

# sondage: an OpenID Connect client on openid-client.
sondage_start() {
    local listen
    listen=$(loopbacks | sed 's/.*/"&"/' | paste -sd, -)
    write_file "$CONF_DIR/sondage.json" <<JSON
{
  "issuer": "$OIDC_ISSUER",
  "client_id": "sondage",
  "client_secret": "$SONDAGE_CLIENT_SECRET",
  "scope": "openid authorisations town",
  "base_url": "$SONDAGE_URL",
  "listen": [$listen],
  "port": $SONDAGE_PORT,
  "cert": "$PKI_DIR/sondage.pem",
  "key": "$PKI_DIR/sondage.key",
  "ca": "$PKI_DIR/ca.pem"
}
JSON
    demo_reads "$CONF_DIR/sondage.json"
    proc_start sondage "$CONF_DIR/sondage.json $PROG_DIR/demo-oidc/server.mjs $PKI_DIR/sondage.pem" \
        node "$PROG_DIR/demo-oidc/server.mjs" "$CONF_DIR/sondage.json"
    proc_wait_ready sondage "$SONDAGE_PORT"
}

# The town: what it seals its citizens' codes to, its name at the operator's, its authorisations, its clerk, its server.
demo_town() {
    local seal=$PKI_DIR/town-seal-pub.pem clerk=$KEY_DIR/clerk
    TOWN_SEAL_KEY=$KEY_DIR/mairie/seal.pem
    write_file "$seal" 0644 <"$KEY_DIR/mairie/seal-public.pem"
    demo_command town-add "$IDP_BIN" town add "$TOWN_NAME" --config "$IDP_CONFIG" --cert "$PKI_DIR/town.pem" \
        --seal-key "$seal" --label-fr "$TOWN_LABEL" --label-en "Town of Valbourg" --phone "01 99 00 12 34"
    authorisation employe_mairie "Employé de la mairie" "Works for the town"
    authorisation bibliotheque "Emprunte à la bibliothèque" "Borrows at the library"
    authorisation peut_voter "Peut voter" "May vote" --sensitive
    # The program draws the one-time key and writes it to the file; a file that is there means the clerk is, too.
    if ! as_demo test -s "$clerk.totp"; then
        printf '%s\n' "$CLERK_PASSWORD" | as_demo sh -c 'umask 077 && cat >"$1"' sh "$clerk.password"
        demo_command agent-add "$MAIRIE_BIN" agent add "$CLERK_LOGIN" --config "$MAIRIE_CONFIG" --name "Léa Guichet" \
            --roles guichet,validation --password-file "$clerk.password" --totp-file "$clerk.totp"
        as_demo rm -f "$clerk.password"
    fi
    CLERK_TOTP_SECRET=$(as_demo cat "$clerk.totp")
    proc_start mairie "$MAIRIE_CONFIG $PKI_DIR/mairie.pem $(staged templates)" "$MAIRIE_BIN" serve --config "$MAIRIE_CONFIG"
    proc_start mairie-outbox "$MAIRIE_OUTBOX_CONFIG" "$MAIRIE_BIN" outbox --config "$MAIRIE_OUTBOX_CONFIG"
    proc_wait_ready mairie "$MAIRIE_PORT"
}
authorisation() { # CODE FRENCH ENGLISH [--sensitive]
    local code=$1 fr=$2 en=$3
    shift 3
    demo_command authorisation-add "$MAIRIE_BIN" authorisation add "$code" --config "$MAIRIE_CONFIG" --label-fr "$fr" --label-en "$en" "$@"
}
# demo_command NAME COMMAND…: a command of the operator, run as the demo's user; its words are shown when it fails.
demo_command() {
    local name=$1
    shift
    as_demo "$@" >"$LOG_DIR/$name.log" 2>&1 && return 0
    cat "$LOG_DIR/$name.log" >&2
    die "$name failed (above)" "It was: $*"
}
# One active citizen, made as citizens are made (tools/demo-citizen); nothing to do when they can sign in already.
demo_citizen() {
    demo_endpoints
    "$TOP/tools/demo-citizen" "$STATE/endpoints.env" || die "the demo's citizen could not be made (above)" "Logs: $LOG_DIR"
}

# The authorities whose certificates sign in, and a software certificate of the citizen.
demo_certificate() {
    local trusted ca handle
    trusted=$(as_demo "$IDP_BIN" trust list --config "$IDP_CONFIG") || die "beffroi-idp trust list failed"
    for ca in soft cards; do
        grep -q "^$ca[[:space:]]" <<<"$trusted" || demo_command trust-add "$IDP_BIN" trust add "$PKI_DIR/$ca-ca.pem" --config "$IDP_CONFIG" \
            --name "$ca" --use "$([ "$ca" = soft ] && echo software || echo card)" --own --crl "$PKI_STATUS_URL/crl/$ca-g1.crl"
    done
    CITIZEN_P12=$PKI_DIR/citizen.p12
    [ ! -s "$CITIZEN_P12" ] || return 0
    handle=$(printf "SELECT a.handle FROM idp.account a JOIN idp.login l ON l.account_id = a.id WHERE l.login_folded = '%s';\n" \
        "$CITIZEN_LOGIN" | pg_super operator "$PG_OPERATOR_PORT" beffroi)
    pki_certificate citizen citizen-soft "$handle" --town "$TOWN_NAME" --number "$(random_word 8)"
    demo_command link-certificate "$IDP_BIN" account link-certificate "$handle" "$PKI_DIR/citizen.pem" --config "$IDP_CONFIG"
    openssl pkcs12 -export -inkey "$PKI_DIR/citizen.key" -in "$PKI_DIR/citizen.pem" -name "$CITIZEN_LOGIN" \
        -passout "pass:$CITIZEN_P12_PASSWORD" | write_file "$CITIZEN_P12" 0640
    demo_reads "$CITIZEN_P12"
}

demo_services() {
    agenda_make
    write_file "$CONF_DIR/agenda-policy.json" 0644 <<JSON
{
  "require_signed_authnrequest": true,
  "nameid": "persistent",
  "attributes": ["authorisations", "town"],
  "family": "agenda",
  "label_fr": "Agenda des services municipaux",
  "label_en": "Municipal appointments"
}
JSON
    write_file "$CONF_DIR/sondage-client.json" 0640 <<JSON
{
  "client_id": "sondage",
  "client_secret": "$SONDAGE_CLIENT_SECRET",
  "client_name": "Sondage du quartier",
  "client_name#en": "Neighbourhood poll",
  "redirect_uris": ["$SONDAGE_URL/retour"],
  "post_logout_redirect_uris": ["$SONDAGE_URL/adieu"],
  "grant_types": ["authorization_code"],
  "response_types": ["code"],
  "token_endpoint_auth_method": "client_secret_basic",
  "id_token_signed_response_alg": "RS256",
  "subject_type": "pairwise",
  "family": "sondage",
  "attributes": ["authorisations", "town"]
}
JSON
    demo_reads "$CONF_DIR/agenda-policy.json" "$CONF_DIR/sondage-client.json"
    sondage_start
    demo_command client-add "$IDP_BIN" client add "$CONF_DIR/sondage-client.json" --config "$IDP_CONFIG" --replace
    # Apache wants the IdP's metadata before it starts.
    https_get "$SAML_METADATA_URL" "$STATE/agenda/idp-metadata.new"
    as_demo mv -f "$STATE/agenda/idp-metadata.new" "$STATE/agenda/idp-metadata.xml"
    demo_command sp-add "$IDP_BIN" sp add "$AGENDA_METADATA" --config "$IDP_CONFIG" --policy "$CONF_DIR/agenda-policy.json" --replace
    agenda_start
}
https_get() { # URL FILE: the demo user's file
    as_demo curl -sS --fail --max-time 20 --cacert "$PKI_DIR/ca.pem" -o "$2" "$1" || die "cannot fetch $1"
}

# --- what people and tests read -----------------------------------------------------------------------------------
demo_endpoints() {
    local name pid
    {
        cat <<ENDPOINTS
# The demo of $DATA; written by ./run, described in docs/demo.md. KEY=VALUE lines, no quotes.
IDP_BASE_URL=$IDP_BASE_URL
IDP2_BASE_URL=$IDP2_BASE_URL
SAML_METADATA_URL=$SAML_METADATA_URL
OIDC_ISSUER=$OIDC_ISSUER
TOWN_API_URL=$TOWN_API_URL
TOWN_API2_URL=$TOWN_API2_URL
TOWN_CERT=$PKI_DIR/town.pem
TOWN_KEY=$PKI_DIR/town.key
TOWN_NAME=$TOWN_NAME
TOWN_SEAL_KEY=$TOWN_SEAL_KEY
TOWN2_CERT=$PKI_DIR/town2.pem
TOWN2_KEY=$PKI_DIR/town2.key
STRANGER_CERT=$PKI_DIR/stranger.pem
STRANGER_KEY=$PKI_DIR/stranger.key
CA_CERT=$PKI_DIR/ca.pem
MAIRIE_URL=$MAIRIE_URL
AGENDA_URL=$AGENDA_URL
SONDAGE_URL=$SONDAGE_URL
CLERK_LOGIN=$CLERK_LOGIN
CLERK_PASSWORD=$CLERK_PASSWORD
CLERK_TOTP_SECRET=$CLERK_TOTP_SECRET
CITIZEN_LOGIN=$CITIZEN_LOGIN
CITIZEN_PASSWORD=$CITIZEN_PASSWORD
CITIZEN_P12=$CITIZEN_P12
CITIZEN_P12_PASSWORD=$CITIZEN_P12_PASSWORD
CERT_LOGIN_URL=$CERT_LOGIN_URL
CARD_LOGIN_URL=$CARD_LOGIN_URL
MAIL_IN_ADDRESS=$MAIL_IN_ADDRESS
SMTP_IN_HOST=127.0.0.1
SMTP_IN_PORT=$SMTP_IN_PORT
SMTP_IN_ALIGNED_PORT=$SMTP_ALIGNED_PORT
MAIL_OUT_DIR=$MAIL_OUT_DIR
BLOCK_URL=$BLOCK_URL
IDP_DATABASE_URL=$IDP_DATABASE_URL
PKI_DATABASE_URL=$PKI_DATABASE_URL
MAIRIE_DATABASE_URL=$MAIRIE_DATABASE_URL
IDP_CONFIG=$IDP_CONFIG
IDP2_CONFIG=$IDP2_CONFIG
IDP_WORKER_CONFIG=$IDP_WORKER_CONFIG
IDP_NOTIFIER_CONFIG=$IDP_NOTIFIER_CONFIG
IDP_BIN=$IDP_BIN
MAIRIE_CONFIG=$MAIRIE_CONFIG
MAIRIE_BIN=$MAIRIE_BIN
EST_URL=$PKI_URL/.well-known/est
EST_CLIENT_CERT=$PKI_DIR/station.pem
EST_CLIENT_KEY=$PKI_DIR/station.key
OCSP_URL=$PKI_STATUS_URL/ocsp
CRL_URL=$PKI_STATUS_URL/crl/servers-g1.crl
ISSUING_CA=$PKI_DIR/servers-ca.pem
PKI_URL=$PKI_URL
PKI_STATUS_URL=$PKI_STATUS_URL
PKI_BIN=$PKI_BIN
PKI_CONFIG=$PKI_CONFIG
LOG_DIR=$LOG_DIR
ENDPOINTS
        for name in $PROCESSES; do
            pid=$(proc_pid "$name") || continue
            printf '%s_PID=%s\n' "$(tr 'a-z-' 'A-Z_' <<<"$name")" "$pid"
        done
    } | write_file "$STATE/endpoints.env"
}

demo_words() {
    local data_option=''
    [ "$DATA" = "$TOP/var" ] || data_option=" --data $DATA"
    cat <<WORDS

Beffroi runs. Its certificates come from an authority of the demo's own: ./run --browser opens a Chromium that
trusts it, another browser asks first ($PKI_DIR/ca.pem).

  1. The counter      $MAIRIE_URL
     clerk            $CLERK_LOGIN  /  $CLERK_PASSWORD
     six-digit code   $TOP/tools/totp $CLERK_TOTP_SECRET
  2. Two services     $AGENDA_URL  (SAML 2.0)
                      $SONDAGE_URL  (OpenID Connect)
     citizen          $CITIZEN_LOGIN  /  $CITIZEN_PASSWORD
     or a certificate $CITIZEN_P12  /  $CITIZEN_P12_PASSWORD
  3. Block an account $BLOCK_URL
  4. Be a citizen     $TOP/tools/demo-mail CODE${data_option}
     sends the code of a printed sheet to $MAIL_IN_ADDRESS and shows the answer

Addresses, accounts and files for tests: $DATA/demo/endpoints.env
Logs: $LOG_DIR
WORDS
}

# Chromium with a profile of its own, in the demo's folder, whose certificate store trusts the demo's authority.
demo_browser() {
    local home=$DATA/browser options=()
    have chromium || die "chromium is not installed" "tools/install-packages browser"
    [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] ||
        die "--browser needs a graphical session (DISPLAY or WAYLAND_DISPLAY)" "The demo itself runs; stop it with ./run --stop."
    mkdir -p -m 0700 "$home/.pki/nssdb"
    [ -e "$home/.pki/nssdb/cert9.db" ] || certutil -N -d "sql:$home/.pki/nssdb" --empty-password
    certutil -D -d "sql:$home/.pki/nssdb" -n "beffroi demo" 2>/dev/null || true
    certutil -A -d "sql:$home/.pki/nssdb" -n "beffroi demo" -t C,, -i "$PKI_DIR/ca.pem"
    pk12util -i "$CITIZEN_P12" -d "sql:$home/.pki/nssdb" -W "$CITIZEN_P12_PASSWORD" -K '' >/dev/null || warn "the citizen's certificate is not in the browser"
    if am_root; then options+=(--no-sandbox); fi
    HOME=$home XDG_CONFIG_HOME=$home/config setsid chromium --user-data-dir="$home/profile" --no-first-run --disable-sync \
        --disable-background-networking --disable-component-update "${options[@]}" "$MAIRIE_URL" "$AGENDA_URL" "$SONDAGE_URL" \
        >"$LOG_DIR/browser.log" 2>&1 </dev/null 8>&- 9>&- &
    disown
}

# --- stopping and looking -------------------------------------------------------------------------------------------
demo_stop_quietly() {
    local name i names=''
    for name in $PROCESSES; do names="$name $names"; done
    for name in $names; do
        case $name in
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended, nothing is lost.
        pg-*) proc_stop "$name" INT ;;
        *) proc_stop "$name" ;;
        esac
    done
}
demo_stop() {
    local had
    had=$(for name in $(proc_names); do proc_pid "$name" >/dev/null && printf '%s ' "$name"; done)
    demo_stop_quietly
    if [ -n "$had" ]; then say "Stopped: $had"; else say "Nothing of Beffroi runs from $DATA."; fi
}

demo_status() {
    local name pid up=0 down=0
    for name in $PROCESSES; do
        if pid=$(proc_pid "$name"); then
            printf '  %-14s runs, pid %s\n' "$name" "$pid"
            up=$((up + 1))
        else
            printf '  %-14s does not run\n' "$name"
            down=$((down + 1))
        fi
    done
    say "Addresses, accounts and files: $DATA/demo/endpoints.env; logs: $LOG_DIR"
    [ "$down" != 0 ] || exit 0
    [ "$up" != 0 ] || exit 3
    exit 1
}

# Stays until Ctrl-C; says so when a process ends by itself.
demo_watch() {
    local name told=' '
    # The words come late or not at all when the terminal is gone: the stopping does not depend on them.
    trap 'trap "" INT TERM HUP PIPE; set +e; say "" 2>/dev/null; demo_lock; demo_stop; exit 0' INT TERM HUP
    say "Ctrl-C stops everything."
    while :; do
        for name in $PROCESSES; do
            case $told in *" $name "*) continue ;; esac
            if ! proc_pid "$name" >/dev/null; then
                # Somebody stopped everything with ./run --stop: nothing left to stay for.
                [ -e "$RUN_DIR/$name.proc" ] || { say "The demo was stopped."; exit 0; }
                warn "$name ended by itself; its log is $LOG_DIR/$name.log"
                told="$told$name "
            fi
        done
        sleep 1 &
        wait $! || true
    done
}
