//! One event means the same however it came, and what is none is told from one.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, json};
use time::OffsetDateTime;

use super::*;

/// Percent-encoded as the binding asks.
fn field(value: &str) -> HeaderValue {
    let encoded: String = value
        .bytes()
        .map(|byte| match byte {
            b'%' | b'"' => format!("%{byte:02X}"),
            b'!'..=b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    HeaderValue::from_str(&encoded).unwrap()
}

fn binary(event: &CloudEvent) -> (HeaderMap, Vec<u8>) {
    let attributes = [
        ("specversion", Some("1.0".to_owned())),
        ("id", Some(event.id.clone())),
        ("source", Some(event.source.clone())),
        ("type", Some(event.kind.clone())),
        ("subject", event.subject.clone()),
        ("time", event.time.map(rfc3339)),
    ];
    let known = attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let mut headers = HeaderMap::new();
    for (name, value) in known.chain(event.extensions.clone()) {
        let name: HeaderName = format!("ce-{name}").parse().unwrap();
        headers.insert(name, field(&value));
    }
    let body = match &event.data {
        Data::Json(data) => {
            headers.insert(
                "content-type",
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
            data.to_string().into_bytes()
        }
        Data::Absent | Data::Other => Vec::new(),
    };
    (headers, body)
}

fn of_type(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))])
}

fn structured(text: &str) -> Result<Received, NotACloudEvent> {
    Received::read(&of_type(STRUCTURED), text.as_bytes())
}

fn any_text() -> impl Strategy<Value = String> {
    "[ -~äß€😀]{1,20}"
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_event() -> impl Strategy<Value = CloudEvent> {
    (
        any_text(),
        "[a-z]{1,8}:[a-z0-9/]{1,12}",
        any_text(),
        prop::option::of(any_text()),
        prop::option::of(0..4_000_000_000_i64),
        btree_map("x[a-z0-9]{1,10}", any_text(), 0..3),
        prop_oneof![Just(Data::Absent), any_json().prop_map(Data::Json)],
    )
        .prop_map(|(id, source, kind, subject, time, extensions, data)| CloudEvent {
            id,
            source,
            kind,
            subject,
            time: time.map(|time| OffsetDateTime::from_unix_timestamp(time).unwrap()),
            extensions,
            data,
        })
}

proptest! {
    #[test]
    fn binary_structured_and_batched_forms_of_an_event_mean_the_same(event in any_event()) {
        let (headers, body) = binary(&event);
        prop_assert_eq!(Received::read(&headers, &body), Ok(Received::One(event.clone().into())));
        let json = event.to_json();
        prop_assert_eq!(structured(&json), Ok(Received::One(event.clone().into())));
        let batch = format!("[{json},{json}]");
        let read = Received::read(&of_type(BATCHED), batch.as_bytes());
        prop_assert_eq!(read, Ok(Received::Batch(vec![event.clone(), event])));
    }

    #[test]
    fn any_bytes_are_an_event_or_are_not(body in vec(any::<u8>(), 0..200), media_type in "[ -~]{0,40}") {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_str(&media_type).unwrap());
        let _ = Received::read(&headers, &body);
        prop_assert_eq!(crate::oracle::read_events(&body), Ok(()));
    }
}

/// With these members besides the required ones.
fn event_with(members: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/hr","type":"t"{members}}}"#)
}

/// Members besides the required ones, and what is said of them.
const WRONG_MEMBERS: &[(&str, &str)] = &[
    (r#","id":"2""#, "a name occurs twice"),
    (r#","data":{"a":1,"b":{"c":1,"c":2}}"#, "a name occurs twice"),
    (r#","time":"yesterday""#, "time is not a time"),
    (r#","time":1"#, "time is not text"),
    (r#","subject":"""#, "subject is empty"),
    (r#","subject":"a\nb""#, "control character"),
    (r#","dataschema":"/relative""#, "dataschema is not a URI"),
    (r#","Extension":"1""#, "other characters than a-z"),
    (r#","extension":{}"#, "neither text nor"),
    (r#","extension":1.5"#, "neither text nor"),
    (r#","data":1,"data_base64":"MQ==""#, "both data and data_base64"),
    (r#","data_base64":"?""#, "not Base64"),
    (r#","data_base64":"Pw==""#, "not JSON"),
    (r#","datacontenttype":"text/plain","data":1"#, "data is not text"),
    (r#","datacontenttype":1,"data":1"#, "datacontenttype is not text"),
    (r#","datacontenttype":"json""#, "not a media type"),
    (
        r#","datacontenttype":"application/json;charset=latin1","data":1"#,
        "another character set",
    ),
];

#[test]
fn what_has_a_part_of_another_kind_is_no_event() {
    let long = format!(r#","x":"{}""#, "y".repeat(LONGEST + 1));
    let wrong = WRONG_MEMBERS.iter().copied();
    for (members, sentence) in wrong.chain([(long.as_str(), "longer than")]) {
        let refused = structured(&event_with(members)).unwrap_err().to_string();
        assert!(refused.contains(sentence), "{members}: {refused}");
    }
}

#[test]
fn what_lacks_a_part_is_no_event() {
    for (text, sentence) in [
        (
            r#"{"id":"1","source":"/hr","type":"t"}"#,
            "specversion is missing",
        ),
        (
            r#"{"specversion":"0.3","id":"1","source":"/hr","type":"t"}"#,
            "is not 1.0",
        ),
        (
            r#"{"specversion":"1.0","source":"/hr","type":"t"}"#,
            "id is missing",
        ),
        (
            r#"{"specversion":"1.0","id":"","source":"/hr","type":"t"}"#,
            "id is missing or empty",
        ),
        (
            r#"{"specversion":"1.0","id":"1","type":"t"}"#,
            "source is missing",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"a b","type":"t"}"#,
            "source is not a URI",
        ),
        (
            r#"{"specversion":"1.0","id":1,"source":"/hr","type":"t"}"#,
            "id is not text",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"/hr"}"#,
            "type is missing",
        ),
        ("[]", "an event is an object"),
        ("{", "not JSON"),
    ] {
        let refused = structured(text).unwrap_err().to_string();
        assert!(refused.contains(sentence), "{text}: {refused}");
    }
}

#[test]
fn extensions_and_what_is_null_are_tolerated() {
    let text = event_with(
        r#","subject":null,"traceparent":"00-1","sampled":true,"count":5,"data_base64":"eyJhIjoxfQ==""#,
    );
    let Ok(Received::One(event)) = structured(&text) else {
        panic!("{text}");
    };
    assert_eq!(event.subject, None);
    assert_eq!(event.extensions["count"], "5");
    assert_eq!(event.extensions["sampled"], "true");
    assert_eq!(event.data, Data::Json(json!({"a": 1})));
}

#[test]
fn what_comes_in_another_way_is_told_from_what_is_wrong() {
    let read = |headers: &HeaderMap, body: &str| Received::read(headers, body.as_bytes());
    let other = |what: Result<Received, NotACloudEvent>| matches!(what, Err(NotACloudEvent::MediaType(_)));
    assert!(other(read(&of_type("application/json"), "{}")));
    assert!(other(read(&HeaderMap::new(), "")));
    assert!(other(read(&of_type("application/cloudevents+avro"), "")));
    assert!(other(read(
        &of_type("application/cloudevents+json; charset=utf-16"),
        ""
    )));
    let mut compressed = of_type(STRUCTURED);
    compressed.insert("content-encoding", HeaderValue::from_static("gzip"));
    assert!(other(read(&compressed, &event_with(""))));
    let spelled = of_type("Application/CloudEvents+JSON; charset=\"UTF-8\"");
    assert!(read(&spelled, &event_with("")).is_ok());

    let many = format!("[{}]", vec![event_with(""); LARGEST_BATCH + 1].join(","));
    let many = read(&of_type(BATCHED), &many);
    assert_eq!(many, Err(NotACloudEvent::TooMany(LARGEST_BATCH + 1)));
    assert_eq!(read(&of_type(BATCHED), "[]"), Ok(Received::Batch(Vec::new())));
    let half = format!("[{},{{}}]", event_with(""));
    assert!(
        read(&of_type(BATCHED), &half).is_err(),
        "one of them is none, so none is done"
    );
}

#[test]
fn header_fields_that_contradict_each_other_are_no_event() {
    let event = CloudEvent {
        id: "1".to_owned(),
        source: "/hr".to_owned(),
        kind: "t".to_owned(),
        subject: None,
        time: None,
        extensions: BTreeMap::new(),
        data: Data::Absent,
    };
    let (right, _) = binary(&event);
    let mut twice = right.clone();
    twice.append("ce-id", HeaderValue::from_static("2"));
    let mut named = right.clone();
    named.insert("ce-datacontenttype", HeaderValue::from_static("application/json"));
    for wrong in [twice, named] {
        assert!(matches!(
            Received::read(&wrong, b""),
            Err(NotACloudEvent::Attribute { .. })
        ));
    }
    let mut other = right;
    other.insert("content-type", HeaderValue::from_static("application/x-pkcs12"));
    let Ok(Received::One(event)) = Received::read(&other, b"\x30\x82") else {
        panic!("binary mode takes any data");
    };
    assert_eq!(event.data, Data::Other, "and what is no JSON is not kept");
}
