//! How the work of both engines grows with a message: what the test of shapes measures, and the search for slow inputs.
//!
//! A [`Shape`] is a message with two places that repeat, so that a few bytes stand for one of any size. Work is time of
//! the processor on this thread, which other processes hardly touch.

use std::time::Duration;

use bytes::Bytes;

use super::{SIGNER, UTF_8, now};
use crate::clock::time_on_the_processor;
use crate::wss::names::SOAP11;
use crate::wss::policy::Policy;
use crate::wss::profile::Part;
use crate::wss::verify::{SelfCheckError, Trust, Verifier};
use crate::wss::{MessageError, PlainMessage, Profile, Protection, SignError, SignedMessage};
use crate::xml::Limits;
use crate::xml::libxml::Tree;

/// A message that can be made larger. `%` in what is repeated is how often it has been before, `$` is the same, but begins
/// again before there are too many names.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// In the Envelope's start tag.
    pub envelope: String,
    /// In the Header: once, then repeated, then once.
    pub header: [String; 3],
    /// In the Body: once, then repeated, then once.
    pub body: [String; 3],
    /// Bytes that arrive at a time; 0 is many.
    pub chunk: usize,
}

/// Time that the engines took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// To read and to sign.
    pub first: Duration,
    /// To check that, and to verify it as a receiver.
    pub second: Duration,
}

/// What became of a message.
#[derive(Debug)]
pub enum Grown {
    /// Both engines did all that they do.
    Signed(Work),
    /// It is no message that we sign. With the time that took, and the bytes that had come.
    Refused(Duration, usize, String),
}

/// Half as many as there may be, for an element and its attribute may each have one.
const NAMES: usize = 30_000;

/// Bytes that arrive at a time from who is not slow.
const CHUNK: usize = 16 << 10;

impl Shape {
    /// The shape that arbitrary bytes stand for: the texts in their order, parted by NUL. The first byte is `chunk`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (chunk, texts) = bytes.split_first().unwrap_or((&0, &[]));
        let texts = String::from_utf8_lossy(texts);
        let mut texts = texts.split('\0').map(str::to_owned);
        let mut next = || texts.next().unwrap_or_default();
        Self {
            envelope: next(),
            header: [next(), next(), next()],
            body: [next(), next(), next()],
            chunk: usize::from(*chunk),
        }
    }

    /// A message of about so many bytes; not much more, unless what comes once is.
    #[must_use]
    pub fn grown(&self, size: usize) -> String {
        let Self {
            envelope,
            header: [header, block, blocks_end],
            body: [body, element, end],
            ..
        } = self;
        let once = [envelope, header, blocks_end, body, end];
        let once: usize = once.iter().map(|text| text.len()).sum();
        let repeated = (block.len() + element.len()).max(1);
        let times = size.saturating_sub(once) / repeated;
        let (mut blocks, mut elements) = (String::new(), String::new());
        for number in 0..times {
            let names = (number % NAMES).to_string();
            let number = number.to_string();
            let numbered = |text: &str| text.replace('%', &number).replace('$', &names);
            blocks += &numbered(block);
            elements += &numbered(element);
            if blocks.len() + elements.len() >= size {
                break;
            }
        }
        format!(
            "<s:Envelope xmlns:s=\"{SOAP11}\"{envelope}><s:Header>{header}{blocks}{blocks_end}</s:Header>\
             <s:Body>{body}{elements}{end}</s:Body></s:Envelope>"
        )
    }

    /// Signs and verifies a message of about so many bytes, and tells what that took.
    ///
    /// # Errors
    /// When the second engine does not accept what the first one made.
    pub fn work(&self, size: usize) -> Result<Grown, String> {
        let message = self.grown(size);
        let profile = Profile {
            sign: vec![Part::Body, Part::Timestamp, Part::Addressing],
            ..Profile::default()
        };
        let protection = Protection::new(profile, Limits::default());
        let (first, signed) = timed(|| self.sign(&protection, &message));
        let (plain, signed) = match signed {
            Ok(signed) => signed,
            Err((fed, refusal)) => return Ok(Grown::Refused(first, fed, refusal)),
        };
        let (second, judged) = timed(|| judge(&protection, &plain, &signed));
        judged.map_err(|problem| problem.to_string())?;
        Ok(Grown::Signed(Work { first, second }))
    }

    fn sign(
        &self,
        protection: &Protection,
        message: &str,
    ) -> Result<(PlainMessage, SignedMessage), (usize, String)> {
        let chunk = if self.chunk == 0 { CHUNK } else { self.chunk };
        let mut reader = protection.read(UTF_8);
        let mut fed = 0;
        for chunk in message.as_bytes().chunks(chunk) {
            fed += chunk.len();
            reader
                .feed(Bytes::copy_from_slice(chunk))
                .map_err(|refusal: MessageError| (fed, refusal.to_string()))?;
        }
        let plain = reader.finish().map_err(|refusal| (fed, refusal.to_string()))?;
        let signed = protection
            .sign(&plain, &SIGNER, now())
            .map_err(|refusal: SignError| (fed, refusal.to_string()))?;
        Ok((plain, signed))
    }
}

fn judge(
    protection: &Protection,
    plain: &PlainMessage,
    signed: &SignedMessage,
) -> Result<(), SelfCheckError> {
    protection.self_check(plain, signed.segments(), &SIGNER, now(), &|| true)?;
    let verifier = Verifier {
        trust: Trust::new(vec![SIGNER.certificate().clone()]),
        policy: Policy::outbound(),
        actor: None,
    };
    let bytes = signed.segments().concat();
    // What we sign may be more than a verifier takes: that is for others to judge, here is only time.
    if let Ok(tree) = Tree::parse_as(&bytes, UTF_8, &Limits::default()) {
        let _ = verifier.verify(&tree, now());
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = time_on_the_processor();
    let done = work();
    (time_on_the_processor().saturating_sub(begun), done)
}

/// Arbitrary bytes as a [`Shape`], small and six times as large: in neither engine the larger one may take much more
/// than six times as long, and no byte more than a bound that is generous even where the code is instrumented.
///
/// # Errors
/// With the shape that is slow, or what the second engine has against it.
pub fn slow_inputs(bytes: &[u8]) -> Result<(), String> {
    const SMALL: usize = 12 << 10;
    const TIMES: u32 = 6;
    /// Of work that begins with some that does not grow.
    const TOLERANCE: u32 = 3;
    /// A measurement may be unlucky; three are not.
    const ATTEMPTS: usize = 3;
    /// Where work grew with the square, it took a millisecond.
    const PER_BYTE: Duration = Duration::from_micros(20);
    /// More of what comes once cannot be told from what grows.
    const MOST_ONCE: usize = SMALL / 2;
    if bytes.len() > MOST_ONCE {
        return Ok(());
    }
    let shape = Shape::from_bytes(bytes);
    let large = SMALL * TIMES as usize;
    let mut slow = String::new();
    for _ in 0..ATTEMPTS {
        let (less, more) = (shape.work(SMALL), shape.work(large));
        let (less, more) = match (times(less), times(more)) {
            (Ok(less), Ok(more)) => (less, more),
            (Err(problem), _) | (_, Err(problem)) => return Err(problem),
        };
        let most = PER_BYTE * u32::try_from(large).unwrap_or(u32::MAX);
        let grows = std::iter::zip(less, more).any(|(less, more)| {
            let floor = Duration::from_millis(2);
            more > most || more > less.max(floor) * TIMES * TOLERANCE
        });
        if !grows {
            return Ok(());
        }
        slow = format!("{less:?} becomes {more:?} over {TIMES} times the bytes of {shape:?}");
    }
    Err(slow)
}

/// Of both engines.
fn times(grown: Result<Grown, String>) -> Result<[Duration; 2], String> {
    match grown {
        Ok(Grown::Signed(work)) => Ok([work.first, work.second]),
        Ok(Grown::Refused(time, ..)) => Ok([time, Duration::ZERO]),
        Err(problem) if super::known_of_libxml(&problem) => Ok([Duration::ZERO; 2]),
        Err(problem) => Err(problem),
    }
}
