//! Codes of fewer than eight bits without the gaps between them.

/// Which bits of a byte the first of its codes has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The lowest: of four bits the low nibble, as in ONNX.
    LowFirst,
    /// The highest: of four bits the high nibble, as in bitsandbytes and in the MX blocks of torchao.
    HighFirst,
}

/// Bytes of a row of `width` codes of so many bits.
pub(crate) const fn bytes_of(width: usize, bits: u32) -> usize {
    (width * bits as usize).div_ceil(8)
}

/// Rows of `width` codes, of 1 to 8 bits each and one in a byte, without gaps: each row begins with a byte of its own, whose
/// last bits may be left over and are zero.
///
/// # Panics
/// If these are no whole rows, or of 0 or more than 8 bits: errors of the code that asks.
pub fn packed(codes: &[u8], width: usize, bits: u32, order: Order) -> Vec<u8> {
    check(codes.len(), width, bits);
    let mut bytes = Vec::with_capacity(codes.len() / width.max(1) * bytes_of(width, bits));
    for row in codes.chunks_exact(width.max(1)) {
        // A byte more, into which the last code may be said to reach.
        let mut to = vec![0; bytes_of(width, bits) + 1];
        for (index, code) in row.iter().enumerate() {
            let (byte, shift) = place(index, bits, order);
            let word = (u16::from(*code) << shift).to_le_bytes();
            let word = if order == Order::LowFirst { word } else { [word[1], word[0]] };
            to[byte] |= word[0];
            to[byte + 1] |= word[1];
        }
        to.pop();
        bytes.extend(to);
    }
    bytes
}

/// The codes of rows that [`packed`] has packed, one in a byte.
///
/// # Panics
/// If these are no whole rows, or of 0 or more than 8 bits: errors of the code that asks.
pub fn unpacked(bytes: &[u8], width: usize, bits: u32, order: Order) -> Vec<u8> {
    let row = bytes_of(width, bits);
    check(bytes.len(), row, bits);
    let one = |row: &[u8], index: usize| {
        let (byte, shift) = place(index, bits, order);
        let word = [row[byte], *row.get(byte + 1).unwrap_or(&0)];
        let word = if order == Order::LowFirst { u16::from_le_bytes(word) } else { u16::from_be_bytes(word) };
        (word >> shift) as u8 & (u8::MAX >> (8 - bits))
    };
    bytes.chunks_exact(row.max(1)).flat_map(|row| (0..width).map(move |index| one(row, index))).collect()
}

/// The first of the two bytes that a code may lie in, and the bits of the word that they make below it.
const fn place(index: usize, bits: u32, order: Order) -> (usize, u32) {
    let first = index * bits as usize;
    let within = (first % 8) as u32;
    (first / 8, if matches!(order, Order::LowFirst) { within } else { 16 - bits - within })
}

fn check(length: usize, row: usize, bits: u32) {
    assert!((1..=8).contains(&bits), "codes have 1 to 8 bits, not {bits}");
    assert!(length.is_multiple_of(row.max(1)) && (row > 0 || length == 0), "{length} are no whole rows of {row}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nibbles_and_codes_of_six_bits_lie_where_the_order_says() {
        let nibbles = [1, 2, 15, 3, 4, 8];
        assert_eq!(packed(&nibbles, 3, 4, Order::LowFirst), [0x21, 0x0f, 0x43, 0x08]);
        assert_eq!(packed(&nibbles, 3, 4, Order::HighFirst), [0x12, 0xf0, 0x34, 0x80]);
        let six = [0b00_0001, 0b10_0000, 0b11_1111, 0b01_0101];
        assert_eq!(packed(&six, 4, 6, Order::LowFirst), [0b0000_0001, 0b1111_1000, 0b0101_0111]);
        assert_eq!(packed(&six, 4, 6, Order::HighFirst), [0b0000_0110, 0b0000_1111, 0b1101_0101]);
    }

    #[test]
    fn rows_of_nothing_are_nothing() {
        assert!(packed(&[], 0, 4, Order::LowFirst).is_empty() && unpacked(&[], 0, 4, Order::LowFirst).is_empty());
    }

    proptest! {
        #[test]
        fn codes_come_back_as_they_were_packed(
            (width, bits, codes) in (1..20_usize, 0..20_usize, 1..=8_u32).prop_flat_map(|(width, rows, bits)| {
                (Just(width), Just(bits), proptest::collection::vec(0..=u8::MAX >> (8 - bits), width * rows))
            }),
            low in any::<bool>(),
        ) {
            let order = if low { Order::LowFirst } else { Order::HighFirst };
            let bytes = packed(&codes, width, bits, order);
            prop_assert_eq!(bytes.len(), codes.len() / width * bytes_of(width, bits));
            prop_assert_eq!(unpacked(&bytes, width, bits, order), codes);
        }
    }
}
