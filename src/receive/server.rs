//! Connections: who may come in, how long they may take, and their end.
//!
//! One thread listens to all of them; what touches the disk runs beside it, so that a slow disk holds up nobody who only asks.

use super::Shared;
use crate::error::{Error, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

/// Connections at once; whoever comes then waits.
const MAX_CONNECTIONS: usize = 256;

/// Threads that touch the disk.
const DISK_THREADS: usize = 4;

/// How long the head of a request may take, and a connection may say nothing between two.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long requests that have begun may go on at the end.
const GRACE: Duration = Duration::from_secs(2);

/// The thread that listens; it ends when this is dropped, within [`GRACE`] and the disk's last answer.
pub(super) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `address`; returns where that is, as port 0 becomes a free one.
    ///
    /// # Errors
    /// `Io` if nobody can listen there.
    pub(super) fn start(address: SocketAddr, shared: Arc<Shared>) -> Result<(Server, SocketAddr)> {
        let failed = |error| {
            Error::io("listen on", address.to_string(), error)
                .with_hint("choose another port: --listen 127.0.0.1:0 takes a free one")
        };
        let runtime =
            Builder::new_current_thread().enable_io().enable_time().max_blocking_threads(DISK_THREADS).build();
        let runtime = runtime.map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("receive".into());
        let thread = thread.spawn(move || run(runtime, listener, shared, stopped)).map_err(failed)?;
        Ok((Server { stop: Some(stop), thread: Some(thread) }, bound))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn run(runtime: Runtime, listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(listen(listener, shared, stopped));
    // Connections that are still open are cut here.
    runtime.shutdown_timeout(GRACE);
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let open = GracefulShutdown::new();
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await.expect("it is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = &mut stopped => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many files are open, mostly: it gets better when others end.
                tracing::warn!(%error, "a connection cannot be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = open.watch(serve(stream, shared.clone()));
        tokio::spawn(async move {
            // Who breaks off has nothing more to be told.
            connection.await.ok();
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(GRACE, open.shutdown()).await.ok();
}

fn serve(
    stream: TcpStream,
    shared: Arc<Shared>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let answer = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, std::convert::Infallible>(shared.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    // Who says that nothing more comes is answered all the same.
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).half_close(true);
    http.serve_connection(TokioIo::new(stream), answer)
}
