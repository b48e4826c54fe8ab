#!/usr/bin/env bash
# The Python package cloudevents 2.2.0 has two APIs, and only one of them percent-encodes attributes in HTTP fields.
#
# CloudEvents' HTTP binding 1.0.2, section 3.1.3.2, has attributes percent-encoded in binary mode. cloudevents.core does it, both
# ways. cloudevents.v1 of the same package, the API of its 1.x releases, neither encodes nor decodes: a subject "a%20b" goes out
# as it is, and whoever decodes, as the binding demands, reads "a b". In structured mode both write the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cloudevents==2.2.0

cat >measure.py <<'END'
from cloudevents.core.bindings import http as core
from cloudevents.core.v1.event import CloudEvent as NewEvent
from cloudevents.v1.conversion import to_binary
from cloudevents.v1.http import CloudEvent as OldEvent

attributes = {"id": "1", "type": "t", "source": "/s", "subject": "a%20b", "specversion": "1.0"}
old, body = to_binary(OldEvent(attributes, {}))
new = core.to_binary_event(NewEvent(attributes=dict(attributes), data={}))
read = core.from_binary_event(core.HTTPMessage(headers=dict(old), body=body or b""))
print("cloudevents.v1 sends", old["ce-subject"], "and cloudevents.core", new.headers["ce-subject"])
print("cloudevents.core reads that of cloudevents.v1 as", read.get_subject())
assert old["ce-subject"] == "a%20b"
assert new.headers["ce-subject"] == "a%2520b"
assert read.get_subject() == "a b"
END
venv/bin/python -W ignore measure.py
