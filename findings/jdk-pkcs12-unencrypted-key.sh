#!/usr/bin/env bash
# JDK 17 lists no entry, and reports no error, for a PKCS#12 file whose key bag is not encrypted.
#
# `openssl pkcs12 -export -keypbe NONE` (OpenSSL 3.0.19) writes the private key as a plain KeyBag (RFC 7292, section 4.2.1)
# beside its certificate. OpenSSL reads key and certificate back. `keytool -list` (OpenJDK 17.0.15, right password) says
# "Your keystore contains 0 entries" and exits with 0; the same key in a shrouded bag is one entry.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
openssl version
keytool -J-version 2>&1 | head -n 1

openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -keyout key -out certificate 2>/dev/null
openssl pkcs12 -export -inkey key -in certificate -passout pass:secret -out shrouded.p12
openssl pkcs12 -export -inkey key -in certificate -passout pass:secret -keypbe NONE -out plain.p12

openssl pkcs12 -in plain.p12 -passin pass:secret -noenc 2>/dev/null | grep -- '-----BEGIN'
for file in shrouded plain; do
    keytool -list -keystore $file.p12 -storepass secret 2>&1 | grep 'contains' | sed "s/^/$file: /" | tee $file
done
grep -q 'contains 1 entry' shrouded
grep -q 'contains 0 entries' plain
