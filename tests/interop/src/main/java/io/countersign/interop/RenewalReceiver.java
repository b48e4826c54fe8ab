package io.countersign.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;

import javax.xml.namespace.QName;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import jakarta.xml.ws.soap.SOAPBinding;
import org.apache.cxf.BusFactory;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.jaxws.EndpointImpl;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;
import org.apache.cxf.ws.security.SecurityConstants;
import org.apache.cxf.ws.security.wss4j.DefaultCryptoCoverageChecker;
import org.apache.cxf.ws.security.wss4j.WSS4JInInterceptor;
import org.apache.wss4j.common.ConfigurationConstants;

/**
 * CXF as a receiver whose trust store is exchanged while it serves: a process to renew keys against. Its endpoints, each in
 * SOAP 1.1 and 1.2, share trust and counts: secured by interceptors, by a WS-SecurityPolicy with
 * {@code ws-security.return.security.error}, not at all, and by nothing that would understand a Security header.
 *
 * <p>A second port is as {@code countersign receiver} has it: {@code PUT /trust} with certificates as PEM, {@code GET /} for
 * the counts.
 */
final class RenewalReceiver {
    private final Orders orders = new Orders();
    private final Trust trust;
    private final String base;

    private RenewalReceiver(Trust trust, String base) {
        this.trust = trust;
        this.base = base;
    }

    /** Argument: a file of the certificates to trust first. Prints both addresses; runs until it is ended. */
    public static void main(String[] arguments) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF); // a refused message is no news
        var trust = new Trust(Files.readAllBytes(Path.of(arguments[0])));
        var receiver = new RenewalReceiver(trust, "http://127.0.0.1:" + CxfServer.freePort());
        receiver.publish("interceptors", receiver::byInterceptors);
        receiver.publish("policy", receiver::byPolicy);
        receiver.publish("unsecured", (endpoint, soap) -> endpoint.getInInterceptors().add(new Blind()));
        receiver.publish("ignorant", (endpoint, soap) -> { });
        System.out.println("controlled at " + receiver.control());
        System.out.println("listening on " + receiver.base);
    }

    /** At {@code /NAME/1.1} and {@code /NAME/1.2}. */
    private void publish(String name, BiConsumer<EndpointImpl, String> secure) {
        publish(name + "/1.1", SOAPBinding.SOAP11HTTP_BINDING, endpoint -> secure.accept(endpoint, Names.SOAP11));
        publish(name + "/1.2", SOAPBinding.SOAP12HTTP_BINDING, endpoint -> secure.accept(endpoint, Names.SOAP12));
    }

    private void publish(String path, String binding, Consumer<EndpointImpl> secure) {
        var endpoint = new EndpointImpl(BusFactory.getDefaultBus(), orders, binding);
        endpoint.setProperties(new HashMap<>(Map.of(
                SecurityConstants.SIGNATURE_CRYPTO, trust, SecurityConstants.ENCRYPT_CRYPTO, trust)));
        endpoint.getOutFaultInterceptors().add(new AbstractPhaseInterceptor<>(Phase.SETUP) {
            @Override
            public void handleMessage(org.apache.cxf.message.Message message) {
                orders.refused();
            }
        });
        secure.accept(endpoint);
        endpoint.publish(base + "/" + path);
    }

    private void byInterceptors(EndpointImpl endpoint, String soap) {
        var coverage = new DefaultCryptoCoverageChecker();
        coverage.setSignBody(true);
        coverage.setSignTimestamp(true);
        endpoint.getInInterceptors().add(new WSS4JInInterceptor(Map.of(
                ConfigurationConstants.ACTION, "Timestamp Signature",
                ConfigurationConstants.SIG_VER_PROP_REF_ID, "trust",
                "trust", trust)));
        endpoint.getInInterceptors().add(coverage);
    }

    private void byPolicy(EndpointImpl endpoint, String soap) {
        endpoint.getProperties().put(SecurityConstants.RETURN_SECURITY_ERROR, true);
        var message = new Case("renewal", new Message(Path.of("."), soap), "rsa", Map.of());
        CxfPolicy.secure(endpoint, message);
    }

    /** Its address. */
    private String control() throws IOException {
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> answer(exchange, 200, orders.counts()));
        server.createContext("/trust", this::exchangeTrust);
        server.start();
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void exchangeTrust(HttpExchange exchange) throws IOException {
        try {
            trust.exchange(exchange.getRequestBody().readAllBytes());
            answer(exchange, 204, "");
        } catch (GeneralSecurityException e) {
            answer(exchange, 400, e.getMessage());
        }
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        try (exchange) {
            exchange.getResponseBody().write(body);
        }
    }

    /** Takes a Security header for understood, and looks at nothing in it. */
    private static final class Blind extends AbstractSoapInterceptor {
        Blind() {
            super(Phase.READ);
        }

        @Override
        public void handleMessage(SoapMessage message) {
            // as said
        }

        @Override
        public Set<QName> getUnderstoodHeaders() {
            return Set.of(new QName(Names.WSSE, "Security"));
        }
    }
}
