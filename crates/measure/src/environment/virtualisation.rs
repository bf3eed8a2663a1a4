//! Virtual machine, container, or bare metal.

use serde::Serialize;

use super::Root;

/// What lies between the process and the hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Virtualisation {
    /// The machine.
    pub machine: Machine,
    /// Kind of container around the process (`docker`).
    pub container: Option<String>,
}

/// Whether the machine is real.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// Bare metal.
    Physical,
    /// A virtual machine, with the name of its hypervisor where it can be told, else `vm`.
    Virtual(String),
    /// The system does not say.
    #[default]
    Unknown,
}

impl Virtualisation {
    pub(super) fn read(root: Root<'_>, hypervisor_flag: Option<bool>) -> Self {
        Self { machine: machine(root, hypervisor_flag), container: container(root) }
    }
}

fn machine(root: Root<'_>, hypervisor_flag: Option<bool>) -> Machine {
    let kernel = root.text("proc/sys/kernel/osrelease").unwrap_or_default().to_lowercase();
    if kernel.contains("microsoft") {
        return Machine::Virtual("wsl".to_owned());
    }
    let named = hypervisor_file(root).or_else(|| firmware_name(root));
    match (hypervisor_flag, named) {
        // Clouds put their name into the firmware of real machines too: the flag decides.
        (Some(false), _) => Machine::Physical,
        (Some(true), Some(name)) => Machine::Virtual(name),
        (Some(true), None) => Machine::Virtual(clock_name(root).unwrap_or("vm").to_owned()),
        (None, Some(name)) => Machine::Virtual(name),
        (None, None) => Machine::Unknown,
    }
}

/// Xen and device trees name the hypervisor outright.
fn hypervisor_file(root: Root<'_>) -> Option<String> {
    let name = root.text("sys/hypervisor/type").or_else(|| root.text("proc/device-tree/hypervisor/compatible"))?;
    Some(name.trim_start_matches("linux,").to_lowercase())
}

fn firmware_name(root: Root<'_>) -> Option<String> {
    const NAMES: [(&str, &str); 11] = [
        ("vmware", "vmware"),
        ("virtualbox", "virtualbox"),
        ("innotek", "virtualbox"),
        ("parallels", "parallels"),
        ("google compute engine", "google compute engine"),
        ("amazon ec2", "amazon ec2"),
        ("virtual machine", "hyper-v"),
        ("openstack", "openstack"),
        ("bhyve", "bhyve"),
        ("qemu", "qemu"),
        ("kvm", "kvm"),
    ];
    let text = ["product_name", "sys_vendor"]
        .iter()
        .filter_map(|name| root.text(&format!("sys/class/dmi/id/{name}")))
        .collect::<Vec<_>>()
        .join("\n")
        .to_lowercase();
    if text.contains(".metal") {
        return None;
    }
    NAMES.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| (*name).to_owned())
}

/// Without firmware tables the clock source still gives the hypervisor away.
fn clock_name(root: Root<'_>) -> Option<&'static str> {
    let clocks = root.text("sys/devices/system/clocksource/clocksource0/available_clocksource")?;
    [("kvm-clock", "kvm"), ("hyperv", "hyper-v"), ("xen", "xen")]
        .iter()
        .find(|(part, _)| clocks.contains(part))
        .map(|(_, name)| *name)
}

fn container(root: Root<'_>) -> Option<String> {
    if root.exists(".dockerenv") {
        return Some("docker".to_owned());
    }
    if root.exists("run/.containerenv") {
        return Some("podman".to_owned());
    }
    if let Some(name) = root.text("run/systemd/container") {
        return Some(name);
    }
    let groups = root.text("proc/self/cgroup")?;
    [("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("lxc", "lxc")]
        .iter()
        .find(|(part, _)| groups.contains(part))
        .map(|(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::planted::Tree;
    use super::*;

    fn read(tree: &Tree, flag: Option<bool>) -> Virtualisation {
        Virtualisation::read(Root(tree.path()), flag)
    }

    #[test]
    fn machines() {
        let vendor = "sys/class/dmi/id/sys_vendor";
        let product = "sys/class/dmi/id/product_name";
        let clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource";
        let cases: [(&[(&str, &str)], Option<bool>, Machine); 9] = [
            (&[], Some(false), Machine::Physical),
            (&[], Some(true), Machine::Virtual("vm".into())),
            (&[], None, Machine::Unknown),
            (&[(vendor, "QEMU\n")], Some(true), Machine::Virtual("qemu".into())),
            (&[(vendor, "Amazon EC2"), (product, "c5.metal")], Some(false), Machine::Physical),
            (&[(vendor, "Amazon EC2"), (product, "c7g.metal")], None, Machine::Unknown),
            (&[(vendor, "Amazon EC2"), (product, "c7g.large")], None, Machine::Virtual("amazon ec2".into())),
            (&[(clocks, "tsc kvm-clock")], Some(true), Machine::Virtual("kvm".into())),
            (
                &[("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2")],
                Some(true),
                Machine::Virtual("wsl".into()),
            ),
        ];
        for (files, flag, expected) in cases {
            let mut tree = Tree::new();
            for (path, text) in files {
                tree = tree.file(path, text);
            }
            assert_eq!(read(&tree, flag).machine, expected, "{files:?}");
        }
    }

    #[test]
    fn containers() {
        let cases = [
            (".dockerenv", "", Some("docker")),
            ("run/.containerenv", "", Some("podman")),
            ("run/systemd/container", "systemd-nspawn", Some("systemd-nspawn")),
            ("proc/self/cgroup", "0::/kubepods/burstable/pod1\n", Some("kubernetes")),
            ("proc/self/cgroup", "0::/user.slice\n", None),
        ];
        for (path, text, expected) in cases {
            let tree = Tree::new().file(path, text);
            assert_eq!(read(&tree, None).container.as_deref(), expected, "{path}");
        }
    }
}
