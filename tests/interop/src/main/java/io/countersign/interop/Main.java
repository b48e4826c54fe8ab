package io.countersign.interop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;

import javax.xml.namespace.QName;

import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Signs every case with countersign and shows it to every receiver: accepted as it is, refused with
 * one byte changed. The receivers are first tried on what WSS4J signs itself.
 */
final class Main {
    private final List<Receiver> receivers;
    private final Path failures;
    private final Report report = new Report();

    private Main(List<Receiver> receivers, Path failures) {
        this.receivers = receivers;
        this.failures = failures;
    }

    /** Arguments: the binary, the directory of messages, a directory to write to. */
    public static void main(String[] arguments) {
        boolean passed = false;
        try {
            passed = run(Path.of(arguments[0]), Path.of(arguments[1]), Path.of(arguments[2]));
        } catch (Exception | LinkageError e) {
            e.printStackTrace();
        }
        System.exit(passed ? 0 : 1); // the server's threads would go on
    }

    private static boolean run(Path binary, Path messages, Path work) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF); // a refused message is no news
        Security.addProvider(new BouncyCastleProvider()); // knows the name that RSA-PSS has in WSS4J
        var keys = new Keys(work.resolve("keys"));
        var server = new CxfServer();
        var main = new Main(
                List.of(
                        new WssDom(keys.receiver()), new WssStax(keys.receiver()),
                        new CxfInterceptors(server, keys, false), new CxfInterceptors(server, keys, true),
                        new CxfPolicy(server, keys)),
                Files.createDirectories(work.resolve("failures")));
        List<Case> cases = Cases.all(messages);
        var itself = new WssSigner(keys);
        for (Case each : cases) {
            if (WssSigner.knows(each)) {
                main.show("signed by WSS4J itself", itself, each);
            }
        }
        var countersign = new Countersign(binary, keys);
        for (Case each : cases) {
            main.show(each.group(), countersign, each);
        }
        return main.report.print();
    }

    private void show(String row, Signer signer, Case wanted) throws IOException {
        byte[] signed;
        Map<String, byte[]> altered;
        try {
            signed = signer.sign(wanted);
            altered = Tampering.of(signed, wanted.message().body());
        } catch (Exception | LinkageError e) {
            report.failed(row, "all", wanted + ": " + e);
            return;
        }
        for (Receiver receiver : receivers) {
            Optional<String> reason = receiver.doesNotKnow(wanted);
            if (reason.isPresent()) {
                staysUnknown(row, receiver, signed, wanted, reason.get());
                continue;
            }
            accepts(row, receiver, signed, wanted);
            for (var each : altered.entrySet()) {
                refuses(row, receiver, each.getKey(), each.getValue(), wanted);
            }
        }
    }

    private void accepts(String row, Receiver receiver, byte[] signed, Case wanted) throws IOException {
        try {
            Set<QName> missing = missing(receiver, signed, wanted);
            if (missing.isEmpty()) {
                report.accepted(row, receiver.name());
                return;
            }
            report.failed(row, receiver.name(), wanted + ": not covered: " + missing);
        } catch (Exception | LinkageError e) {
            report.failed(row, receiver.name(), wanted + ": " + e);
        }
        keep(receiver, signed, wanted);
    }

    /** What the receiver has not found covered of a message that it accepts. */
    private static Set<QName> missing(Receiver receiver, byte[] signed, Case wanted) throws Exception {
        Set<QName> covered = receiver.receive(signed, wanted);
        var missing = new HashSet<>(wanted.covered());
        missing.removeAll(covered);
        return missing;
    }

    private void refuses(String row, Receiver receiver, String what, byte[] altered, Case wanted)
            throws IOException {
        try {
            receiver.receive(altered, wanted);
            report.failed(row, receiver.name(), wanted + ": accepted with an altered " + what);
        } catch (Receiver.Refused expected) {
            report.refused(row, receiver.name());
            return;
        } catch (Exception | LinkageError e) {
            report.failed(row, receiver.name(), wanted + ": altered " + what + ", but refused for: " + e);
        }
        keep(receiver, altered, wanted);
    }

    /** A receiver that has learnt it is to be asked like the others. */
    private void staysUnknown(String row, Receiver receiver, byte[] signed, Case wanted, String reason) {
        try {
            if (missing(receiver, signed, wanted).isEmpty()) {
                report.failed(row, receiver.name(), wanted + ": accepted, though said not to know " + reason);
                return;
            }
        } catch (Exception | LinkageError expected) {
            // as said
        }
        report.leftOut(row, receiver.name(), reason);
    }

    private void keep(Receiver receiver, byte[] message, Case wanted) throws IOException {
        String name = (receiver.name() + " " + wanted).replaceAll("[^A-Za-z0-9]+", "-");
        Files.write(failures.resolve(name + ".xml"), message);
    }
}
