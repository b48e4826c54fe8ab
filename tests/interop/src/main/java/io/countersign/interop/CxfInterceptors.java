package io.countersign.interop;

import java.net.URI;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import javax.xml.namespace.QName;

import org.apache.cxf.interceptor.Interceptor;
import org.apache.cxf.message.Message;
import org.apache.cxf.ws.security.SecurityConstants;
import org.apache.cxf.ws.security.wss4j.DefaultCryptoCoverageChecker;
import org.apache.cxf.ws.security.wss4j.StaxCryptoCoverageChecker;
import org.apache.cxf.ws.security.wss4j.WSS4JInInterceptor;
import org.apache.cxf.ws.security.wss4j.WSS4JStaxInInterceptor;
import org.apache.wss4j.common.ConfigurationConstants;

/** CXF endpoints secured by interceptors, which are told what to expect. */
final class CxfInterceptors implements Receiver {
    private final CxfServer server;
    private final Keys keys;
    private final boolean streaming;
    private final Map<String, URI> endpoints = new HashMap<>();

    CxfInterceptors(CxfServer server, Keys keys, boolean streaming) {
        this.server = server;
        this.keys = keys;
        this.streaming = streaming;
    }

    @Override
    public String name() {
        return streaming ? "CXF streaming" : "CXF";
    }

    @Override
    public Optional<String> doesNotKnow(Case signed) {
        return Unknown.toAll(signed)
                .or(() -> Unknown.toCxf(signed))
                .or(() -> streaming ? Unknown.toStreaming(signed) : Unknown.toCxfOnATree(signed))
                .or(() -> streaming ? Optional.empty() : Unknown.toCxfInterceptorsOnATree(signed));
    }

    @Override
    public Set<QName> receive(byte[] message, Case signed) throws Exception {
        boolean soap12 = signed.message().soap12();
        Set<String> parts = Set.copyOf(signed.parts());
        String actor = signed.settings().getOrDefault("actor", "");
        URI endpoint = endpoints.computeIfAbsent(
                soap12 + " " + actor + parts, key -> publish(soap12, actor, parts));
        server.post(endpoint, message, soap12);
        return signed.covered();
    }

    private URI publish(boolean soap12, String actor, Set<String> parts) {
        var settings = new HashMap<String, Object>(Map.of(
                ConfigurationConstants.ACTION, parts.contains("timestamp") ? "Timestamp Signature" : "Signature",
                ConfigurationConstants.SIG_VER_PROP_REF_ID, "trust",
                "trust", keys.receiver()));
        if (!actor.isEmpty()) {
            settings.put(ConfigurationConstants.ACTOR, actor);
        }
        return server.publish(soap12, keys, endpoint -> {
            // all or nothing here, and the streaming engine makes a "MUST" of "SHOULD be SHA-1"
            endpoint.getProperties().put(SecurityConstants.IS_BSP_COMPLIANT, Boolean.toString(!streaming));
            endpoint.getInInterceptors().addAll(
                    streaming ? streaming(settings, parts) : onTree(settings, parts));
        });
    }

    private static List<Interceptor<? extends Message>> onTree(
            Map<String, Object> settings, Set<String> parts) {
        var coverage = new DefaultCryptoCoverageChecker();
        coverage.setSignBody(true);
        coverage.setSignTimestamp(parts.contains("timestamp"));
        coverage.setSignAddressingHeaders(parts.contains("wsa"));
        return List.of(new WSS4JInInterceptor(settings), coverage);
    }

    private static List<Interceptor<? extends Message>> streaming(
            Map<String, Object> settings, Set<String> parts) {
        var coverage = new StaxCryptoCoverageChecker();
        coverage.setSignBody(true);
        coverage.setSignTimestamp(parts.contains("timestamp"));
        coverage.setSignAddressingHeaders(parts.contains("wsa"));
        return List.of(new WSS4JStaxInInterceptor(settings), coverage);
    }
}
