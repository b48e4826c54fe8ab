package io.countersign.interop;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;

import javax.security.auth.callback.CallbackHandler;

import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.CryptoType;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.WSSecurityException;

/**
 * Whom a receiver trusts, to be exchanged while it serves. CXF and WSS4J keep the {@link Crypto} that they were given, so
 * this one stays and hands every question on to a {@link Merlin} behind one atomic reference: a question is answered by the
 * trust store before an exchange or by the one after it.
 */
final class Trust implements Crypto {
    private final AtomicReference<Merlin> merlin = new AtomicReference<>();

    Trust(byte[] pem) throws GeneralSecurityException, IOException {
        exchange(pem);
    }

    /** Trusts these certificates from now on, and no others. */
    void exchange(byte[] pem) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        var certificates = CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(pem));
        if (certificates.isEmpty()) {
            throw new GeneralSecurityException("no certificate");
        }
        for (Certificate certificate : certificates) {
            store.setCertificateEntry("trusted-" + store.size(), certificate);
        }
        var next = new Merlin();
        next.setKeyStore(store);
        next.setTrustStore(store);
        merlin.set(next);
    }

    @Override
    public void verifyTrust(
            X509Certificate[] path, boolean revocation, Collection<Pattern> subjects, Collection<Pattern> issuers)
            throws WSSecurityException {
        merlin.get().verifyTrust(path, revocation, subjects, issuers);
    }

    @Override
    public void verifyTrust(PublicKey key) throws WSSecurityException {
        merlin.get().verifyTrust(key);
    }

    @Override
    public X509Certificate[] getX509Certificates(CryptoType type) throws WSSecurityException {
        return merlin.get().getX509Certificates(type);
    }

    @Override
    public String getX509Identifier(X509Certificate certificate) throws WSSecurityException {
        return merlin.get().getX509Identifier(certificate);
    }

    @Override
    public X509Certificate loadCertificate(InputStream in) throws WSSecurityException {
        return merlin.get().loadCertificate(in);
    }

    @Override
    public byte[] getSKIBytesFromCert(X509Certificate certificate) throws WSSecurityException {
        return merlin.get().getSKIBytesFromCert(certificate);
    }

    @Override
    public byte[] getBytesFromCertificates(X509Certificate[] certificates) throws WSSecurityException {
        return merlin.get().getBytesFromCertificates(certificates);
    }

    @Override
    public X509Certificate[] getCertificatesFromBytes(byte[] data) throws WSSecurityException {
        return merlin.get().getCertificatesFromBytes(data);
    }

    @Override
    public CertificateFactory getCertificateFactory() throws WSSecurityException {
        return merlin.get().getCertificateFactory();
    }

    @Override
    public PrivateKey getPrivateKey(X509Certificate certificate, CallbackHandler handler) throws WSSecurityException {
        return merlin.get().getPrivateKey(certificate, handler);
    }

    @Override
    public PrivateKey getPrivateKey(PublicKey key, CallbackHandler handler) throws WSSecurityException {
        return merlin.get().getPrivateKey(key, handler);
    }

    @Override
    public PrivateKey getPrivateKey(String alias, String password) throws WSSecurityException {
        return merlin.get().getPrivateKey(alias, password);
    }

    @Override
    public String getDefaultX509Identifier() throws WSSecurityException {
        return merlin.get().getDefaultX509Identifier();
    }

    @Override
    public String getCryptoProvider() {
        return merlin.get().getCryptoProvider();
    }

    @Override
    public String getTrustProvider() {
        return merlin.get().getTrustProvider();
    }

    @Override
    public void setDefaultX509Identifier(String identifier) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void setCryptoProvider(String provider) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void setTrustProvider(String provider) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void setCertificateFactory(CertificateFactory factory) {
        throw new UnsupportedOperationException();
    }
}
