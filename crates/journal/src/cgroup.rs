//! Limits that a control group (container, batch job) sets, in version 1 and version 2.

use crate::root::Root;

/// CPU time that the group may use, in CPUs: the least quota on the way up; nothing if unlimited.
pub fn cpu_quota(root: Root<'_>) -> Option<f64> {
    let unified = folders(root, "").filter_map(|folder| {
        let text = root.text(&format!("{folder}/cpu.max"))?;
        let (quota, period) = text.split_once(char::is_whitespace)?;
        share(quota.parse().ok()?, period.trim().parse().ok()?)
    });
    let separate = folders(root, "cpu").filter_map(|folder| {
        share(root.number(&format!("{folder}/cpu.cfs_quota_us"))?, root.number(&format!("{folder}/cpu.cfs_period_us"))?)
    });
    unified.chain(separate).min_by(f64::total_cmp)
}

/// Memory that the group may use, in bytes: the least limit on the way up; nothing if unlimited.
pub fn memory_limit_bytes(root: Root<'_>) -> Option<u64> {
    // Version 1 writes "unlimited" as a number near 2^63.
    const UNLIMITED: u64 = 1 << 60;
    let unified = folders(root, "").filter_map(|folder| root.number(&format!("{folder}/memory.max")));
    let separate = folders(root, "memory").filter_map(|folder| root.number(&format!("{folder}/memory.limit_in_bytes")));
    unified.chain(separate).filter(|&limit: &u64| limit > 0 && limit < UNLIMITED).min()
}

fn share(quota_us: i64, period_us: i64) -> Option<f64> {
    (quota_us > 0 && period_us > 0).then(|| quota_us as f64 / period_us as f64)
}

/// Folders of the process's group and all above it; `controller` is empty for version 2.
fn folders(root: Root<'_>, controller: &str) -> impl Iterator<Item = String> + use<> {
    let groups = root.text("proc/self/cgroup").unwrap_or_default();
    let found = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let here = if controller.is_empty() {
            controllers.is_empty()
        } else {
            controllers.split(',').any(|name| name == controller)
        };
        here.then(|| (controllers.to_owned(), path.trim_matches('/').to_owned()))
    });
    let mut folders = Vec::new();
    if let Some((controllers, path)) = found {
        let mut bases = vec![String::from("sys/fs/cgroup")];
        if !controller.is_empty() {
            bases = vec![format!("sys/fs/cgroup/{controllers}")];
            if controllers != controller {
                bases.push(format!("sys/fs/cgroup/{controller}"));
            }
        }
        for base in bases {
            let mut folder = base.clone();
            folders.push(base);
            // A path with `..` would leave the tree: it belongs to a group that is not visible.
            for part in path.split('/').take_while(|part| !part.is_empty() && *part != "..") {
                folder = format!("{folder}/{part}");
                folders.push(folder.clone());
            }
        }
    }
    folders.into_iter()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A folder that stands for `/`, with these files.
    fn tree(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn version_2_takes_the_least_on_the_way_up() {
        let tree = tree(&[
            ("proc/self/cgroup", "0::/user.slice/job\n"),
            ("sys/fs/cgroup/user.slice/cpu.max", "250000 100000\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/user.slice/job/memory.max", "2147483648\n"),
        ]);
        let root = Root(tree.path());
        assert_eq!(cpu_quota(root), Some(2.5));
        assert_eq!(memory_limit_bytes(root), Some(2 << 30));
    }

    #[test]
    fn version_1_with_joined_controllers() {
        let tree = tree(&[
            ("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        let root = Root(tree.path());
        assert_eq!(cpu_quota(root), Some(1.5));
        assert_eq!(memory_limit_bytes(root), None);
    }

    #[test]
    fn no_limit_and_nonsense_are_no_limit() {
        for (quota, period) in [("-1", "100000"), ("0", "100000"), ("1000", "0"), ("x", "y")] {
            let tree = tree(&[
                ("proc/self/cgroup", "3:cpu:/../up\nnonsense\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota),
                ("sys/fs/cgroup/cpu/cpu.cfs_period_us", period),
            ]);
            assert_eq!(cpu_quota(Root(tree.path())), None, "{quota}/{period}");
        }
        assert_eq!(cpu_quota(Root(tree(&[]).path())), None);
    }
}
