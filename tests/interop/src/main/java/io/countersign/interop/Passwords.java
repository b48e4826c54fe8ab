package io.countersign.interop;

import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;

import org.apache.wss4j.common.ext.WSPasswordCallback;

/** The password of the UsernameToken that one of our messages brings, and of our own keys. */
final class Passwords implements CallbackHandler {
    @Override
    public void handle(Callback[] callbacks) {
        for (Callback callback : callbacks) {
            if (callback instanceof WSPasswordCallback asked) {
                boolean ofKey = asked.getUsage() == WSPasswordCallback.SIGNATURE;
                asked.setPassword(ofKey ? Keys.password() : "example");
            }
        }
    }
}
