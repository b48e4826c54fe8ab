package io.countersign.interop;

import java.io.ByteArrayInputStream;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

import javax.xml.namespace.QName;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

import com.ctc.wstx.api.WstxInputProperties;
import org.apache.wss4j.common.bsp.BSPRule;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.stax.ext.WSSSecurityProperties;
import org.apache.wss4j.stax.setup.WSSec;
import org.apache.xml.security.exceptions.XMLSecurityException;
import org.apache.xml.security.stax.securityEvent.AbstractSecuredElementSecurityEvent;
import org.apache.xml.security.stax.securityEvent.SecurityEvent;

/** WSS4J's streaming engine, with the rules of the Basic Security Profile. */
final class WssStax implements Receiver {
    private static final XMLInputFactory XML = XMLInputFactory.newInstance();

    static {
        XML.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        XML.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        XML.setProperty(XMLInputFactory.IS_COALESCING, false);
        XML.setProperty(WstxInputProperties.P_MIN_TEXT_SEGMENT, 8192);
    }

    private final Merlin trust;

    WssStax(Merlin trust) {
        this.trust = trust;
    }

    @Override
    public String name() {
        return "WSS4J StAX";
    }

    @Override
    public Optional<String> doesNotKnow(Case signed) {
        return Unknown.toAll(signed).or(() -> Unknown.toStreaming(signed));
    }

    @Override
    public Set<QName> receive(byte[] message, Case signed) throws Exception {
        var properties = new WSSSecurityProperties();
        properties.setSignatureVerificationCrypto(trust);
        properties.setDisableBSPEnforcement(false);
        // "SHOULD" be SHA-1: of 2006, and this engine alone makes it a "MUST"
        properties.addIgnoreBSPRule(BSPRule.R5420);
        properties.addIgnoreBSPRule(BSPRule.R5421);
        properties.setCallbackHandler(new Passwords());
        properties.setActor(signed.settings().get("actor"));
        properties.setSoap12(signed.message().soap12());
        var covered = new HashSet<QName>();
        XMLStreamReader plain = XML.createXMLStreamReader(new ByteArrayInputStream(message));
        try {
            XMLStreamReader checked = WSSec.getInboundWSSec(properties, false, true)
                    .processInMessage(plain, null, event -> add(covered, event));
            while (checked.hasNext()) {
                checked.next();
            }
        } catch (XMLStreamException e) {
            if (e.getCause() instanceof XMLSecurityException reason) {
                throw new Refused(reason.getMessage(), reason);
            }
            throw e;
        }
        return covered;
    }

    private static void add(Set<QName> covered, SecurityEvent event) {
        if (event instanceof AbstractSecuredElementSecurityEvent element && element.isSigned()) {
            var path = element.getElementPath();
            covered.add(path.get(path.size() - 1));
        }
    }
}
