#!/usr/bin/env bash
# Apache HttpClient 5.6.5 posts a message again by itself after a 503 or 429; HttpClient 4.5.14 does not.
#
# By its default DefaultHttpRequestRetryStrategy a POST whose entity can be read again is sent a second time, after Retry-After or,
# without that field, one second; the caller sees the second answer alone. The method does not matter, though RFC 9110, section
# 9.2.2, leaves repeating to whoever knows that the first was not applied. So a server or proxy may answer 503 only for what it
# has not passed on.
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
    <dependency><groupId>org.apache.httpcomponents.client5</groupId><artifactId>httpclient5</artifactId><version>5.6.5</version></dependency>
    <dependency><groupId>org.apache.httpcomponents</groupId><artifactId>httpclient</artifactId><version>4.5.14</version></dependency>
  </dependencies>
</project>
END
cat >src/main/java/Measure.java <<'END'
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicInteger;

public class Measure {
  public static void main(String[] arguments) throws Exception {
    // POST /STATUS: that status.
    AtomicInteger got = new AtomicInteger();
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", exchange -> {
      exchange.getRequestBody().readAllBytes();
      got.incrementAndGet();
      exchange.sendResponseHeaders(Integer.parseInt(exchange.getRequestURI().getPath().substring(1)), -1);
      exchange.close();
    });
    server.start();
    String root = "http://127.0.0.1:" + server.getAddress().getPort() + "/";
    boolean asExpected = true;
    for (int status : new int[] {500, 502, 503, 429}) {
      try (var client = org.apache.hc.client5.http.impl.classic.HttpClients.createDefault()) {
        var post = new org.apache.hc.client5.http.classic.methods.HttpPost(root + status);
        post.setEntity(new org.apache.hc.core5.http.io.entity.StringEntity("message"));
        client.execute(post, answer -> null);
      }
      int byVersion5 = got.getAndSet(0);
      try (var client = org.apache.http.impl.client.HttpClients.createDefault()) {
        var post = new org.apache.http.client.methods.HttpPost(root + status);
        post.setEntity(new org.apache.http.entity.StringEntity("message"));
        client.execute(post).close();
      }
      int byVersion4 = got.getAndSet(0);
      System.out.println(status + ": one call of 5.6.5 posts " + byVersion5 + " times, one of 4.5.14 " + byVersion4);
      asExpected &= byVersion5 == (status == 503 || status == 429 ? 2 : 1) && byVersion4 == 1;
    }
    System.exit(asExpected ? 0 : 1);
  }
}
END
mvn --quiet --batch-mode compile dependency:build-classpath -Dmdep.outputFile=classpath
java -cp "target/classes:$(cat classpath)" Measure 2>/dev/null
