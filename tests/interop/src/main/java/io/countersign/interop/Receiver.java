package io.countersign.interop;

import java.util.Optional;
import java.util.Set;

import javax.xml.namespace.QName;

/** A receiver that somebody else wrote. */
interface Receiver {
    String name();

    /** Why this receiver cannot know such a message, whoever signed it. */
    Optional<String> doesNotKnow(Case signed);

    /**
     * Returns the elements that were proved to be covered by a trusted signature; what the receiver
     * has checked by itself may be missing.
     *
     * @throws Refused by the receiver's judgement of the signature
     * @throws Exception for any other reason
     */
    Set<QName> receive(byte[] message, Case signed) throws Exception;

    /** The receiver's judgement: this signature or token is not acceptable. */
    @SuppressWarnings("serial")
    final class Refused extends Exception {
        Refused(String reason, Throwable cause) {
            super(reason, cause);
        }
    }
}
