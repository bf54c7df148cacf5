#!/bin/sh
# Makes a PostgreSQL primary for the service and starts it. Run it as the user PostgreSQL runs as, with its programs in PATH:
#   DATA=/var/lib/postgresql/kigen LISTEN=10.0.0.1 NETWORK=10.0.0.0/24 APP_PASSWORD=… STANDBY_PASSWORD=… sh primary.sh
set -eu
: "${DATA:?the folder to make}" "${APP_PASSWORD:?of the user kigen}" "${STANDBY_PASSWORD:?of the user standby}"
: "${PORT:=5432}" "${LISTEN:=127.0.0.1}" "${NETWORK:=127.0.0.1/32}"

# Who may become this user may do everything, through a socket in a folder closed to others; over the network only with a password.
initdb -D "$DATA" -U "$(id -un)" --auth-local=peer --auth-host=scram-sha-256 -E UTF8 --no-locale --no-instructions

cat >>"$DATA/postgresql.conf" <<CONF
listen_addresses = '$LISTEN'
port = $PORT
unix_socket_directories = '$DATA'
# A commit is on the disk before it counts: a claim that got lost would be a text that is sent twice.
fsync = on
synchronous_commit = on
# What a standby that is away has not read yet is kept for it, but never until the disk is full.
max_slot_wal_keep_size = 10GB
# A worker or web process opens up to twenty.
max_connections = 200
timezone = 'UTC'
CONF
cat >>"$DATA/pg_hba.conf" <<HBA
host all kigen $NETWORK scram-sha-256
host replication standby $NETWORK scram-sha-256
HBA

pg_ctl -D "$DATA" -l "$DATA/server.log" -w start
export APP_PASSWORD STANDBY_PASSWORD
psql -v ON_ERROR_STOP=1 -q -h "$DATA" -p "$PORT" postgres <<'SQL'
\getenv app APP_PASSWORD
\getenv standby STANDBY_PASSWORD
CREATE ROLE kigen LOGIN PASSWORD :'app';
CREATE ROLE standby LOGIN REPLICATION PASSWORD :'standby';
CREATE DATABASE kigen OWNER kigen;
SQL
