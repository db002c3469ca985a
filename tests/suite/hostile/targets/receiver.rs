//! What games send over HTTP, byte by byte as it comes over the wire.

use super::{Checker, Outcome, Target};
use gamevault::receive::{Receiver, ReceiverOptions};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Of the thread that asks; that of the one that answers is not counted.
pub const RECEIVER: Target = Target { name: "receiver", memory: (64, 1 << 20), start: receiver };

/// The id of a session that is open, in the samples.
const ID: &str = "SESSION-THAT-IS-OPEN";

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests until the receiver begins anew: sessions that were begun stay open.
const REQUESTS_A_RECEIVER: u64 = 5_000;

/// A receiver with a session that is open.
struct Open {
    receiver: Receiver,
    id: String,
    dir: tempfile::TempDir,
    asked: u64,
}

impl Open {
    fn new() -> Open {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("spool")).unwrap();
        let options = ReceiverOptions {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: "secret".into(),
            build: None,
            spool: dir.path().join("spool"),
            silence: Duration::from_secs(600),
        };
        let receiver = Receiver::start(options).unwrap();
        let answer = ask(&receiver, &request("POST", "/sessions", b"{}"));
        let id = answer.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a session is begun");
        Open { id: id.to_owned(), receiver, dir, asked: 0 }
    }

    /// All that came in lies in the spool, in folders as deep as those of sessions.
    fn check_places(&self) {
        let names = |folder: &Path| -> Vec<_> { fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect() };
        assert_eq!(names(self.dir.path()).len(), 1, "something was written beside the spool");
        for session in names(&self.dir.path().join("spool")) {
            assert!(session.file_type().unwrap().is_dir(), "{:?} lies in the spool itself", session.path());
            for part in names(&session.path()) {
                let name = part.file_name();
                let known =
                    ["session.json", "events.jsonl", "log.txt", "lock", "saves", "screens", "crash", "attached"];
                assert!(known.iter().any(|known| name == **known), "{:?} is no part of a session", part.path());
            }
        }
    }
}

fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends bytes, says that no more follow, and returns what is answered.
fn ask(receiver: &Receiver, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused may not be listened to until the end.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        let is_late = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        assert!(!is_late, "no answer came for {} seconds", PATIENCE.as_secs());
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn receiver() -> Checker {
    let events = b"{\"t\":1.5,\"ev\":\"level_start\",\"level\":\"L3\"}\nnot json\n{\"ev\":\"jump\"}\n";
    let of_session = |path: &str| format!("/sessions/{ID}/{path}");
    let samples = vec![
        request("POST", "/sessions", br#"{"build":"1.0","player":"Ann","settings":{"a":1}}"#),
        request("POST", &of_session("events"), events),
        request("POST", &of_session("log"), b"line one\n"),
        request("PUT", &of_session("saves/2.5_auto.sav"), b"\0state"),
        request("PUT", &of_session("attached/..%2f..%2fx"), b"x"),
        request("PUT", &of_session("attached/CON"), b"x"),
        request("OPTIONS", "/sessions", b""),
        request("POST", "/sessions/other/end", br#"{"exit":"crash"}"#),
        b"PUT /sessions/SESSION-THAT-IS-OPEN/crash/a.dmp HTTP/1.1\r\nAuthorization: Bearer secret\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec(),
    ];
    let mut open = Open::new();
    Checker::new(samples, move |input| {
        open.asked += 1;
        if open.asked == REQUESTS_A_RECEIVER || open.receiver.open() == 0 {
            open.check_places();
            open = Open::new();
        }
        let answer = ask(&open.receiver, &with_id(input, &open.id));
        let Some(status) = answer.split(' ').nth(1) else { return Outcome::Refused };
        assert!(!status.starts_with('5') || status == "503" || status == "505", "{answer}");
        if status.starts_with('2') { Outcome::Decoded } else { Outcome::Refused }
    })
}

/// Puts the id of the open session where the samples name it.
fn with_id(input: &[u8], id: &str) -> Vec<u8> {
    match input.windows(ID.len()).position(|window| window == ID.as_bytes()) {
        Some(at) => [&input[..at], id.as_bytes(), &input[at + ID.len()..]].concat(),
        None => input.to_vec(),
    }
}
