//! Where this user's programs keep what costs nothing but time to lose.

use std::path::PathBuf;

/// Our folder of that name in the user's cache, which may still have to be made; nothing where there is no home.
pub fn folder(name: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    Some(base(set("XDG_CACHE_HOME"), set("HOME"))?.join("benchbook").join(name))
}

/// Where caches lie; a variable that is no absolute path is not set (XDG Base Directory Specification 0.8).
fn base(cache: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: Option<PathBuf>| path.filter(|path| path.is_absolute());
    absolute(cache).or_else(|| Some(absolute(home)?.join(".cache")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cache_lies_at_an_absolute_path_or_nowhere() {
        let base = |cache: &str, home: &str| super::base(Some(cache.into()), Some(home.into()));
        assert_eq!(base("/c", "/h"), Some("/c".into()));
        for cache in ["", "c", "./c", "~/c"] {
            assert_eq!(base(cache, "/h"), Some("/h/.cache".into()), "{cache}");
        }
        assert_eq!(base("c", "h"), None);
        assert_eq!(super::base(None, None), None);
    }
}
