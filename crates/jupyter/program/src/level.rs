//! How far the compiler improves a cell: one that does no more than to call the library is there sooner as it is.

use benchbook_front::parts::{computes, defines};
use evcxr::CommandContext;

/// The variable by which cargo knows it; the description of the kernel sets it to the most.
const VARIABLE: &str = "CARGO_PROFILE_DEV_OPT_LEVEL";
const MOST: &str = "3";
const LEAST: &str = "0";

/// What evcxr compiles cells by.
pub(crate) struct Level {
    now: &'static str,
    /// Whether a cell has defined functions: each later cell compiles them again.
    has_functions: bool,
}

impl Level {
    pub(crate) fn new() -> Self {
        Self { now: MOST, has_functions: false }
    }

    /// Tells evcxr by what to compile this cell. `has_dependencies` says whether cargo compiles more than the cell.
    pub(crate) fn settle(&mut self, context: &mut CommandContext, code: &str, has_dependencies: bool) {
        let wanted = self.wanted(code, has_dependencies);
        // Where it cannot be told, the cell is compiled as the one before.
        if wanted != self.now && context.execute(&format!(":build_env {VARIABLE}={wanted}")).is_ok() {
            self.now = wanted;
        }
    }

    fn wanted(&mut self, code: &str, has_dependencies: bool) -> &'static str {
        self.has_functions |= defines(code);
        if has_dependencies || self.has_functions || computes(code) { MOST } else { LEAST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_that_do_nothing_by_themselves_are_compiled_as_they_are() {
        let mut level = Level::new();
        assert_eq!(level.wanted("lab.sql(\"select 1\")?", false), LEAST);
        assert_eq!(level.wanted("for x in y { f(x) }", false), MOST);
        assert_eq!(level.wanted("lab.sql(\"select 1\")?", true), MOST);
        assert_eq!(level.wanted("a", false), LEAST);
        assert_eq!([level.wanted("fn f() {}", false), level.wanted("f()", false)], [MOST, MOST]);
    }
}
