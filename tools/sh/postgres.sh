# postgres.sh: the demo's private PostgreSQL clusters. Sourced by ./run; needs common.sh and process.sh.
#
# A cluster is STATE/pg/NAME/{data,socket}. Our processes come in by the Unix socket, each with the role of its own;
# the folder is closed to everybody but the demo's user, and that is the whole of the local authentication. Tests and
# other tools come in by loopback TCP with a password (scram). The host's clusters are never looked at: own data
# folder, own socket folder, own port.
# shellcheck shell=bash

pg_bindir() {
    local dir
    for dir in /usr/lib/postgresql/15/bin; do
        [ -x "$dir/postgres" ] && printf '%s' "$dir" && return 0
    done
    die "PostgreSQL 15 is not installed" "tools/install-packages runtime"
}

# pg_cluster_make NAME PORT: initialises what is not there and writes the configuration.
pg_cluster_make() {
    local name=$1 port=$2 dir=$STATE/pg/$1 bin version addresses
    bin=$(pg_bindir)
    if [ -e "$dir/data/PG_VERSION" ]; then
        version=$(cat "$dir/data/PG_VERSION")
        [ "$version" = 15 ] ||
            die "the cluster $dir/data was made by PostgreSQL $version, this is PostgreSQL 15" \
                "The demo's data can be thrown away with ./run --reset, or moved with pg_upgrade."
    else
        step "making the PostgreSQL cluster of $name"
        need_space "$STATE" 200 "a PostgreSQL cluster"
        rm -rf "$dir"
        mkdir -p "$dir/socket" "$dir/new"
        chmod 0700 "$dir" "$dir/socket" "$dir/new"
        demo_owns "$dir"
        # Into a folder of another name first: a half-made cluster is never mistaken for one.
        as_demo "$bin/initdb" -D "$dir/new" -U postgres -E UTF8 --locale=C.UTF-8 --auth=reject --no-instructions \
            >"$LOG_DIR/initdb-$name.log" 2>&1 ||
            { cat "$LOG_DIR/initdb-$name.log" >&2; die "initdb failed for $name (above)"; }
        as_demo mv "$dir/new" "$dir/data"
    fi
    addresses=$(loopbacks | paste -sd, -)
    write_file "$CONF_DIR/pg-$name.conf" <<CONF
data_directory = '$dir/data'
hba_file = '$CONF_DIR/pg-$name.hba'
ident_file = '$dir/data/pg_ident.conf'
listen_addresses = '$addresses'
port = $port
unix_socket_directories = '$dir/socket'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = 64MB
dynamic_shared_memory_type = posix
log_line_prefix = '%m [%p] %q%u@%d '
cluster_name = 'beffroi-$name'
timezone = 'UTC'
log_timezone = 'UTC'
CONF
    write_file "$CONF_DIR/pg-$name.hba" <<CONF
# The socket's folder is closed to everybody but the demo's user.
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128      scram-sha-256
CONF
    demo_reads "$CONF_DIR/pg-$name.conf" "$CONF_DIR/pg-$name.hba"
}

pg_cluster_start() {
    local name=$1 port=$2 dir=$STATE/pg/$1 i
    proc_start "pg-$name" "$CONF_DIR/pg-$name.conf $CONF_DIR/pg-$name.hba" "$(pg_bindir)/postgres" \
        -c "config_file=$CONF_DIR/pg-$name.conf"
    for ((i = 0; i < 600; i++)); do
        as_demo "$(pg_bindir)/pg_isready" -q -U postgres -d postgres -h "$dir/socket" -p "$port" && return 0
        proc_pid "pg-$name" >/dev/null || proc_failed "pg-$name" "PostgreSQL of $name ended at its start"
        sleep 0.1
    done
    proc_failed "pg-$name" "PostgreSQL of $name does not answer after 60 s"
}

# psql as the cluster's superuser; SQL on standard input.
pg_super() {
    local name=$1 port=$2 database=$3
    as_demo "$(pg_bindir)/psql" -X -q -v ON_ERROR_STOP=1 -h "$STATE/pg/$name/socket" -p "$port" -U postgres \
        -d "$database" --no-psqlrc -At
}

# pg_database_make CLUSTER PORT DATABASE SCHEMA OWNER PASSWORD ROLE…: the database, its owner (who migrates) and the
# roles of the processes (packaging/sql/roles.sql). Their rights on tables come from the migrations; here they only may connect.
# Programs name their schema when they connect; for psql and tests it is the database's default.
# PASSWORD is that of the owner over TCP; the others have none and so cannot come in that way.
pg_database_make() {
    local name=$1 port=$2 database=$3 schema=$4 owner=$5 password=$6 role
    shift 6
    {
        printf 'SET client_min_messages = warning;\n'
        cat "$TOP/packaging/sql/roles.sql"
        cat <<SQL
ALTER ROLE $owner PASSWORD '$password';
SELECT 'CREATE DATABASE $database OWNER $owner' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$database') \gexec
ALTER DATABASE $database SET search_path = $schema;
REVOKE ALL ON DATABASE $database FROM PUBLIC;
SQL
        for role in "$@"; do printf 'GRANT CONNECT ON DATABASE %s TO %s;\n' "$database" "$role"; done
    } | pg_super "$name" "$port" postgres
    printf 'REVOKE ALL ON SCHEMA public FROM PUBLIC;\n' | pg_super "$name" "$port" "$database"
}
