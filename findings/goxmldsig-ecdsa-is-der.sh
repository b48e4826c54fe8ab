#!/usr/bin/env bash
# goxmldsig 1.6.1 writes ECDSA signature values as ASN.1 DER, and refuses those that XML Signature prescribes.
#
# XML Signature 1.1, section 6.4.3, has the two integers of an ECDSA signature side by side, 64 bytes for P-256. goxmldsig
# writes a DER sequence (70 to 72 bytes, the first 0x30) under the same algorithm name; signxml 5.2.0 refuses it: "Expected 64
# byte SignatureValue". The same message signed by signxml verifies with signxml, and goxmldsig says "ECDSA verification
# failure". Known upstream as russellhaering/goxmldsig, issue 163.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
export GOPATH=$work/go GOFLAGS=-mod=mod
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check signxml==5.2.0 lxml==6.1.3 cryptography==50.0.2

openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out key
openssl req -x509 -new -key key -subj /CN=test -out certificate

cat >go.mod <<'END'
module test
go 1.21
require (
	github.com/beevik/etree v1.5.1
	github.com/russellhaering/goxmldsig v1.6.1
)
END
cat >main.go <<'END'
package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func main() {
	data, _ := os.ReadFile("certificate")
	block, _ := pem.Decode(data)
	certificate, _ := x509.ParseCertificate(block.Bytes)
	data, _ = os.ReadFile("key")
	keyBlock, _ := pem.Decode(data)
	key, _ := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	document := etree.NewDocument()
	if os.Args[1] == "verify" {
		document.ReadFromFile("signxml.xml")
		store := &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}}
		_, err := dsig.NewDefaultValidationContext(store).Validate(document.Root())
		fmt.Println(err)
		return
	}
	document.ReadFromString(`<a ID="a"><b/></a>`)
	context, _ := dsig.NewSigningContext(key.(*ecdsa.PrivateKey), [][]byte{block.Bytes})
	signed, err := context.SignEnveloped(document.Root())
	if err != nil {
		panic(err)
	}
	document.SetRoot(signed)
	document.WriteToFile("goxmldsig.xml")
}
END
cat >with_signxml.py <<'END'
import sys
from lxml import etree
from signxml import SignatureMethod, XMLSigner, XMLVerifier

certificate = open("certificate").read()
if sys.argv[1] == "sign":
    signer = XMLSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256)
    signed = signer.sign(etree.fromstring('<a ID="a"><b/></a>'), key=open("key").read(), cert=certificate, reference_uri="a")
    etree.ElementTree(signed).write("signxml.xml")
else:
    try:
        XMLVerifier().verify(open(sys.argv[2], "rb").read(), x509_cert=certificate)
        print("verified")
    except Exception as error:
        print(error)
END
go build -o with_goxmldsig . 2>/dev/null
./with_goxmldsig sign
venv/bin/python with_signxml.py sign

echo "signxml on its own: $(venv/bin/python with_signxml.py verify signxml.xml)" | tee answers
echo "signxml on goxmldsig's: $(venv/bin/python with_signxml.py verify goxmldsig.xml)" | tee --append answers
echo "goxmldsig on signxml's: $(./with_goxmldsig verify)" | tee --append answers
grep -q "on its own: verified" answers
grep -q "on goxmldsig's: .*Expected 64 byte SignatureValue, got 7" answers
grep -q "on signxml's: .*ECDSA verification failure" answers
