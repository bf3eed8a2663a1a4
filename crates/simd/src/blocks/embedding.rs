//! Rows of a table by their indices.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use super::copy::Same;
use super::write::{past_caches, seen, write};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::Soon;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// A table, and which of its rows are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Embedding<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[vocabulary, width]`
    pub table: &'a [f32],
    /// `[tokens]`, each a row of the table
    pub ids: &'a [i32],
    /// Instructions to use.
    pub isa: Isa,
}

/// For each token its row of the table, `[tokens, width]`. The row of the next token, which no processor can foresee, is asked
/// for while one is copied. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, rows that there are not, an instruction set that is absent.
pub fn embedding(call: &Embedding, out: &mut [f32]) -> Result<()> {
    let Embedding { width, table, ids, isa } = *call;
    let vocabulary = table.len().checked_div(width).unwrap_or(0);
    expect_len("the table", &[vocabulary, width], table.len())?;
    expect_len("the result", &[ids.len(), width], out.len())?;
    if let Some(id) = ids.iter().find(|id| !usize::try_from(**id).is_ok_and(|id| id < vocabulary || width == 0)) {
        return Err(Error::Shape(format!("row {id} is asked, the table has {vocabulary}")));
    }
    with_isa!(isa, |tools| run(&tools, call, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &Embedding, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let rows = each(call.ids.len(), call.width);
    let streams = past_caches(2 * out.len());
    parallel_for(out.chunks_mut(rows * call.width).zip(call.ids.chunks(rows)), |(to, ids)| {
        tools.run(Tokens { call, ids, to, streams });
    });
}

/// Some tokens.
struct Tokens<'a> {
    call: &'a Embedding<'a>,
    ids: &'a [i32],
    /// `[tokens, width]`
    to: &'a mut [f32],
    streams: bool,
}

impl Kernel for Tokens<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { call: Embedding { width, table, .. }, ids, to, streams } = self;
        let next = ids.iter().skip(1).chain(ids.last());
        for ((id, next), to) in ids.iter().zip(next).zip(to.chunks_exact_mut(*width)) {
            let (from, soon) = (&table[*id as usize * width..][..*width], Soon::of(&table[*next as usize * width..]));
            // SAFETY: as promised; both have as many numbers.
            unsafe { write::<V, _>(&Same { from, soon }, to, streams) };
        }
        seen(streams);
    }
}
