# process.sh: starts, watches and stops the demo's processes. Sourced by ./run; needs common.sh.
#
# Each process has RUN_DIR/NAME.proc with one line "PID STARTTIME DIGEST": the start time (field 22 of /proc/PID/stat)
# tells our process from a later one that got the same number, so that nothing else is ever signalled; the digest is
# that of the command and of the files it was started with, so that a second ./run restarts what has changed and
# nothing more.
# shellcheck shell=bash

# --- the unprivileged user --------------------------------------------------------------------------------------
# Nothing of the demo runs as root. A user runs it as themselves; root runs it as a system user of its own (not as
# postgres, who may be the master of the host's own database).
DEMO_USER=beffroi-demo

demo_user_make() {
    am_root || return 0
    id "$DEMO_USER" >/dev/null 2>&1 && return 0
    step "making the system user $DEMO_USER: nothing of the demo runs as root"
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$DEMO_USER" ||
        die "cannot make the system user $DEMO_USER" "./run as an ordinary user with sudo does not need it."
}
# DEMO_PREFIX stands before a command that the demo's user shall run: no capability, no new privilege, an environment
# of its own. An array and not a function, so that `"${DEMO_PREFIX[@]}" command &` has the command's own pid.
demo_prefix() {
    DEMO_PREFIX=(env -i "PATH=$PATH" "HOME=$STATE" LANG=C.UTF-8)
    if am_root; then
        DEMO_PREFIX=(setpriv "--reuid=$DEMO_USER" "--regid=$DEMO_USER" --clear-groups --inh-caps=-all
            --bounding-set=-all --no-new-privs -- "${DEMO_PREFIX[@]}")
    fi
}
as_demo() { "${DEMO_PREFIX[@]}" "$@"; }
# Folders that root fills and the demo's user reads: root:beffroi-demo 0750, so that a demo process that went astray
# cannot make root follow a link of its making. Folders and keys of the demo's user are given to it by demo_owns.
demo_reads() {
    if am_root; then chgrp "$DEMO_USER" -- "$@" && chmod g+rX -- "$@"; fi
}
demo_owns() { if am_root; then chown -hR "$DEMO_USER:$DEMO_USER" -- "$@"; fi; }

# --- one process ------------------------------------------------------------------------------------------------
starttime_of() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] || return 1
    printf '%s' "${20}"
}

# Prints the pid when NAME runs; fails otherwise.
proc_pid() {
    local pid start rest
    [ -r "$RUN_DIR/$1.proc" ] && read -r pid start rest <"$RUN_DIR/$1.proc" || return 1
    [ "$(starttime_of "$pid")" = "$start" ] || return 1
    printf '%s' "$pid"
}
proc_digest() {
    local pid start digest
    read -r pid start digest <"$RUN_DIR/$1.proc" && printf '%s' "$digest"
}

# proc_start NAME "FILES IT DEPENDS ON" COMMAND…   COMMAND stays in the foreground and does not change its pid.
proc_start() {
    local name=$1 files=$2 digest pid
    shift 2
    # shellcheck disable=SC2086
    digest=$(printf '%s\n' "$*" "$(digest_of $files $(command -v "$1"))" | sha256sum | cut -c1-32)
    if proc_pid "$name" >/dev/null; then
        [ "$(proc_digest "$name")" != "$digest" ] || return 0
        proc_stop "$name"
    fi
    "${DEMO_PREFIX[@]}" setsid "$@" >>"$LOG_DIR/$name.log" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    printf '%s %s %s\n' "$pid" "$(starttime_of "$pid")" "$digest" >"$RUN_DIR/$name.proc"
    disown "$pid"
}

# Asks, waits, and after 15 s insists.
proc_stop() {
    local name=$1 signal=${2:-TERM} pid i
    if pid=$(proc_pid "$name"); then
        kill -s "$signal" "$pid" 2>/dev/null || true
        for ((i = 0; i < 150; i++)); do
            proc_pid "$name" >/dev/null || break
            sleep 0.1
        done
        if proc_pid "$name" >/dev/null; then
            warn "$name does not end, killing it"
            kill -s KILL "$pid" 2>/dev/null || true
            sleep 0.2
        fi
    fi
    rm -f "$RUN_DIR/$name.proc"
}

# Waits until NAME accepts connections on a port (or a path, for a Unix socket).
proc_wait_ready() {
    local name=$1 where=$2 seconds=${3:-30} i
    for ((i = 0; i < seconds * 20; i++)); do
        if ! proc_pid "$name" >/dev/null; then
            proc_failed "$name" "$name ended at its start"
        fi
        case $where in
        /*) [ -S "$where" ] && return 0 ;;
        *) (exec 3<>"/dev/tcp/127.0.0.1/$where") 2>/dev/null && return 0 ;;
        esac
        sleep 0.05
    done
    proc_failed "$name" "$name does not answer on $where after $seconds s"
}
proc_failed() {
    tail -n 15 "$LOG_DIR/$1.log" >&2 || true
    die "$2" "Its last words are above; all of them are in $LOG_DIR/$1.log"
}

proc_names() {
    local f
    for f in "$RUN_DIR"/*.proc; do
        [ -e "$f" ] && basename "$f" .proc
    done
    return 0
}
