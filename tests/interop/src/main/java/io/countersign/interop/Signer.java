package io.countersign.interop;

/** Signs a message as a case wants it. */
interface Signer {
    byte[] sign(Case wanted) throws Exception;
}
