#!/bin/bash
# Starts MySQL with the administrator's password from a file, so that it stands in no manifest and in no command line.
# A data folder that is there already gets that password too: a volume may be older than the Secret, and a first start may
# have been cut short before the image had made the account.
set -euo pipefail
MYSQL_ROOT_PASSWORD=$(cat /run/secrets/eshop/admin-password)
if [ -d /var/lib/mysql/mysql ]; then
  quoted=${MYSQL_ROOT_PASSWORD//\\/\\\\}
  quoted="'${quoted//\'/\'\'}'"
  umask 077
  cat >/var/run/mysqld/admin.sql <<SQL
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY $quoted;
ALTER USER 'root'@'%' IDENTIFIED BY $quoted;
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY $quoted;
SQL
  set -- --init-file=/var/run/mysqld/admin.sql
else
  export MYSQL_ROOT_PASSWORD
fi
exec docker-entrypoint.sh mysqld "$@"
