package io.countersign.interop;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import javax.xml.namespace.QName;

import org.apache.cxf.jaxws.EndpointImpl;
import org.apache.cxf.ws.policy.WSPolicyFeature;
import org.apache.cxf.ws.security.SecurityConstants;
import org.w3c.dom.Element;

/** CXF endpoints secured by a WS-SecurityPolicy that demands just what the case claims. */
final class CxfPolicy implements Receiver {
    /** By digest algorithm; WS-SecurityPolicy has none with longer digests, CXF one to be filled in. */
    private static final Map<String, String> SUITES = Map.of(
            "sha1", "<sp:Basic256/>", "sha256", "<sp:Basic256Sha256/>");
    private static final String CUSTOM =
            "<c:CustomAlgorithmSuite xmlns:c=\"http://cxf.apache.org/custom/security-policy\"/>";
    private static final Map<String, String> REFERENCES = Map.of(
            "issuer-serial", "<sp:RequireIssuerSerialReference/>",
            "thumbprint", "<sp:RequireThumbprintReference/>",
            "subject-key-identifier", "<sp:RequireKeyIdentifierReference/>");
    private static final Map<String, String> LAYOUTS = Map.of(
            "strict", "Strict",
            "lax", "Lax",
            "lax-timestamp-first", "LaxTsFirst",
            "lax-timestamp-last", "LaxTsLast");

    private final CxfServer server;
    private final Keys keys;
    private final Map<String, URI> endpoints = new HashMap<>();

    CxfPolicy(CxfServer server, Keys keys) {
        this.server = server;
        this.keys = keys;
    }

    @Override
    public String name() {
        return "CXF policy";
    }

    @Override
    public Optional<String> doesNotKnow(Case signed) {
        return Unknown.toAll(signed)
                .or(() -> Unknown.toCxf(signed))
                .or(() -> Unknown.toCxfOnATree(signed))
                .or(() -> Unknown.toPolicies(signed));
    }

    @Override
    public Set<QName> receive(byte[] message, Case signed) throws Exception {
        boolean soap12 = signed.message().soap12();
        String demands = signed.signatureAlgorithm() + signed.digestAlgorithm() + policy(signed);
        URI endpoint = endpoints.computeIfAbsent(soap12 + demands, key -> server.publish(
                soap12, keys, published -> secure(published, signed)));
        server.post(endpoint, message, soap12);
        return signed.covered();
    }

    /** Demands what the case claims. */
    static void secure(EndpointImpl endpoint, Case signed) {
        String algorithm = Names.SIGNATURE_ALGORITHMS.get(signed.signatureAlgorithm());
        String digest = Names.DIGEST_ALGORITHMS.get(signed.digestAlgorithm());
        endpoint.getProperties().put(SecurityConstants.ASYMMETRIC_SIGNATURE_ALGORITHM, algorithm);
        endpoint.getProperties().put(SecurityConstants.CUSTOM_ALG_SUITE_DIGEST_ALGORITHM, digest);
        endpoint.getProperties().put(SecurityConstants.CUSTOM_ALG_SUITE_ASYMMETRIC_SIGNATURE, algorithm);
        var feature = new WSPolicyFeature();
        feature.setPolicyElements(List.of(element(policy(signed))));
        endpoint.getFeatures().add(feature);
    }

    private static Element element(String policy) {
        try {
            return Message.parse(policy.getBytes(StandardCharsets.UTF_8)).getDocumentElement();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String policy(Case signed) {
        boolean path = signed.keyIdentifier().equals("pki-path");
        return """
            <wsp:Policy xmlns:wsp="http://www.w3.org/ns/ws-policy"
                        xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702">
              <sp:AsymmetricBinding><wsp:Policy>
                <sp:InitiatorToken><wsp:Policy>%s</wsp:Policy></sp:InitiatorToken>
                <sp:RecipientToken><wsp:Policy>%s</wsp:Policy></sp:RecipientToken>
                <sp:AlgorithmSuite><wsp:Policy>%s</wsp:Policy></sp:AlgorithmSuite>
                <sp:Layout><wsp:Policy><sp:%s/></wsp:Policy></sp:Layout>
                %s
                <sp:OnlySignEntireHeadersAndBody/>
                %s
              </wsp:Policy></sp:AsymmetricBinding>
              <sp:Wss11><wsp:Policy>
                <sp:MustSupportRefKeyIdentifier/><sp:MustSupportRefIssuerSerial/><sp:MustSupportRefThumbprint/>
              </wsp:Policy></sp:Wss11>
              <sp:SignedParts><sp:Body/>%s</sp:SignedParts>
            </wsp:Policy>
            """.formatted(
                token(signed.carriesToken() ? "AlwaysToRecipient" : "Never",
                        (path ? "<sp:WssX509PkiPathV1Token11/>" : "<sp:WssX509V3Token11/>")
                                + REFERENCES.getOrDefault(signed.keyIdentifier(), "")),
                token("Never", "<sp:WssX509V3Token11/>"),
                SUITES.getOrDefault(signed.digestAlgorithm(), CUSTOM),
                LAYOUTS.get(signed.settings().getOrDefault("layout", "strict")),
                signed.covered().contains(Names.TIMESTAMP) ? "<sp:IncludeTimestamp/>" : "",
                signed.parts().contains("token") ? "<sp:ProtectTokens/>" : "",
                signedHeaders(signed));
    }

    private static String token(String inclusion, String properties) {
        return """
            <sp:X509Token sp:IncludeToken=\
            "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/%s">\
            <wsp:Policy>%s</wsp:Policy></sp:X509Token>""".formatted(inclusion, properties);
    }

    private static String signedHeaders(Case signed) {
        if (signed.parts().contains("wsa")) {
            return "<sp:Header Namespace=\"" + Names.WSA + "\"/>";
        }
        return signed.covered().contains(new QName(Names.WSA, "Action"))
                ? "<sp:Header Name=\"Action\" Namespace=\"" + Names.WSA + "\"/>"
                : "";
    }
}
