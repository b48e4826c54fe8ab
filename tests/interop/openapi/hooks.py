"""Bodies of the media types that Schemathesis does not know: text as it is."""

import schemathesis


@schemathesis.serializer("application/x-pem-file", "application/x-pkcs12")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()
