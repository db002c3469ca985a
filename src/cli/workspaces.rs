//! The workspaces of a vault, wherever they are: in a running mount, whose process has them, or in the vault's spool,
//! where this process takes them for as long as the command runs.

use gamevault::Vault;
use gamevault::catalogue::{Build, BuildInfo};
use gamevault::error::{Error, ErrorKind, Result};
use gamevault::ingest::session::{Changes, Session, SessionForm, Sessions, Status};
use gamevault::name::RefName;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a mount shows its workspaces.
const FOLDER: &str = "workspaces";

/// The hidden folder of a workspace that says what is known of it and takes orders.
const CONTROL: &str = ".gamevault";

/// The workspaces of a vault.
pub enum Workspaces {
    /// They are in these mounts.
    Mounted(Vec<PathBuf>),
    /// No mount is running, and they are this process's.
    Own(Sessions),
}

/// One workspace.
pub enum Workspace {
    /// Its folder in a mount.
    Mounted(PathBuf),
    /// It is this process's.
    Own(Arc<Session>),
}

impl Workspaces {
    /// Finds the workspaces of `vault`.
    ///
    /// # Errors
    /// Those of the vault's disk.
    pub fn of(vault: &Vault) -> Result<Workspaces> {
        let folders = vault.mounts()?.into_iter().map(|mount| mount.path.join(FOLDER));
        // A mount that ends meanwhile has no workspaces.
        let folders: Vec<PathBuf> = folders.filter(|folder| folder.is_dir()).collect();
        match folders.is_empty() {
            true => Ok(Workspaces::Own(vault.sessions()?)),
            false => Ok(Workspaces::Mounted(folders)),
        }
    }

    /// Takes those of the mount on `mount`.
    pub fn in_mount(mount: &Path) -> Workspaces {
        Workspaces::Mounted(vec![mount.join(FOLDER)])
    }

    /// Returns all of them.
    ///
    /// # Errors
    /// `Io` if a mount cannot be listed.
    pub fn list(&self) -> Result<Vec<Workspace>> {
        let folders = match self {
            Workspaces::Own(sessions) => return Ok(sessions.workspaces().into_iter().map(Workspace::Own).collect()),
            Workspaces::Mounted(folders) => folders,
        };
        let mut found = Vec::new();
        for folder in folders {
            for entry in std::fs::read_dir(folder).map_err(|error| Error::io("list", folder, error))? {
                let path = entry.map_err(|error| Error::io("list", folder, error))?.path();
                found.push(Workspace::Mounted(path));
            }
        }
        Ok(found)
    }

    /// Returns the workspace `name`.
    ///
    /// # Errors
    /// `NotFound`, or `Busy` when another process has sessions that may be it.
    pub fn get(&self, name: &RefName) -> Result<Workspace> {
        match self.find(name) {
            Some(found) => Ok(found),
            None => Err(self.missing(name)),
        }
    }

    /// Returns the workspace `name` if it is there.
    pub fn find(&self, name: &RefName) -> Option<Workspace> {
        match self {
            Workspaces::Own(sessions) => sessions.workspace(name.as_str().as_bytes()).map(Workspace::Own),
            Workspaces::Mounted(folders) => {
                let mut paths = folders.iter().map(|folder| folder.join(name.as_str()));
                paths.find(|path| path.is_dir()).map(Workspace::Mounted)
            }
        }
    }

    /// Makes a workspace from `base`.
    ///
    /// # Errors
    /// `Exists` if the name is taken.
    pub fn create(&self, name: &RefName, base: &Build) -> Result<Workspace> {
        let taken = |error: Error| match error.kind() {
            ErrorKind::Exists => Error::new(ErrorKind::Exists, format!("there is a workspace {name} already"))
                .with_hint("choose another name; names that differ in case alone are the same"),
            _ => error,
        };
        match self {
            Workspaces::Own(sessions) => {
                sessions.create(name.clone(), SessionForm::Workspace, Some(base)).map(Workspace::Own).map_err(taken)
            }
            Workspaces::Mounted(folders) => {
                let typed = folders[0].join(format!("{name}@{}", base.id));
                std::fs::create_dir(&typed).map_err(|error| taken(Error::io("make the workspace", &typed, error)))?;
                Ok(Workspace::Mounted(folders[0].join(name.as_str())))
            }
        }
    }

    /// Ends a workspace and removes all that is only in it.
    ///
    /// # Errors
    /// `Busy` while it is kept; `Io`.
    pub fn remove(&self, workspace: &Workspace) -> Result<()> {
        match (self, workspace) {
            (Workspaces::Own(sessions), Workspace::Own(session)) => sessions.abort(session),
            (_, workspace) => workspace.give("abort"),
        }
    }

    fn missing(&self, name: &RefName) -> Error {
        if let Workspaces::Own(sessions) = self {
            let busy = sessions.take_over();
            if busy > 0 {
                let message =
                    format!("there is no workspace {name} that is free; another process uses {busy} sessions");
                return Error::new(ErrorKind::Busy, message).with_hint("wait until it ends, and run the command again");
            }
        }
        let names: Vec<String> = self
            .list()
            .unwrap_or_default()
            .iter()
            .filter_map(|one| one.status().ok())
            .map(|status| status.name)
            .collect();
        Error::not_found(format!("there is no workspace {name}")).with_hint(match names.is_empty() {
            true => "make one with `gamevault workspace create NAME BUILD`".to_owned(),
            false => format!("the workspaces are {}", names.join(", ")),
        })
    }
}

impl Workspace {
    /// Returns its folder, when it is mounted.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Workspace::Mounted(path) => Some(path),
            Workspace::Own(_) => None,
        }
    }

    /// Returns what is known of it.
    ///
    /// # Errors
    /// `Io` if the mount does not answer.
    pub fn status(&self) -> Result<Status> {
        match self {
            Workspace::Own(session) => Ok(session.status()),
            Workspace::Mounted(_) => self.read("status.json"),
        }
    }

    /// Returns what differs from its base.
    ///
    /// # Errors
    /// `NotFound` if the base is gone; those of reading.
    pub fn changes(&self) -> Result<Changes> {
        match self {
            Workspace::Own(session) => session.changes(),
            Workspace::Mounted(_) => self.read("changes.json"),
        }
    }

    /// Makes a build of it, with the id `id` or else with its number; `describe` says more of the build. Returns the id.
    ///
    /// # Errors
    /// `Exists` if the id is taken; `Busy` while a file is open to be written.
    pub fn keep(&self, id: Option<&RefName>, describe: impl FnOnce(&mut BuildInfo)) -> Result<String> {
        match self {
            Workspace::Own(session) => {
                let mut info = session.info();
                describe(&mut info);
                session.set_info(info)?;
                Ok(session.keep(id.cloned())?.id.to_string())
            }
            Workspace::Mounted(_) => {
                let mut info: BuildInfo = self.read("meta.json")?;
                describe(&mut info);
                let json = serde_json::to_vec(&info).expect("strings and numbers become JSON");
                let meta = self.control("meta.json");
                std::fs::write(&meta, json).map_err(|error| Error::io("write", &meta, error))?;
                self.give(&id.map_or("commit".to_owned(), |id| format!("commit@{id}")))?;
                let kept = self.status()?.kept;
                kept.ok_or_else(|| Error::invalid("the workspace was kept by a mount that does not say as which build"))
            }
        }
    }

    fn control(&self, file: &str) -> PathBuf {
        self.path().expect("only a mounted workspace has control files").join(CONTROL).join(file)
    }

    /// Gives an order by making its file.
    fn give(&self, order: &str) -> Result<()> {
        let file = self.control(order);
        std::fs::File::create(&file).map(drop).map_err(|error| {
            let hint = format!("what keeps it back stands in {}", self.control("status.json").display());
            // A system call answers with a number alone; the status has the names of the files.
            Error::io("make", &file, error).with_hint(hint)
        })
    }

    fn read<T: DeserializeOwned>(&self, file: &str) -> Result<T> {
        let path = self.control(file);
        let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        let wrong = |error| Error::corrupt(format!("{} cannot be understood", path.display())).with_source(error);
        serde_json::from_slice(&bytes).map_err(wrong)
    }
}
