package io.countersign.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

import javax.xml.namespace.QName;

import jakarta.xml.soap.SOAPMessage;
import jakarta.xml.ws.Provider;
import jakarta.xml.ws.Service;
import jakarta.xml.ws.ServiceMode;
import jakarta.xml.ws.WebServiceProvider;
import jakarta.xml.ws.soap.SOAPBinding;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.jaxws.EndpointImpl;
import org.apache.cxf.ws.addressing.WSAddressingFeature;
import org.apache.cxf.ws.security.SecurityConstants;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** CXF endpoints on a loopback port that take any message, and a client that posts to them. */
final class CxfServer {
    private static final Set<QName> REFUSALS = Set.of(
            new QName(Names.WSSE, "FailedCheck"),
            new QName(Names.WSSE, "InvalidSecurity"),
            new QName(Names.WSSE, "InvalidSecurityToken"),
            new QName(Names.SOAP11, "Client"),
            new QName(Names.SOAP12, "Sender"));

    private final Bus bus = BusFactory.getDefaultBus();
    private final HttpClient client = HttpClient.newHttpClient();
    private final String base;
    private int endpoints;

    CxfServer() throws IOException {
        base = "http://127.0.0.1:" + freePort() + "/";
    }

    /** CXF has to be told one. */
    static int freePort() throws IOException {
        try (var probe = new ServerSocket(0, 0, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    /** Its address. */
    URI publish(boolean soap12, Keys keys, Consumer<EndpointImpl> configure) {
        var endpoint = new EndpointImpl(
                bus, new Acceptor(), soap12 ? SOAPBinding.SOAP12HTTP_BINDING : SOAPBinding.SOAP11HTTP_BINDING);
        endpoint.getFeatures().add(new WSAddressingFeature());
        endpoint.setProperties(new HashMap<>(Map.of(
                SecurityConstants.SIGNATURE_CRYPTO, keys.receiver(),
                SecurityConstants.ENCRYPT_CRYPTO, keys.receiver(),
                SecurityConstants.IS_BSP_COMPLIANT, "true",
                SecurityConstants.RETURN_SECURITY_ERROR, true,
                // an altered message has the signature value of the one it was made from
                SecurityConstants.ENABLE_TIMESTAMP_CACHE, false,
                "ws-addressing.validate.action", false)));
        configure.accept(endpoint);
        String address = base + endpoints++;
        endpoint.publish(address);
        return URI.create(address);
    }

    /** Posts; returns when the message was accepted. */
    void post(URI address, byte[] message, boolean soap12) throws Exception {
        var request = HttpRequest.newBuilder(address)
                .header("Content-Type", (soap12 ? "application/soap+xml" : "text/xml") + "; charset=UTF-8")
                .POST(HttpRequest.BodyPublishers.ofByteArray(message))
                .build();
        var response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        if (response.statusCode() / 100 != 2) {
            throw failure(response.statusCode(), response.body());
        }
    }

    /**
     * A security code, or the client's fault: the streaming engine meets a bad signature while the
     * message is being read.
     */
    private static Exception failure(int status, byte[] body) throws IOException {
        Document fault = Message.parse(body);
        String text = textOf(fault, "faultstring") + textOf(fault, "Text");
        for (String name : List.of("faultcode", "Value")) {
            var codes = fault.getElementsByTagNameNS("*", name);
            for (int i = 0; i < codes.getLength(); i++) {
                if (REFUSALS.contains(qname((Element) codes.item(i)))) {
                    return new Receiver.Refused(text, null);
                }
            }
        }
        return new IOException("status " + status + ": " + text);
    }

    private static String textOf(Document document, String name) {
        var elements = document.getElementsByTagNameNS("*", name);
        return elements.getLength() == 0 ? "" : elements.item(0).getTextContent().strip().replaceAll("\\s+", " ");
    }

    private static QName qname(Element code) {
        String[] parts = code.getTextContent().strip().split(":");
        return parts.length == 1
                ? new QName(parts[0])
                : new QName(code.lookupNamespaceURI(parts[0]), parts[1]);
    }

    /** Takes any message and has nothing to answer. */
    @WebServiceProvider
    @ServiceMode(Service.Mode.MESSAGE)
    static final class Acceptor implements Provider<SOAPMessage> {
        @Override
        public SOAPMessage invoke(SOAPMessage request) {
            return null;
        }
    }
}
