//! What labels say of a request: its parts, its end, and what the self-check of its message found.

use crate::spelling::vocabulary;

vocabulary! {
    /// A part of a request's time.
    pub enum Phase {
        /// From the request's head to the last byte of its message.
        Read = "read",
        /// From there until it went on its way, where it had to wait for its receiver to exchange a certificate.
        Held = "held",
        /// From there to the signature, waiting for a free core included.
        Sign = "sign",
        /// From there to the head of the receiver's answer.
        Receiver = "receiver",
        /// From the request's head to the answer's last byte.
        Total = "total",
    }
}

vocabulary! {
    /// How a request ended.
    pub enum Outcome {
        /// The receiver answered, whatever it said.
        Answered = "answered",
        /// The request or its message was refused; its sender must change it.
        Refused = "refused",
        /// The alias has no key that may sign now.
        NoKey = "no-key",
        /// The key did not sign.
        NotSigned = "not-signed",
        /// Too much to do.
        Overloaded = "overloaded",
        /// The receiver could not be reached, or broke off before its answer.
        Unreachable = "unreachable",
        /// The receiver did not answer in time.
        TimedOut = "timed-out",
        /// The receiver led elsewhere, and the message did not follow.
        Redirected = "redirected",
        /// The receiver's answer was over `max_answer`.
        AnswerTooLarge = "answer-too-large",
        /// The receiver's answer ended midway.
        BrokenOff = "broken-off",
        /// The sender went away before it was answered.
        Abandoned = "abandoned",
    }
}

vocabulary! {
    /// What became of a self-check.
    pub enum SelfCheckOutcome {
        /// The second engine found nothing wrong.
        Passed = "passed",
        /// It did; the message did not leave.
        Failed = "failed",
        /// The message was due, and too large.
        Skipped = "skipped",
        /// It took longer than it may; whether the message left is the route's setting.
        GivenUp = "given-up",
    }
}
