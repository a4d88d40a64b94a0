#!/bin/sh
# ChirpStack with the passwords of its secrets: starts it, or runs one of its commands, such as create-api-key.
set -eu
NS_DATABASE_PASSWORD=$(cat /run/secrets/chirpstack_database)
NS_API_SECRET=$(cat /run/secrets/chirpstack_api)
NS_MQTT_PASSWORD=$(cat /run/secrets/lorawan_chirpstack)
export NS_DATABASE_PASSWORD NS_API_SECRET NS_MQTT_PASSWORD
exec chirpstack -c /etc/chirpstack "$@"
