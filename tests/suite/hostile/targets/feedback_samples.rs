//! Files of feedback, made after the published descriptions of the formats.

pub const FORM: &str = "Timestamp,\"What went wrong, if anything?\",Which level?,How was it?,Topics,E-mail,Game version\r\n\
    23/11/2026 14:05:09,\"The camera spins, \"\"wildly\"\",\nand I fell through the floor of the cave.\",Ice Cave,4,\"camera; physics\",ann@example.com,0.7.3\r\n\
    01/02/2026 00:00:00,no,,5,,,\r\n\
    ,,,,,,\r\n";

pub const SENTRY: &str = r#"{"event_id":"abc","timestamp":1777629600.5,"release":"game@0.7.3","dist":"812","environment":"beta","level":"error",
    "user":{"id":"ann"},"contexts":{"os":{"name":"Windows","version":"11"},"device":{"model":"Deck"}},"tags":[["level","Ice Cave"],["gpu","RTX"]],
    "debug_meta":{"images":[{"debug_id":"0011AABB-CCDD-EEFF-0011-223344556677-1"}]},
    "exception":{"values":[{"type":"NullReferenceException","value":"Object reference not set","stacktrace":{"frames":[
    {"function":"Main","filename":"Main.cs","lineno":1},{"function":"Camera.Follow.Update","filename":"Follow.cs","lineno":12}]}}]}}"#;

pub const GAMEANALYTICS: &str = "{\"arrival_ts\":1777629700,\"data\":{\"category\":\"progression\",\"event_id\":\"Fail:world01:level02\",\"client_ts\":1777629600,\"build\":\"0.7.3\",\"user_id\":\"ann\",\"session_id\":\"s1\",\"platform\":\"windows\",\"os_version\":\"windows 11\",\"score\":12,\"custom_fields\":{\"x\":1.5,\"y\":2}}}\n\
    {\"arrival_ts\":1777629700,\"data\":{\"category\":\"session_end\",\"client_ts\":1777629600,\"length\":61,\"build\":\"0.7.3\",\"session_id\":\"s1\"}}\n\
    {\"data\":{\"category\":\"error\",\"client_ts\":1777629600,\"severity\":\"critical\",\"message\":\"no texture 12\"}}\n\
    {\"data\":{\"category\":\"err\n\
    {\"data\":{\"category\":\"design\",\"client_ts\":1777629600,\"event_id\":\"jump\"}}\n";

pub const DISCORD: &str = r##"{"guild":{"id":"1","name":"Game"},"channel":{"id":"2","name":"playtest-0.7"},"dateRange":{},"exportedAt":"2026-05-01T00:00:00Z","messages":[
    {"id":"10","type":"Default","timestamp":"2026-05-01T12:00:00.5+02:00","content":"the boss is too hard","author":{"id":"77","name":"ann"},"attachments":[{"fileName":"shot.png","url":"https://cdn/shot.png?x=1"}],"reactions":[{"emoji":{"name":"+1"},"count":3}]},
    {"id":"11","type":"GuildMemberJoin","timestamp":"2026-05-01T12:00:00Z","content":"joined","author":{"id":"78"}},
    {"id":"12","type":"Reply","timestamp":"2026-05-01T12:01:00Z","content":"agreed","author":{"id":"79"},"reference":{"messageId":"10"}}],"messageCount":3}"##;

pub const STEAM: &str = r#"{"success":1,"query_summary":{"num_reviews":2},"reviews":[{"recommendationid":"5","author":{"steamid":"765","playtime_at_review":90},"language":"english","review":"good","timestamp_created":1777629600,"voted_up":true,"written_during_early_access":true,"primarily_steam_deck":true},
    {"recommendationid":"6","author":{"steamid":"766"},"review":"bad","timestamp_created":1777629601,"voted_up":false}],"cursor":"x"}"#;

pub const BETAHUB: &str = r#"{"issues":[{"id":"g-1","title":"Stuck","description":"in the lift","steps_to_reproduce":[{"step":"enter"},{"step":"wait"}],"priority":"high","status":"new","created_at":"2026-05-01T10:00:00Z","release_label":"0.7.3","reported_by":{"id":"9","name":"ann"},"tags":[{"name":"UI"}],"screenshots":[{"image_url":"https://x/1.png"}]}]}"#;

pub const GITHUB: &str = r#"[{"html_url":"https://github.com/a/b/issues/1","number":1,"title":"Crash","body":"on start","user":{"login":"ann"},"state":"open","labels":[{"name":"bug"},{"name":"version: 0.7"}],"created_at":"2026-05-01T10:00:00Z"},
    {"html_url":"https://github.com/a/b/pull/2","title":"fix","user":{"login":"bob"},"pull_request":{}}]"#;

pub const BACKTRACE: &str = r#"{"uuid":"u-1","timestamp":1777629600,"attributes":{"application.version":"0.7.3","uname.sysname":"Linux","error.message":"boom","level":"Ice Cave"},"classifiers":["SIGSEGV"],"mainThread":"1","threads":{"1":{"stack":[{"funcName":"Game::jump","library":"game","line":"3"}]}}}"#;

pub const UNITY_ANALYTICS: &str = "{\"eventName\":\"playerDied\",\"eventUUID\":\"e-1\",\"eventTimestamp\":\"2026-05-01 10:00:00.000\",\"userID\":\"ann\",\"sessionID\":\"s1\",\"eventParams\":{\"clientVersion\":\"0.7.3\",\"platform\":\"WindowsPlayer\",\"levelName\":\"Ice Cave\"}}\n";

pub const UNITY_DIAGNOSTICS: &str = r#"{"reports":[{"reportId":"r-1","timestamp":"2026-05-01T10:00:00Z","buildGUID":"0123","appVersion":"0.7.3","operatingSystem":"Windows 11","exceptionName":"NullReferenceException","exceptionMessage":"no","stackTrace":"Camera.Follow.Update () (at Follow.cs:1)\nUnityEngine.Foo ()"}]}"#;

pub const PLAYFAB: &str = "{\"EventName\":\"level_complete\",\"EventNamespace\":\"com.game\",\"EventId\":\"p-1\",\"Timestamp\":\"2026-05-01T10:00:00Z\",\"EntityId\":\"ann\",\"Body\":{\"ClientVersion\":\"0.7.3\",\"level\":\"Ice Cave\"}}\n";

pub const UNREAL: &str = r#"<?xml version="1.0"?><FGenericCrashContext><RuntimeProperties><CrashVersion>3</CrashVersion><CrashGUID>UECC-1</CrashGUID><CrashType>Crash</CrashType><EngineVersion>5.6.1</EngineVersion><BuildVersion>++Game+0.7.3</BuildVersion><PlatformName>WindowsClient</PlatformName><ErrorMessage>Unhandled &lt;x&gt;</ErrorMessage><CallStack>MyGame!AHero::Jump() [Hero.cpp:12]
UnrealEditor-Core!FDebug::Fail()</CallStack><TimeOfCrash>639132264000000000</TimeOfCrash><UserDescription>I jumped</UserDescription><LoginId>ann</LoginId></RuntimeProperties></FGenericCrashContext>"#;

pub fn envelope() -> String {
    let event = SENTRY.replace('\n', " ");
    format!(
        "{{\"event_id\":\"abc\",\"sent_at\":\"2026-05-01T10:00:00Z\"}}\n{{\"type\":\"event\",\"length\":{}}}\n{event}\n\
         {{\"type\":\"attachment\",\"length\":5,\"filename\":\"../log.txt\",\"content_type\":\"text/plain\"}}\nhello\n",
        event.len()
    )
}

/// A dump of one module, an exception in it, and the system.
pub fn dump() -> Vec<u8> {
    let mut dump = b"MDMP\x93\xa7\0\0".to_vec();
    let word = |dump: &mut Vec<u8>, value: u32| dump.extend_from_slice(&value.to_le_bytes());
    for value in [3, 32, 0, 1_777_629_600, 0, 0] {
        word(&mut dump, value);
    }
    let (modules, exception, system, name, record) = (68, 180, 350, 420, 470);
    for (kind, at) in [(4, modules), (6, exception), (7, system)] {
        for value in [kind, 100, at] {
            word(&mut dump, value);
        }
    }
    dump.resize(600, 0);
    let mut put = |at: usize, bytes: &[u8]| dump[at..at + bytes.len()].copy_from_slice(bytes);
    put(68, &1u32.to_le_bytes());
    put(72, &0x40_0000u64.to_le_bytes());
    put(80, &0x1000u32.to_le_bytes());
    put(92, &(name as u32).to_le_bytes());
    put(148, &24u32.to_le_bytes());
    put(152, &(record as u32).to_le_bytes());
    put(188, &0xC000_0005u32.to_le_bytes());
    put(204, &0x40_0123u64.to_le_bytes());
    put(370, &2u32.to_le_bytes());
    let path: Vec<u8> = "C:\\g\\Game.exe".encode_utf16().flat_map(u16::to_le_bytes).collect();
    put(420, &(path.len() as u32).to_le_bytes());
    put(424, &path);
    put(470, b"RSDS");
    put(474, &(1..=16).collect::<Vec<u8>>());
    put(490, &2u32.to_le_bytes());
    dump
}
