//! What sort of asset a file is, by its name.
//!
//! Its bytes are not looked at: a diff of two builds would have to read every file that changed.

use serde::Serialize;
use std::fmt;

/// What sort of asset a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Pictures and textures, and the files that pictures are made with.
    Picture,
    /// Sound and music.
    Sound,
    /// Films.
    Video,
    /// Models and animations.
    Model,
    /// Levels, scenes, prefabs, and what engines make assets into.
    Scene,
    /// Programs and libraries.
    Program,
    /// Source code, scripts and shaders.
    Code,
    /// Settings and tables.
    Data,
    /// Archives and packs, which hold files of all sorts.
    Container,
    /// Fonts.
    Font,
    /// Texts for people.
    Document,
    /// Everything else.
    Other,
}

/// Extensions in lower case by class. Where engines use one for several things, the most frequent counts.
const EXTENSIONS: [(Class, &[&str]); 11] = [
    (
        Class::Picture,
        &[
            "png", "jpg", "jpeg", "tga", "bmp", "dds", "ktx", "ktx2", "webp", "gif", "tif", "tiff", "exr", "hdr",
            "psd", "psb", "kra", "xcf", "svg", "ico", "icns", "basis", "astc", "pvr", "vtf", "ctex", "stex",
            "aseprite", "ase", "qoi", "pcx",
        ],
    ),
    (
        Class::Sound,
        &[
            "wav",
            "ogg",
            "oga",
            "mp3",
            "flac",
            "opus",
            "aif",
            "aiff",
            "m4a",
            "aac",
            "wma",
            "mid",
            "midi",
            "mod",
            "xm",
            "it",
            "s3m",
            "bnk",
            "wem",
            "fsb",
            "bank",
            "oggvorbisstr",
            "oggstr",
            "sample",
        ],
    ),
    (Class::Video, &["mp4", "webm", "ogv", "avi", "mkv", "mov", "bik", "bk2", "usm", "wmv", "m4v"]),
    (
        Class::Model,
        &[
            "fbx", "obj", "gltf", "glb", "blend", "dae", "3ds", "max", "ma", "mb", "stl", "ply", "spm", "b3d", "md2",
            "md3", "md5mesh", "mesh", "anim", "iqm", "abc", "usd", "usda", "usdc", "usdz", "skeleton",
        ],
    ),
    (
        Class::Scene,
        &[
            "unity",
            "prefab",
            "asset",
            "scene",
            "tscn",
            "scn",
            "tres",
            "res",
            "umap",
            "uasset",
            "uexp",
            "ubulk",
            "map",
            "bsp",
            "level",
            "lvl",
            "tmx",
            "tsx",
            "ldtk",
            "controller",
            "mat",
            "material",
            "playable",
            "wmf",
            "ress",
        ],
    ),
    (
        Class::Program,
        &[
            "exe", "dll", "so", "dylib", "a", "lib", "o", "pdb", "bin", "elf", "wasm", "dex", "class", "sys", "x86_64",
            "nro", "node",
        ],
    ),
    (
        Class::Code,
        &[
            "cs", "cpp", "c", "h", "hpp", "cc", "inl", "rs", "gd", "lua", "py", "js", "ts", "java", "kt", "swift", "m",
            "mm", "go", "as", "sh", "bat", "ps1", "cmake", "shader", "hlsl", "glsl", "vert", "frag", "geom", "comp",
            "cg", "cginc", "usf", "ush", "spv", "gdshader", "compute", "metal", "wgsl", "fx", "asmdef", "nut", "rb",
            "php", "html", "css",
        ],
    ),
    (
        Class::Data,
        &[
            "json",
            "jsonc",
            "json5",
            "yaml",
            "yml",
            "toml",
            "xml",
            "ini",
            "cfg",
            "conf",
            "config",
            "plist",
            "properties",
            "env",
            "csv",
            "tsv",
            "meta",
            "import",
            "godot",
            "uplugin",
            "uproject",
            "lock",
            "po",
            "mo",
            "pot",
            "resx",
            "strings",
            "sqlite",
            "db",
            "dat",
            "manifest",
        ],
    ),
    (
        Class::Container,
        &[
            "zip",
            "pak",
            "pck",
            "wad",
            "jar",
            "apk",
            "aab",
            "ipa",
            "obb",
            "7z",
            "rar",
            "tar",
            "gz",
            "tgz",
            "bz2",
            "xz",
            "zst",
            "bundle",
            "unity3d",
            "assetbundle",
            "utoc",
            "ucas",
            "vpk",
            "bsa",
            "ba2",
            "pk3",
            "pk4",
            "nsp",
            "pkg",
            "dmg",
            "iso",
            "cab",
            "msi",
            "unitypackage",
            "assets",
            "pk7",
            "love",
        ],
    ),
    (Class::Font, &["ttf", "otf", "woff", "woff2", "fnt", "bdf", "ttc", "pfb"]),
    (Class::Document, &["txt", "md", "rst", "pdf", "doc", "docx", "rtf", "odt", "log", "nfo", "tex"]),
];

impl Class {
    /// All classes, in the order in which they are told.
    pub const ALL: [Class; 12] = [
        Class::Picture,
        Class::Sound,
        Class::Video,
        Class::Model,
        Class::Scene,
        Class::Program,
        Class::Code,
        Class::Data,
        Class::Container,
        Class::Font,
        Class::Document,
        Class::Other,
    ];

    /// Returns the class of the file at `path`.
    pub fn of(path: &str) -> Class {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        // As libraries are named that have versions: libgame.so.6.
        if name.contains(".so.") {
            return Class::Program;
        }
        let Some((_, extension)) = name.rsplit_once('.') else { return Class::Other };
        let of_it = EXTENSIONS.iter().find(|(_, extensions)| extensions.contains(&extension));
        of_it.map_or(Class::Other, |(class, _)| *class)
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Class::Picture => "pictures",
            Class::Sound => "sound",
            Class::Video => "video",
            Class::Model => "models",
            Class::Scene => "scenes",
            Class::Program => "programs",
            Class::Code => "code",
            Class::Data => "data",
            Class::Container => "containers",
            Class::Font => "fonts",
            Class::Document => "documents",
            Class::Other => "other",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_by_the_name() {
        for (path, class) in [
            ("a/b/Rock.PNG", Class::Picture),
            ("music/theme.ogg", Class::Sound),
            ("lib/libgame.so.6.1", Class::Program),
            ("Game_Data/sharedassets0.assets", Class::Container),
            ("level.dir/noextension", Class::Other),
            ("Packages/packages-lock.json", Class::Data),
            ("folder.png/", Class::Other),
            ("", Class::Other),
        ] {
            assert_eq!(Class::of(path), class, "{path}");
        }
    }
}
