//! Runs a version control tool that must neither ask anything nor take long.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A snapshot waits no longer for a tool, which may hang on a server or a huge checkout.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often an ended tool is looked for.
const POLL: Duration = Duration::from_millis(2);

/// Runs `program` in `dir` and returns what it prints, without the last newline.
///
/// # Errors
/// A sentence that says what failed.
pub fn run(program: &str, arguments: &[&str], dir: &Path) -> Result<String, String> {
    run_with_timeout(program, arguments, dir, TIMEOUT)
}

fn run_with_timeout(program: &str, arguments: &[&str], dir: &Path, timeout: Duration) -> Result<String, String> {
    let name = format!("`{program} {}`", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        // Set by git for its hooks, and about another checkout than `dir` perhaps.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let success = wait(&mut child, timeout).ok_or_else(|| format!("{name} took more than {} s", timeout.as_secs()))?;
    if success {
        return Ok(text_of(&stdout).trim_end().to_owned());
    }
    let complaint = text_of(&stderr);
    Err(format!("{name} failed: {}", complaint.lines().next().unwrap_or("it does not say why")))
}

/// Returns whether the child succeeded; `None` when it took too long.
fn wait(child: &mut Child, timeout: Duration) -> Option<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) | Err(_) => {
                // It may have ended just now; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Reads a pipe to its end beside the child, which would stop when the pipe is full.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is all there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

fn text_of(pipe: &Receiver<Vec<u8>>) -> String {
    // A grandchild may hold the pipe open; it does not hold up the snapshot.
    let bytes = pipe.recv_timeout(TIMEOUT).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn output_comes_without_its_last_newline() {
        assert_eq!(run("echo", &["a b"], Path::new("/")), Ok("a b".into()));
    }

    #[test]
    fn failures_are_sentences() {
        assert!(run("gamevault-no-such-tool", &[], Path::new("/")).unwrap_err().contains("cannot be run"));
        assert!(run("ls", &["/no/such/file"], Path::new("/")).unwrap_err().contains("/no/such/file"));
    }

    #[test]
    fn a_tool_that_hangs_is_ended() {
        let start = Instant::now();
        let result = run_with_timeout("sleep", &["60"], Path::new("/"), Duration::from_millis(50));
        assert!(result.unwrap_err().contains("took more than"));
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
