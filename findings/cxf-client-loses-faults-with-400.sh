#!/usr/bin/env bash
# CXF 4.2.3's client reads a SOAP fault only if its status is 500, in SOAP 1.2 as well, whose binding answers Senders with 400.
#
# SOAP 1.2, part 2, section 7.4.2.2, answers a fault whose code is Sender with 400 Bad Request. CXF's client throws "Could not send
# Message", caused by "HTTP response '400…'", and the fault's text is nowhere; with 500 the same bytes become a SoapFault. The
# request context's property org.apache.cxf.transport.process_fault_on_http_400 has it read those with 400, and no others.
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
import javax.xml.namespace.QName;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;

public class Measure {
  static final String FAULT =
      "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>"
          + "</s:Code><s:Reason><s:Text xml:lang='en'>what to do</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>";

  public static void main(String[] arguments) throws Exception {
    // POST /STATUS: the fault, with this status.
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", exchange -> {
      exchange.getRequestBody().readAllBytes();
      exchange.getResponseHeaders().set("Content-Type", "application/soap+xml; charset=utf-8");
      int status = Integer.parseInt(exchange.getRequestURI().getPath().substring(1));
      exchange.sendResponseHeaders(status, FAULT.length());
      exchange.getResponseBody().write(FAULT.getBytes());
      exchange.close();
    });
    server.start();
    String root = "http://127.0.0.1:" + server.getAddress().getPort() + "/";
    boolean asExpected = true;
    for (boolean property : new boolean[] {false, true}) {
      for (int status : new int[] {400, 413, 500, 503}) {
        boolean read = reads(root + status, property);
        boolean expected = status == 500 || status == 400 && property;
        asExpected &= read == expected;
        System.out.println(status + (property ? " with the property: " : ": ") + (read ? "the fault" : "no fault"));
      }
    }
    System.exit(asExpected ? 0 : 1);
  }

  static boolean reads(String address, boolean property) {
    QName port = new QName("urn:test", "port");
    Service service = Service.create(new QName("urn:test", "service"));
    service.addPort(port, SOAPBinding.SOAP12HTTP_BINDING, address);
    Dispatch<Source> client = service.createDispatch(port, Source.class, Service.Mode.PAYLOAD);
    if (property) {
      client.getRequestContext().put("org.apache.cxf.transport.process_fault_on_http_400", true);
    }
    try {
      client.invoke(new StreamSource(new StringReader("<ask xmlns='urn:test'/>")));
      return false;
    } catch (Exception error) {
      return String.valueOf(error.getMessage()).contains("what to do");
    }
  }
}
END
mvn --quiet --batch-mode compile dependency:build-classpath -Dmdep.outputFile=classpath
java -cp "target/classes:$(cat classpath)" Measure 2>/dev/null
