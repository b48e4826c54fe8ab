//! The work of both engines is linear in the bytes of a message, whatever its shape, or refused by a limit before it is
//! done. Counted is the time on the processor of this thread, so that a busy machine changes little.

use std::time::Duration;

use countersign::clock::time_on_the_processor;
use countersign::keys::SignatureAlgorithm;
use countersign::keys::generate::KeyAlgorithm;
use countersign::oracle::{Grown, Shape, Work};
use countersign::wss::names::EXC_C14N;
use countersign::wss::verify::{Verifier, VerifyError};

use crate::support::forge::{envelope, forge, reference, signature, x509_data};
use crate::support::signing::{key, verify};
use crate::support::soak::soak;

mod shapes;

use shapes::{Form, refused, shapes};

/// Times per byte at the largest size and at the smallest.
struct Slope {
    engine: &'static str,
    /// In nanoseconds.
    per_byte: Vec<f64>,
}

impl Slope {
    fn steepness(&self) -> f64 {
        let [first, .., last] = self.per_byte.as_slice() else {
            panic!("two sizes at least")
        };
        last / first
    }
}

/// The best of some: what else happens on the machine only ever adds.
fn best(shape: &Shape, size: usize, attempts: usize) -> Work {
    let all = (0..attempts).map(|_| match shape.work(size) {
        Ok(Grown::Signed(work)) => work,
        Ok(Grown::Refused(.., refusal)) => panic!("refused: {refusal}"),
        Err(problem) => panic!("{problem}"),
    });
    all.reduce(|one, other| Work {
        first: one.first.min(other.first),
        second: one.second.min(other.second),
    })
    .unwrap()
}

fn slopes(shape: &Shape, sizes: &[usize], attempts: usize) -> [Slope; 2] {
    let work: Vec<_> = sizes
        .iter()
        .map(|size| (shape.grown(*size).len(), best(shape, *size, attempts)))
        .collect();
    let of = |engine, time: fn(&Work) -> Duration| Slope {
        engine,
        per_byte: work
            .iter()
            .map(|(bytes, work)| time(work).as_secs_f64() * 1e9 / (*bytes as f64))
            .collect(),
    };
    [of("first", |work| work.first), of("second", |work| work.second)]
}

#[test]
fn work_is_linear_in_the_bytes_of_a_message_whatever_its_shape() {
    // An unoptimised build on a busy machine is measured less exactly; what grows with the square would be eight times.
    let (sizes, attempts, most) = soak(
        (vec![12 << 10, 96 << 10], 1, 3.0),
        (vec![10 << 10, 100 << 10, 1 << 20, 10 << 20], 3, 2.0),
    );
    let mut steep = Vec::new();
    println!("nanoseconds a byte at {sizes:?} bytes");
    for Form { name, shape } in shapes() {
        let is_linear =
            |[first, second]: &[Slope; 2]| first.steepness() <= most && second.steepness() <= most;
        let mut measured = slopes(&shape, &sizes, attempts);
        if !is_linear(&measured) {
            measured = slopes(&shape, &sizes, 3 * attempts);
        }
        for slope in &measured {
            let (engine, per_byte) = (slope.engine, &slope.per_byte);
            println!("{name:40} {engine:6} {per_byte:7.0?} × {:.2}", slope.steepness());
        }
        if !is_linear(&measured) {
            steep.push(name);
        }
    }
    assert!(steep.is_empty(), "not linear: {steep:?}");
}

#[test]
fn what_would_not_be_linear_is_refused_when_it_has_come() {
    for (Form { name, shape }, expected, most) in refused() {
        let grown = shape.work(1 << 20).unwrap();
        let Grown::Refused(time, bytes, refusal) = grown else {
            panic!("{name} is signed")
        };
        assert!(refusal.contains(expected), "{name}: {refusal}");
        assert!(bytes <= most, "{name}: {bytes} bytes were read");
        assert!(time < Duration::from_secs(1), "{name}: {time:?}");
    }
}

/// What others sign may ask for more than what we sign: a list of prefixes for each part.
#[test]
fn a_verifier_that_trusts_nobody_looks_up_no_prefix_at_every_element() {
    let prefixes: Vec<_> = (0..256).map(|number| format!("p{number}")).collect();
    let signer = key(KeyAlgorithm::P256);
    let parts = ["a", "b", "c"];
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let signed = |list: &str| {
        let blocks = parts.map(|id| format!("<h{id} wsu:Id=\"{id}\">{}</h{id}>", "<e/>".repeat(8_000)));
        let security = signature(&parts, algorithm, &x509_data(&signer));
        let security = format!("<wsse:Security>{security}</wsse:Security>");
        let message = envelope(&(blocks.concat() + &security), "<s:Body/>");
        let listed = format!(
            "><ec:InclusiveNamespaces xmlns:ec=\"{EXC_C14N}\" PrefixList=\"{list}\"/></ds:Transform></ds:Transforms>"
        );
        forge(
            &message.replace("/></ds:Transforms>", &listed),
            &signer,
            algorithm,
        )
    };
    let [without, with] = ["", &prefixes.join(" ")].map(|list| {
        let message = signed(list);
        let times = (0..3).map(|_| {
            let begun = time_on_the_processor();
            let verdict = verify(&Verifier::default(), &message, |_| ());
            assert!(matches!(verdict, Err(VerifyError::NotCovered(_))), "{verdict:?}");
            time_on_the_processor() - begun
        });
        times.min().unwrap()
    });
    println!("three parts of 8,000 elements: {without:?}; with 256 prefixes listed for each: {with:?}");
    assert!(with < without * 3, "{without:?} becomes {with:?}");
}

#[test]
fn a_signature_that_names_a_part_twice_is_refused() {
    let signer = key(KeyAlgorithm::P256);
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let once = signature(&["b"], algorithm, &x509_data(&signer));
    let security = |signature: &str| format!("<wsse:Security>{signature}</wsse:Security>");
    let signed = |signature: &str| {
        let message = envelope(&security(signature), "<s:Body wsu:Id=\"b\"/>");
        let message = forge(&message, &signer, algorithm);
        verify(&crate::support::signing::trusting(&signer), &message, |_| ())
    };
    assert_eq!(signed(&once), Ok(()));
    let twice = once.replace("</ds:SignedInfo>", &(reference("b") + "</ds:SignedInfo>"));
    let refusal = signed(&twice).unwrap_err().to_string();
    assert!(refusal.contains("two References to #b"), "{refusal}");
}
