#!/bin/sh
# Makes a standby that follows the primary, and starts it. The same after a failover, to make the old primary's machine the new standby
# (move its old data away first):
#   DATA=/var/lib/postgresql/kigen LISTEN=10.0.0.2 PRIMARY=10.0.0.1 PRIMARY_PORT=5432 STANDBY_PASSWORD=… sh standby.sh
set -eu
: "${DATA:?the folder to make}" "${PRIMARY:?its address}" "${STANDBY_PASSWORD:?of the user standby}"
: "${PORT:=5432}" "${LISTEN:=127.0.0.1}" "${PRIMARY_PORT:=5432}" "${NAME:=standby}"

# -R writes down whom to follow; -C makes the slot by which the primary knows what this standby has not read yet.
PGPASSWORD="$STANDBY_PASSWORD" pg_basebackup -D "$DATA" -R -X stream -c fast -C -S "$NAME" \
  -d "host=$PRIMARY port=$PRIMARY_PORT user=standby application_name=$NAME"

# The last word on a setting counts. What the primary was told by hand (postgresql.auto.conf) is its own: a standby that is
# promoted must not wait for a standby it does not have.
cat >>"$DATA/postgresql.conf" <<CONF
listen_addresses = '$LISTEN'
port = $PORT
unix_socket_directories = '$DATA'
CONF
sed -i '/^synchronous_standby_names/d' "$DATA/postgresql.auto.conf"

pg_ctl -D "$DATA" -l "$DATA/server.log" -w start
