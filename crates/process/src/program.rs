//! What a program asks of the loader: its libraries, and the names that it wants of them, by their versions or without.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Largest section that is read, in bytes: a damaged file claims anything.
const MOST_BYTES: u64 = 1 << 28;

const DYNAMIC: u64 = 6;
const SYMBOLS: u64 = 11;
const VERSIONS_NEEDED: u64 = 0x6fff_fffe;
const VERSIONS: u64 = 0x6fff_ffff;

/// What the dynamic tables of a program say.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Libraries that it is linked with.
    pub libraries: Vec<String>,
    /// Those of them from which it wants names of certain versions, each with these.
    pub versioned: Vec<(String, Vec<String>)>,
    /// The names that it wants of certain versions, and cannot start without; each with its version.
    pub named: Vec<(String, String)>,
    /// Names without a version that it cannot start without.
    pub symbols: Vec<String>,
}

/// Where a section lies in its file, how many bytes it has, and the number of another that belongs to it.
#[derive(Clone, Copy)]
struct Section {
    kind: u64,
    at: u64,
    size: u64,
    link: u64,
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(size)?)?;
    Some(part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The name at a place in a table of names.
fn name(names: &[u8], at: u64) -> Option<String> {
    let rest = names.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

impl Program {
    /// The program that runs in this process; nothing where it is none of ELF in 64 bits, or wants what cannot be given to
    /// it from elsewhere.
    pub fn of_this_process() -> Option<Self> {
        Self::at(Path::new("/proc/self/exe"))
    }

    /// The program in a file; nothing as of [`Self::of_this_process`].
    pub fn at(path: &Path) -> Option<Self> {
        Self::read(&File::open(path).ok()?)
    }

    fn read(file: &File) -> Option<Self> {
        let bytes = |at: u64, size: u64| {
            let mut bytes = vec![0; usize::try_from(size).ok().filter(|_| size <= MOST_BYTES)?];
            file.read_exact_at(&mut bytes, at).ok()?;
            Some(bytes)
        };
        let header = bytes(0, 64)?;
        if header[..6] != *b"\x7fELF\x02\x01" {
            return None;
        }
        let sections = bytes(number(&header, 40, 8)?, number(&header, 60, 2)? * 64)?;
        let section = |one: &[u8]| {
            let [kind, at, size, link] = [(4, 4), (24, 8), (32, 8), (40, 4)].map(|(at, size)| number(one, at, size));
            Some(Section { kind: kind?, at: at?, size: size?, link: link? })
        };
        let sections: Vec<Section> = sections.chunks_exact(64).map(section).collect::<Option<_>>()?;
        let find = |kind: u64| sections.iter().find(|section| section.kind == kind);
        let content = |section: &Section| bytes(section.at, section.size);

        let symbols = find(SYMBOLS)?;
        let names = content(sections.get(usize::try_from(symbols.link).ok()?)?)?;
        let (dynamic, needed) = (content(find(DYNAMIC)?)?, content(find(VERSIONS_NEEDED)?)?);
        let libraries = dynamic.chunks_exact(16).filter(|entry| number(entry, 0, 8) == Some(1));
        let libraries = libraries.map(|entry| name(&names, number(entry, 8, 8)?)).collect::<Option<_>>()?;
        let (symbols, versions) = (content(symbols)?, content(find(VERSIONS)?)?);
        let versioned = versioned(&needed, &names)?;
        let version_of = |index: u64| {
            let (_, version) = versioned.iter().flat_map(|(_, all)| all).find(|(known, _)| *known == index)?;
            Some(version.clone())
        };
        let (mut named, mut wanted) = (Vec::new(), Vec::new());
        for (symbol, version) in symbols.chunks_exact(24).zip(versions.chunks_exact(2)).skip(1) {
            let (info, section) = (number(symbol, 4, 1)?, number(symbol, 6, 2)?);
            let version = number(version, 0, 2)? & 0x7fff;
            // Defined elsewhere, and not weak.
            if section == 0 && info >> 4 == 1 {
                let own = name(&names, number(symbol, 0, 4)?)?;
                if version > 1 {
                    named.push((own, version_of(version)?));
                } else if info & 15 == 6 {
                    // A variable of each thread.
                    return None;
                } else {
                    wanted.push(own);
                }
            }
        }
        let without_numbers = |(library, all): (String, Vec<(u64, String)>)| {
            (library, all.into_iter().map(|(_, version)| version).collect::<Vec<String>>())
        };
        let versioned = versioned.into_iter().map(without_numbers).collect();
        Some(Self { libraries, versioned, named, symbols: wanted })
    }
}

/// Libraries, each with the versions that are wanted of it, and the numbers by which names are of these.
fn versioned(needed: &[u8], names: &[u8]) -> Option<Vec<(String, Vec<(u64, String)>)>> {
    let library = |at: usize| {
        let versions = entries(needed, at.checked_add(usize::try_from(number(needed, at + 8, 4)?).ok()?)?)?;
        let versions =
            versions.into_iter().map(|at| Some((number(needed, at + 6, 2)?, name(names, number(needed, at + 8, 4)?)?)));
        Some((name(names, number(needed, at + 4, 4)?)?, versions.collect::<Option<Vec<_>>>()?))
    };
    entries(needed, 0)?.into_iter().map(library).collect()
}

/// Where the entries of a list lie, of which each says at its byte 12 how far it is to the next.
fn entries(list: &[u8], first: usize) -> Option<Vec<usize>> {
    let (mut found, mut at) = (Vec::new(), first);
    loop {
        found.push(at);
        match number(list, at.checked_add(12)?, 4)? {
            0 => return Some(found),
            next => at = at.checked_add(usize::try_from(next).ok()?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The versions of the C library that a program wants.
    fn of_c_library(program: &Program) -> &[String] {
        let found = program.versioned.iter().find(|(library, _)| library == "libc.so.6");
        found.map_or(&[], |(_, versions)| versions.as_slice())
    }

    #[test]
    fn this_program_wants_versions_of_the_c_library_and_nothing_else_of_it() {
        let program = Program::of_this_process().expect("a test is a program");
        assert!(program.libraries.iter().any(|name| name == "libc.so.6"), "{:?}", program.libraries);
        let versions = of_c_library(&program);
        assert!(!versions.is_empty() && versions.iter().all(|name| name.starts_with("GLIBC_")), "{versions:?}");
        assert!(!program.symbols.iter().any(|name| name == "memcpy"), "{program:?}");
        // Since glibc 2.14 it is one that may not overlap (its NEWS).
        let of_memcpy: Vec<&String> =
            program.named.iter().filter(|(name, _)| name == "memcpy").map(|(_, version)| version).collect();
        assert_eq!(of_memcpy, if cfg!(target_arch = "x86_64") { ["GLIBC_2.14"] } else { ["GLIBC_2.17"] });
        let all: Vec<&String> = program.versioned.iter().flat_map(|(_, versions)| versions).collect();
        assert!(program.named.iter().all(|(_, version)| all.contains(&version)), "{program:?}");
    }

    #[test]
    fn what_is_damaged_is_no_program() {
        let whole = std::fs::read("/bin/sh").expect("it can be read");
        let file = |bytes: &[u8]| {
            let path = std::env::temp_dir().join(format!("benchbook-program-{}", std::process::id()));
            let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
            std::fs::remove_file(&path)?;
            file.write_all(bytes).map(|()| file)
        };
        let read = |bytes: &[u8]| Program::read(&file(bytes).expect("a temporary file"));
        assert!(read(&whole).is_some_and(|shell| of_c_library(&shell).iter().any(|name| name.starts_with("GLIBC_"))));
        for length in [0, 63, 64, 1000, whole.len() / 2, whole.len() - 1] {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
        for (at, byte) in [(0, 0), (4, 1), (45, 0xff), (47, 0xff), (60, 0), (61, 0xff)] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            assert_eq!(read(&bytes), None, "byte {at}");
        }
    }
}
