#!/usr/bin/env bash
# WSS4J 4.0.1 signs with SHA-1 unless it is told otherwise: rsa-sha1, and SHA-1 digests.
#
# WSSecSignature without settings writes both for an RSA key, and WSSecurityEngine without settings verifies them. NIST has
# disallowed SHA-1 for new signatures since 2013 (SP 800-131A). So whoever verifies messages of peers that run on these defaults
# has to allow it, for them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p src/main/java
keytool -genkeypair -alias test -keyalg RSA -keysize 2048 -dname CN=test -ext KeyUsage=digitalSignature,keyEncipherment \
    -keystore test.p12 -storepass secret 2>/dev/null
cat >pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>test</artifactId><version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>org.apache.wss4j</groupId><artifactId>wss4j-ws-security-dom</artifactId><version>4.0.1</version>
      <exclusions><!-- not in Maven Central, and not needed -->
        <exclusion><groupId>org.opensaml</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>net.shibboleth</groupId><artifactId>*</artifactId></exclusion>
      </exclusions>
    </dependency>
  </dependencies>
</project>
END
cat >src/main/java/Measure.java <<'END'
import java.io.ByteArrayInputStream;
import java.util.Properties;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.CryptoFactory;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

public class Measure {
  public static void main(String[] arguments) throws Exception {
    WSSConfig.init();
    Document message = message();
    WSSecHeader header = new WSSecHeader(message);
    header.insertSecurityHeader();
    WSSecSignature sign = new WSSecSignature(header);
    sign.setUserInfo("test", "secret");
    sign.build(keys());
    String method = algorithm(message, "SignatureMethod");
    String digest = algorithm(message, "DigestMethod");
    new WSSecurityEngine().processSecurityHeader(message, null, null, keys());
    System.out.println("signed by " + method + " over digests by " + digest + ", and verified");
    boolean asExpected = method.equals("http://www.w3.org/2000/09/xmldsig#rsa-sha1")
        && digest.equals("http://www.w3.org/2000/09/xmldsig#sha1");
    System.exit(asExpected ? 0 : 1);
  }

  static String algorithm(Document message, String name) {
    var found = message.getElementsByTagNameNS("http://www.w3.org/2000/09/xmldsig#", name);
    return ((Element) found.item(0)).getAttribute("Algorithm");
  }

  static Document message() throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    String text = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><a xmlns='urn:test'/></s:Body></s:Envelope>";
    return factory.newDocumentBuilder().parse(new ByteArrayInputStream(text.getBytes()));
  }

  static Crypto keys() throws Exception {
    Properties settings = new Properties();
    settings.put("org.apache.wss4j.crypto.provider", "org.apache.wss4j.common.crypto.Merlin");
    settings.put("org.apache.wss4j.crypto.merlin.keystore.type", "pkcs12");
    settings.put("org.apache.wss4j.crypto.merlin.keystore.file", "test.p12");
    settings.put("org.apache.wss4j.crypto.merlin.keystore.password", "secret");
    return CryptoFactory.getInstance(settings);
  }
}
END
mvn --quiet --batch-mode compile dependency:build-classpath -Dmdep.outputFile=classpath
java -cp "target/classes:$(cat classpath)" Measure 2>/dev/null
