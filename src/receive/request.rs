//! One request: who asks, for what, and the answer.

use super::session::{FOLDERS, OpenSession};
use super::{MAX_OPEN, Shared};
use crate::error::{Error, ErrorKind};
use crate::name::RefName;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Seek;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// The longest body of a description, of events or of a log, and of a file.
const MAX_TEXT_LEN: u64 = 8 << 20;
const MAX_FILE_LEN: u64 = 256 << 20;

/// How long a body may pause.
const PAUSE: Duration = Duration::from_secs(15);

/// What a game may say of its build.
const CLUES: [&str; 5] = ["stamp", "build", "version", "build_guid", "fingerprint"];

/// A status of HTTP, and what is told.
type Answer = (u16, Value);

impl Shared {
    /// Answers a request.
    pub(super) async fn answer(self: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = self.handle(request).await.unwrap_or_else(|error| error);
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("all that are told are statuses");
        // Games in browsers come from other places; the token is what keeps others out.
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PUT"),
        ];
        response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }

    async fn handle(self: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Answer> {
        if request.method() == Method::OPTIONS {
            return Ok((204, Value::Null));
        }
        if !self.is_allowed(&request) {
            return Err(told(401, "the token is missing or wrong: send Authorization: Bearer TOKEN"));
        }
        let (head, body) = request.into_parts();
        let parts: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
        match (&head.method, parts.as_slice()) {
            (&Method::POST, ["sessions"]) => {
                let description = object(&text(body).await?)?;
                self.on_disk(move |shared| shared.begin(description)).await
            }
            (&Method::POST, ["sessions", id, "events"]) => {
                let session = self.session(id)?;
                let lines = text(body).await?;
                self.on_disk(move |_| {
                    let (accepted, rejected) = session.lock().add_events(&lines).map_err(failed)?;
                    Ok((200, json!({ "accepted": accepted, "rejected": rejected })))
                })
                .await
            }
            (&Method::POST, ["sessions", id, "log"]) => {
                let session = self.session(id)?;
                let text = text(body).await?;
                self.on_disk(move |_| {
                    session.lock().add_log(&text).map_err(failed)?;
                    Ok((200, json!({})))
                })
                .await
            }
            (&Method::PUT, ["sessions", id, folder, name]) if FOLDERS.contains(folder) => {
                let session = self.session(id)?;
                // The names of references are those that are safe on every system.
                let name = RefName::new((*name).to_owned()).map_err(failed)?;
                let folder = (*folder).to_owned();
                let (file, len) = self.clone().file(body).await?;
                self.on_disk(move |_| {
                    session.lock().put_file(&folder, name.as_str(), file, len).map_err(failed)?;
                    Ok((201, json!({ "path": format!("{folder}/{name}") })))
                })
                .await
            }
            (&Method::POST, ["sessions", id, "end"]) => {
                let session = self.session(id)?;
                let said = object(&text(body).await?)?;
                let exit = match said.get("exit").and_then(Value::as_str) {
                    Some(exit @ ("clean" | "crash" | "killed")) => exit.to_owned(),
                    None => "clean".to_owned(),
                    Some(_) => return Err(told(400, "exit is clean, crash or killed")),
                };
                self.open.lock().remove(*id);
                self.on_disk(move |shared| {
                    shared.end(&session, &exit);
                    Ok((200, json!({})))
                })
                .await
            }
            _ => Err(told(404, "there is no such thing: see docs/recording.md")),
        }
    }

    /// Runs what touches the disk where it holds up no other connection.
    async fn on_disk<T: Send + 'static>(
        self: Arc<Shared>,
        work: impl FnOnce(&Shared) -> Result<T, Answer> + Send + 'static,
    ) -> Result<T, Answer> {
        let done = tokio::task::spawn_blocking(move || work(&self)).await;
        done.unwrap_or_else(|error| Err(told(500, &format!("the request failed: {error}"))))
    }

    fn begin(&self, description: Map<String, Value>) -> Result<Answer, Answer> {
        let mut open = self.open.lock();
        if open.len() >= MAX_OPEN {
            return Err(told(503, "too many sessions are open: end those that are over"));
        }
        let description = self.with_build(description);
        let session = OpenSession::begin(&self.options.spool, description).map_err(failed)?;
        let id = session.id().to_owned();
        open.insert(id.clone(), Arc::new(Mutex::new(session)));
        Ok((201, json!({ "id": id })))
    }

    /// Reads a file, which may be long, into one that goes away by itself until it is kept.
    async fn file(self: Arc<Shared>, body: Incoming) -> Result<(File, u64), Answer> {
        let made = self.on_disk(|shared| {
            tempfile::tempfile_in(&shared.options.spool)
                .map_err(|error| failed(Error::io("make a file in", &shared.options.spool, error)))
        });
        let mut file = tokio::fs::File::from_std(made.await?);
        let unwritten = |error: std::io::Error| failed(Error::io("write", "a file that comes in", error));
        let mut frames = Frames::of(body, MAX_FILE_LEN)?;
        while let Some(bytes) = frames.next().await? {
            file.write_all(&bytes).await.map_err(unwritten)?;
        }
        file.flush().await.map_err(unwritten)?;
        let mut file = file.into_std().await;
        file.rewind().map_err(unwritten)?;
        Ok((file, frames.len))
    }

    /// Adds the build that is played unless the game says one.
    fn with_build(&self, mut description: Map<String, Value>) -> Map<String, Value> {
        if let Some(build) = &self.options.build
            && CLUES.iter().all(|clue| !description.contains_key(*clue))
        {
            description.insert("build".into(), build.clone().into());
        }
        description
    }

    fn is_allowed(&self, request: &Request<Incoming>) -> bool {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        // Hashes are compared in the same time wherever they differ.
        given.is_some_and(|given| blake3::hash(given.trim().as_bytes()) == blake3::hash(self.options.token.as_bytes()))
    }

    fn session(&self, id: &str) -> Result<Arc<Mutex<OpenSession>>, Answer> {
        let open = self.open.lock().get(id).cloned();
        open.ok_or_else(|| told(404, "there is no such session, or it has ended: begin one with POST /sessions"))
    }
}

fn told(status: u16, message: &str) -> Answer {
    (status, json!({ "error": message }))
}

fn failed(error: Error) -> Answer {
    let status = match error.kind() {
        ErrorKind::Invalid => 400,
        ErrorKind::NoSpace => 507,
        _ => 500,
    };
    told(status, &error.to_string())
}

/// The pieces of a body as they come.
struct Frames {
    body: Incoming,
    max: u64,
    /// Bytes that came.
    len: u64,
}

impl Frames {
    /// Refuses what says that it is longer than `max`, before a byte of it is read.
    fn of(body: Incoming, max: u64) -> Result<Frames, Answer> {
        match body.size_hint().lower() > max {
            true => Err(too_long(max)),
            false => Ok(Frames { body, max, len: 0 }),
        }
    }

    /// Returns the next piece; nothing at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Answer> {
        loop {
            let frame = tokio::time::timeout(PAUSE, self.body.frame()).await;
            let frame = frame.map_err(|_| told(408, "nothing came for too long: send it again"))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| told(400, &format!("the request broke off: {error}")))?;
            // What is no data are headers behind the body.
            let Ok(bytes) = frame.into_data() else { continue };
            self.len += bytes.len() as u64;
            if self.len > self.max {
                return Err(too_long(self.max));
            }
            return Ok(Some(bytes));
        }
    }
}

fn too_long(max: u64) -> Answer {
    told(413, &format!("a request has at most {max} bytes here"))
}

/// Reads a body that is kept in memory.
async fn text(body: Incoming) -> Result<Vec<u8>, Answer> {
    let mut frames = Frames::of(body, MAX_TEXT_LEN)?;
    let mut text = Vec::new();
    while let Some(bytes) = frames.next().await? {
        text.extend_from_slice(&bytes);
    }
    Ok(text)
}

/// Reads an object; nothing is an empty one.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, Answer> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(bytes).map_err(|error| told(400, &format!("this is no JSON object: {error}")))
}
