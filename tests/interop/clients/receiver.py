"""The service of orders.wsdl: gives out its WSDL, takes signed orders, refuses the order "unknown"."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WSDL = Path(__file__).with_name("orders.wsdl").read_bytes()
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"


class Receiver:
    """A running service, and the messages that it got."""

    def __init__(self):
        self.messages = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def handler(self):
        """A request handler that tells this service."""
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def do_GET(self):
                """The WSDL."""
                self.answer(200, "text/xml; charset=utf-8", WSDL)

            def do_POST(self):
                """An order."""
                message = self.rfile.read(int(self.headers["Content-Length"]))
                messages.append(message)
                text = message.decode()
                version = SOAP12 if SOAP12 in text else SOAP11
                number = re.search(r"number>([^<]*)<", text).group(1)
                kind = "application/soap+xml" if version == SOAP12 else "text/xml"
                status, body = (500, fault(version)) if number == "unknown" else (200, placed(number))
                envelope = f'<s:Envelope xmlns:s="{version}"><s:Body>{body}</s:Body></s:Envelope>'
                self.answer(status, f"{kind}; charset=utf-8", envelope.encode())

            def answer(self, status, kind, body):
                """Sends one."""
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Says nothing."""

        return Handler


def placed(number):
    """The answer to an order."""
    return (
        '<o:PlaceOrderResponse xmlns:o="urn:example:orders">'
        f"<o:number>{number}</o:number><o:status>placed</o:status></o:PlaceOrderResponse>"
    )


def fault(version):
    """The answer to an order that is not known."""
    if version == SOAP11:
        return "<s:Fault><faultcode>s:Client</faultcode><faultstring>no such order</faultstring></s:Fault>"
    return (
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>"
        '<s:Reason><s:Text xml:lang="en">no such order</s:Text></s:Reason></s:Fault>'
    )
