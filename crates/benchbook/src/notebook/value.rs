//! The last value of a cell, shown by a form of its own, or else as `{:?}` shows it: chosen while the cell is compiled,
//! once, where evcxr compiles again.

use std::any::type_name;
use std::convert::Infallible;
use std::fmt::Debug;

use crate::display::{Bundle, Show};

/// A value of a cell.
pub struct Value<'a, T: ?Sized>(pub &'a T);

/// How a value is shown that has a form of its own.
pub trait ByForm {
    /// Shows it.
    fn show_value(&self);
}

/// How any other value is shown. It is implemented for a reference, so that [`ByForm`] is found first.
pub trait ByDebug {
    /// Shows it; nothing where it is `()`.
    fn show_value(&self);
}

impl<T: Show + ?Sized> ByForm for Value<'_, T> {
    fn show_value(&self) {
        self.0.bundle().send();
    }
}

impl<T: Debug + ?Sized> ByDebug for &Value<'_, T> {
    fn show_value(&self) {
        by_debug(type_name::<T>(), &self.0);
    }
}

// Each cell compiles anew what takes any type.
#[inline(never)]
fn by_debug(kind: &str, value: &dyn Debug) {
    if kind != "()" {
        Bundle::plain(format!("{value:?}")).emit();
    }
}

/// Shows a value; the Jupyter kernel writes it around the last one of a cell.
#[macro_export]
macro_rules! notebook_show {
    ($value:expr) => {{
        use $crate::notebook::{ByDebug as _, ByForm as _};
        (&$crate::notebook::Value(&$value)).show_value();
    }};
}

pub use crate::notebook_show as show;

/// A type that no value has: what the compiler says instead of it is the type of a variable.
///
/// Since it is generic, what the compiler finds is named in a note too, with whole paths where a name is ambiguous.
pub enum TypeOfVariable<T> {
    /// No value can be made of it.
    Never(T, Infallible),
}
