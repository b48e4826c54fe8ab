"""Reads the SOAP faults of the files given, with expat; prints a line for each: its codes, its texts, whether it is secured.

Independent of libxml2 and of our own reading: names are resolved by what expat tells of namespaces.
"""
import json
import sys
import xml.etree.ElementTree as tree

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"


def read(file):
    scopes, declared, seen = [{}], {}, {}
    for event, value in tree.iterparse(file, ("start-ns", "start", "end")):
        if event == "start-ns":
            declared[value[0] or ""] = value[1] or ""
        elif event == "start":
            scopes.append({**scopes[-1], **declared})
            declared = {}
            seen[value] = scopes[-1]
            root = root if len(scopes) > 2 else value
        else:
            scopes.pop()
    for soap in (SOAP11, SOAP12):
        if root.tag == f"{{{soap}}}Envelope":
            return fault(root, soap, seen)
    return None


def fault(root, soap, scopes):
    found = root.find(f"{{{soap}}}Body/{{{soap}}}Fault")
    if found is None:
        return None

    def children(parent, name):
        return [child for child in parent if child.tag in (name, f"{{{soap}}}{name}")]

    def text(element):
        return " ".join("".join(element.itertext()).split())

    def code(element):
        prefix, _, local = text(element).rpartition(":")
        namespace = scopes[element].get(prefix, "" if not prefix else None)
        if namespace is None:
            return text(element)
        return local if namespace == soap else f"{{{namespace}}}{local}"

    if soap == SOAP11:
        codes, texts = children(found, "faultcode")[:1], children(found, "faultstring")
    else:
        codes, at = [], children(found, "Code")
        while at:
            codes += children(at[0], "Value")[:1]
            at = children(at[0], "Subcode")
        texts = [t for reason in children(found, "Reason")[:1] for t in children(reason, "Text")]
    blocks = [block.tag for header in root.findall(f"{{{soap}}}Header") for block in header]
    secured = any(tag.rpartition("}")[2] == "Security" for tag in blocks)
    return {"codes": [code(c) for c in codes], "texts": [text(t) for t in texts], "secured": secured}


for file in sys.argv[1:]:
    print(json.dumps(read(file)))
