package io.countersign.interop;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code countersign sign}. */
final class Countersign implements Signer {
    private final Path binary;
    private final Keys keys;

    Countersign(Path binary, Keys keys) {
        this.binary = binary;
        this.keys = keys;
    }

    @Override
    public byte[] sign(Case wanted) throws IOException, InterruptedException {
        var command = new ArrayList<String>(List.of(
                binary.toString(), "sign",
                "--key", keys.privateKey(wanted.key()).toString(),
                "--certificate", keys.certificatePath(wanted.key()).toString()));
        command.addAll(wanted.flags());
        command.add(wanted.message().file().toString());
        Process process = new ProcessBuilder(command).redirectErrorStream(false).start();
        byte[] signed = process.getInputStream().readAllBytes();
        String error = new String(process.getErrorStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException("not signed: " + error.strip());
        }
        return signed;
    }
}
