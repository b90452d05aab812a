# common.sh: words and small tools shared by ./run, ./check and the scripts of tools/. Bash, sourced, never run.
# The caller has set -euo pipefail and TOP (the root of the checkout).
# shellcheck shell=bash

# System programs (apache2, useradd) are not in the search path of every user.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf '\n%s: %s\n' "${PROGRAM:-${0##*/}}" "$1" >&2
    shift
    local line
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

am_root() { [ "$(id -u)" = 0 ]; }
as_root() {
    if am_root; then
        "$@"
    elif have sudo; then
        sudo -- "$@"
    else
        return 126
    fi
}

# --- files ------------------------------------------------------------------------------------------------------
# Writes standard input to FILE, with mode 0600 unless another is given, and replaces what was there in one step. Unchanged
# content leaves the file alone, so that its time tells when it really changed.
write_file() {
    local file=$1 mode=${2:-0600} new
    new=$(mktemp "$(dirname "$file")/.new.XXXXXX")
    cat >"$new"
    chmod "$mode" "$new"
    if [ -f "$file" ] && cmp -s "$new" "$file"; then
        rm -f "$new"
    else
        mv -f "$new" "$file"
    fi
}

# The kilobytes free where DIR is (or will be).
free_kb() {
    local dir=$1
    while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
    df -Pk "$dir" | awk 'NR == 2 { print $4 }'
}
need_space() {
    local dir=$1 mb=$2 what=$3 kb
    kb=$(free_kb "$dir")
    [ "$kb" -ge $((mb * 1024)) ] ||
        die "not enough disk space for $what" \
            "$dir has $((kb / 1024)) MB free, $mb MB are needed." "Make room, or choose another place with --data DIR."
}

digest_of() { cat -- "$@" 2>/dev/null | sha256sum | cut -c1-64; }
random_word() { od -An -N"${1:-16}" -tx1 /dev/urandom | tr -d ' \n'; }

# --- names and ports --------------------------------------------------------------------------------------------
resolves() { getent ahosts "$1" >/dev/null 2>&1; }

# The addresses we listen on: both loopbacks, or the one that this machine has.
loopbacks() {
    printf '127.0.0.1\n'
    [ -r /proc/net/if_inet6 ] && grep -q '^00000000000000000000000000000001 ' /proc/net/if_inet6 && printf '::1\n'
    return 0
}

# Ports of the list that somebody holds already, on either loopback.
ports_taken() {
    python3 - "$@" <<'PY'
import socket, sys
for port in map(int, sys.argv[1:]):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            s = socket.socket(family)
        except OSError:
            continue
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError as e:
            if e.errno != 99:  # EADDRNOTAVAIL: no IPv6 on this machine
                print(port)
                break
        finally:
            s.close()
PY
}

# Who listens on PORT, as far as we may see.
port_holder() {
    local line
    have ss || return 0
    line=$(ss -Hltnp "sport = :$1" 2>/dev/null | head -n 1)
    case $line in
    *users:*) printf '%s' "$line" | sed 's/.*users:((\(.*\)))$/\1/; s/"//g; s/,fd=[0-9]*//' ;;
    esac
}
