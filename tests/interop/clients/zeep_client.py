"""zeep calls the service: python zeep_client.py WSDL ADDRESS|- PORT PROXY|- NUMBER ITEM-LENGTH

Prints what it got, plain, or the fault's sentence. `-` as address: the one of the WSDL.
"""

import sys

import requests
import zeep
from zeep.transports import Transport

wsdl, address, port, proxy, number, length = sys.argv[1:]
session = requests.Session()
session.trust_env = False
if proxy != "-":
    session.proxies = {"http": proxy}
client = zeep.Client(wsdl, transport=Transport(session=session))
service = client.bind("OrderService", port)
if address != "-":
    service = client.create_service(f"{{urn:example:orders}}{port}", address)
try:
    answer = service.PlaceOrder(number=number, item=["x" * int(length)])
    print(f"order {answer.number} {answer.status}")
except zeep.exceptions.Fault as fault:
    print(f"fault {fault.code.split(':')[-1]}: {fault.message}")
