"""zeep and soap (npm) through the running proxy, from the receiver's own WSDL: python run.py COUNTERSIGN WORK

Each client calls in SOAP 1.1 and 1.2, by the proxy's path and with the proxy as HTTP proxy, and must see plain results
and readable faults, of the receiver and of the proxy. What reached the receiver must verify.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from receiver import Receiver

HERE = Path(__file__).parent
URL = "http://erp.example.com/orders"
TIMEOUT = 60


def main():
    """Tries everything, prints a line each, and fails if one went wrong."""
    countersign, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    receiver = Receiver()
    make_key(work)
    configuration = work / "countersign.toml"
    configuration.write_text(configured(receiver.port), encoding="utf-8")
    with subprocess.Popen(
        [countersign, "serve", "--config", configuration], stderr=subprocess.PIPE, text=True
    ) as serving:
        try:
            proxy = listening(serving)
            wrong = [case for case in cases(proxy) if not holds(work, *case)]
        finally:
            serving.terminate()
    unsigned = [m for m in receiver.messages if not verifies(countersign, work, m)]
    print(f"{len(receiver.messages)} messages reached the receiver, {len(unsigned)} of them do not verify")
    expected = 2 * 2 * 2 * 2  # client, version, way, and two of four orders get that far
    sys.exit(1 if wrong or unsigned or len(receiver.messages) != expected else 0)


def make_key(work):
    """A new one, self-signed."""
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Orders"
    usage = ["-addext", "keyUsage=critical,digitalSignature"]
    files = ["-keyout", work / "orders.key", "-out", work / "orders.pem"]
    subprocess.run(["openssl", *arguments.split(), *usage, *files], check=True, capture_output=True)


def configured(receiver):
    """The configuration: one route, by path and by url."""
    return f"""
[proxy]
listen = "127.0.0.1:0"
max_message = "64KiB"
[admin]
listen = "127.0.0.1:0"
[log]
format = "json"
[alias.orders]
source = {{ certificate = "orders.pem", private_key = "orders.key" }}
[[route]]
name = "orders"
path = "/orders"
url = "{URL}"
receiver = "http://127.0.0.1:{receiver}/services/orders"
alias = "orders"
"""


def listening(serving):
    """The address that the proxy got, from its log."""
    for line in serving.stderr:
        event = json.loads(line)
        if event.get("section") == "[proxy]":
            threading.Thread(target=serving.stderr.read, daemon=True).start()  # or the pipe would fill
            return f"http://{event['address']}"
    sys.exit("the proxy did not start")


def cases(proxy):
    """What to call, and what must come of it."""
    for client in (zeep, soap):
        for port, sender in (("Soap11", "Client"), ("Soap12", "Sender")):
            for way, base, via in (("by path", f"{proxy}/orders", None), ("as HTTP proxy", URL, proxy)):
                address = base if via is None else "-"
                what = f"{client.__name__}, {port}, {way}"
                call = (client, f"{base}?wsdl", address, port, via)
                missing = "no route has the path" if via is None else "no route has the url"
                yield f"{what}: an order", call, ("4711", 9), "order 4711 placed"
                yield f"{what}: the receiver's fault", call, ("unknown", 9), f"fault {sender}: no such order"
                yield f"{what}: the proxy's fault", call, ("1", 70000), f"fault {sender}: the message is larger than"
                elsewhere = (client, f"{base}?wsdl", f"{base}/elsewhere", port, via)
                yield f"{what}: no such route", elsewhere, ("1", 9), f"fault {sender}: {missing} "


def zeep(work, wsdl, address, port, via, number, length):
    """The command line of zeep."""
    return [work / "venv/bin/python", HERE / "zeep_client.py", wsdl, address, port, via or "-", number, str(length)], {}


def soap(work, wsdl, address, port, via, number, length):
    """The command line of soap."""
    proxy = {"http_proxy": via, "no_proxy": ""} if via else {"http_proxy": ""}
    return ["node", work / "soap_client.js", wsdl, address, port, number, str(length)], proxy


def holds(work, what, call, order, expected):
    """Calls, and tells whether the right thing came of it."""
    client, *arguments = call
    command, environment = client(work, *arguments, *order)
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    right = result.stdout.startswith(expected)
    print(f"{'ok   ' if right else 'WRONG'} {what}: {result.stdout.strip()[:90] or result.stderr.strip()}")
    return right


def verifies(countersign, work, message):
    """Asks the second engine."""
    command = [countersign, "verify", "--trust", work / "orders.pem", "-"]
    return subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    main()
