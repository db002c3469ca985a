//! What is left out of a build because a game engine makes it again, or because it belongs to one user or run.
//!
//! A session takes all that is copied into it, the caches of a project too, since only the whole tells a project from a
//! game. At the commit they are left out, unless the vault keeps them, and the build names them.

use super::nodes::{Body, Nodes};
use super::op::NodeNumber;
use super::{ROOT, State};
use crate::catalogue::LeftOut;
use crate::engines::{Class, InProject};
use std::collections::BTreeMap;

impl State {
    /// Returns the entries of engine projects that a build leaves out, by their nodes; nothing below them is looked at.
    pub(super) fn caches(&self, keep_caches: bool) -> BTreeMap<NodeNumber, LeftOut> {
        let mut left_out = BTreeMap::new();
        let mut waiting = vec![(ROOT, None::<InProject>)];
        while let Some((directory, above)) = waiting.pop() {
            // A directory of the base that nobody looked into is as it was judged then.
            let Ok(children) = self.nodes.directory(directory).map(|children| children.iter().collect::<Vec<_>>())
            else {
                continue;
            };
            let named = || children.iter().filter_map(|&child| Some((child, self.nodes.get(child).ok()?)));
            let has_file = |path: &str| self.nodes.has_file(directory, path);
            let project = InProject::enter(named().map(|(_, node)| &*node.name), has_file, above);
            for (child, node) in named() {
                // As in a folder of the host, a link counts as what it would be a directory for.
                let is_directory = !matches!(node.body, Body::File(_));
                let class = project.as_ref().map_or(Class::Source, |project| project.class(&node.name, is_directory));
                match class {
                    // What the base was made with is wanted.
                    Class::Never if !node.of_base => {}
                    Class::Cache if !node.of_base && !keep_caches => {}
                    Class::Never | Class::Cache | Class::Source => {
                        if matches!(node.body, Body::Directory(_)) {
                            waiting.push((child, project.as_ref().map(|project| project.below(&node.name))));
                        }
                        continue;
                    }
                }
                let engine = project.as_ref().map_or("", InProject::engine).to_owned();
                let slash = if matches!(node.body, Body::Directory(_)) { "/" } else { "" };
                let path = format!("{}{slash}", super::status::path_of(self, child));
                let class = class.code().to_owned();
                left_out.insert(child, LeftOut { path, engine, class });
            }
        }
        left_out
    }

    /// Tells whether a node is one of those left out, or lies below one.
    pub(super) fn is_in(&self, left_out: &BTreeMap<NodeNumber, LeftOut>, mut node: NodeNumber) -> bool {
        while !left_out.is_empty() && node != ROOT {
            if left_out.contains_key(&node) {
                return true;
            }
            match self.nodes.get(node) {
                Ok(found) if !self.nodes.is_orphan(node) => node = found.parent,
                _ => return false,
            }
        }
        false
    }
}

impl Nodes {
    /// Tells whether there is a file at `path` below a directory, where somebody has looked.
    fn has_file(&self, directory: NodeNumber, path: &str) -> bool {
        let mut node = directory;
        for name in path.split('/') {
            match self.directory(node).map(|children| children.named(name.as_bytes())) {
                Ok(Some(child)) => node = child,
                _ => return false,
            }
        }
        self.bytes(node).is_ok()
    }
}
