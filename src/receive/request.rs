//! One request: who asks, for what, and the answer.

use super::session::{FOLDERS, OpenSession};
use super::{MAX_OPEN, Shared};
use crate::error::{Error, ErrorKind};
use crate::name::RefName;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::sync::Arc;
use tiny_http::{Header, Method, Request, Response};

/// The longest body of a description, of events or of a log, and of a file.
const MAX_TEXT_LEN: u64 = 8 << 20;
const MAX_FILE_LEN: u64 = 256 << 20;

/// What a game may say of its build.
const CLUES: [&str; 5] = ["stamp", "build", "version", "build_guid", "fingerprint"];

/// A status of HTTP, and what is told.
type Answer = (u16, Value);

impl Shared {
    /// Answers a request.
    pub(super) fn answer(&self, mut request: Request) {
        let (status, body) = self.handle(&mut request).unwrap_or_else(|error| error);
        let mut response = Response::from_string(body.to_string()).with_status_code(status);
        // Games in browsers come from other places; the token is what keeps others out.
        let headers: [(&str, &str); 4] = [
            ("Content-Type", "application/json"),
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Headers", "authorization, content-type"),
            ("Access-Control-Allow-Methods", "POST, PUT"),
        ];
        for (name, value) in headers {
            response.add_header(Header::from_bytes(name, value).expect("it is plain text"));
        }
        // Who has gone away needs no answer.
        let _ = request.respond(response);
    }

    fn handle(&self, request: &mut Request) -> Result<Answer, Answer> {
        if *request.method() == Method::Options {
            return Ok((204, Value::Null));
        }
        if !self.is_allowed(request) {
            return Err(told(401, "the token is missing or wrong: send Authorization: Bearer TOKEN"));
        }
        let method = request.method().clone();
        let path = request.url().split('?').next().unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (&method, parts.as_slice()) {
            (Method::Post, ["sessions"]) => {
                let description = object(&body(request, MAX_TEXT_LEN)?)?;
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
            (Method::Post, ["sessions", id, "events"]) => {
                let session = self.session(id)?;
                let lines = body(request, MAX_TEXT_LEN)?;
                let (accepted, rejected) = session.lock().add_events(&lines).map_err(failed)?;
                Ok((200, json!({ "accepted": accepted, "rejected": rejected })))
            }
            (Method::Post, ["sessions", id, "log"]) => {
                let session = self.session(id)?;
                let text = body(request, MAX_TEXT_LEN)?;
                session.lock().add_log(&text).map_err(failed)?;
                Ok((200, json!({})))
            }
            (Method::Put, ["sessions", id, folder, name]) if FOLDERS.contains(folder) => {
                let session = self.session(id)?;
                // The names of references are those that are safe on every system.
                let name = RefName::new((*name).to_owned()).map_err(failed)?;
                let bytes = body(request, MAX_FILE_LEN)?;
                session.lock().put_file(folder, name.as_str(), &bytes).map_err(failed)?;
                Ok((201, json!({ "path": format!("{folder}/{name}") })))
            }
            (Method::Post, ["sessions", id, "end"]) => {
                let session = self.session(id)?;
                let said = object(&body(request, MAX_TEXT_LEN)?)?;
                let exit = match said.get("exit").and_then(Value::as_str) {
                    Some(exit @ ("clean" | "crash" | "killed")) => exit,
                    None => "clean",
                    Some(_) => return Err(told(400, "exit is clean, crash or killed")),
                };
                self.open.lock().remove(*id);
                self.end(&session, exit);
                Ok((200, json!({})))
            }
            _ => Err(told(404, "there is no such thing: see docs/recording.md")),
        }
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

    fn is_allowed(&self, request: &Request) -> bool {
        let given = request.headers().iter().find(|header| header.field.equiv("Authorization"));
        let given = given.and_then(|header| header.value.as_str().strip_prefix("Bearer "));
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

/// Reads the body, which is no longer than `max`.
fn body(request: &mut Request, max: u64) -> Result<Vec<u8>, Answer> {
    let too_long = || told(413, &format!("a request has at most {max} bytes here"));
    if request.body_length().is_some_and(|len| len as u64 > max) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let read = request.as_reader().take(max + 1).read_to_end(&mut bytes);
    read.map_err(|error| told(400, &format!("the request broke off: {error}")))?;
    if bytes.len() as u64 > max {
        return Err(too_long());
    }
    match request.body_length() {
        Some(len) if len != bytes.len() => Err(told(400, "the request broke off before its end: send it again")),
        _ => Ok(bytes),
    }
}

/// Reads an object; nothing is an empty one.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, Answer> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(bytes).map_err(|error| told(400, &format!("this is no JSON object: {error}")))
}
