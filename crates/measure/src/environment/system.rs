//! Operating system, kernel, clock source, and who the host is without naming it.

use serde::Serialize;

use super::Root;

/// The operating system; nothing where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct System {
    /// Name and version of the distribution, else of the operating system.
    pub os: Option<String>,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Architecture of the instruction set (`x86_64`, `aarch64`).
    pub architecture: String,
    /// 16 hexadecimal digits that tell hosts apart and do not name them.
    pub hostname_hash: Option<String>,
    /// Clock source of the kernel (`tsc`).
    pub clocksource: Option<String>,
    /// Clock sources that the kernel offers.
    pub clocksources: Vec<String>,
}

impl System {
    pub(super) fn read(root: Root<'_>, os: &str, architecture: &str) -> Self {
        let clocks = "sys/devices/system/clocksource/clocksource0";
        let release = root.text("etc/os-release").or_else(|| root.text("usr/lib/os-release"));
        let machine = root.text("etc/machine-id").unwrap_or_default();
        Self {
            os: release.as_deref().and_then(pretty_name).or_else(|| Some(os.to_owned())),
            kernel: root.text("proc/sys/kernel/osrelease"),
            architecture: architecture.to_owned(),
            hostname_hash: root.text("proc/sys/kernel/hostname").map(|name| hostname_hash(&name, &machine)),
            clocksource: root.text(&format!("{clocks}/current_clocksource")),
            clocksources: root
                .text(&format!("{clocks}/available_clocksource"))
                .map(|text| text.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        }
    }
}

fn pretty_name(release: &str) -> Option<String> {
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    field("PRETTY_NAME").or_else(|| field("NAME"))
}

/// FNV-1a (64 bits) of the machine id and the host name.
///
/// The machine id is a secret of 128 bits, so that nobody can find the name by trying names.
fn hostname_hash(name: &str, machine: &str) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = ["benchbook hostname 1", machine, name]
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::super::planted::Tree;
    use super::*;

    #[test]
    fn names_of_distributions() {
        let cases = [
            ("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", Some("Debian GNU/Linux 12 (bookworm)")),
            ("NAME=Alpine\nVERSION_ID=3\n", Some("Alpine")),
            ("PRETTY_NAME=''\nNAME='Void'\n", Some("Void")),
            ("nonsense", None),
        ];
        for (text, expected) in cases {
            assert_eq!(pretty_name(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_hash_tells_hosts_apart_and_hides_the_name() {
        let a = hostname_hash("alice-laptop", "0123");
        assert_eq!(a.len(), 16);
        assert!(a.chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(a, hostname_hash("alice-laptop", "0123"));
        assert_ne!(a, hostname_hash("alice-laptop", "0124"));
        assert_ne!(a, hostname_hash("alice-laptoq", "0123"));
        assert_ne!(hostname_hash("ab", "c"), hostname_hash("b", "ca"), "parts do not run together");
    }

    #[test]
    fn an_empty_tree_has_an_operating_system_and_nothing_else() {
        let tree = Tree::new();
        let system = System::read(Root(tree.path()), "linux", "riscv64");
        assert_eq!(system.os.as_deref(), Some("linux"));
        assert_eq!(system.architecture, "riscv64");
        assert_eq!((system.kernel, system.hostname_hash, system.clocksource), (None, None, None));
        assert!(system.clocksources.is_empty());
    }
}
