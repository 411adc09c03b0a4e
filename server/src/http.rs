//! Takes connections and serves them, as `axum::serve` does, but no client may take for ever to send a request's head.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

use crate::store::chain;

/// For a request's head, and between two requests. Above a load balancer's idle timeout (60 s), so that it never finds a
/// connection closed that it is just about to use.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// After a failure that is not one connection's, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until `closing`, and then what is in flight.
pub async fn serve(listener: TcpListener, router: Router, closing: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, router.clone(), closing.clone(), HEAD_TIMEOUT));
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::error!(error = %chain(&error), "connections cannot be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Nobody is let in any more.
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    closing: CancellationToken,
    head_timeout: Duration,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_timeout);
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %chain(&error), %peer, "a connection ended badly");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn served(head_timeout: Duration) -> (TcpStream, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (stream, peer) = listener.accept().await.expect("accepts");
        let told = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
        let router = Router::new().route("/", axum::routing::get(told));
        let closing = CancellationToken::new();
        tokio::spawn(connection(stream, peer, router, closing.clone(), head_timeout));
        (client, closing)
    }

    #[tokio::test]
    async fn who_sends_a_head_byte_by_byte_is_hung_up_on() {
        let (mut client, _closing) = served(Duration::from_millis(300)).await;
        let trickle = async {
            client.write_all(b"GET / HTTP/1.1\r\n").await?;
            for _ in 0..200 {
                client.write_all(b"X-A: b\r\n").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            io::Result::Ok(())
        };
        assert!(trickle.await.is_err(), "ten seconds are too long");
    }

    #[tokio::test]
    async fn a_connection_serves_many_requests_and_the_last_one_when_it_is_to_close() {
        let (mut client, closing) = served(Duration::from_secs(5)).await;
        let mut text = vec![0; 4096];
        for _ in 0..3 {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
            let length = client.read(&mut text).await.expect("answered");
            let answer = String::from_utf8_lossy(&text[..length]).into_owned();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("127.0.0.1:"), "{answer}");
        }
        closing.cancel();
        assert_eq!(client.read(&mut text).await.expect("ends"), 0);
    }
}
