//! Pages for people: what changed and how a vault grew, as one file that needs nothing else.
//!
//! Everything here is pure: plain data in, a text out. A page holds its style, its few lines of script and its pictures,
//! and asks no network for anything. [`page`] has the skeleton, [`table`] and [`chart`] what most pages show.

pub mod changes;
pub mod chart;
pub mod history;
mod html;
pub mod page;
pub mod platforms;
pub mod players;
pub mod records;
pub mod table;
pub mod text;

pub use html::{Html, escape};
pub use page::Page;
