#!/usr/bin/env bash
# CXF 4.2.3's client offers to upgrade every request over plain HTTP to HTTP/2, those with a body included.
#
# On JDK 17 CXF sends by java.net.http. Each POST carries Upgrade: h2c, Connection: Upgrade, HTTP2-Settings, and HTTP2-Settings
# (RFC 7540, section 3.2; obsolete by RFC 9113), the second to a server that has ignored the first as well. What stands between
# must drop all three fields: an upgrade accepted behind it would be of a connection that is not the client's.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p src/main/java
cat >pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>test</artifactId><version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>org.apache.cxf</groupId><artifactId>cxf-rt-frontend-jaxws</artifactId><version>4.2.3</version></dependency>
    <dependency><groupId>org.apache.cxf</groupId><artifactId>cxf-rt-transports-http</artifactId><version>4.2.3</version></dependency>
  </dependencies>
</project>
END
cat >src/main/java/Measure.java <<'END'
import com.sun.net.httpserver.HttpServer;
import jakarta.xml.ws.Dispatch;
import jakarta.xml.ws.Service;
import jakarta.xml.ws.soap.SOAPBinding;
import java.io.StringReader;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import javax.xml.namespace.QName;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;

public class Measure {
  static final String ANSWER =
      "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><answer xmlns='urn:test'/></s:Body></s:Envelope>";

  public static void main(String[] arguments) throws Exception {
    List<String> offers = new ArrayList<>();
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", exchange -> {
      int length = exchange.getRequestBody().readAllBytes().length;
      offers.add(exchange.getRequestMethod() + ", " + (length > 0 ? "with" : "without") + " body, Upgrade "
          + exchange.getRequestHeaders().get("Upgrade") + ", Connection " + exchange.getRequestHeaders().get("Connection"));
      exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
      exchange.sendResponseHeaders(200, ANSWER.length());
      exchange.getResponseBody().write(ANSWER.getBytes());
      exchange.close();
    });
    server.start();
    QName port = new QName("urn:test", "port");
    Service service = Service.create(new QName("urn:test", "service"));
    service.addPort(port, SOAPBinding.SOAP11HTTP_BINDING, "http://127.0.0.1:" + server.getAddress().getPort() + "/");
    Dispatch<Source> client = service.createDispatch(port, Source.class, Service.Mode.PAYLOAD);
    for (int number = 0; number < 2; number++) {
      client.invoke(new StreamSource(new StringReader("<ask xmlns='urn:test'/>")));
    }
    offers.forEach(System.out::println);
    String offer = "POST, with body, Upgrade [h2c], Connection [Upgrade, HTTP2-Settings]";
    System.exit(offers.equals(List.of(offer, offer)) ? 0 : 1);
  }
}
END
mvn --quiet --batch-mode compile dependency:build-classpath -Dmdep.outputFile=classpath
java -cp "target/classes:$(cat classpath)" Measure 2>/dev/null
