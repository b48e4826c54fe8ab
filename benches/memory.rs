//! Memory beyond the message itself while it is read and signed: the peak of what is allocated, less the
//! message, which arrives in pieces of 64 KiB. `cargo bench --bench memory` prints the table.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unsafe_code,
    reason = "a benchmark prints; an allocator that counts is unsafe to write"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use countersign::keys::Signer;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::wss::{Profile, Protection};
use countersign::xml::Limits;
use time::OffsetDateTime;

/// Counts what is allocated, and the most there was at a time.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is ours
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is ours
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let now = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    let lifetime = std::time::Duration::from_secs(86_400);
    let pair = SelfSigned::generate(KeyAlgorithm::P256, "bench", now, lifetime).unwrap();
    let signer = Arc::new(Signer::new(pair.into_material().unwrap(), now).unwrap());
    let protection = Protection::new(Profile::default(), Limits::default());
    println!("{:>12} {:>12} {:>8}", "message", "beyond it", "share");
    for size in [1 << 10, 10 << 10, 100 << 10, 1 << 20, 10 << 20, 64 << 20] {
        let chunks: Vec<Bytes> = message(size)
            .as_bytes()
            .chunks(64 << 10)
            .map(Bytes::copy_from_slice)
            .collect();
        let length: usize = chunks.iter().map(Bytes::len).sum();
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let mut reader = protection.read(None);
        for chunk in chunks {
            reader.feed(chunk).unwrap();
        }
        let plain = reader.finish().unwrap();
        let signed = protection.sign(&plain, &signer, now).unwrap();
        let beyond = PEAK.load(Ordering::Relaxed) - before;
        println!(
            "{length:>12} {beyond:>12} {:>7.2}%",
            100.0 * beyond as f64 / length as f64
        );
        drop(signed);
    }
}

/// Order lines, as in the benchmark of signing.
fn message(size: usize) -> String {
    let row =
        "<o:Item number=\"1\"><o:Material>M-000001</o:Material><o:Text>Bolt &amp; nut</o:Text></o:Item>\r\n";
    let rows = row.repeat(size / row.len());
    format!(
        r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><o:Order xmlns:o="urn:example:orders">{rows}</o:Order></soap:Body></soap:Envelope>"#
    )
}
