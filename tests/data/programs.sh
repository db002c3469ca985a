# What programs do to a folder beside copying: databases, compilers, editors, archives changed in place, git. Run in an
# empty folder by `programs.rs`; what it prints must not depend on where the folder is, and the time does not matter.
set -e

echo "== databases: three processes write at once, with a log in a shared map and with a journal"
python3 - << 'PYTHON'
import sqlite3, subprocess, sys
insert = """
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], timeout=60)
for n in range(10):
    base.execute("insert into t values (?)", (n,))
    base.commit()
"""
for name, mode in [("log.db", "wal"), ("journal.db", "delete")]:
    base = sqlite3.connect(name)
    print(base.execute("pragma journal_mode=" + mode).fetchone())
    base.execute("create table t (x)")
    writers = [subprocess.Popen([sys.executable, "-c", insert, name]) for _ in range(3)]
    print([writer.wait() for writer in writers])
    print(base.execute("select count(*), sum(x) from t").fetchone(), base.execute("pragma integrity_check").fetchone())
    base.close()
PYTHON

echo "== locks: what one process holds another does not get"
(flock 9; if flock -n lock true; then echo free; else echo held; fi) 9> lock

echo "== compilers: objects, archives, programs that run and are changed in place"
printf '#include <stdio.h>\nint main() { puts("ran"); }\n' > main.c
cc -c main.c && ar rcs library.a main.o && cc -o program main.o && ./program && strip program && ./program

echo "== editors: a new file takes the name of the old one"
echo one > text; sed -i s/one/two/ text; sed -i.old s/two/three/ text; cat text text.old
printf -- '--- text\n+++ text\n@@ -1 +1 @@\n-three\n+four\n' | patch -s; cat text
install -m 750 text installed; stat -c '%a %s' installed; ln -f text installed; cat installed
ln -s a pointer; ln -sfn b pointer; readlink pointer
exec 3> removed; rm removed; echo "still written" >&3; exec 3>&-
mkdir -p one/two; mv one/two three; mv -T three one/three; ls -R one

echo "== archives: changed in place"
zip -qr some.zip one main.c; zip -qd some.zip main.c; unzip -tq some.zip
tar cf some.tar main.c text; tar rf some.tar text.old; tar --delete -f some.tar text; tar tf some.tar

echo "== appending: four processes, no line lost"
for writer in 1 2 3 4; do (for n in $(seq 100); do echo "$writer $n" >> lines; done) & done; wait; sort -u lines | wc -l

echo "== space: holes, cuts and a large file that takes none"
truncate -s 100M huge; printf end | dd of=huge bs=1 seek=90M conv=notrunc status=none
fallocate --punch-hole --offset 0 --length 1M huge; fallocate --zero-range --offset 4096 --length 8192 huge
cp --sparse=auto huge copy; cmp huge copy; stat -c %s copy; rm huge copy

echo "== times: of files, links and folders, to the nanosecond"
touch -d '2001-02-03 04:05:06.789012345 UTC' text; TZ=UTC stat -c %y text
touch -h -d '1999-01-01 UTC' pointer; TZ=UTC stat -c %y pointer; touch -d '1960-01-01 00:00:00.5 UTC' one; TZ=UTC stat -c %y one

echo "== git: packs, work trees, stashes"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main repository; cd repository
for n in $(seq 30); do echo "$n" > "file$n"; done; chmod 755 file7; git add .; git commit -qm one
git repack -adq; git gc -q; git worktree add -q ../tree -b side; git -C ../tree rm -q file3; git -C ../tree commit -qm two
echo more >> file5; git stash -q; git merge -q side; git stash pop -q; git status --short; git fsck --no-progress --no-dangling; git clean -xdfq
