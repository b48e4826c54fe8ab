//! Canonicalise and digest, and the whole of signing, beside libxml2's parse, C14N and digest of the same
//! input in the same run: as the second engine uses it, and bare. `benches/README.md` has the tables and says how
//! to repeat them.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark; criterion's macros write undocumented functions"
)]

mod bare;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use countersign::keys::Signer;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::wss::{Profile, Protection};
use countersign::xml::Limits;
use countersign::xml::canonical::{Comments, Sink, canonicalize};
use countersign::xml::libxml::{CanonicalForm, Mode, Tree};
use countersign::xml::namespace::Namespaces;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use time::OffsetDateTime;

/// Bytes of the messages, about.
const SIZES: [(&str, usize); 5] = [
    ("1KB", 1 << 10),
    ("10KB", 10 << 10),
    ("100KB", 100 << 10),
    ("1MB", 1 << 20),
    ("10MB", 10 << 20),
];

struct Sha256(aws_lc_rs::digest::Context);

impl Sink for Sha256 {
    fn write(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }
}

impl std::io::Write for Sha256 {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn sha256() -> Sha256 {
    Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
}

fn canonicalize_and_digest(c: &mut Criterion) {
    for (kind, message) in [("markup", dense as fn(usize) -> String), ("text", sparse)] {
        let mut group = c.benchmark_group(format!("canonicalise+digest/{kind}"));
        for (name, size) in SIZES {
            let message = message(size);
            group.sample_size(if size > 1 << 20 { 10 } else { 30 });
            side_by_side(&mut group, name, &message);
        }
        group.finish();
    }
}

/// Messages from the wire, where the corpus is at hand: markup-dense ones of several stacks.
fn canonicalize_and_digest_foreign(c: &mut Criterion) {
    let corpus = std::env::var("COUNTERSIGN_CORPUS").unwrap_or_else(|_| "../shared/corpus".into());
    let mut group = c.benchmark_group("canonicalise+digest/foreign");
    for name in FOREIGN {
        let Ok(message) = std::fs::read_to_string(format!("{corpus}/soap/{name}.xml")) else {
            continue;
        };
        group.sample_size(30);
        side_by_side(&mut group, name, &message);
    }
    group.finish();
}

const FOREIGN: [&str; 4] = [
    "travelport__LowFaresSearch.1ADTIEVPAR",
    "axis2__reallyReallyBigMessage",
    "wss4j__plain-soap-1.2",
    "travelport__AirPricingSolution.IEVPAR.2ADT1CNN",
];

/// From the message to the digest of its canonical form.
type Engine = fn(&str) -> Vec<u8>;

fn side_by_side(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, message: &str) {
    let engines: [(&str, Engine); 3] = [
        ("countersign", ours),
        ("libxml2", theirs),
        ("libxml2-bare", bare::digest),
    ];
    group.throughput(Throughput::Bytes(message.len() as u64));
    for (engine, digest) in engines {
        assert_eq!(digest(message), ours(message), "{engine} and ours, over {name}");
        group.bench_with_input(BenchmarkId::new(engine, name), message, |b, message| {
            b.iter(|| digest(black_box(message)));
        });
    }
}

fn ours(message: &str) -> Vec<u8> {
    let digest = canonicalize(
        message.as_bytes(),
        Limits::default(),
        Namespaces::new(),
        [],
        Comments::Omitted,
        sha256(),
    );
    digest.unwrap().0.finish().as_ref().to_vec()
}

fn theirs(message: &str) -> Vec<u8> {
    let tree = Tree::parse(message.as_bytes(), &Limits::default()).unwrap();
    let mut digest = sha256();
    tree.root()
        .canonicalize_to(&CanonicalForm::new(Mode::Exclusive), &mut digest)
        .unwrap();
    digest.0.finish().as_ref().to_vec()
}

fn sign(c: &mut Criterion) {
    let now = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    for key_type in [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256] {
        let material = SelfSigned::generate(key_type, "bench", now, std::time::Duration::from_secs(86_400))
            .unwrap()
            .into_material()
            .unwrap();
        let signer = Arc::new(Signer::new(material, now).unwrap());
        let protection = Protection::new(Profile::default(), Limits::default());
        let mut group = c.benchmark_group(format!("sign/{key_type:?}"));
        for (name, size) in SIZES {
            let message = Bytes::from(dense(size));
            group.throughput(Throughput::Bytes(message.len() as u64));
            group.sample_size(if size > 1 << 20 { 10 } else { 30 });
            group.bench_with_input(BenchmarkId::from_parameter(name), &message, |b, message| {
                b.iter(|| {
                    let mut reader = protection.read(None);
                    reader.feed(message.clone()).unwrap();
                    let plain = reader.finish().unwrap();
                    protection.sign(&plain, &signer, now).unwrap()
                });
            });
        }
        group.finish();
    }
}

/// Order lines as an ERP sends them: short values, many elements, some attributes.
fn dense(size: usize) -> String {
    let row = |number: usize| {
        format!(
            "<o:Item number=\"{number}\"><o:Material>M-{number:06}</o:Material><o:Quantity unit=\"PCE\">{}</o:Quantity>\
             <o:Price currency=\"EUR\">{}.50</o:Price><o:Text>Bolt &amp; nut</o:Text></o:Item>\n",
            number % 90 + 10,
            number % 900 + 100
        )
    };
    envelope(size, row)
}

/// Long runs of text, as base64 in an element.
fn sparse(size: usize) -> String {
    envelope(size, |_| {
        format!(
            "<o:Data>{}</o:Data>\n",
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo".repeat(28)
        )
    })
}

fn envelope(size: usize, row: impl Fn(usize) -> String) -> String {
    let mut message = String::from(
        r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Header/><soap:Body><o:Order xmlns:o="urn:example:orders">"#,
    );
    let mut number = 0;
    while message.len() < size.saturating_sub(60) {
        message += &row(number);
        number += 1;
    }
    message + "</o:Order></soap:Body></soap:Envelope>"
}

criterion_group!(
    benches,
    canonicalize_and_digest,
    canonicalize_and_digest_foreign,
    sign
);
criterion_main!(benches);
