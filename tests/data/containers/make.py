#!/usr/bin/env python3
"""Makes the sample containers of this folder, where it stands, with the tools that people make them with.

Needs zip, 7z, GNU tar, gcc, x86_64-w64-mingw32-gcc, osslsigncode and godot3-server. For formats whose tools are not free, or not
at hand, the bytes are put together here after their descriptions; src/lens names these.
"""

import hashlib
import io
import os
import struct
import subprocess
import tempfile
import wave
import zipfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEXT = b"the same words again and again, " * 8
NOISE = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(12))


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def zips():
    with zipfile.ZipFile(HERE / "python.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"a comment behind the end record"
        for n in range(3):
            archive.writestr(zipfile.ZipInfo(f"assets/{n}.txt"), TEXT)
        archive.writestr(zipfile.ZipInfo("noise.bin"), NOISE)
    # Written to what cannot seek, with records of zip64.
    with zipfile.ZipFile(HERE / "large.zip", "w") as archive:
        with archive.open(zipfile.ZipInfo("large.bin"), "w", force_zip64=True) as member:
            member.write(TEXT)
    force_zip64_end(HERE / "large.zip")
    inner = (HERE / "python.zip").read_bytes()
    with zipfile.ZipFile(HERE / "nested.jar", "w") as archive:
        archive.writestr(zipfile.ZipInfo("lib/inner.jar"), inner)
        archive.writestr(zipfile.ZipInfo("b.txt"), b"stored behind the archive inside")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.txt").write_bytes(TEXT)
        Path(folder, "noise.bin").write_bytes(NOISE)
        run("zip", "-qX", "info.apk", "a.txt", "noise.bin", cwd=folder)
        (HERE / "info.apk").write_bytes(Path(folder, "info.apk").read_bytes())
        run("7z", "a", "sample.7z", "a.txt", "noise.bin", cwd=folder)
        (HERE / "sample.7z").write_bytes(Path(folder, "sample.7z").read_bytes())


def force_zip64_end(path):
    """Adds the zip64 records to an end record, as an archive beyond 4 GiB has them."""
    data = path.read_bytes()
    end = data.rindex(b"PK\5\6")
    count, length, offset = struct.unpack_from("<HII", data, end + 10)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:end] + record + locator + last)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("large.bin") == TEXT


def tars():
    """With a path that has no room in a header, and with blocks no longer than they must be."""
    long = "a folder with a long name/" * 7
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, long).mkdir(parents=True)
        Path(folder, "a.txt").write_bytes(TEXT)
        Path(folder, "b.txt").symlink_to("a.txt")
        Path(folder, "empty.bin").touch()
        Path(folder, long, "noise.bin").write_bytes(NOISE)
        for name, options in [("gnu", []), ("pax", ["--pax-option=delete=atime,delete=ctime"])]:
            run("tar", "-c", "-b1", f"--format={name}", *options, "--mtime=@0", "--mode=644", "--owner=0", "--group=0",
                "--numeric-owner", "-f", HERE / f"{name}.tar", "a.txt", "b.txt", "empty.bin", f"{long}noise.bin", cwd=folder)


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + NOISE[n * 24 : n * 24 + 24] for n in range(8))
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def programs():
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "a.c")
        source.write_text("int a = 1; void _start(void) { for (;;) a += 2; } void mainCRTStartup(void) { _start(); }\n")
        small = ["-nostdlib", "-Os", "-Wl,--build-id=none"]
        tight = ["-Wl,-z,noseparate-code", "-Wl,-z,max-page-size=16"]
        run("gcc", "-static", *small, *tight, "-s", "-o", HERE / "program.elf", source)
        run("gcc", "-c", "-Os", "-o", HERE / "object.elf", source)
        run("x86_64-w64-mingw32-gcc", *small, "-o", HERE / "symbols.exe", source)
        run("x86_64-w64-mingw32-gcc", *small, "-s", "-o", f"{folder}/plain.exe", source)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a", "-keyout", f"{folder}/key", "-out",
            f"{folder}/certificate", stderr=subprocess.DEVNULL)
        (HERE / "signed.exe").unlink(missing_ok=True)
        run("osslsigncode", "sign", "-certs", f"{folder}/certificate", "-key", f"{folder}/key", "-in", f"{folder}/plain.exe",
            "-out", HERE / "signed.exe")


def godot3():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "project.godot").write_text('config_version=4\n[application]\nconfig/name="probe"\n')
        Path(folder, "main.tscn").write_text('[gd_scene format=2]\n[node name="Main" type="Node"]\n')
        Path(folder, "export_presets.cfg").write_text(
            '[preset.0]\nname="pack"\nplatform="Linux/X11"\nrunnable=true\ncustom_features=""\n'
            'export_filter="all_resources"\ninclude_filter=""\nexclude_filter=""\nexport_path=""\n'
            'patch_list=PoolStringArray(  )\nscript_export_mode=1\nscript_encryption_key=""\n[preset.0.options]\n')
        # The export ends in an error where no export templates are, after the pack was written.
        subprocess.run(["godot3-server", "--path", folder, "--export-pack", "pack", f"{folder}/a.pck"], timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
        (HERE / "godot3.pck").write_bytes(Path(folder, "a.pck").read_bytes())


def godot4(version, start=0):
    files = [(b"res://main.tscn\0", TEXT), (b"res://noise.bin\0", NOISE)]
    directory_len = 4 + sum(4 + len(path) + 36 for path, _ in files)
    header_len = 32 + 64 if version == 2 else 40 + 64
    base = header_len + directory_len if version == 2 else header_len
    base += -base % 32
    directory, data = struct.pack("<I", len(files)), b""
    for path, content in files:
        directory += struct.pack("<I", len(path)) + path
        directory += struct.pack("<QQ16sI", len(data), len(content), hashlib.md5(content).digest(), 0)
        data += content + b"\0" * (-len(content) % 32)
    head = struct.pack("<4sIIIIIQ", b"GDPC", version, 4, 5, 0, 2, base)
    if version == 2:
        return (head + bytes(64) + directory).ljust(base, b"\0") + data
    head += struct.pack("<Q", base + len(data)) + bytes(64)
    return head.ljust(base, b"\0") + data + directory


def unity():
    texts = b"5.x.x\x002021.3.16f1\0"
    header_len = 12 + len(texts) + 20
    padding = -header_len % 16
    # One block and one file, unpacked, as version 7 lists them.
    node = struct.pack(">QQI", 0, len(NOISE), 4) + b"CAB-1\0"
    blocks = bytes(16) + struct.pack(">IIIH", 1, len(NOISE), len(NOISE), 0) + struct.pack(">I", 1) + node
    size = header_len + padding + len(blocks) + len(NOISE)
    head = b"UnityFS\0" + struct.pack(">I", 7) + texts + struct.pack(">QIII", size, len(blocks), len(blocks), 0x40)
    return head + bytes(padding) + blocks + NOISE


def unreal(version, names=0, frozen=b""):
    def entry(offset):
        return struct.pack("<QQQI", offset, len(NOISE), len(NOISE), 0) + hashlib.sha1(NOISE).digest() + bytes(5)

    data = entry(0) + NOISE
    path = b"a.uasset\0"
    index = struct.pack("<I", 10) + b"../../../\0" + struct.pack("<II", 1, len(path)) + path + entry(0)
    footer = bytes(16) if version >= 7 else b""
    footer += b"\0" if version >= 4 else b""
    footer += struct.pack("<IIQQ", 0x5A6F12E1, version, len(data), len(index)) + hashlib.sha1(index).digest()
    return data + index + footer + frozen + b"Zlib".ljust(32, b"\0") * names


def switch(magic, entry_format):
    """With names filled up, as packers do."""
    files = [("a.nca", TEXT), ("b.nca", NOISE)]
    names, entries, data = b"", b"", b""
    for name, content in files:
        digest = hashlib.sha256(content).digest()
        fields = (len(data), len(content), len(names), len(content), digest)
        entries += struct.pack(entry_format, *fields[:3 if magic == b"PFS0" else 5])
        names += name.encode() + b"\0"
        data += content
    names = names.ljust(32, b"\0")
    return struct.pack("<4sIII", magic, len(files), len(names), 0) + entries + names + data


def ogg():
    def page(flags, number, lens, data):
        head = struct.pack("<4sBBQIIIB", b"OggS", 0, flags, number, 7, number, 0, len(lens)) + bytes(lens)
        return head + data

    return page(2, 0, [30], NOISE[:30]) + page(0, 1, [255, 45], NOISE[:300]) + page(4, 2, [100], NOISE[:100])


def wav():
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(22050)
        sound.writeframes(NOISE)
    return out.getvalue()


def glb():
    text = b'{"asset":{"version":"2.0"}}     '
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(NOISE), b"BIN\0") + NOISE
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def id_software():
    entry = b"maps/start.bsp".ljust(56, b"\0") + struct.pack("<II", 12, len(NOISE))
    (HERE / "quake.pak").write_bytes(struct.pack("<4sII", b"PACK", 12 + len(NOISE), len(entry)) + NOISE + entry)
    lumps = struct.pack("<II8s", 0, 0, b"MAP01") + struct.pack("<II8s", 12, len(NOISE), b"THINGS")
    (HERE / "doom.wad").write_bytes(struct.pack("<4sII", b"PWAD", 2, 12 + len(NOISE)) + NOISE + lumps)


def main():
    zips()
    tars()
    programs()
    godot3()
    id_software()
    (HERE / "picture.png").write_bytes(png())
    (HERE / "sound.wav").write_bytes(wav())
    (HERE / "godot42.pck").write_bytes(godot4(2))
    (HERE / "godot45.pck").write_bytes(godot4(3))
    pack = godot4(3)
    program = (HERE / "program.elf").read_bytes()
    program += bytes(-len(program) % 8)
    (HERE / "game.elf").write_bytes(program + pack + struct.pack("<Q4s", len(pack), b"GDPC"))
    (HERE / "bundle.unity3d").write_bytes(unity())
    for name, data in [("v3", unreal(3)), ("v7", unreal(7)), ("v8a", unreal(8, 4)), ("v9", unreal(9, 5, b"\0")),
                       ("v11", unreal(11, 5))]:
        (HERE / f"unreal-{name}.pak").write_bytes(data)
    (HERE / "game.nsp").write_bytes(switch(b"PFS0", "<QQI4x"))
    (HERE / "secure.hfs0").write_bytes(switch(b"HFS0", "<QQII8x32s"))
    (HERE / "stream.ogg").write_bytes(ogg())
    (HERE / "model.glb").write_bytes(glb())


main()
