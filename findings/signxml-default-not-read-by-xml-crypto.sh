#!/usr/bin/env bash
# What signxml 5.2.0 signs by default, xml-crypto 6.3.2 cannot verify: Canonical XML 1.1 is unknown to it.
#
# signxml's default is Canonical XML 1.1 (http://www.w3.org/2006/12/xml-c14n11), an algorithm that XML Signature 1.1 requires of
# every implementation. xml-crypto, which is under node-soap, throws. With exclusive canonicalisation both agree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check signxml==5.2.0 lxml==6.1.3 cryptography==50.0.2
npm install --silent --no-fund --no-audit --prefix . xml-crypto@6.3.2
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -keyout key -out certificate 2>/dev/null

venv/bin/python - <<'END'
from lxml import etree
from signxml import CanonicalizationMethod, XMLSigner

exclusive = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
for name, settings in ("default", {}), ("exclusive", {"c14n_algorithm": exclusive}):
    signed = XMLSigner(**settings).sign(etree.fromstring("<a><b/></a>"), key=open("key").read(), cert=open("certificate").read())
    etree.ElementTree(signed).write(name + ".xml")
END
cat >verify.js <<'END'
const fs = require('fs');
const { SignedXml } = require('xml-crypto');
for (const name of ['default', 'exclusive']) {
  const xml = fs.readFileSync(name + '.xml', 'utf8');
  const verifier = new SignedXml({ publicCert: fs.readFileSync('certificate') });
  try {
    verifier.loadSignature(xml.match(/<ds:Signature .*<\/ds:Signature>/s)[0]);
    console.log(name + ': ' + verifier.checkSignature(xml));
  } catch (error) {
    console.log(name + ': ' + error.message);
  }
}
END
node verify.js | tee answers
grep -q "^default: canonicalization algorithm 'http://www.w3.org/2006/12/xml-c14n11' is not supported" answers
grep -q '^exclusive: true' answers
