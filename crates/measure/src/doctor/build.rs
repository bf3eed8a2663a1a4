//! How the kernels were built.

use super::finding::{Area, Finding, Level};

const REMEDY: &str = "cargo build --release --package benchbook-worker";

pub(super) fn findings(profile: &str, debug_assertions: bool) -> Vec<Finding> {
    if debug_assertions {
        return vec![
            Finding::new(
                Area::Build,
                Level::Problem,
                format!("the worker has debug assertions (profile {profile}): its times are worthless"),
            )
            .remedy(REMEDY),
        ];
    }
    if profile != "release" {
        return vec![
            Finding::new(
                Area::Build,
                Level::Warning,
                format!("the worker was built with profile {profile}: its times compare only with their like"),
            )
            .remedy(REMEDY),
        ];
    }
    vec![Finding::new(Area::Build, Level::Good, "the worker is optimised (profile release)")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_optimised_worker_is_good() {
        for (profile, assertions, level) in [
            ("release", false, Level::Good),
            ("release", true, Level::Problem),
            ("debug", true, Level::Problem),
            ("profiling", false, Level::Warning),
        ] {
            let found = findings(profile, assertions);
            assert_eq!(found[0].level, level, "{profile}");
            assert_eq!(found[0].remedy.is_none(), level == Level::Good);
        }
    }
}
