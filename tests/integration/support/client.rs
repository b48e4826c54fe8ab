//! An integration flow: one keep-alive connection to the proxy.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::within;

pub(crate) const SOAP11: &str = "text/xml; charset=utf-8";
pub(crate) const SOAP12: &str = "application/soap+xml; charset=utf-8";

/// One connection; what is sent on it after a refusal shows that it is still usable.
pub(crate) struct Flow {
    sender: SendRequest<Full<Bytes>>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Flow {
    pub(crate) async fn connect(proxy: SocketAddr) -> Self {
        let stream = TcpStream::connect(proxy).await.expect("the proxy listens");
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/1.1 needs no handshake");
        tokio::spawn(connection);
        Self { sender }
    }

    /// Sends a message.
    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let request = request(Method::POST, path).header(CONTENT_TYPE, content_type);
        self.send(request.body(Full::new(body.into())).expect("a request"))
            .await
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Answer {
        self.send(request(method, path).body(Full::default()).expect("a request"))
            .await
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        within(async {
            self.sender.ready().await.expect("the connection is usable");
            let response = self.sender.send_request(request).await.expect("an answer");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a whole answer").to_bytes();
            Answer {
                status: head.status,
                headers: head.headers,
                body,
            }
        })
        .await
    }
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The sentence of a fault, told by the place it has in its SOAP version; entities resolved.
    pub(crate) fn sentence(&self) -> String {
        let text = self.text();
        let place = [
            ("<faultstring>", "</faultstring>"),
            ("xml:lang=\"en\">", "</soap:Text>"),
        ];
        let sentence = place
            .iter()
            .find_map(|(begin, end)| text.split_once(begin)?.1.split_once(end));
        let sentence = sentence.unwrap_or_else(|| unreachable!("no fault: {text}")).0;
        sentence
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    }
}

/// A request that names its host, as every HTTP/1.1 client does.
pub(crate) fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "countersign.test")
}
