//! What crashes of one cause have in common, however their builds, machines and addresses differ.
//!
//! A signature is the kind of the crash and the innermost functions of the game itself; without a stack, its message with all that
//! differs from time to time left out.

use super::fields::cut;

/// How many functions of the game count.
const MAX_FRAMES: usize = 3;

/// The most characters of a message that count.
const MAX_MESSAGE_LEN: usize = 80;

/// How functions begin, or what their files are in, that are no work of the game: engines, run-times and systems.
const FOREIGN: [&str; 30] = [
    "unityengine.",
    "unityeditor.",
    "system.",
    "mono.",
    "mscorlib",
    "microsoft.",
    "cxx_throw",
    "_cxxthrow",
    "kernelbase",
    "kernel32",
    "ntdll",
    "ucrtbase",
    "vcruntime",
    "libc.so",
    "libc-",
    "libpthread",
    "libsystem",
    "__libc_",
    "__cxa_",
    "_start",
    "raise",
    "abort",
    "std::",
    "core::",
    "rust_begin_unwind",
    "fdebug::",
    "fwindowserroroutputdevice",
    "ferroroutputdevice",
    "unrealeditor-core",
    "godot::",
];

/// Returns the signature of a crash of this kind, with this message, and this stack, the innermost frame first.
pub(super) fn signature(kind: &str, message: &str, stack: &[String]) -> String {
    let functions: Vec<String> =
        stack.iter().map(|frame| function(frame)).filter(|function| !function.is_empty()).collect();
    let is_foreign = |function: &&String| {
        let folded = function.to_lowercase();
        FOREIGN.iter().any(|foreign| folded.starts_with(foreign))
    };
    let own: Vec<&str> =
        functions.iter().filter(|function| !is_foreign(function)).take(MAX_FRAMES).map(String::as_str).collect();
    let told = match own[..] {
        [] => functions.first().cloned().unwrap_or_else(|| plain(message)),
        _ => own.join(" < "),
    };
    let kind = plain(kind);
    if told.is_empty() { kind } else { format!("{kind} in {told}") }
}

/// Returns the name of a frame's function without what differs between builds.
///
/// `Foo.Bar (System.Int32 x) (at Assets/Foo.cs:12)`, `UFoo::Bar() [File.cpp:12]`, `foo(int)+0x12`, `res://foo.gd:12 - at bar`.
fn function(frame: &str) -> String {
    let frame = frame.trim().trim_start_matches("at ").trim();
    // Godot tells the file first.
    if let Some((place, function)) = frame.split_once(" - at function: ").or_else(|| frame.split_once(" - at ")) {
        let file = place.split(':').take(2).collect::<Vec<_>>().join(":");
        return format!("{} ({file})", function.trim());
    }
    let frame = frame.split_once('!').map_or(frame, |(_, function)| function);
    let mut name = String::new();
    let mut angles = 0;
    for letter in frame.chars() {
        match letter {
            // What templates were made for differs between compilers.
            '<' => angles += 1,
            '>' if angles > 0 => angles -= 1,
            '(' | '[' | '+' | '{' if angles == 0 => break,
            _ if angles == 0 => name.push(letter),
            _ => {}
        }
    }
    let name = name.trim().trim_end_matches([':', '.', ' ']);
    // A bare address tells nothing in another build.
    if name.starts_with("0x") || name.is_empty() {
        return String::new();
    }
    // Lambdas and generated methods are numbered by the compiler.
    let mut named = String::new();
    for part in name.split_inclusive(|letter: char| !letter.is_alphanumeric()) {
        let is_number =
            part.trim_end_matches(|letter: char| !letter.is_alphanumeric()).bytes().all(|byte| byte.is_ascii_digit());
        named.push_str(if is_number && part.bytes().any(|byte| byte.is_ascii_digit()) { "#" } else { part });
    }
    named.split_whitespace().last().unwrap_or_default().to_owned()
}

/// Returns a message without numbers, addresses, paths and quoted words.
fn plain(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut words = Vec::new();
    let mut is_quoted = false;
    for word in line.split_whitespace() {
        let quotes = word.matches(['"', '\'']).count();
        let has_path = word.matches(['/', '\\']).count() > 1;
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let shown = match () {
            () if is_quoted || quotes > 0 => "*",
            () if has_path || has_digit => "#",
            () => word,
        };
        if quotes % 2 == 1 {
            is_quoted = !is_quoted;
        }
        if words.last() != Some(&shown) || shown.len() > 1 {
            words.push(shown);
        }
    }
    let mut plain = words.join(" ");
    cut(&mut plain, MAX_MESSAGE_LEN);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, message: &str, stack: &[&str]) -> String {
        signature(kind, message, &stack.iter().map(|frame| (*frame).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn crashes_of_one_cause_have_one_signature() {
        let unity = |line: u32| {
            of(
                "NullReferenceException",
                "Object reference not set",
                &[
                    "UnityEngine.Transform.get_position () (at <1234>:0)",
                    &format!("Camera.Follow.Update () (at Assets/Follow.cs:{line})"),
                    "Game.Loop.Tick (System.Single dt) (at Assets/Loop.cs:3)",
                ],
            )
        };
        assert_eq!(unity(12), "NullReferenceException in Camera.Follow.Update < Game.Loop.Tick");
        assert_eq!(unity(12), unity(99));
        let unreal = |address: &str| {
            of(
                "EXCEPTION_ACCESS_VIOLATION",
                "reading address",
                &[
                    &format!("MyGame!AHero::Jump() [Hero.cpp:{address}]"),
                    &format!("MyGame!TMap<FName,int>::Find(const FName&)+0x{address}"),
                ],
            )
        };
        assert_eq!(unreal("12"), "EXCEPTION_ACCESS_VIOLATION in AHero::Jump < TMap::Find");
        assert_eq!(unreal("12"), unreal("34"));
        assert_eq!(of("Error", "", &["0x7fff12", "foo(int)+0x1"]), "Error in foo");
        assert_eq!(
            of("SCRIPT ERROR", "x", &["res://player.gd:12 - at function: jump"]),
            "SCRIPT ERROR in jump (res://player.gd)"
        );
        assert_eq!(
            of("crash", "Out of 512 MB at 0xdead in \"level 3\" now", &[]),
            of("crash", "Out of 513 MB at 0xbeef in \"level 7\" now", &[])
        );
        assert_ne!(of("crash", "no texture", &[]), of("crash", "no sound", &[]));
    }
}
