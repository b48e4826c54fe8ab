//! Content codings: gzip and deflate are inflated while they arrive, within bounds, and go out plain.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};

use crate::support::client::{Flow, SOAP11, posted};
use crate::support::coding::{gzip, zlib};
use crate::support::insertion::is_all_that_changed;
use crate::support::proxy;
use crate::support::receiver::Receiver;

const MESSAGE: &str = include_str!("../messages/body-two-children.xml");

#[tokio::test]
async fn gzip_and_deflate_are_inflated_and_go_out_plain() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/")).start().await;
    for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
        for (coding, body) in [
            ("gzip", gzip(MESSAGE.as_bytes())),
            ("x-gzip", gzip(MESSAGE.as_bytes())),
            (
                "GZIP",
                [gzip(&MESSAGE.as_bytes()[..50]), gzip(&MESSAGE.as_bytes()[50..])].concat(),
            ),
            ("deflate", zlib(MESSAGE.as_bytes())),
            ("deflate", bare(MESSAGE.as_bytes())),
            ("identity", MESSAGE.into()),
        ] {
            let fields = [("content-encoding", coding), ("accept-encoding", "gzip, br")];
            let answer = flow.send(posted(SOAP11, &fields, body)).await;
            assert_eq!(answer.status, StatusCode::OK, "{coding}: {}", answer.text());
            let came = receiver.take_request();
            assert!(!came.headers.contains_key(CONTENT_ENCODING), "{coding}");
            assert_eq!(
                came.headers[ACCEPT_ENCODING], "gzip, br",
                "what the flow reads is its business"
            );
            assert_eq!(came.headers[CONTENT_LENGTH], came.body.len().to_string());
            assert!(is_all_that_changed(
                MESSAGE,
                std::str::from_utf8(&came.body).unwrap()
            ));
        }
    }
}

/// What is refused: why, its coding, its bytes, the status, part of the sentence.
fn refused() -> Vec<(&'static str, &'static str, Vec<u8>, u16, &'static str)> {
    let message = MESSAGE.as_bytes();
    let whole = gzip(message);
    let mut altered = whole.clone();
    let checksum = altered.len() - 8;
    altered[checksum] ^= 1;
    let spaces = [message, &[b' '; 2 << 20]].concat();
    // Of no pattern, so that the ratio is small.
    let noise =
        (0..3_300_000_u64).map(|number| b'a' + (number.wrapping_mul(number) >> 7).to_le_bytes()[0] % 20);
    let comment = [b"<!--", noise.collect::<Vec<_>>().as_slice(), b"-->", message].concat();
    vec![
        (
            "cut",
            "gzip",
            whole[..whole.len() - 1].to_vec(),
            400,
            "it ends too early",
        ),
        (
            "cut",
            "deflate",
            zlib(message)[..60].to_vec(),
            400,
            "it ends too early",
        ),
        ("nothing", "gzip", Vec::new(), 400, "it ends too early"),
        (
            "altered",
            "gzip",
            altered,
            400,
            "not what its Content-Encoding says",
        ),
        (
            "followed",
            "deflate",
            [zlib(message), zlib(b"")].concat(),
            400,
            "bytes follow its end",
        ),
        (
            "a bomb",
            "gzip",
            gzip(&spaces),
            413,
            "more than 250 times its size",
        ),
        (
            "too large",
            "deflate",
            bare(&comment),
            413,
            "larger than 3145728 bytes",
        ),
    ]
}

#[tokio::test]
async fn a_coded_message_that_is_cut_altered_or_too_large_is_refused() {
    let receiver = Receiver::start().await;
    let setup = proxy::to(receiver.url("/")).proxy("max_message = \"3MiB\"");
    let proxy = setup.route("fault_status = \"http\"").start().await;
    let refused = refused();
    for mut flow in [proxy.flow().await, Flow::connect_h2c(proxy.address()).await] {
        for (what, coding, body, status, sentence) in &refused {
            let answer = flow
                .send(posted(SOAP11, &[("content-encoding", coding)], body.clone()))
                .await;
            assert_eq!(answer.status.as_u16(), *status, "{what}: {}", answer.text());
            assert!(answer.sentence().contains(sentence), "{what}: {}", answer.text());
            let good = flow.send(posted(SOAP11, &[], MESSAGE)).await;
            assert_eq!(good.status, StatusCode::OK, "{what}");
            receiver.take_request();
        }
    }
    assert_eq!(receiver.requests().len(), 0);
}

fn bare(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
