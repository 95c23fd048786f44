#!/bin/sh
# Starts Redis with its password from a file, so that it stands in no manifest and in no command line.
set -eu
umask 077
{
  echo "include /etc/redis/redis.conf"
  printf 'requirepass "%s"\n' "$(sed 's/[\\"]/\\&/g' /run/secrets/eshop/password)"
} >/run/redis/redis.conf
exec docker-entrypoint.sh redis-server /run/redis/redis.conf
