#!/usr/bin/env bash
# curl posts a message a second time, and reports success, when a connection that it uses again is dropped after the message.
#
# A server takes a POST, keeps the connection, takes the next POST on it to its last byte, and closes without an answer. RFC 9110,
# section 9.2.2, has clients not repeat by themselves what is not idempotent unless they know that it was not applied. curl
# (seen with 7.88.1) opens a new connection, sends the POST again, prints 200 and exits with 0: the server got it twice, and
# nobody is told.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
curl --version | head -n 1

cat >measure.py <<'END'
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

got = []


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if len(got) == 2:  # the second message, complete, on the connection of the first
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
post = lambda text: ["--silent", "--noproxy", "*", "--data", text, "--write-out", "%{http_code} ", url]
ended = subprocess.run(["curl", *post("first"), "--next", *post("second")], capture_output=True, text=True, timeout=30)
print("curl says", ended.stdout, "and exits with", ended.returncode)
print("the server got", got)
assert got == ["first", "second", "second"] and ended.returncode == 0 and ended.stdout == "200 200 "
END
python3 measure.py
