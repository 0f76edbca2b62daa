#!/bin/sh
# Makes what the nodes share, once, in ./secrets: the sealing key, the database's password, and a
# certificate for localhost, writ-a and writ-b from an authority that is thrown away.
set -eu
cd "$(dirname "$0")"
[ ! -e secrets ] || { echo "secrets/ is there already: it is never made anew over an old one" >&2; exit 1; }

# The folder is yours alone; the files are read by the containers' users.
mkdir -m 700 secrets
cd secrets
openssl rand -hex 32 >key
openssl rand -hex 24 | tr -d '\n' >db_password
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=writ-example-ca \
    -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout tls.key -out tls.csr 2>/dev/null
printf 'subjectAltName=DNS:localhost,DNS:writ-a,DNS:writ-b,IP:127.0.0.1\n' >names
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out tls.pem 2>/dev/null
rm -f tls.csr names ca.key ca.srl
chmod 644 ./*
