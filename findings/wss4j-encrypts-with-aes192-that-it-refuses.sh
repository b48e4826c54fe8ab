#!/usr/bin/env bash
# WSS4J 4.0.1 encrypts with AES of 192 bits, and refuses to decrypt what it made.
#
# Its receiving side keeps the Basic Security Profile 1.1 by default, whose R5620 allows AES of 128 and 256 bits and Triple DES. The
# sending side takes AES-192, in CBC and GCM, without a word; so a pair that both run WSS4J with these settings never works.
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
import javax.crypto.KeyGenerator;
import org.apache.wss4j.common.ext.WSPasswordCallback;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.message.WSSecEncrypt;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.w3c.dom.Document;

public class Measure {
  public static void main(String[] arguments) throws Exception {
    WSSConfig.init();
    boolean asExpected = true;
    for (String cipher : new String[] {"2001/04/xmlenc#aes128-cbc", "2001/04/xmlenc#aes192-cbc", "2001/04/xmlenc#aes256-cbc",
        "2009/xmlenc11#aes128-gcm", "2009/xmlenc11#aes192-gcm", "2009/xmlenc11#aes256-gcm"}) {
      Document message = message();
      WSSecHeader header = new WSSecHeader(message);
      header.insertSecurityHeader();
      WSSecEncrypt encrypt = new WSSecEncrypt(header);
      encrypt.setUserInfo("test");
      encrypt.setSymmetricEncAlgorithm("http://www.w3.org/" + cipher);
      KeyGenerator generator = KeyGenerator.getInstance("AES");
      generator.init(Integer.parseInt(cipher.replaceAll(".*aes|-.*", "")));
      encrypt.build(keys(), generator.generateKey());
      String answer;
      try {
        new WSSecurityEngine().processSecurityHeader(message, null,
            asked -> ((WSPasswordCallback) asked[0]).setPassword("secret"), keys());
        answer = "decrypted";
      } catch (Exception error) {
        answer = "refused: " + error.getMessage();
      }
      System.out.println(cipher + " " + answer);
      asExpected &= cipher.contains("aes192") == answer.contains("R5620") && cipher.contains("aes192") != answer.equals("decrypted");
    }
    System.exit(asExpected ? 0 : 1);
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
