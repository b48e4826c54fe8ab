package io.countersign.interop;

import java.util.Map;

import javax.xml.namespace.QName;

/** The standards' names, and countersign's words for them. */
final class Names {
    static final String SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/";
    static final String SOAP12 = "http://www.w3.org/2003/05/soap-envelope";
    static final String WSA = "http://www.w3.org/2005/08/addressing";
    static final String WSSE =
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    static final String WSU =
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

    static final QName TIMESTAMP = new QName(WSU, "Timestamp");
    static final QName TOKEN = new QName(WSSE, "BinarySecurityToken");

    private static final String DSIG = "http://www.w3.org/2000/09/xmldsig#";
    private static final String MORE = "http://www.w3.org/2001/04/xmldsig-more#";
    private static final String MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#";

    static final Map<String, String> SIGNATURE_ALGORITHMS = Map.ofEntries(
            Map.entry("rsa-sha1", DSIG + "rsa-sha1"),
            Map.entry("rsa-sha256", MORE + "rsa-sha256"),
            Map.entry("rsa-sha384", MORE + "rsa-sha384"),
            Map.entry("rsa-sha512", MORE + "rsa-sha512"),
            Map.entry("rsa-pss-sha256", MORE_2007 + "sha256-rsa-MGF1"),
            Map.entry("rsa-pss-sha384", MORE_2007 + "sha384-rsa-MGF1"),
            Map.entry("rsa-pss-sha512", MORE_2007 + "sha512-rsa-MGF1"),
            Map.entry("ecdsa-sha256", MORE + "ecdsa-sha256"),
            Map.entry("ecdsa-sha384", MORE + "ecdsa-sha384"),
            Map.entry("ecdsa-sha512", MORE + "ecdsa-sha512"),
            Map.entry("ed25519", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"));

    static final Map<String, String> DIGEST_ALGORITHMS = Map.of(
            "sha1", DSIG + "sha1",
            "sha256", "http://www.w3.org/2001/04/xmlenc#sha256",
            "sha384", MORE + "sha384",
            "sha512", "http://www.w3.org/2001/04/xmlenc#sha512");

    private Names() {
    }
}
