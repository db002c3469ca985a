//! What Windows asks of a mount, asked without Windows: all that programs do there, in the words of WinFsp.

#[cfg(test)]
mod tests {
    use super::super::data::WriteAt;
    use super::super::handle::{Handle, Wanted};
    use super::super::info::{FileInfo, timestamp};
    use super::super::status::Status;
    use super::super::volume::{Answer, Volume};
    use crate::manifest::Timestamp;
    use crate::progress::Progress;
    use crate::tree::{Caller, Event, NameAt, NodeId, Tree};
    use crate::vault::{Annotation, SnapshotOptions, Vault};
    use parking_lot::Mutex;
    use std::sync::Arc;

    const READ: u32 = 0x1;
    const WRITE: u32 = 0x2;
    const DELETE: u32 = 0x1_0000;
    const ALL: u32 = 0x1f_01ff;
    const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
    const READ_ONLY: u32 = 0x1;
    const UNCHANGED: u32 = u32::MAX;
    /// 2020-09-13 12:26:40.1234567.
    const TIME: u64 = 132_444_736_001_234_567;

    /// A vault as Windows sees it.
    struct Drive {
        volume: Volume,
        tree: Arc<Tree>,
        events: Arc<Mutex<Vec<Event>>>,
        dir: tempfile::TempDir,
    }

    fn utf16(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn wanted(granted: u32) -> Wanted {
        Wanted { desired: granted, granted, directory: false, file: false, caller: Caller::UNKNOWN }
    }

    impl Drive {
        fn new() -> Drive {
            let dir = tempfile::tempdir().unwrap();
            let vault = Arc::new(Vault::init(&dir.path().join("vault")).unwrap());
            let events = Arc::<Mutex<Vec<Event>>>::default();
            let sink = events.clone();
            let tree = Arc::new(Tree::new(vault, Box::new(move |event| sink.lock().push(event))));
            Drive { volume: Volume::new(tree.clone()), tree, events, dir }
        }

        /// A drive with one build.
        fn with_build(id: &str, files: &[(&str, &[u8])]) -> Drive {
            let drive = Drive::new();
            drive.build(id, files);
            drive
        }

        fn build(&self, id: &str, files: &[(&str, &[u8])]) {
            let session = format!("\\.snapshot\\{id}");
            self.make_folder(&session).unwrap();
            for (path, bytes) in files {
                let path = format!("{session}\\{path}");
                let folder = &path[..path.rfind('\\').unwrap()];
                if self.volume.attributes(&utf16(folder)).is_err() {
                    self.make_folder(folder).unwrap();
                }
                self.write(&path, bytes).unwrap();
            }
            self.rename(&session, &format!("\\builds\\{id}"), false).unwrap();
        }

        fn open(&self, path: &str, granted: u32) -> Answer<Handle> {
            self.volume.open(&utf16(path), wanted(granted)).map(|(handle, _)| handle)
        }

        fn create(&self, path: &str) -> Answer<Handle> {
            self.volume.create(&utf16(path), wanted(READ | WRITE), 0).map(|(handle, _)| handle)
        }

        fn make_folder(&self, path: &str) -> Answer<()> {
            let (handle, _) = self.volume.create(&utf16(path), Wanted { directory: true, ..wanted(READ) }, 0)?;
            self.end(&handle);
            Ok(())
        }

        fn end(&self, handle: &Handle) {
            self.volume.cleanup(handle, None);
            self.volume.close(handle);
        }

        fn write(&self, path: &str, bytes: &[u8]) -> Answer<()> {
            let handle = self.create(path)?;
            self.volume.write(&handle, WriteAt::Offset(0), bytes)?;
            self.end(&handle);
            Ok(())
        }

        fn bytes(&self, path: &str) -> Answer<Vec<u8>> {
            let handle = self.open(path, READ)?;
            let mut bytes = vec![0; self.volume.info(&handle)?.size as usize];
            let len = if bytes.is_empty() { 0 } else { self.volume.read(&handle, 0, &mut bytes)? };
            assert_eq!(len, bytes.len());
            assert_eq!(self.volume.read(&handle, len as u64, &mut [0; 8]), Err(Status::END_OF_FILE));
            self.end(&handle);
            Ok(bytes)
        }

        fn info(&self, path: &str) -> Answer<FileInfo> {
            let handle = self.open(path, 0)?;
            let info = self.volume.info(&handle);
            self.end(&handle);
            info
        }

        /// Lists a folder as the system does: a few names at a time, each time from the last one on.
        fn names(&self, path: &str) -> Answer<Vec<String>> {
            let handle = self.open(path, READ)?;
            let (mut names, mut marker) = (Vec::new(), None::<Vec<u16>>);
            loop {
                let (mut room, mut is_full) = (3, false);
                self.volume.list(&handle, marker.clone().as_deref(), &mut |name, _| {
                    is_full = room == 0;
                    if !is_full {
                        room -= 1;
                        marker = Some(name.to_vec());
                        names.push(String::from_utf16(name).unwrap());
                    }
                    !is_full
                })?;
                if !is_full {
                    self.end(&handle);
                    return Ok(names);
                }
            }
        }

        fn delete(&self, path: &str) -> Answer<()> {
            let handle = self.open(path, DELETE)?;
            let deleted = self.volume.can_delete(&handle, &utf16(path));
            self.volume.cleanup(&handle, deleted.is_ok().then(|| utf16(path)).as_deref());
            self.volume.close(&handle);
            deleted
        }

        fn rename(&self, from: &str, to: &str, replaces: bool) -> Answer<()> {
            let handle = self.open(from, DELETE)?;
            let renamed = self.volume.rename(&utf16(from), &utf16(to), replaces);
            self.end(&handle);
            renamed
        }

        fn set_time(&self, handle: &Handle, time: u64) -> Answer<FileInfo> {
            self.volume.set_basic(handle, UNCHANGED, time)
        }

        /// Returns the node of a folder, by the names that the tree has.
        fn node(&self, path: &str) -> NodeId {
            self.tree.resolve(path.as_bytes()).unwrap().node
        }
    }

    #[test]
    fn a_copied_folder_becomes_a_build_by_a_rename() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\0.7.3").unwrap();
        drive.make_folder("\\.snapshot\\0.7.3\\Data").unwrap();
        let path = "\\.snapshot\\0.7.3\\Data\\level1.pak";
        let handle = drive.create(path).unwrap();
        // As Explorer does: the size first, then the bytes, then the time.
        assert_eq!(drive.volume.set_size(&handle, 10).unwrap().size, 10);
        drive.volume.set_room(&handle, 4096).unwrap();
        drive.volume.write(&handle, WriteAt::Offset(0), b"01234").unwrap();
        drive.volume.write(&handle, WriteAt::Offset(5), b"56789").unwrap();
        assert_eq!(drive.set_time(&handle, TIME).unwrap().time, TIME);
        assert_eq!(drive.volume.flush(&handle).unwrap().size, 10);
        assert_eq!(drive.rename("\\.snapshot\\0.7.3", "\\builds\\0.7.3", false), Err(Status::SHARING_VIOLATION));
        drive.end(&handle);
        drive.rename("\\.snapshot\\0.7.3", "\\builds\\0.7.3", false).unwrap();
        assert_eq!(drive.names("\\.snapshot").unwrap(), [".", ".."]);
        assert_eq!(drive.names("\\builds").unwrap(), [".", "..", "0.7.3", "latest"]);
        assert_eq!(drive.bytes("\\builds\\0.7.3\\data\\LEVEL1.PAK").unwrap(), b"0123456789");
        let info = drive.info("\\builds\\latest\\Data\\level1.pak").unwrap();
        assert_eq!((info.size, info.allocation(), info.time), (10, 4096, TIME));
        drive.make_folder("\\.snapshot\\other").unwrap();
        drive.write("\\.snapshot\\other\\a", b"a").unwrap();
        let taken = drive.rename("\\.snapshot\\other", "\\builds\\0.7.3", false);
        assert_eq!(taken, Err(Status::NAME_COLLISION));
    }

    #[test]
    fn the_root_is_listed_without_dots_and_has_room() {
        let drive = Drive::new();
        let names = drive.names("\\").unwrap();
        assert!(names.contains(&"builds".into()) && names.contains(&".snapshot".into()), "{names:?}");
        assert!(names.is_sorted() && !names.contains(&".".into()), "{names:?}");
        assert!(drive.info("\\").unwrap().is_directory());
        assert_ne!(drive.volume.attributes(&utf16("\\builds")).unwrap() & 0x10, 0);
        let space = drive.volume.space().unwrap();
        assert!(space.total >= space.available && space.total > 0);
        assert_eq!(drive.create("\\new.txt").err(), Some(Status::MEDIA_WRITE_PROTECTED));
        assert_eq!(drive.create("\\").err(), Some(Status::NAME_COLLISION));
        assert_eq!(drive.rename("\\", "\\x", false), Err(Status::ACCESS_DENIED));
        assert_eq!(drive.rename("\\builds", "\\", false), Err(Status::ACCESS_DENIED));
    }

    #[test]
    fn what_is_not_there_is_told_apart() {
        let drive = Drive::with_build("1", &[("a.txt", b"a")]);
        for (path, status) in [
            ("\\missing", Status::NAME_NOT_FOUND),
            ("\\builds\\1\\missing", Status::NAME_NOT_FOUND),
            ("\\builds\\2\\a.txt", Status::PATH_NOT_FOUND),
            ("\\builds\\1\\a.txt\\b", Status::PATH_NOT_FOUND),
        ] {
            assert_eq!(drive.volume.attributes(&utf16(path)), Err(status), "{path}");
            assert_eq!(drive.open(path, READ).err(), Some(status), "{path}");
        }
        let open = |path: &str, wanted| drive.volume.open(&utf16(path), wanted).err();
        let folder = Wanted { directory: true, ..wanted(READ) };
        let file = Wanted { file: true, ..wanted(READ) };
        assert_eq!(open("\\builds\\1\\a.txt", folder), Some(Status::NOT_A_DIRECTORY));
        assert_eq!(open("\\builds\\1", file), Some(Status::FILE_IS_A_DIRECTORY));
        let handle = drive.open("\\builds\\1\\a.txt", READ).unwrap();
        assert_eq!(drive.volume.list(&handle, None, &mut |_, _| true), Err(Status::NOT_A_DIRECTORY));
        drive.end(&handle);
    }

    #[test]
    fn a_build_cannot_be_changed() {
        let drive = Drive::with_build("1", &[("a.txt", b"a")]);
        let protected = Err(Status::MEDIA_WRITE_PROTECTED);
        assert_eq!(drive.open("\\builds\\1\\a.txt", READ | WRITE).map(drop), protected);
        assert_eq!(drive.create("\\builds\\1\\b.txt").map(drop), protected);
        assert_eq!(drive.make_folder("\\builds\\1\\b"), protected);
        assert_eq!(drive.create("\\builds\\1\\a.txt:Zone.Identifier").map(drop), protected);
        assert_eq!(drive.delete("\\builds\\1\\a.txt"), protected);
        assert_eq!(drive.delete("\\builds\\1"), Err(Status::ACCESS_DENIED));
        assert_eq!(drive.rename("\\builds\\1\\a.txt", "\\builds\\1\\b.txt", false), protected);
        let handle = drive.open("\\builds\\1\\a.txt", READ).unwrap();
        assert_eq!(drive.volume.write(&handle, WriteAt::Offset(0), b"x").map(drop), protected);
        assert_eq!(drive.volume.set_size(&handle, 0).map(drop), protected);
        assert_eq!(drive.volume.overwrite(&handle, 0, false).map(drop), protected);
        assert_eq!(drive.set_time(&handle, TIME).map(drop), protected);
        assert!(drive.set_time(&handle, 0).is_ok(), "a change of nothing changes nothing");
        drive.end(&handle);
        // A program that takes what it can get is given the file to read.
        let all = Wanted { desired: MAXIMUM_ALLOWED, ..wanted(ALL) };
        let (handle, _) = drive.volume.open(&utf16("\\builds\\1\\a.txt"), all).unwrap();
        assert_eq!(drive.volume.write(&handle, WriteAt::End, b"x").map(drop), protected);
        drive.end(&handle);
        assert_eq!(drive.bytes("\\builds\\1\\a.txt").unwrap(), b"a");
    }

    #[test]
    fn files_of_a_session_are_written_in_every_way() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\s").unwrap();
        let path = "\\.snapshot\\s\\a.bin";
        drive.write(path, b"0123456789").unwrap();
        let handle = drive.open(path, READ | WRITE).unwrap();
        let write = |at, bytes: &[u8]| drive.volume.write(&handle, at, bytes).map(|(len, info)| (len, info.size));
        assert_eq!(write(WriteAt::End, b"ab"), Ok((2, 12)));
        assert_eq!(write(WriteAt::Within(10), b"ABCD"), Ok((2, 12)), "the cache has whole pages");
        assert_eq!(write(WriteAt::Within(20), b"ABCD"), Ok((0, 12)));
        assert_eq!(write(WriteAt::Offset(14), b"z"), Ok((1, 15)));
        assert_eq!(drive.volume.set_room(&handle, 100).unwrap().size, 15);
        assert_eq!(drive.volume.set_room(&handle, 14).unwrap().size, 14);
        assert_eq!(drive.volume.set_size(&handle, 13).unwrap().size, 13);
        drive.end(&handle);
        assert_eq!(drive.bytes(path).unwrap(), b"0123456789AB\0");
        // Made anew, as `copy` does over a file that is there.
        assert_eq!(drive.create(path).err(), Some(Status::NAME_COLLISION));
        let handle = drive.open("\\.snapshot\\S\\A.BIN", WRITE).unwrap();
        assert_eq!(String::from_utf16(&handle.path).unwrap(), path, "its name is as it was made");
        let info = drive.volume.overwrite(&handle, READ_ONLY, true).unwrap();
        assert_eq!((info.size, info.attributes & READ_ONLY), (0, READ_ONLY));
        drive.volume.write(&handle, WriteAt::Offset(0), b"new").unwrap();
        assert_eq!(drive.volume.overwrite(&handle, 0, true).unwrap().attributes & READ_ONLY, 0);
        assert_eq!(drive.volume.overwrite(&handle, 0, false).unwrap().size, 0);
        drive.end(&handle);
        assert_eq!(drive.bytes(path).unwrap(), b"");
    }

    #[test]
    fn the_time_that_a_program_gives_outlives_what_the_system_writes_late() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\s").unwrap();
        let path = "\\.snapshot\\s\\a.bin";
        drive.write(path, b"0123").unwrap();
        let handle = drive.open(path, READ | WRITE).unwrap();
        drive.set_time(&handle, TIME).unwrap();
        drive.volume.write(&handle, WriteAt::Within(0), b"abcd").unwrap();
        assert_eq!(drive.volume.info(&handle).unwrap().time, TIME);
        drive.volume.cleanup(&handle, None);
        drive.volume.write(&handle, WriteAt::Within(0), b"ABCD").unwrap();
        drive.volume.close(&handle);
        assert_eq!((drive.info(path).unwrap().time, drive.bytes(path).unwrap()), (TIME, b"ABCD".to_vec()));
        assert!(drive.volume.stamps.lock().is_empty());
        // What the program itself writes after that is newer.
        let handle = drive.open(path, READ | WRITE).unwrap();
        drive.set_time(&handle, TIME).unwrap();
        drive.volume.write(&handle, WriteAt::Offset(0), b"x").unwrap();
        assert!(
            timestamp(drive.volume.info(&handle).unwrap().time).unwrap() > Timestamp { secs: 1_700_000_000, nanos: 0 }
        );
        drive.end(&handle);
    }

    #[test]
    fn names_are_found_in_any_case_and_kept_as_they_were_made() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\s").unwrap();
        drive.make_folder("\\.snapshot\\s\\Größe").unwrap();
        drive.write("\\.snapshot\\s\\GRÖSSE.txt", b"1").unwrap();
        drive.write("\\.snapshot\\s\\gro\u{308}ße\\Cafe\u{301}.TXT", b"2").unwrap();
        assert_eq!(drive.write("\\.snapshot\\s\\größe\\CAF\u{c9}.txt", b"3"), Err(Status::NAME_COLLISION));
        assert_eq!(drive.bytes("\\.SNAPSHOT\\S\\GRÖßE\\caf\u{e9}.txt").unwrap(), b"2");
        assert_eq!(drive.names("\\.snapshot\\s").unwrap(), [".", "..", "GRÖSSE.txt", "Größe"]);
        // A change of case alone.
        drive.rename("\\.snapshot\\s\\grösse.txt", "\\.snapshot\\s\\Grösse.txt", false).unwrap();
        assert_eq!(drive.names("\\.snapshot\\s").unwrap(), [".", "..", "Grösse.txt", "Größe"]);
        let (handle, _) = drive.volume.open(&utf16("\\.snapshot\\S\\GRÖSSE.TXT"), wanted(READ)).unwrap();
        assert_eq!(String::from_utf16(&handle.path).unwrap(), "\\.snapshot\\s\\Grösse.txt");
        drive.end(&handle);
    }

    #[test]
    fn names_that_collide_are_all_reached_and_never_mixed_up() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\1").unwrap();
        let directory = drive.node(".snapshot/1");
        for (name, bytes) in [("readme", b"low"), ("README", b"UPP")] {
            let (attr, _) = drive.tree.make_file(NameAt { directory, name: name.as_bytes() }, 0o644, None).unwrap();
            drive.tree.write(attr.node, 0, bytes).unwrap();
        }
        for folder in ["\\.snapshot\\1", "\\builds\\1"] {
            if folder.starts_with("\\builds") {
                drive.rename("\\.snapshot\\1", folder, false).unwrap();
            }
            assert_eq!(drive.names(folder).unwrap(), [".", "..", "README", "readme~2"]);
            assert_eq!(drive.bytes(&format!("{folder}\\README~2")).unwrap(), b"low");
            for name in ["README", "readme", "Readme"] {
                // The system takes these for one file, so they must be.
                assert_eq!(drive.bytes(&format!("{folder}\\{name}")).unwrap(), b"UPP");
            }
        }
    }

    #[test]
    fn names_that_windows_cannot_have_are_escaped() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\1").unwrap();
        drive.write("\\.snapshot\\1\\what\u{f03f}", b"?").unwrap();
        drive.write("\\.snapshot\\1\\\u{f063}on.txt", b"con").unwrap();
        drive.write("\\.snapshot\\1\\dot.", b"dot").unwrap();
        drive.write("\\.snapshot\\1\\caf\u{f0e9}", b"latin").unwrap();
        assert_eq!(drive.write("\\.snapshot\\1\\a\u{f02f}b", b""), Err(Status::NAME_INVALID));
        drive.rename("\\.snapshot\\1", "\\builds\\1", false).unwrap();
        for (name, bytes) in [("what?", b"?" as &[u8]), ("con.txt", b"con"), ("dot.", b"dot")] {
            let node = drive.node(&format!("builds/1/{name}"));
            let mut read = vec![0; bytes.len()];
            drive.tree.read(node, 0, &mut read).unwrap();
            assert_eq!(read, bytes, "{name}");
        }
        let names = [".", "..", "caf\u{f0e9}", "dot\u{f02e}", "what\u{f03f}", "\u{f063}on.txt"];
        assert_eq!(drive.names("\\builds\\1").unwrap(), names);
        assert_eq!(drive.bytes("\\builds\\1\\dot\u{f02e}").unwrap(), b"dot");
        assert_eq!(drive.bytes("\\builds\\1\\dot.").unwrap(), b"dot");
    }

    #[test]
    fn files_are_renamed_and_replaced() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\s").unwrap();
        drive.make_folder("\\.snapshot\\s\\Folder").unwrap();
        for name in ["new.tmp", "Save.dat"] {
            drive.write(&format!("\\.snapshot\\s\\{name}"), name.as_bytes()).unwrap();
        }
        let rename = |from: &str, to: &str, replaces| {
            drive.rename(&format!("\\.snapshot\\s\\{from}"), &format!("\\.snapshot\\s\\{to}"), replaces)
        };
        assert_eq!(rename("new.tmp", "SAVE.DAT", false), Err(Status::NAME_COLLISION));
        assert_eq!(rename("new.tmp", "folder", true), Err(Status::ACCESS_DENIED));
        assert_eq!(rename("missing", "x", true), Err(Status::NAME_NOT_FOUND));
        assert_eq!(rename("new.tmp", "missing\\x", true), Err(Status::PATH_NOT_FOUND));
        rename("new.tmp", "SAVE.DAT", true).unwrap();
        assert_eq!(drive.bytes("\\.snapshot\\s\\save.dat").unwrap(), b"new.tmp");
        assert_eq!(drive.names("\\.snapshot\\s").unwrap(), [".", "..", "Folder", "SAVE.DAT"]);
        rename("save.dat", "Folder\\moved.dat", false).unwrap();
        assert_eq!(drive.names("\\.snapshot\\s\\folder").unwrap(), [".", "..", "moved.dat"]);
        assert_eq!(drive.rename("\\.snapshot\\s", "\\builds\\a b", false), Err(Status::NAME_INVALID));
        assert_eq!(drive.rename("\\.snapshot\\s", "\\builds\\x\\y", false), Err(Status::PATH_NOT_FOUND));
    }

    #[test]
    fn what_is_deleted_goes_with_its_last_handle() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\s").unwrap();
        drive.make_folder("\\.snapshot\\s\\d").unwrap();
        let path = "\\.snapshot\\s\\d\\a.txt";
        drive.write(path, b"a").unwrap();
        assert_eq!(drive.delete("\\.snapshot\\s\\d"), Err(Status::DIRECTORY_NOT_EMPTY));
        let handle = drive.open("\\.snapshot\\s\\D\\A.TXT", DELETE).unwrap();
        drive.volume.can_delete(&handle, &utf16(path)).unwrap();
        assert!(drive.info(path).is_ok());
        drive.volume.cleanup(&handle, Some(&utf16(path)));
        assert_eq!(drive.info(path), Err(Status::NAME_NOT_FOUND));
        drive.volume.close(&handle);
        // Its name can be had again, in another case.
        drive.write("\\.snapshot\\s\\d\\A.txt", b"b").unwrap();
        assert_eq!(drive.names("\\.snapshot\\s\\d").unwrap(), [".", "..", "A.txt"]);
        for path in ["\\.snapshot\\s\\d\\a.txt", "\\.snapshot\\s\\d", "\\.snapshot\\s"] {
            drive.delete(path).unwrap();
        }
        assert_eq!(drive.names("\\.snapshot").unwrap(), [".", ".."], "a session that is deleted is given up");
    }

    #[test]
    fn streams_are_taken_and_dropped() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\s").unwrap();
        drive.write("\\.snapshot\\s\\a.exe", b"MZ").unwrap();
        let path = "\\.snapshot\\s\\A.exe:Zone.Identifier";
        assert_eq!(drive.volume.attributes(&utf16(path)), Err(Status::NAME_NOT_FOUND));
        assert_eq!(drive.open(path, READ).err(), Some(Status::NAME_NOT_FOUND));
        let handle = drive.create(path).unwrap();
        let (len, info) = drive.volume.write(&handle, WriteAt::End, b"[ZoneTransfer]").unwrap();
        assert_eq!((len, info.size), (14, 14));
        assert_eq!(drive.volume.write(&handle, WriteAt::Offset(2), b"x").unwrap().1.size, 14);
        assert_eq!(drive.volume.read(&handle, 0, &mut [0; 8]), Err(Status::END_OF_FILE));
        assert_eq!(drive.volume.set_size(&handle, 3).unwrap().size, 3);
        assert_eq!(drive.volume.set_room(&handle, 4096).unwrap().size, 3);
        assert_eq!(drive.volume.flush(&handle).unwrap().size, 3);
        assert!(drive.set_time(&handle, TIME).is_ok());
        assert!(drive.volume.can_delete(&handle, &utf16(path)).is_ok());
        assert_eq!(drive.volume.list(&handle, None, &mut |_, _| true), Err(Status::ACCESS_DENIED));
        drive.volume.cleanup(&handle, Some(&utf16(path)));
        drive.volume.close(&handle);
        assert_eq!(drive.create("\\.snapshot\\s\\b.exe:x").err(), Some(Status::NAME_NOT_FOUND));
        assert_eq!(drive.names("\\.snapshot\\s").unwrap(), [".", "..", "a.exe"]);
        assert_eq!(drive.bytes("\\.snapshot\\s\\a.exe").unwrap(), b"MZ", "the file is as it was");
    }

    #[test]
    fn links_are_shown_as_what_they_lead_to_or_as_their_target() {
        let drive = Drive::new();
        drive.make_folder("\\.snapshot\\1").unwrap();
        drive.make_folder("\\.snapshot\\1\\data").unwrap();
        drive.write("\\.snapshot\\1\\data\\a.txt", b"aaa").unwrap();
        let directory = drive.node(".snapshot/1");
        for (name, target) in [
            ("file", "data/./a.txt"),
            ("folder", "data"),
            ("twice", "folder/../file"),
            ("gone", "data/b.txt"),
            ("above", "../../../etc/passwd"),
            ("absolute", "/etc/passwd"),
            ("self", "self"),
            ("loop", "."),
        ] {
            drive.tree.make_symlink(NameAt { directory, name: name.as_bytes() }, target.as_bytes()).unwrap();
        }
        let inner = drive.node(".snapshot/1/data");
        drive.tree.make_symlink(NameAt { directory: inner, name: b"up" }, b"../data/../data/..").unwrap();
        // Where it can be written, a link to a folder is not a folder: who deletes it would delete the folder's files.
        assert_eq!(drive.bytes("\\.snapshot\\1\\folder").unwrap(), b"data");
        assert_eq!(drive.open("\\.snapshot\\1\\folder", WRITE).err(), Some(Status::ACCESS_DENIED));
        let handle = drive.open("\\.snapshot\\1\\folder", READ).unwrap();
        assert_eq!(drive.volume.set_size(&handle, 0).err(), Some(Status::ACCESS_DENIED));
        drive.end(&handle);
        assert_eq!(drive.bytes("\\.snapshot\\1\\file").unwrap(), b"aaa");
        drive.rename("\\.snapshot\\1", "\\builds\\1", false).unwrap();
        for (name, bytes) in [
            ("file", "aaa"),
            ("folder\\a.txt", "aaa"),
            ("twice", "aaa"),
            ("gone", "data/b.txt"),
            ("above", "../../../etc/passwd"),
            ("absolute", "/etc/passwd"),
            ("self", "self"),
            ("loop", "."),
            ("data\\up", "../data/../data/.."),
        ] {
            assert_eq!(drive.bytes(&format!("\\builds\\1\\{name}")).unwrap(), bytes.as_bytes(), "{name}");
        }
        assert!(drive.info("\\builds\\latest\\folder").unwrap().is_directory());
        let handle = drive.open("\\builds\\1", READ).unwrap();
        drive
            .volume
            .list(&handle, None, &mut |name, info| {
                let name = String::from_utf16(name).unwrap();
                assert_eq!(info.is_directory(), [".", "..", "data", "folder"].contains(&&*name), "{name}");
                true
            })
            .unwrap();
        drive.end(&handle);
        // A link is deleted, not what it leads to.
        drive.make_folder("\\.snapshot\\2@1").unwrap();
        drive.delete("\\.snapshot\\2\\file").unwrap();
        drive.delete("\\.snapshot\\2\\folder").unwrap();
        assert_eq!(drive.bytes("\\.snapshot\\2\\data\\a.txt").unwrap(), b"aaa");
    }

    #[test]
    fn hidden_folders_are_reached_by_name_and_notes_can_be_written_and_deleted() {
        let drive = Drive::with_build("1", &[("a.txt", b"a")]);
        assert!(!drive.names("\\builds\\1").unwrap().contains(&".gamevault".into()));
        assert!(drive.bytes("\\builds\\1\\.gamevault\\meta.json").unwrap().starts_with(b"{"));
        drive.make_folder("\\milestones\\alpha@1").unwrap();
        assert_eq!(drive.names("\\milestones").unwrap(), [".", "..", "alpha"]);
        let notes = "\\milestones\\alpha\\.gamevault\\notes.md";
        if drive.open(notes, READ).is_err() {
            drive.write(notes, b"first").unwrap();
        } else {
            let handle = drive.open(notes, READ | WRITE).unwrap();
            drive.volume.set_size(&handle, 0).unwrap();
            drive.volume.write(&handle, WriteAt::Offset(0), b"first").unwrap();
            drive.end(&handle);
        }
        assert_eq!(drive.bytes(notes).unwrap(), b"first");
        drive.delete(notes).unwrap();
        assert!(drive.bytes(notes).map_or(true, |bytes| bytes.is_empty()));
    }

    #[test]
    fn a_session_starts_from_a_base_by_its_name() {
        let drive = Drive::with_build("1", &[("a.txt", b"a"), ("d\\b.txt", b"b")]);
        drive.make_folder("\\.snapshot\\2").unwrap();
        assert_eq!(drive.names("\\.snapshot\\2").unwrap(), [".", ".."]);
        drive.rename("\\.snapshot\\2", "\\.snapshot\\2@1", false).unwrap();
        assert_eq!(drive.names("\\.snapshot\\2").unwrap(), [".", "..", "a.txt", "d"]);
        assert_eq!(drive.bytes("\\.snapshot\\2@1\\D\\B.txt").unwrap(), b"b");
        assert_eq!(drive.make_folder("\\.snapshot\\3@missing"), Err(Status::NAME_NOT_FOUND));
        assert_eq!(drive.make_folder("\\.snapshot\\a b"), Err(Status::NAME_INVALID));
    }

    #[test]
    fn windows_is_told_of_builds_of_other_processes() {
        let drive = Drive::new();
        let folder = drive.dir.path().join("game");
        std::fs::create_dir(&folder).unwrap();
        let other = Vault::open(&drive.dir.path().join("vault")).unwrap();
        let notices = || {
            drive.tree.poll_changes().unwrap();
            let events = std::mem::take(&mut *drive.events.lock());
            let notices = events.iter().flat_map(|event| drive.volume.notices(event));
            let mut told: Vec<(String, u32)> =
                notices.map(|notice| (String::from_utf16(&notice.path).unwrap(), notice.action)).collect();
            told.sort();
            told
        };
        let build = |id: &str| {
            std::fs::write(folder.join("a.txt"), id).unwrap();
            let options = SnapshotOptions { id: Some(id.parse().unwrap()), ..SnapshotOptions::default() };
            other.snapshot(&folder, &options, &Progress::new()).unwrap();
            notices()
        };
        drive.volume.watch_names().unwrap();
        let (added, removed, modified) = (1, 2, 3);
        assert_eq!(build("7"), [("\\builds\\7".into(), added), ("\\builds\\latest".into(), added)]);
        assert_eq!(build("8"), [("\\builds\\8".into(), added), ("\\builds\\latest".into(), modified)]);
        let alpha = "alpha".parse().unwrap();
        other.set_milestone(&alpha, &other.build("7").unwrap(), &Annotation::default(), false).unwrap();
        assert_eq!(notices(), [("\\milestones\\alpha".into(), added)]);
        other.remove_milestone(&alpha).unwrap();
        assert_eq!(notices(), [("\\milestones\\alpha".into(), removed)]);
        let below = Event::Name { directory: drive.node("builds/7"), name: b"a.txt".to_vec() };
        assert_eq!(drive.volume.notices(&below), [], "what is below has been asked for by Windows itself");
    }

    #[test]
    fn nothing_stays_held_when_all_is_closed() {
        let drive = Drive::with_build("1", &[("a.txt", b"a"), ("d\\b.txt", b"b")]);
        drive.names("\\builds\\1\\d").unwrap();
        drive.bytes("\\builds\\latest\\d\\B.TXT").unwrap();
        drive.open("\\builds\\1\\d\\missing", READ).err().unwrap();
        assert_eq!(drive.tree.held_count(), 0);
    }
}
