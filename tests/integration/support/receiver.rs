//! Receivers that record what they get; they verify nothing.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::frames::{Frame, Frames, HEADERS};
use super::raw::Raw;

/// What a receiver answers unless told otherwise.
pub(crate) const ACKNOWLEDGED: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
     <s:Body><acknowledged xmlns=\"urn:example:orders\"/></s:Body></s:Envelope>";

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A running receiver; it ends when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
    connections: Arc<AtomicUsize>,
    /// It takes messages, and keeps its answers to itself.
    paused: watch::Sender<bool>,
    /// Nobody listens.
    away: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Acknowledges everything.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| acknowledgement()).await
    }

    /// Acknowledges everything, over TLS.
    pub(crate) async fn start_tls(tls: ServerConfig) -> Self {
        Self::answering_tls(tls, |_| acknowledgement()).await
    }

    /// Answers as it is told, over TLS.
    pub(crate) async fn answering_tls(
        tls: ServerConfig,
        answer: impl Fn(&Recorded) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let tls = Some(TlsAcceptor::from(Arc::new(tls)));
        Self::serving(move |recorded| Some(answer(recorded)), tls, Duration::ZERO).await
    }

    /// Answers as it is told.
    pub(crate) async fn answering(
        answer: impl Fn(&Recorded) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::serving(move |recorded| Some(answer(recorded)), None, Duration::ZERO).await
    }

    /// Reads and never answers.
    pub(crate) async fn silent() -> Self {
        Self::serving(|_| None, None, Duration::ZERO).await
    }

    /// Acknowledges everything, after a while.
    pub(crate) async fn slow(takes: Duration) -> Self {
        Self::serving(|_| Some(acknowledgement()), None, takes).await
    }

    async fn serving(
        answer: impl Fn(&Recorded) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
        takes: Duration,
    ) -> Self {
        let (address, mut listener) = listen().await;
        let requests: Arc<Mutex<Vec<_>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, recorded, counted) = (Arc::new(answer), requests.clone(), connections.clone());
        let (paused, going_on) = watch::channel(false);
        let (away, mut is_away) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.expect("a connection").0,
                    () = until(&mut is_away, true) => {
                        drop(listener);
                        until(&mut is_away, false).await;
                        listener = TcpListener::bind(address).await.expect("the address is still free");
                        continue;
                    }
                };
                counted.fetch_add(1, Ordering::Relaxed);
                stream.set_nodelay(true).expect("a TCP stream");
                let (answer, recorded, paused) = (answer.clone(), recorded.clone(), going_on.clone());
                let service = service_fn(move |request| {
                    served(request, takes, answer.clone(), recorded.clone(), paused.clone())
                });
                tokio::spawn(connection(stream, tls.clone(), service));
            }
        });
        Self {
            address,
            requests,
            connections,
            paused,
            away,
            task,
        }
    }

    /// From now on nobody listens there.
    pub(crate) fn go_away(&self) {
        self.away.send_replace(true);
    }

    /// Until now.
    pub(crate) fn come_back(&self) {
        self.away.send_replace(false);
    }

    /// From now on it keeps its answers to itself.
    pub(crate) fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// It gives them, also to what came meanwhile.
    pub(crate) fn go_on(&self) {
        self.paused.send_replace(false);
    }

    /// What came so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().expect("no test panicked").clone()
    }

    /// All that came.
    pub(crate) fn forget(&self) {
        self.requests.lock().expect("no test panicked").clear();
    }

    /// The request that came last.
    pub(crate) fn take_request(&self) -> Recorded {
        self.requests
            .lock()
            .expect("no test panicked")
            .pop()
            .expect("a request")
    }

    /// The only request that came.
    pub(crate) fn only_request(&self) -> Recorded {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().expect("one")
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn served(
    request: Request<Incoming>,
    takes: Duration,
    answer: Arc<impl Fn(&Recorded) -> Option<Response<Full<Bytes>>> + Send + Sync>,
    recorded: Arc<Mutex<Vec<Recorded>>>,
    mut paused: watch::Receiver<bool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let request = record(request).await;
    let answer = answer(&request);
    recorded.lock().expect("no test panicked").push(request);
    sleep(takes).await;
    until(&mut paused, false).await;
    match answer {
        Some(answer) => Ok(answer),
        None => pending().await,
    }
}

/// Or until the receiver is gone.
async fn until(state: &mut watch::Receiver<bool>, is: bool) {
    drop(state.wait_for(|state| *state == is).await);
}

async fn connection<S>(stream: TcpStream, tls: Option<TlsAcceptor>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
        + Send
        + 'static,
{
    match tls {
        None => http(stream, service).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                http(stream, service).await;
            }
        }
    }
}

/// HTTP/1.1, or HTTP/2 where the other side begins with it.
async fn http<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
        + Send
        + 'static,
{
    let served = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(served); // whether the proxy closes well is not the receiver's business
}

fn acknowledgement() -> Response<Full<Bytes>> {
    let answer = Response::builder().header(CONTENT_TYPE, "text/xml; charset=utf-8");
    answer.body(Full::from(ACKNOWLEDGED)).expect("a response")
}

async fn record(request: Request<Incoming>) -> Recorded {
    let (head, body) = request.into_parts();
    Recorded {
        version: head.version,
        method: head.method,
        target: head.uri.to_string(),
        headers: head.headers,
        body: body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default(),
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    listen().await.0
}

/// Takes one connection, answers the requests on it with these bytes, one after the other, and closes it;
/// tells what came. An empty answer is none.
pub(crate) async fn scripted(answers: Vec<&'static str>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let (address, listener) = listen().await;
    let came = tokio::spawn(async move {
        let mut connection = Raw(listener.accept().await.expect("a connection").0);
        let mut came = Vec::new();
        for answer in answers {
            came.push(connection.message().await);
            connection.send(answer).await;
        }
        came
    });
    (address, came)
}

/// Takes connections over TLS, and counts the requests that come on them, frame by frame; each is met with these.
/// HTTP/2 only.
pub(crate) async fn scripted_frames(
    tls: ServerConfig,
    answer: impl Fn(u32) -> Vec<Frame> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let (address, listener) = listen().await;
    let (requests, acceptor) = (Arc::new(AtomicUsize::new(0)), TlsAcceptor::from(Arc::new(tls)));
    let counted = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut frames = Frames::accept(acceptor.accept(stream).await.expect("a handshake")).await;
            let Some(request) = frames.next_of(HEADERS).await else {
                continue;
            };
            counted.fetch_add(1, Ordering::Relaxed);
            for frame in answer(request.stream) {
                frames
                    .send(frame.kind, frame.flags, frame.stream, &frame.payload)
                    .await;
            }
        }
    });
    (address, requests)
}

async fn listen() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    (listener.local_addr().expect("an address"), listener)
}
