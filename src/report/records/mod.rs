//! Records as people and other programs read them: a summary, a table, a page for each report.

mod csv;
mod report;
mod summary;
mod view;

pub use csv::Csv;
pub use report::{folder_name, report};
pub use summary::Summary;
pub use view::{BuildName, RecordView, id_of};
