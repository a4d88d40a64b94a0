#!/bin/sh
# The users of this broker from the secrets, then the broker.
set -eu
umask 077
users=${USERS_FILE:-/tmp/users}
: > "$users"
for user in chirpstack citynet gateway; do
    mosquitto_passwd -b "$users" "$user" "$(cat "${SECRETS:-/run/secrets}/lorawan_$user")"
done
exec mosquitto -c "${CONFIG:-/mosquitto/config/mosquitto.conf}"
