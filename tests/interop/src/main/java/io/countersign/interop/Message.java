package io.countersign.interop;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;

import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.SAXException;

/** A plain SOAP message in a file. */
record Message(Path file, String soap) {
    static Message of(Path file) throws IOException {
        return new Message(file, parse(Files.readAllBytes(file)).getDocumentElement().getNamespaceURI());
    }

    String name() {
        return file.getFileName().toString().replaceFirst("\\.xml$", "");
    }

    boolean soap12() {
        return soap.equals(Names.SOAP12);
    }

    QName body() {
        return new QName(soap, "Body");
    }

    static Document parse(byte[] message) throws IOException {
        try {
            var factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            return factory.newDocumentBuilder().parse(new ByteArrayInputStream(message));
        } catch (SAXException | ParserConfigurationException e) {
            throw new IOException(e);
        }
    }

    static QName nameOf(Element element) {
        return new QName(element.getNamespaceURI(), element.getLocalName());
    }
}
