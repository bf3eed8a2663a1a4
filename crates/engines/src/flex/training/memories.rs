//! The memories that any trace of tensors is tried with, a row for each.

use benchbook_core::{DType, Inputs, Problem, Result, Row, Setting, Subject};

use super::allocators::{JEMALLOC, Library, MIMALLOC, glibc_as_it_comes};
use super::pool::{Allocator, Memory, Pool};
use crate::flex::calls::failed;
use crate::flex::row::plain_row;

const F32: &[DType] = &[DType::F32];

/// A problem whose tensors may lie in any memory.
pub(super) trait Allocating: Problem {
    /// Numbers of its largest tensor.
    fn largest(params: &Self::Params) -> usize;

    /// Its loop, whose tensors lie in this memory.
    fn prepared<M: Memory + 'static>(
        name: &'static str,
        setting: &Setting,
        params: &Self::Params,
        inputs: &Inputs,
        memory: M,
    ) -> Box<dyn Subject>;
}

/// A row for each memory; of the first three, what they are for this problem, in a line each.
pub(super) const fn rows<P: Allocating>([pool, allocator, glibc]: [&'static str; 3]) -> [Row<P>; 5] {
    [
        plain_row::<P>("pool", pool, F32, |name, setting, params, inputs| {
            Ok(P::prepared(name, setting, params, inputs, Pool::default()))
        })
        .catalogue(&["TR3"]),
        plain_row::<P>("allocator", allocator, F32, |name, setting, params, inputs| {
            Ok(P::prepared(name, setting, params, inputs, Allocator))
        }),
        plain_row::<P>("glibc", glibc, F32, |name, setting, params, inputs| {
            glibc_as_it_comes(P::largest(params) * size_of::<f32>());
            Ok(P::prepared(name, setting, params, inputs, Allocator))
        })
        .on_request(),
        plain_row::<P>(
            "mimalloc",
            "as allocator, by mimalloc (Leijen, Zorn & de Moura, APLAS 2019), where the system has its library",
            F32,
            |name, setting, params, inputs| of_library::<P>(name, setting, params, inputs, &MIMALLOC),
        )
        .only(|_, _, _| MIMALLOC.is_here())
        .on_request(),
        plain_row::<P>(
            "jemalloc",
            "as allocator, by jemalloc (Evans, BSDCan 2006), where the system has its library",
            F32,
            |name, setting, params, inputs| of_library::<P>(name, setting, params, inputs, &JEMALLOC),
        )
        .only(|_, _, _| JEMALLOC.is_here())
        .on_request(),
    ]
}

fn of_library<P: Allocating>(
    name: &'static str,
    setting: &Setting,
    params: &P::Params,
    inputs: &Inputs,
    library: &Library,
) -> Result<Box<dyn Subject>> {
    let memory = library.open().map_err(|why| failed(name, &setting.device, &why))?;
    Ok(P::prepared(name, setting, params, inputs, memory))
}
