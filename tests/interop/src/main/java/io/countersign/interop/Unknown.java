package io.countersign.interop;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What these receivers do not know, whoever signed it, and what they say then. Each is shown to them all the same:
 * one that accepts it has learnt it, and its line here is wrong.
 */
final class Unknown {
    /** Messages that CXF does not hand on, signed or not. */
    private static final Map<String, String> TO_CXF = Map.of(
            "deep", "more than 100 levels (SAAJ: \"Problems creating SAAJ object model\")",
            "security-header-with-username-token", "a UsernameToken that was not asked for",
            "soap12", "a header of the sender's that must be understood");

    /** Messages that CXF's engine on a tree finds changed, or does not find its way through. */
    private static final Map<String, String> TO_CXF_ON_A_TREE = Map.of(
            "envelope-in-body", "an Envelope in the Body",
            "processing-instructions", "processing instructions, which SOAP forbids (SAAJ drops them)");

    private static final Set<String> WITHOUT_ELEMENT = Set.of("body-empty", "body-empty-element", "body-of-text");

    private Unknown() {
    }

    static Optional<String> toAll(Case signed) {
        if (signed.keyIdentifier().equals("x509-data")) {
            return Optional.of("x509-data (\"BSP:R5417: SIG_KEY_INFO MUST contain a SECURITY_TOKEN_REFERENCE\")");
        }
        return signed.message().name().equals("security-header-with-timestamp")
                ? Optional.of("a Timestamp of 2024 (\"expired\")")
                : Optional.empty();
    }

    static Optional<String> toStreaming(Case signed) {
        if (signed.parts().contains("token") && !signed.carriesToken()) {
            return Optional.of("STR-Transform of a token that is not in the message (\"token could not be retrieved\")");
        }
        if (signed.key().equals("ed25519")) {
            return Optional.of("Ed25519 (\"Unknown or unsupported key type\")");
        }
        if (WITHOUT_ELEMENT.contains(signed.message().name())) {
            return Optional.of("a Body without an element (\"The SOAP Body is not signed\")");
        }
        return signed.message().name().equals("deep")
                ? Optional.of("more than 100 levels (\"Maximum depth (100)\")")
                : Optional.empty();
    }

    static Optional<String> toCxf(Case signed) {
        return Optional.ofNullable(TO_CXF.get(signed.message().name()));
    }

    static Optional<String> toCxfOnATree(Case signed) {
        if (signed.key().equals("p521")) {
            return Optional.of("P-521 (WSS4J's AlgorithmSuite: curves of at most 512 bits)");
        }
        return Optional.ofNullable(TO_CXF_ON_A_TREE.get(signed.message().name()));
    }

    /** It looks for a Timestamp by its place, and takes the first Security header for its own. */
    static Optional<String> toCxfInterceptorsOnATree(Case signed) {
        return signed.message().name().equals("security-header-of-another-actor")
                ? Optional.of("the Timestamp of another actor beside ours")
                : Optional.empty();
    }

    static Optional<String> toPolicies(Case signed) {
        if (!signed.key().equals("rsa")) {
            return Optional.of("keys other than RSA under an AlgorithmSuite (\"An unknown public key was provided\")");
        }
        return signed.settings().containsKey("actor")
                ? Optional.of("an actor under a policy")
                : Optional.empty();
    }
}
