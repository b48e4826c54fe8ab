import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.util.Base64;
import java.util.List;

import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.RSAPSSParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;

import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

/** Signs a SOAP message by RSASSA-PSS with the JDK's own XML Signature, once for each set of parameters. */
final class Make {
    private static final String OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
    private static final String WSSE = OASIS + "wssecurity-secext-1.0.xsd";
    private static final String WSU = OASIS + "wssecurity-utility-1.0.xsd";

    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance(Path.of("key.p12").toFile(), "password".toCharArray());
        make(store, "sha256", "SHA-256", "SHA-256", 32);
        make(store, "sha384", "SHA-384", "SHA-384", 48);
        make(store, "sha512", "SHA-512", "SHA-512", 64);
        make(store, "short-salt", "SHA-256", "SHA-256", 20);
        make(store, "long-salt", "SHA-256", "SHA-256", 64);
        make(store, "mask-of-another-digest", "SHA-512", "SHA-256", 64);
    }

    private static void make(KeyStore store, String name, String digest, String mask, int salt) throws Exception {
        String token = Base64.getEncoder().encodeToString(store.getCertificate("key").getEncoded());
        Document document = parse("""
            <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>\
            <wsse:Security xmlns:wsse="%s" xmlns:wsu="%s" s:mustUnderstand="1">\
            <wsse:BinarySecurityToken wsu:Id="token" EncodingType="%s" ValueType="%s">%s</wsse:BinarySecurityToken>\
            </wsse:Security></s:Header><s:Body xmlns:wsu="%s" wsu:Id="body"><order number="1"/></s:Body></s:Envelope>
            """.formatted(WSSE, WSU, OASIS + "soap-message-security-1.0#Base64Binary",
                OASIS + "x509-token-profile-1.0#X509v3", token, WSU));
        Element header = (Element) document.getElementsByTagNameNS(WSSE, "Security").item(0);
        Element body = (Element) document.getDocumentElement().getLastChild();
        body.setIdAttributeNS(WSU, "Id", true);
        var factory = XMLSignatureFactory.getInstance("DOM");
        var method = factory.newSignatureMethod("http://www.w3.org/2007/05/xmldsig-more#rsa-pss",
                new RSAPSSParameterSpec(new PSSParameterSpec(digest, "MGF1", new MGF1ParameterSpec(mask), salt, 1)));
        var transform = factory.newTransform(CanonicalizationMethod.EXCLUSIVE, (TransformParameterSpec) null);
        var reference = factory.newReference("#body", factory.newDigestMethod(DigestMethod.SHA256, null),
                List.of(transform), null, null);
        var form = factory.newCanonicalizationMethod(
                CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null);
        KeyInfo keyInfo = factory.getKeyInfoFactory().newKeyInfo(List.of(new DOMStructure(toToken(document))));
        var context = new DOMSignContext((PrivateKey) store.getKey("key", "password".toCharArray()), header);
        context.setDefaultNamespacePrefix("ds");
        factory.newXMLSignature(factory.newSignedInfo(form, method, List.of(reference)), keyInfo).sign(context);
        var transformer = TransformerFactory.newInstance().newTransformer();
        transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        try (var out = Files.newOutputStream(Path.of(name + ".xml"))) {
            transformer.transform(new DOMSource(document), new StreamResult(out));
        }
    }

    private static Element toToken(Document document) {
        Element reference = document.createElementNS(WSSE, "wsse:Reference");
        reference.setAttribute("URI", "#token");
        reference.setAttribute("ValueType", OASIS + "x509-token-profile-1.0#X509v3");
        Element toToken = document.createElementNS(WSSE, "wsse:SecurityTokenReference");
        toToken.appendChild(reference);
        return toToken;
    }

    private static Document parse(String text) throws Exception {
        var factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        return factory.newDocumentBuilder().parse(new InputSource(new StringReader(text)));
    }
}
