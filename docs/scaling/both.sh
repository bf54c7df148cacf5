#!/bin/sh
# On the primary: from now on a commit counts when it is on the standby too (on), or on the primary alone (off).
#   DATA=/var/lib/postgresql/kigen sh both.sh on
# `off` is for the day on which the standby is away: with `on` every commit would wait for it.
set -eu
: "${DATA:?the primary folder}" "${PORT:=5432}"
case "${1:-}" in
  on) names='FIRST 1 (*)' ;;
  off) names='' ;;
  *) echo "say on or off" >&2; exit 2 ;;
esac
if [ "$names" ] && [ "$(psql -Atq -h "$DATA" -p "$PORT" -c "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'" postgres)" = 0 ]; then
  echo "no standby follows: every commit would wait for ever. Start it first (standby.sh)." >&2
  exit 1
fi
psql -v ON_ERROR_STOP=1 -q -h "$DATA" -p "$PORT" postgres >/dev/null <<SQL
ALTER SYSTEM SET synchronous_standby_names = '$names';
SELECT pg_reload_conf();
SQL
