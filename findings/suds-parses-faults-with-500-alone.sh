#!/usr/bin/env bash
# suds 1.2.0 parses a SOAP fault only if its status is 500; zeep 4.3.3 parses it with every status.
#
# SOAP 1.2's HTTP binding answers a Sender's fault with 400, and what stands before a service answers 413, 502, 503 or 504.
# With any of those suds raises a bare Exception of status and reason phrase, though the body is the same fault that it reads
# with 500: the fault's text never reaches the caller.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check suds==1.2.0 zeep==4.3.3

cat >measure.py <<'END'
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import suds.client
import zeep

logging.disable(logging.CRITICAL)
FAULT = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>
<faultcode>s:Server</faultcode><faultstring>what to do</faultstring></s:Fault></s:Body></s:Envelope>"""
WSDL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:test" targetNamespace="urn:test">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:test">
<element name="ask" type="string"/><element name="answer" type="string"/></schema></types>
<message name="in"><part name="body" element="t:ask"/></message>
<message name="out"><part name="body" element="t:answer"/></message>
<portType name="type"><operation name="ask"><input message="t:in"/><output message="t:out"/></operation></portType>
<binding name="binding" type="t:type"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="ask"><soap:operation soapAction=""/><input><soap:body use="literal"/></input>
<output><soap:body use="literal"/></output></operation></binding>
<service name="service"><port name="port" binding="t:binding"><soap:address location="http://127.0.0.1/"/></port></service>
</definitions>"""


class Service(BaseHTTPRequestHandler):
    """GET: the WSDL. POST /STATUS: the fault, with this status."""

    def do_GET(self):
        self.answer(200, WSDL)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(int(self.path[1:]), FAULT)

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
root = f"http://127.0.0.1:{server.server_port}/"


def reads(call):
    try:
        call()
    except Exception as error:
        print(f"    {type(error).__module__}.{type(error).__name__}: {error}")
        return "what to do" in str(error)


zeep_client = zeep.Client(root + "?wsdl")
for status in 400, 413, 500, 502, 503, 504:
    print(status)
    by_suds = reads(lambda: suds.client.Client(root + "?wsdl", location=f"{root}{status}").service.ask("?"))
    by_zeep = reads(lambda: zeep_client.create_service("{urn:test}binding", f"{root}{status}").ask("?"))
    assert by_zeep, "zeep does not read the fault"
    assert by_suds == (status == 500), "suds behaves differently now"
END
venv/bin/python measure.py
