//! Records as comma-separated values (RFC 4180), which every spreadsheet opens.

use crate::catalogue::feedback::Found;

/// The columns.
const HEADER: &str = "id,time,kind,build,method,confidence,platform,os,device,player,session,level,x,y,z,progress,event,outcome,\
                      seconds,rating,severity,status,tags,title,text,lang,signature,source,source_id,version,fields\r\n";

/// Writes a table of records.
pub struct Csv {
    text: String,
}

impl Default for Csv {
    fn default() -> Csv {
        Csv::new()
    }
}

impl Csv {
    /// Begins a table.
    pub fn new() -> Csv {
        Csv { text: HEADER.into() }
    }

    /// Adds a record; `build` is how its builds are called.
    pub fn add(&mut self, found: &Found, build: &str) {
        let record = &found.record;
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        let axis = |axis: usize| number(record.place.position.map(|position| position[axis]));
        let fields = match record.fields.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&record.fields).expect("its keys are strings"),
        };
        let row = [
            found.id.to_string(),
            record.time.map(|time| time.to_string()).unwrap_or_default(),
            record.kind.code().to_owned(),
            build.to_owned(),
            found.link.method.map(|method| method.code().to_owned()).unwrap_or_default(),
            found.link.confidence().to_string(),
            optional(&record.platform),
            optional(&record.os),
            optional(&record.device),
            optional(&record.player),
            optional(&record.session),
            optional(&record.place.level),
            axis(0),
            axis(1),
            axis(2),
            optional(&record.progress),
            optional(&record.event),
            record.outcome.map(|outcome| outcome.code().to_owned()).unwrap_or_default(),
            number(record.seconds),
            number(record.rating),
            optional(&record.severity),
            optional(&record.status),
            record.tags.join("; "),
            optional(&record.title),
            record.text.clone(),
            optional(&record.lang),
            optional(&record.signature),
            record.source.clone(),
            optional(&record.source_id),
            optional(&record.clues.version),
            fields,
        ];
        for (index, value) in row.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.value(value);
        }
        self.text.push_str("\r\n");
    }

    /// Returns the table.
    pub fn finish(self) -> String {
        self.text
    }

    fn value(&mut self, value: &str) {
        // A spreadsheet takes a text that starts so for a formula, and players may write what they like.
        let is_number = value.parse::<f64>().is_ok();
        let guard = if !is_number && value.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if guard.is_empty() && !value.contains([',', '"', '\n', '\r']) {
            self.text.push_str(value);
            return;
        }
        self.text.push('"');
        self.text.push_str(guard);
        self.text.push_str(&value.replace('"', "\"\""));
        self.text.push('"');
    }
}
