//! What a cell shows while it runs, in places that it can change. Stock evcxr shows it when the cell has ended.

use uuid::Uuid;

use super::is_ours;
use crate::display::{Bundle, Show};

/// Shows something at once, in the middle of a cell.
pub fn display(value: &(impl Show + ?Sized)) {
    show(value.bundle(), None, false);
}

/// Shows something at once, and gives its place a name, by which [`update`] finds it.
pub fn display_as(name: &str, value: &(impl Show + ?Sized)) {
    show(value.bundle(), Some(name), false);
}

/// Shows something in the place of what was shown under this name, in whatever cell; nowhere where there is no such place.
pub fn update(name: &str, value: &(impl Show + ?Sized)) {
    show(value.bundle(), Some(name), true);
}

/// Takes away what the cell has shown so far: at once, or when it shows the next thing, by which nothing flickers.
pub fn clear_output(wait: bool) {
    if is_ours() {
        Bundle::clear(wait);
    }
}

#[inline(never)]
fn show(bundle: Bundle, name: Option<&str>, again: bool) {
    if is_ours() {
        let name = name.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        bundle.emit_as(&name, again);
    } else {
        bundle.emit();
    }
}
