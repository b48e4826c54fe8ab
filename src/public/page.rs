//! The pages that a receiver's administrator sees: plain HTML without a script, readable on a telephone and aloud.
//!
//! Everything that comes from elsewhere is escaped by the template engine; what is not ours could not run anyway.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use humantime::format_duration;
use time::{OffsetDateTime, UtcOffset};

use crate::keys::lifecycle::{AfterHold, HoldLimit};
use crate::keys::{Certificate, Strategy};
use crate::spelling::vocabulary;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// There is something to do.
    Task(Box<Task>),
    /// It was done.
    Confirmed {
        /// By whom.
        receiver: String,
        /// When.
        at: String,
        /// Whether the new key signs by now.
        signs: bool,
        /// By which procedure.
        strategy: Strategy,
    },
    /// There is nothing to do any more; with the certificate in use, if there is one.
    CalledOff(Option<Box<Shown>>),
    /// The sender signs with the key used before again; with its certificate.
    RolledBack(Option<Box<Shown>>),
    /// The link is too old, or another one took its place.
    Expired,
    /// There is no such link, or there was none.
    Unknown,
    /// It was not done, and why.
    Refused(StatusCode, &'static str),
}

/// What is to be done, and with which certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) alias: String,
    pub(super) receiver: String,
    pub(super) ask: Ask,
    /// For how long a message waits at the most.
    pub(super) patience: Option<String>,
    /// For how long all of them do, and what comes then.
    pub(super) limit: HoldLimit,
    /// When that is over, where they wait now.
    pub(super) ends: Option<String>,
    /// It is over, and they are refused.
    pub(super) refuses: bool,
    pub(super) new: Shown,
    pub(super) in_use: Option<Shown>,
}

/// What a receiver's administrator is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Trust the new certificate, too.
    Add,
    /// Get ready to exchange it.
    Prepare,
    /// Wait for messages under way.
    Wait,
    /// Exchange it now.
    Switch,
    /// Exchange it at any time.
    Exchange,
    /// Do what is not done yet: the new key signs already.
    CatchUp,
}

vocabulary! {
    /// What a button says.
    pub(super) enum Said {
        /// The exchange may begin.
        Ready = "ready",
        /// The certificate was exchanged.
        Switched = "switched",
        /// The certificate is trusted.
        Confirmed = "confirmed",
    }
}

/// A certificate as people compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    name: String,
    subject: String,
    issuer: String,
    serial: String,
    not_before: String,
    not_after: String,
    fingerprint: String,
}

#[derive(Template)]
#[template(path = "public.html")]
struct Document<'a> {
    page: &'a Page,
}

/// Seconds, until a page that waits looks again.
const REFRESH: u32 = 2;
const STYLE: &str = include_str!("../../templates/public.css");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Nothing is loaded, run, framed or sent elsewhere; our own style is known by its hash.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What every answer says to browsers, proxies and search engines. The address of a page is a secret: it is kept nowhere,
/// and told to no other site.
pub(super) async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (ROBOTS, "noindex, nofollow"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Page {
    fn title(&self) -> &'static str {
        match self {
            Self::Task(task) => match task.ask {
                Ask::Add | Ask::Prepare | Ask::Exchange | Ask::CatchUp => "A new signing certificate",
                Ask::Wait => "Please wait",
                Ask::Switch => "You may switch now",
            },
            Self::Confirmed { .. } => "Confirmed",
            Self::CalledOff(_) => "Nothing to do",
            Self::RolledBack(_) => "Rolled back",
            Self::Expired => "This address is no longer good",
            Self::Unknown => "This address is not known",
            Self::Refused(..) => "This was not done",
        }
    }

    fn refreshes(&self) -> bool {
        matches!(self, Self::Task(task) if task.ask == Ask::Wait)
    }

    /// The same for whoever has sent something once more.
    pub(super) fn already(self) -> Response {
        let status = self.status();
        let again = if status == StatusCode::OK {
            StatusCode::CONFLICT
        } else {
            status
        };
        (again, self).into_response()
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Task(_) | Self::Confirmed { .. } => StatusCode::OK,
            Self::CalledOff(_) | Self::RolledBack(_) | Self::Expired => StatusCode::GONE,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Refused(status, _) => *status,
        }
    }
}

impl Task {
    /// For how long all messages wait.
    fn most(&self) -> String {
        format_duration(self.limit.most).to_string()
    }

    /// What comes then.
    fn then(&self) -> &'static str {
        match self.limit.then {
            AfterHold::Back => "the sender signs with the certificate in use before again",
            AfterHold::Refuse => "messages are refused",
        }
    }
}

impl Ask {
    /// What the page's button says, if it has one.
    pub(super) fn says(self) -> Option<Said> {
        match self {
            Self::Add | Self::Exchange | Self::CatchUp => Some(Said::Confirmed),
            Self::Prepare => Some(Said::Ready),
            Self::Wait => None,
            Self::Switch => Some(Said::Switched),
        }
    }

    /// What a button means now: one of a page from a moment ago may say the same in other words.
    pub(super) fn takes(self, said: Option<Said>) -> Option<Said> {
        let asked = self.says()?;
        match said {
            Some(Said::Switched) if self == Self::CatchUp => Some(asked),
            Some(said) if said != asked => None,
            Some(_) | None => Some(asked),
        }
    }

    fn button(self) -> Option<(Said, &'static str)> {
        let words = match self {
            Self::Add => "I have added it, and left the one in use",
            Self::Prepare => "I am ready",
            Self::Wait => "",
            Self::Switch | Self::Exchange => "I have switched",
            Self::CatchUp => "I have the new certificate in place",
        };
        self.says().map(|said| (said, words))
    }
}

impl Shown {
    pub(super) fn of(certificate: &Certificate) -> Self {
        let name = certificate.fingerprint().to_string();
        // As OpenSSL prints it, and most tools do.
        let pairs: Vec<_> = name.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial().to_owned(),
            not_before: moment(certificate.not_before()),
            not_after: moment(certificate.not_after()),
            fingerprint: pairs.join(":").to_ascii_uppercase(),
            name,
        }
    }
}

/// A time as people read it, to the minute.
pub(super) fn moment(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute())
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        match (Document { page: &self }).render() {
            Ok(text) => (self.status(), Html(text)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
