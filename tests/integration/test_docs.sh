#!/bin/bash
# test_docs: what the documents say about the programs is what the programs say.
#
# - docs/configuration.md is what tools/docs-generate writes;
# - each program with a manual page: every command of --help stands in it, every command says its usage with exit
#   status 2, and the options of the usages are those of the page;
# - the configuration of docs/operator.md is a good one;
# - every relative link of README.md and docs/ leads somewhere, and every file of ours that they name is there;
# - the packaged units refuse a configuration that is not for production.
# Needs the programs built: BEFFROI_BUILD, else build/check-asan, else build.
set -euo pipefail
umask 022
TOP=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
cd "$TOP"
for BUILD in "${BEFFROI_BUILD:-}" build/check-asan build; do
    IDP=$BUILD/idp/beffroi-idp
    [ ! -x "$IDP" ] || break
done
[ -x "$IDP" ] || { echo "beffroi-idp is not built"; exit 1; }
FAILURES=0
WORK=$(mktemp -d "${TMPDIR:-/tmp}/beffroi-test-docs.XXXXXX")
trap 'rm -rf -- "$WORK"' EXIT
bad() {
    echo "FAILED: $*"
    FAILURES=$((FAILURES + 1))
}

# --- settings ---
tools/docs-generate --check "$BUILD" || bad "docs/configuration.md"
# and the comparison can fail
mkdir -p "$WORK/tools" "$WORK/docs" "$WORK/idp"
cp tools/docs-generate "$WORK/tools/"
touch "$WORK/idp/main.c"
sed 's/Name of the service/Name of a service/' docs/configuration.md >"$WORK/docs/configuration.md"
! "$WORK/tools/docs-generate" --check "$(realpath "$BUILD")" >/dev/null 2>&1 || bad "a changed configuration.md is not noticed"

# --- manual pages ---
# "  name   help" lines of --help.
commands() { sed -nE 's/^  ([a-z-]+) +[^ ].*/\1/p' <<<"$1"; }
# Options, one a line, without those that are commands.
own_options() { grep -vxE 'check-config|version|help' | sort -u; }
# manual NAME PROGRAM
manual() {
    local page=packaging/man/$1.1 help command usage status n=0
    [ -e "$page" ] || { bad "$page is missing"; return 0; }
    help=$("$2" --help)
    for command in $(commands "$help"); do
        n=$((n + 1))
        case $command in
        --*) grep -qE "^\.It Fl Fl ${command#--}( |$)" "$page" || bad "$page does not describe $command" ;;
        *) grep -qE "^\.It Cm $command( |$)" "$page" || bad "$page does not describe $command" ;;
        esac
        [ "$command" != --version ] || continue      # the one command that takes no word and minds none
        status=0
        usage=$("$2" "$command" --no-such-option 2>&1 >/dev/null) || status=$?
        [ "$status" = 2 ] && grep -qE "^usage: $1 $command( |$)" <<<"$usage" || bad "$1 $command: no usage, or exit status $status"
        printf '%s\n' "$usage" | grep -v ': unknown option ' >>"$WORK/$1.usages" || true
    done
    [ "$n" -ge 5 ] || bad "$1 --help lists $n commands only: is its form another now?"
    diff <(grep -oE -- '--[a-z-]+' "$WORK/$1.usages" | sed 's/^--//' | own_options) \
        <(grep -oE 'Fl Fl [a-z-]+' "$page" | sed 's/Fl Fl //' | own_options) >"$WORK/options" ||
        bad "$page (>) and the usages (<) differ in their options: $(grep '^[<>]' "$WORK/options" | tr '\n' ' ')"
    # groff names what it does not understand
    if command -v groff >/dev/null; then
        groff -mandoc -Tutf8 -ww "$page" >/dev/null 2>"$WORK/groff" || bad "$page: groff"
        [ ! -s "$WORK/groff" ] || bad "$page: $(head -n 3 "$WORK/groff")"
    fi
}
manual beffroi-idp "$IDP"
MAIRIE=$(find "$BUILD" -maxdepth 3 -type f -name beffroi-mairie -perm -u+x | head -n 1)
[ -z "$MAIRIE" ] || manual beffroi-mairie "$MAIRIE"
PKI=$(find "$BUILD" -maxdepth 3 -type f -name beffroi-pki -perm -u+x | head -n 1)
[ -z "$PKI" ] || manual beffroi-pki "$PKI"

# --- links and names ---
DOCS=(README.md docs/*.md)
for doc in "${DOCS[@]}"; do
    while read -r link; do
        [ -e "$(dirname "$doc")/${link%%#*}" ] || bad "$doc: no $link"
    done < <(grep -oE '\]\([^)#: ]+(#[^)]*)?\)' "$doc" | sed -E 's/^\]\(//; s/\)$//')
    while read -r name; do
        compgen -G "${name%/}" >/dev/null || bad "$doc: no $name"
    done < <(grep -oE '`(base|idp|mairie-connector|templates|migrations|tests|tools|packaging|docs)/[A-Za-z0-9_./*-]+`' "$doc" | tr -d '`' | grep -v NNNN)
done

# Tests that a document names are there; test_X.c and the like were looked for above.
for doc in "${DOCS[@]}"; do
    while read -r name; do
        grep -rqw --include='test_*' -- "$name" tests || bad "$doc: no test $name"
    done < <(grep -oE '`test_[a-z0-9_]+`' "$doc" | tr -d '`' | sort -u)
done

# --- the operator's guide: its configuration is one ---
# Each "`/etc/beffroi/NAME.conf`:" with the indented block after it becomes a file.
mkdir -p "$WORK/etc/tls"
install -m 0600 /dev/null "$WORK/etc/tls/guichet.key"
install -m 0600 /dev/null "$WORK/etc/tls/est.key"
python3 - "$WORK/etc" "$TOP" <<'END'
import re, sys
etc, top = sys.argv[1:]
text = open(top + "/docs/operator.md").read() + open(top + "/docs/operator-pki.md").read()
for name, block in re.findall(r"^`/etc/beffroi/([a-z-]+\.conf)`:\n\n((?:    .*\n)+)", text, re.M):
    block = re.sub(r"^    ", "", block, flags=re.M)
    block = block.replace("/etc/beffroi", etc).replace("/usr/share/beffroi/profiles", top + "/pki/profiles").replace("/usr/share/beffroi", top)
    open(f"{etc}/{name}", "w").write(block)
END
for name in idp-operator idp idp-worker idp-notifier; do
    [ -s "$WORK/etc/$name.conf" ] || bad "docs/operator.md: no block for $name.conf"
    "$IDP" --check-config "$WORK/etc/$name.conf" --production || bad "docs/operator.md: $name.conf is refused"
done
for name in pki-operator pki-signer pki-front pki-status; do
    [ -s "$WORK/etc/$name.conf" ] || bad "docs/operator-pki.md: no block for $name.conf"
    [ -z "$PKI" ] || "$PKI" --check-config "$WORK/etc/$name.conf" --production || bad "docs/operator-pki.md: $name.conf is refused"
done

# --- units ---
for unit in packaging/systemd/*.service; do
    grep -qE '^ExecStartPre=.* --check-config \S+ --production$' "$unit" || bad "$unit starts without asking for production"
    for key in NoNewPrivileges=yes ProtectSystem=strict PrivateTmp=yes RestrictAddressFamilies= SystemCallFilter=; do
        grep -q "^$key" "$unit" || bad "$unit: no $key"
    done
done
conf() {
    printf '%s\n' "environment = $1" 'base_url = https://idp.example' "templates = $TOP/templates" \
        "migrations = $TOP/migrations/idp" 'database = dbname=none' "keys = $WORK/keys" >"$WORK/idp.conf"
}
conf production
"$IDP" --check-config "$WORK/idp.conf" --production >/dev/null || bad "a good configuration is refused"
for environment in demo test; do
    conf "$environment"
    "$IDP" --check-config "$WORK/idp.conf" >/dev/null || bad "a configuration for $environment is refused without --production"
    ! "$IDP" --check-config "$WORK/idp.conf" --production >/dev/null 2>&1 || bad "--production takes a $environment"
done

if [ -n "$MAIRIE" ]; then
    town() {
        printf '%s\n' "environment = $1" 'base_url = https://mairie.example' 'town = Rivemont' "templates = $TOP/templates" \
            "migrations = $TOP/migrations/mairie" 'database = dbname=none' "keys = $WORK/keys" 'idp.url = https://door.example' \
            "idp.cert = $WORK/etc/tls/guichet.key" "idp.key = $WORK/etc/tls/guichet.key" \
            'sheet.mail_address = a@b.example' 'sheet.block_url = https://b.example' >"$WORK/mairie.conf"
    }
    town production
    "$MAIRIE" --check-config "$WORK/mairie.conf" --production >/dev/null || bad "a good configuration of a town is refused"
    town demo
    "$MAIRIE" --check-config "$WORK/mairie.conf" >/dev/null || bad "a town's demo is refused without --production"
    ! "$MAIRIE" --check-config "$WORK/mairie.conf" --production >/dev/null 2>&1 || bad "--production takes a town's demo"
fi

if [ -n "$PKI" ]; then
    authority() {
        printf '%s\n' "environment = $1" 'base_url = http://pki.example' "profiles = $TOP/pki/profiles" \
            "migrations = $TOP/migrations/pki" 'database = dbname=none' "keys = $WORK/keys" >"$WORK/pki.conf"
    }
    authority production
    "$PKI" --check-config "$WORK/pki.conf" --production >/dev/null || bad "a good configuration of an authority is refused"
    authority demo
    "$PKI" --check-config "$WORK/pki.conf" >/dev/null || bad "an authority's demo is refused without --production"
    ! "$PKI" --check-config "$WORK/pki.conf" --production >/dev/null 2>&1 || bad "--production takes an authority's demo"
fi

[ "$FAILURES" -eq 0 ] || { echo "$FAILURES failed"; exit 1; }
echo "documents: good"
