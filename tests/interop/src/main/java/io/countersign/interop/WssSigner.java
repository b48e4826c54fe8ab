package io.countersign.interop;

import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;

import javax.xml.namespace.QName;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;

import org.apache.wss4j.common.WSEncryptionPart;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.apache.wss4j.dom.message.WSSecTimestamp;
import org.w3c.dom.Document;

/** WSS4J's own signer: shows that the receivers work as set up here, whatever countersign does. */
final class WssSigner implements Signer {
    private static final Map<String, Integer> IDENTIFIERS = Map.of(
            "binary-security-token", WSConstants.BST_DIRECT_REFERENCE,
            "pki-path", WSConstants.BST_DIRECT_REFERENCE,
            "issuer-serial", WSConstants.ISSUER_SERIAL,
            "subject-key-identifier", WSConstants.SKI_KEY_IDENTIFIER,
            "thumbprint", WSConstants.THUMBPRINT_IDENTIFIER);

    private final Keys keys;

    WssSigner(Keys keys) {
        this.keys = keys;
    }

    /** Identifiers, algorithms and digests, for one message of each SOAP version. */
    static boolean knows(Case wanted) {
        return IDENTIFIERS.containsKey(wanted.keyIdentifier())
                && !wanted.group().startsWith("every message")
                && List.of("key-identifier", "signature-algorithm", "digest-algorithm", "include-token")
                        .containsAll(wanted.settings().keySet());
    }

    @Override
    public byte[] sign(Case wanted) throws Exception {
        Document document = Message.parse(Files.readAllBytes(wanted.message().file()));
        var header = new WSSecHeader(document);
        header.insertSecurityHeader();
        var signature = new WSSecSignature(header);
        signature.setUserInfo(wanted.key(), Keys.password());
        signature.setKeyIdentifierType(IDENTIFIERS.get(wanted.keyIdentifier()));
        signature.setUseSingleCertificate(!wanted.keyIdentifier().equals("pki-path"));
        signature.setIncludeSignatureToken(wanted.settings().containsKey("include-token"));
        signature.setSignatureAlgorithm(Names.SIGNATURE_ALGORITHMS.get(wanted.signatureAlgorithm()));
        signature.setDigestAlgo(Names.DIGEST_ALGORITHMS.get(wanted.digestAlgorithm()));
        var timestamp = new WSSecTimestamp(header);
        timestamp.build();
        signature.prepare(keys.signer());
        signature.appendBSTElementToHeader();
        var references = signature.addReferencesToSign(List.of(
                part(wanted.message().body()), part(Names.TIMESTAMP)));
        signature.computeSignature(references, false, null);
        return bytes(document);
    }

    private static WSEncryptionPart part(QName name) {
        return new WSEncryptionPart(name.getLocalPart(), name.getNamespaceURI(), "");
    }

    private static byte[] bytes(Document document) throws Exception {
        var bytes = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer()
                .transform(new DOMSource(document), new StreamResult(bytes));
        return bytes.toByteArray();
    }
}
