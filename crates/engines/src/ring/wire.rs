//! What travels between processes: numbers, in the byte order of the machine that all of them run on.

use std::io::{self, Error, Read, Write};

use benchbook_workloads::attention::ring::{Layout, Ring};

use super::round::{Broken, Order, Reply, Used, Which};

/// The first word of a worker that is ready; a program that does not begin with it is none, or of another version.
const READY: u64 = 0x0001_676e_6972_6262;

const DONE: u64 = 1;
const ROWS: u64 = 2;
const BROKEN_HERE: u64 = 3;
const BROKEN_ELSEWHERE: u64 = 4;

const JOIN: u64 = 1;
const CALL: u64 = 2;
const GIVE: u64 = 3;
const WRITE: u64 = 4;

/// The longest text that is taken from the other end.
const TEXT: usize = 1 << 16;

/// The most numbers that an order carries: beyond any that is given, and no burden.
const VALUES: usize = 1 << 24;

/// Writes whole numbers.
pub fn write_numbers(to: &mut impl Write, numbers: &[u64]) -> io::Result<()> {
    numbers.iter().try_for_each(|number| to.write_all(&number.to_ne_bytes()))
}

/// Reads a whole number.
pub fn read_number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Reads a size.
pub fn read_size(from: &mut impl Read) -> io::Result<usize> {
    usize::try_from(read_number(from)?).map_err(|_| wrong("a size beyond all memory"))
}

/// Writes how many there are, then the numbers.
pub fn write_floats(to: &mut impl Write, numbers: &[f32]) -> io::Result<()> {
    write_numbers(to, &[numbers.len() as u64])?;
    to.write_all(bytemuck::cast_slice(numbers))
}

/// Reads what [`write_floats`] wrote into `numbers`, which must have room for all.
pub fn read_floats(from: &mut impl Read, numbers: &mut Vec<f32>) -> io::Result<()> {
    let count = read_size(from)?;
    if count > numbers.capacity() {
        return Err(wrong(&format!("{count} numbers where there is room for {}", numbers.capacity())));
    }
    numbers.resize(count, 0.0);
    from.read_exact(bytemuck::cast_slice_mut(numbers))
}

/// Writes the sizes of a ring.
pub fn write_ring(to: &mut impl Write, ring: &Ring) -> io::Result<()> {
    let sizes = [ring.heads, ring.kv_heads, ring.seq, ring.head_dim, ring.workers].map(|size| size as u64);
    write_numbers(to, &sizes)?;
    write_numbers(to, &[u64::from(ring.causal), u64::from(ring.layout == Layout::Zigzag)])
}

/// Reads the sizes of a ring.
pub fn read_ring(from: &mut impl Read) -> io::Result<Ring> {
    let mut sizes = [0; 5];
    for size in &mut sizes {
        *size = read_size(from)?;
    }
    let [heads, kv_heads, seq, head_dim, workers] = sizes;
    let causal = read_number(from)? != 0;
    let layout = if read_number(from)? == 0 { Layout::Contiguous } else { Layout::Zigzag };
    Ok(Ring { heads, kv_heads, seq, head_dim, workers, causal, layout })
}

/// Writes an order and sends it off.
pub fn write_order(to: &mut impl Write, order: &Order) -> io::Result<()> {
    match order {
        Order::Join => write_numbers(to, &[JOIN])?,
        Order::Call(copy) => write_numbers(to, &[CALL, *copy as u64])?,
        Order::Give => write_numbers(to, &[GIVE])?,
        Order::Write { input, first, values } => {
            write_numbers(to, &[WRITE, *input as u64, *first as u64])?;
            write_floats(to, values)?;
        }
    }
    to.flush()
}

/// Reads an order.
pub fn read_order(from: &mut impl Read) -> io::Result<Order> {
    match read_number(from)? {
        JOIN => Ok(Order::Join),
        CALL => Ok(Order::Call(read_size(from)?)),
        GIVE => Ok(Order::Give),
        WRITE => {
            let (which, first, count) = (read_size(from)?, read_size(from)?, read_size(from)?);
            let input =
                Which::ALL.get(which).map(|(_, input)| *input).ok_or_else(|| wrong("there is no such input"))?;
            if count > VALUES {
                return Err(wrong(&format!("{count} numbers in one order")));
            }
            let mut values = vec![0.0; count];
            from.read_exact(bytemuck::cast_slice_mut(&mut values))?;
            Ok(Order::Write { input, first, values })
        }
        other => Err(wrong(&format!("{other} is no order"))),
    }
}

/// Writes a reply and sends it off.
pub fn write_reply(to: &mut impl Write, reply: &Reply) -> io::Result<()> {
    match reply {
        Reply::Ready => write_numbers(to, &[READY])?,
        Reply::Done(Used { held, resident }) => {
            // None is 0, anything else one more.
            let resident = resident.map_or(0, |bytes| bytes as u64 + 1);
            write_numbers(to, &[DONE, *held as u64, resident])?;
        }
        Reply::Rows(rows) => {
            write_numbers(to, &[ROWS])?;
            write_floats(to, rows)?;
        }
        Reply::Failed(Broken::Here(why) | Broken::Gone(why)) => {
            let text = &why.as_bytes()[..why.len().min(TEXT)];
            write_numbers(to, &[BROKEN_HERE, text.len() as u64])?;
            to.write_all(text)?;
        }
        Reply::Failed(Broken::Elsewhere) => write_numbers(to, &[BROKEN_ELSEWHERE])?,
    }
    to.flush()
}

/// Reads a reply, with at most `rows` numbers.
pub fn read_reply(from: &mut impl Read, rows: usize) -> io::Result<Reply> {
    match read_number(from)? {
        READY => Ok(Reply::Ready),
        DONE => {
            let (held, resident) = (read_size(from)?, read_size(from)?);
            Ok(Reply::Done(Used { held, resident: resident.checked_sub(1) }))
        }
        ROWS => {
            let mut numbers = Vec::with_capacity(rows);
            read_floats(from, &mut numbers)?;
            Ok(Reply::Rows(numbers))
        }
        BROKEN_HERE => {
            let mut text = vec![0; read_size(from)?.min(TEXT)];
            from.read_exact(&mut text)?;
            Ok(Reply::Failed(Broken::Here(String::from_utf8_lossy(&text).into_owned())))
        }
        BROKEN_ELSEWHERE => Ok(Reply::Failed(Broken::Elsewhere)),
        _ => Err(wrong("it speaks another language, and is no worker of this version")),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_as_it_was_sent() {
        let written = Order::Write { input: Which::Value, first: 3, values: vec![0.5, -2.0] };
        for order in [Order::Join, Order::Call(7), Order::Give, written] {
            let mut bytes = Vec::new();
            write_order(&mut bytes, &order).unwrap();
            assert_eq!(read_order(&mut &bytes[..]).unwrap(), order);
        }
        for reply in [
            Reply::Ready,
            Reply::Done(Used { held: 5, resident: None }),
            Reply::Done(Used { held: 5, resident: Some(0) }),
            Reply::Rows(vec![1.5, f32::INFINITY]),
            Reply::Failed(Broken::Here("não".into())),
            Reply::Failed(Broken::Elsewhere),
        ] {
            let mut bytes = Vec::new();
            write_reply(&mut bytes, &reply).unwrap();
            assert_eq!(read_reply(&mut &bytes[..], 2).unwrap(), reply);
        }
        let (causal, layout) = (true, Layout::Zigzag);
        let ring = Ring { heads: 4, kv_heads: 2, seq: 1 << 21, head_dim: 16, workers: 32, causal, layout };
        let mut bytes = Vec::new();
        write_ring(&mut bytes, &ring).unwrap();
        assert_eq!(read_ring(&mut &bytes[..]).unwrap(), ring);
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_an_error() {
        let mut bytes = Vec::new();
        write_floats(&mut bytes, &[1.0, 2.0]).unwrap();
        for end in 0..bytes.len() {
            assert!(read_floats(&mut &bytes[..end], &mut Vec::with_capacity(2)).is_err());
        }
        let message = read_floats(&mut &bytes[..], &mut Vec::with_capacity(1)).unwrap_err().to_string();
        assert!(message.contains("room for 1"), "{message}");
        assert!(read_order(&mut &b"GET / HTTP/1.1"[..]).is_err());
        assert!(read_reply(&mut &b"Usage: sleep"[..], 2).unwrap_err().to_string().contains("another language"));
    }
}
