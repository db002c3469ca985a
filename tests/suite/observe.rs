//! What a running mount does can be seen: in `status`, and in a trace.

use crate::mount::{Daemon, can_mount};
use crate::stage::{Fixture, noise};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

const FILE_COUNT: usize = 20;
const FILE_LEN: usize = 30_000;

fn with_a_build() -> Fixture {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    for index in 0..FILE_COUNT {
        fs::write(source.join(format!("f{index}")), noise(index as u64, FILE_LEN)).unwrap();
    }
    fixture.snapshot(&source, "b1");
    fixture
}

fn gamevault(fixture: &Fixture, arguments: &[&str]) -> String {
    let vault = fixture.path("vault");
    let run = Command::new(env!("CARGO_BIN_EXE_gamevault")).arg("--vault").arg(vault).args(arguments).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

fn read_all(build: &Path) {
    for index in 0..FILE_COUNT {
        assert!(fs::read(build.join(format!("f{index}"))).unwrap() == noise(index as u64, FILE_LEN));
    }
}

/// Returns what `status` says of the one mount.
fn activity(fixture: &Fixture) -> Value {
    let status: Value = serde_json::from_str(&gamevault(fixture, &["status", "--json"])).unwrap();
    status["data"]["mounts"][0]["activity"].clone()
}

fn requests(activity: &Value, op: &str) -> Value {
    let requests = activity["requests"].as_array().unwrap_or_else(|| panic!("{activity}"));
    requests.iter().find(|one| one["op"] == op).cloned().unwrap_or_default()
}

#[test]
fn status_tells_the_requests_of_a_mount_by_kind() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let daemon = Daemon::start_with(&fixture, &[]);
    assert_eq!(requests(&activity(&fixture), "read"), Value::Null);
    read_all(&daemon.point.join("builds/b1"));
    fs::metadata(daemon.point.join("builds/b1/missing")).unwrap_err();
    let file = fs::File::create(daemon.point.join("builds/b1/f1"));
    assert!(file.is_err() || file.unwrap().write_at(b"x", 0).is_err());

    let told = activity(&fixture);
    let read = requests(&told, "read");
    for span in ["total", "recent"] {
        assert!(read[span]["count"].as_u64().unwrap() >= FILE_COUNT as u64, "{read}");
        assert_eq!(read[span]["bytes"], FILE_COUNT * FILE_LEN, "{read}");
        assert_eq!(read[span]["errors"], 0);
        let (p50, p99) = (read[span]["p50_us"].as_f64().unwrap(), read[span]["p99_us"].as_f64().unwrap());
        assert!(p50 > 0.0 && p99 >= p50, "{read}");
        assert!(read[span]["per_second"].as_f64().unwrap() > 0.0);
    }
    assert!(requests(&told, "lookup")["total"]["count"].as_u64().unwrap() > FILE_COUNT as u64, "{told}");
    let failed = told["requests"].as_array().unwrap().iter().map(|one| one["total"]["errors"].as_u64().unwrap());
    assert!(failed.sum::<u64>() >= 1, "what was refused is counted: {told}");

    let reads = &told["reads"];
    assert!(reads["decoded_bytes"].as_u64().unwrap() >= (FILE_COUNT * FILE_LEN) as u64, "{reads}");
    assert!(reads["pack_bytes"].as_u64().unwrap() > 0, "{reads}");

    let text = gamevault(&fixture, &["status"]);
    let line = text.lines().find(|line| line.trim_start().starts_with("read ")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("600.0 kB") || line.contains("585.9 KiB"), "{text}");
}

#[test]
fn status_of_an_ended_or_unmounted_vault_tells_no_requests() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let mut daemon = Daemon::start_with(&fixture, &[]);
    daemon.signal(Signal::SIGTERM);
    let status: Value = serde_json::from_str(&gamevault(&fixture, &["status", "--json"])).unwrap();
    assert_eq!(status["data"]["mounts"], Value::Array(Vec::new()));
}

#[test]
fn a_trace_is_whole_after_sigterm_and_names_each_request() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let path = fixture.path("trace.json");
    let mut daemon = Daemon::start_with(&fixture, &["--trace", path.to_str().unwrap()]);
    read_all(&daemon.point.join("builds/b1"));
    let open = fs::File::open(daemon.point.join("builds/b1/f1")).unwrap();
    daemon.signal(Signal::SIGTERM);
    drop(open);

    let events: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let of = |name: &str| events.iter().filter(|event| event["name"] == name).cloned().collect::<Vec<_>>();
    let reads = of("read");
    assert!(reads.len() >= FILE_COUNT, "{} reads", reads.len());
    for read in &reads {
        assert_eq!((&read["ph"], &read["args"]["result"]), (&"X".into(), &0.into()), "{read}");
        assert!(read["ts"].as_f64().unwrap() > 0.0 && read["dur"].as_f64().unwrap() > 0.0, "{read}");
        assert!(read["args"]["node"].is_u64() && read["args"]["len"].as_u64().unwrap() > 0, "{read}");
        assert!(read["args"]["offset"].is_u64() && read["pid"] == daemon.child.id(), "{read}");
    }
    assert!(of("lookup").len() >= FILE_COUNT);
    assert!(of("thread_name").iter().any(|event| event["args"]["name"].as_str().unwrap().starts_with("fuser")));
}

#[test]
fn crawlers_are_known_by_name_and_told() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let cat = |name: &str, daemon: &Daemon, file: &str| {
        let program = fixture.path(name);
        fs::copy("/bin/cat", &program).unwrap();
        let run = Command::new(&program).arg(daemon.point.join("builds/b1").join(file)).output().unwrap();
        assert_eq!(run.stdout.len(), FILE_LEN, "{run:?}");
    };
    let crawlers = |fixture: &Fixture| activity(fixture)["crawlers"].clone();
    {
        let daemon = Daemon::start_with(&fixture, &[]);
        cat("player", &daemon, "f1");
        assert_eq!(crawlers(&fixture), serde_json::json!([]));
        cat("tumblerd", &daemon, "f2");
        let told = crawlers(&fixture);
        assert_eq!((&told[0]["name"], &told[0]["bytes"]), (&"tumblerd".into(), &FILE_LEN.into()), "{told}");
        assert!(told[0]["reads"].as_u64().unwrap() >= 1);
        let text = gamevault(&fixture, &["status"]);
        assert!(text.lines().any(|line| line.starts_with("crawler") && line.contains("tumblerd")), "{text}");
    }
    // The config names others.
    let path = fixture.path("vault/vault.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{config}\n[crawlers]\nnames = [\"play*\"]\n")).unwrap();
    let daemon = Daemon::start_with(&fixture, &[]);
    cat("tumblerd", &daemon, "f1");
    assert_eq!(crawlers(&fixture), serde_json::json!([]));
    cat("player", &daemon, "f2");
    assert_eq!(crawlers(&fixture)[0]["name"], "player");
}
