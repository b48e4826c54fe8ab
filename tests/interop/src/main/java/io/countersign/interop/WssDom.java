package io.countersign.interop;

import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

import javax.xml.namespace.QName;

import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.WSDataRef;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.util.WSSecurityUtil;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** WSS4J's engine on a tree, with the rules of the Basic Security Profile. */
final class WssDom implements Receiver {
    private final Merlin trust;

    WssDom(Merlin trust) {
        this.trust = trust;
    }

    @Override
    public String name() {
        return "WSS4J DOM";
    }

    @Override
    public Optional<String> doesNotKnow(Case signed) {
        return Unknown.toAll(signed);
    }

    @Override
    public Set<QName> receive(byte[] message, Case signed) throws Exception {
        Document document = Message.parse(message);
        Element header = WSSecurityUtil.getSecurityHeader(document, signed.settings().get("actor"));
        try {
            return covered(new WSSecurityEngine().processSecurityHeader(header, request())
                    .getActionResults().get(WSConstants.SIGN), document);
        } catch (WSSecurityException e) {
            throw new Refused(e.getMessage(), e);
        }
    }

    private RequestData request() {
        var request = new RequestData();
        request.setSigVerCrypto(trust);
        request.setDisableBSPEnforcement(false);
        request.setCallbackHandler(new Passwords());
        return request;
    }

    private static Set<QName> covered(List<WSSecurityEngineResult> signatures, Document document) {
        var names = new HashSet<QName>();
        for (WSSecurityEngineResult signature : signatures) {
            List<?> references = (List<?>) signature.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
            for (Object reference : references) {
                Element element = ((WSDataRef) reference).getProtectedElement();
                if (element.getOwnerDocument() == document) {
                    names.add(Message.nameOf(element));
                }
            }
        }
        return names;
    }
}
