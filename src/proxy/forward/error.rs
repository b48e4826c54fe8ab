//! Why there is no answer of the receiver that a flow could have, and how much of the message has left.

use std::error::Error;

use h2::Reason;
use http::StatusCode;
use hyper_util::client::legacy;

use super::connect::ConnectTimedOut;
use super::redirect::Redirect;
use crate::causes::{causes, innermost};

/// Why there is no answer of the receiver.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum ForwardError {
    /// No connection: nothing was sent.
    #[error("the receiver cannot be reached: {0}; the message was not sent")]
    Unreachable(String),
    /// No connection in time: nothing was sent.
    #[error("the receiver did not accept a connection in time; the message was not sent")]
    ConnectTimedOut,
    /// Sent, at least in part.
    #[error("the connection to the receiver broke before its answer: {0}; it may have got the message")]
    BrokenOff(String),
    /// Sent, at least in part; RFC 9113, section 7.
    #[error(
        "the receiver asks for HTTP/1.1 instead of HTTP/2, and gets it from now on; it may have got the message, so look \
         there before you send it again"
    )]
    Http1Required,
    /// Sent, at least in part.
    #[error("the receiver did not answer in time; it may have got the message")]
    TimedOut,
    /// An answer that HTTP does not allow here.
    #[error("the receiver's answer is not one to a message: status {0}")]
    Unexpected(StatusCode),
    /// It sends the message elsewhere.
    #[error("{0}")]
    Redirected(Redirect),
    /// Over `max_answer`, by its own word.
    #[error(
        "the receiver's answer is larger than {0} bytes; whoever runs the proxy raises max_answer, if that is right"
    )]
    AnswerTooLarge(u64),
    /// The request's query does not fit the receiver's address.
    #[error("the query cannot be passed on: {0}")]
    Address(#[from] http::Error),
}

impl ForwardError {
    /// The receiver was not there, and has got nothing of the message.
    pub(in crate::proxy) const fn is_absence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::ConnectTimedOut)
    }

    /// Nothing of the message has left.
    pub(in crate::proxy) const fn is_unsent(&self) -> bool {
        self.is_absence() || matches!(self, Self::Address(_))
    }

    /// Of a connection that was to be made.
    pub(super) fn unconnected(error: &(dyn Error + 'static)) -> Self {
        if causes(error).any(|cause| cause.is::<ConnectTimedOut>()) {
            return Self::ConnectTimedOut;
        }
        Self::Unreachable(innermost(error))
    }

    /// Of a connection on which a message may have left.
    pub(super) fn broken_off(error: &hyper::Error) -> Self {
        Self::BrokenOff(innermost(error))
    }
}

impl From<legacy::Error> for ForwardError {
    fn from(error: legacy::Error) -> Self {
        let reason = causes(&error).find_map(|cause| cause.downcast_ref::<h2::Error>()?.reason());
        if error.is_connect() {
            Self::unconnected(&error)
        } else if reason == Some(Reason::HTTP_1_1_REQUIRED) {
            Self::Http1Required
        } else {
            Self::BrokenOff(innermost(&error))
        }
    }
}
