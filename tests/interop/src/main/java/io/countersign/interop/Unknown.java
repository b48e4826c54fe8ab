package io.countersign.interop;

import java.util.Map;
import java.util.Optional;

/** What these receivers do not know, whoever signed it. */
final class Unknown {
    /** Messages that CXF does not hand on, signed or not. */
    private static final Map<String, String> TO_CXF = Map.of(
            "deep", "more than 100 levels",
            "envelope-in-body", "an Envelope in the Body",
            "processing-instructions", "processing instructions, which SOAP forbids",
            "security-header-of-another-actor", "the Timestamp of another actor",
            "security-header-with-username-token", "a UsernameToken that was not asked for",
            "soap12", "a header that must be understood");

    private static final Map<String, String> TO_STREAMING = Map.of(
            "body-empty", "a Body without an element",
            "body-empty-element", "a Body without an element",
            "body-of-text", "a Body without an element",
            "deep", "more than 100 levels");

    private Unknown() {
    }

    static Optional<String> toAll(Case signed) {
        if (signed.keyIdentifier().equals("x509-data")) {
            return Optional.of("x509-data (BSP R5417: a SecurityTokenReference)");
        }
        return signed.message().name().equals("security-header-with-timestamp")
                ? Optional.of("a Timestamp of 2024")
                : Optional.empty();
    }

    static Optional<String> toStreaming(Case signed) {
        if (signed.parts().contains("token") && !signed.carriesToken()) {
            return Optional.of("STR-Transform of a token that is not in the message");
        }
        if (signed.key().equals("ed25519")) {
            return Optional.of("keys of type Ed25519");
        }
        return Optional.ofNullable(TO_STREAMING.get(signed.message().name()));
    }

    static Optional<String> toCxf(Case signed) {
        if (signed.key().equals("p521")) {
            return Optional.of("keys on a curve of more than 512 bits");
        }
        return Optional.ofNullable(TO_CXF.get(signed.message().name()));
    }

    static Optional<String> toPolicies(Case signed) {
        if (!signed.key().equals("rsa")) {
            return Optional.of("keys other than RSA under an algorithm suite");
        }
        if (signed.settings().containsKey("actor")) {
            return Optional.of("an actor under a policy");
        }
        return CxfPolicy.SUITES.containsKey(signed.digestAlgorithm())
                ? Optional.empty()
                : Optional.of("algorithm suites with " + signed.digestAlgorithm());
    }
}
