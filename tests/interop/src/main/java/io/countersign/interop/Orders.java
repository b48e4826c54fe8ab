package io.countersign.interop;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

import jakarta.xml.soap.SOAPException;
import jakarta.xml.soap.SOAPMessage;
import jakarta.xml.ws.Provider;
import jakarta.xml.ws.Service;
import jakarta.xml.ws.ServiceMode;
import jakarta.xml.ws.WebServiceException;
import jakarta.xml.ws.WebServiceProvider;
import org.apache.cxf.phase.PhaseInterceptorChain;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.WSHandlerConstants;
import org.apache.wss4j.dom.handler.WSHandlerResult;

/** The application behind the endpoints: counts each message that it processes, by {@code wsa:MessageID}. */
@WebServiceProvider
@ServiceMode(Service.Mode.MESSAGE)
final class Orders implements Provider<SOAPMessage> {
    private final Set<String> ids = new HashSet<>();
    private final Map<String, Long> keys = new TreeMap<>();
    private long accepted;
    private long duplicates;
    private long refused;

    /** Has nothing to answer: a response would have to be signed under a policy. */
    @Override
    public SOAPMessage invoke(SOAPMessage request) {
        count(id(request), signer());
        return null;
    }

    private synchronized void count(String id, String signer) {
        accepted++;
        if (!ids.add(id)) {
            duplicates++;
        }
        keys.merge(signer, 1L, Long::sum);
    }

    /** A message did not get this far. */
    synchronized void refused() {
        refused++;
    }

    /** As {@code countersign receiver} tells them. */
    synchronized String counts() {
        String byKey = keys.entrySet().stream()
                .map(each -> "\"" + each.getKey() + "\":" + each.getValue())
                .collect(Collectors.joining(","));
        return "{\"accepted\":%d,\"duplicates\":%d,\"unsigned\":0,\"refused\":%d,\"keys\":{%s},\"last_refusal\":null}"
                .formatted(accepted, duplicates, refused, byKey);
    }

    private static String id(SOAPMessage message) {
        try {
            var ids = message.getSOAPHeader().getElementsByTagNameNS(Names.WSA, "MessageID");
            if (ids.getLength() == 1) {
                return ids.item(0).getTextContent();
            }
        } catch (SOAPException e) {
            throw new WebServiceException(e);
        }
        throw new WebServiceException("no MessageID");
    }

    /** SHA-256 of the certificate whose signature was found valid; "nobody" where none was looked for. */
    private static String signer() {
        Object results = PhaseInterceptorChain.getCurrentMessage().get(WSHandlerConstants.RECV_RESULTS);
        if (!(results instanceof List<?> list)) {
            return "nobody";
        }
        var signature = list.stream()
                .flatMap(each -> ((WSHandlerResult) each).getActionResults().get(WSConstants.SIGN).stream())
                .findFirst().orElseThrow();
        var certificate = (X509Certificate) signature.get(WSSecurityEngineResult.TAG_X509_CERTIFICATE);
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
        } catch (NoSuchAlgorithmException | CertificateEncodingException e) {
            throw new WebServiceException(e);
        }
    }
}
