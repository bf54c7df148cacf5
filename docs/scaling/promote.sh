#!/bin/sh
# On the standby, when the primary is gone: makes it the primary. First make sure that the old one is off and stays off – two that
# both write would each send what the other has sent.
#   DATA=/var/lib/postgresql/kigen sh promote.sh
set -eu
: "${DATA:?the standby folder}" "${PORT:=5432}"
pg_ctl -D "$DATA" -w promote
# It has no standby of its own yet; its commits must not wait for one.
psql -v ON_ERROR_STOP=1 -q -h "$DATA" -p "$PORT" postgres >/dev/null <<'SQL'
ALTER SYSTEM SET synchronous_standby_names = '';
SELECT pg_reload_conf();
SQL
