//! A shared library that defines names and does nothing, as bytes (ELF and the System V ABI for x86-64).
//!
//! Everything lies in one segment that is read and executed; only `.dynamic`, into which the loader of programs writes,
//! lies in one of its own.

/// Bytes of a page, on whose boundaries segments begin.
const PAGE: usize = 4096;
const HEADER: usize = 64;
const SEGMENT: usize = 56;
const SEGMENTS: usize = 4;
const SYMBOL: usize = 24;

/// A library with these symbols, functions or data; whoever calls one ends its process by SIGILL, with `message` on stderr.
pub fn library(symbols: &[String], message: &str) -> Vec<u8> {
    let count = symbols.len() + 1;
    let hashes_at = HEADER + SEGMENTS * SEGMENT;
    let table_at = (hashes_at + 4 * (2 + 2 * count)).next_multiple_of(8);
    let code_at = table_at + SYMBOL * count;
    let code = instructions(message);
    let names_at = code_at + code.len();

    // The first symbol is none, and has no name.
    let (mut table, mut names) = (vec![0; SYMBOL], vec![0]);
    let (mut buckets, mut chains) = (vec![0_u32; count], vec![0_u32; count]);
    for (symbol, index) in symbols.iter().zip(1_u32..) {
        table.extend(u32::to_le_bytes(names.len() as u32));
        // Global, a function, visible to all, in a section that is not the undefined one.
        table.extend([0x12, 0, 1, 0]);
        table.extend(word(code_at));
        table.extend(word(0));
        names.extend(symbol.bytes());
        names.push(0);
        let bucket = &mut buckets[hash(symbol) as usize % count];
        chains[index as usize] = std::mem::replace(bucket, index);
    }

    let read_only = names_at + names.len();
    let dynamic_at = read_only.next_multiple_of(PAGE);
    // DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_NULL
    let dynamic = [4, hashes_at, 5, names_at, 6, table_at, 10, names.len(), 11, SYMBOL, 0, 0].map(word).concat();

    let mut bytes = header();
    // PT_LOAD twice, PT_DYNAMIC, and PT_GNU_STACK: the stack is not executed.
    for (kind, flags, at, size, alignment) in [
        (1, 5, 0, read_only, PAGE),
        (1, 6, dynamic_at, dynamic.len(), PAGE),
        (2, 6, dynamic_at, dynamic.len(), 8),
        (0x6474_e551, 6, 0, 0, 16),
    ] {
        bytes.extend([kind, flags].map(u32::to_le_bytes).concat());
        bytes.extend([at, at, at, size, size, alignment].map(word).concat());
    }
    let hashes = [count as u32; 2].into_iter().chain(buckets).chain(chains);
    bytes.extend(hashes.flat_map(u32::to_le_bytes));
    bytes.resize(table_at, 0);
    bytes.extend(table);
    bytes.extend(code);
    bytes.extend(names);
    bytes.resize(dynamic_at, 0);
    bytes.extend(dynamic);
    bytes
}

fn word(number: usize) -> [u8; 8] {
    (number as u64).to_le_bytes()
}

/// The header of a shared object for x86-64 without sections, whose segments are described right behind it.
fn header() -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0, 1, 0, 0, 0];
    // No first instruction; where the segments are described, and no sections; no flags.
    bytes.extend([0, HEADER, 0].map(word).concat());
    bytes.extend([0; 4]);
    bytes.extend([HEADER, SEGMENT, SEGMENTS, 64, 0, 0].map(|size| (size as u16).to_le_bytes()).concat());
    bytes
}

/// Writes the message that follows to stderr, and ends the process.
fn instructions(message: &str) -> Vec<u8> {
    let code: [&[u8]; 7] = [
        // mov eax, 1 (write)
        &[0xb8, 1, 0, 0, 0],
        // mov edi, 2 (stderr)
        &[0xbf, 2, 0, 0, 0],
        // lea rsi, [rip + 9] (the message)
        &[0x48, 0x8d, 0x35, 9, 0, 0, 0],
        // mov edx, its length
        &[0xba],
        &u32::to_le_bytes(message.len() as u32),
        // syscall; ud2
        &[0x0f, 0x05, 0x0f, 0x0b],
        message.as_bytes(),
    ];
    code.concat()
}

/// The hash by which the loader looks for a name.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_hashes_of_the_abi() {
        // What `readelf --dyn-syms` and the example of the ABI give.
        assert_eq!(
            ["", "printf", "exit", "syscall", "flapenguin.me"].map(hash),
            [0, 0x0779_05a6, 0x0006_cf04, 0x0b09_985c, 0x0398_7915]
        );
    }
}
