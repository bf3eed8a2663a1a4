//! The two sides of a gate as cells: each variant of a case beside itself, once from each build.

use benchbook_core::message::{Description, ImplementationInfo};
use benchbook_core::{Case, Variant};
use benchbook_measure::run::Cell;
use benchbook_report::gate::{LeftOut, Missing};

/// The labels under which the two builds stand in variants.
pub struct Labels {
    pub baseline: String,
    pub candidate: String,
}

impl Labels {
    /// Labels from the revisions' own; equal ones are told apart.
    pub fn new(baseline: &str, candidate: &str) -> Self {
        let again = if baseline == candidate { "+again" } else { "" };
        Self { baseline: baseline.to_owned(), candidate: format!("{candidate}{again}") }
    }
}

/// A cell for each case and variant that both sides have, the baseline first; and what only one has.
pub fn pairs(
    cells: &[Cell],
    labels: &Labels,
    baseline: &Description,
    candidate: &Description,
) -> (Vec<Cell>, Vec<LeftOut>) {
    let mut paired = Vec::new();
    let mut left_out = Vec::new();
    for cell in cells {
        for variant in &cell.variants {
            let of = |build: &str| Variant { build: Some(build.to_owned()), ..variant.clone() };
            let why = match wanted(baseline, &cell.case) {
                _ if !knows(baseline, &cell.case.workload, variant) => format!("{} does not have it", labels.baseline),
                Some(name) => format!("{} needs the parameter `{name}`, which is no more", labels.baseline),
                None => {
                    let variants = vec![of(&labels.baseline), of(&labels.candidate)];
                    paired.push(Cell { case: cell.case.clone(), variants, seeds: cell.seeds });
                    continue;
                }
            };
            let (case, variant) = (case_label(cell), variant.to_string());
            left_out.push(LeftOut { case, variant, missing: Missing::New, why });
        }
    }
    for one in &baseline.implementations {
        let measured = cells.iter().any(|cell| cell.case.workload == one.workload);
        let known = candidate.implementations.iter().any(|i| i.workload == one.workload && i.name == one.name);
        if measured && !known {
            left_out.push(LeftOut {
                case: one.workload.clone(),
                variant: one.name.clone(),
                missing: Missing::Gone,
                why: format!("{} does not have it", labels.candidate),
            });
        }
    }
    (paired, left_out)
}

/// Workload and case, as reports name them.
pub fn case_label(cell: &Cell) -> String {
    format!("{} {}", cell.case.workload, cell.case.name)
}

/// A parameter that a build's workload has and a case of today does not give, as after a renaming.
fn wanted<'a>(description: &'a Description, case: &Case) -> Option<&'a str> {
    let workload = description.workloads.iter().find(|workload| workload.name == case.workload)?;
    workload.params.iter().map(|spec| spec.name.as_str()).find(|name| !case.params.0.contains_key(*name))
}

fn knows(description: &Description, workload: &str, variant: &Variant) -> bool {
    let named = |i: &&ImplementationInfo| i.workload == workload && i.is_called(&variant.implementation);
    description.implementations.iter().find(named).is_some_and(|i| i.devices.contains(&variant.device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::message::{InputsFrom, WorkloadInfo};
    use benchbook_core::{DType, ParamSpec, Params, Value};

    fn offers(names: &[&str]) -> Description {
        let implementation = |name: &&str| ImplementationInfo {
            name: (*name).into(),
            workload: "w".into(),
            about: String::new(),
            devices: vec!["cpu".into()],
            engines: Vec::new(),
            catalogue: Vec::new(),
            inputs: InputsFrom::Made,
            approximates: false,
            on_request: false,
            knobs: Vec::new(),
        };
        Description {
            workloads: Vec::new(),
            implementations: names.iter().map(implementation).collect(),
            devices: Vec::new(),
            build: Vec::new(),
            thread_pools: Vec::new(),
        }
    }

    fn variant(name: &str) -> Variant {
        Variant { implementation: name.into(), device: "cpu".into(), dtype: DType::F32, threads: 1, build: None }
    }

    #[test]
    fn each_variant_stands_beside_itself_and_what_one_side_lacks_is_named() {
        let case = Case { workload: "w".into(), name: "c".into(), params: Params::default() };
        let cells = [Cell { case, variants: vec![variant("a"), variant("new")], seeds: 3 }];
        let labels = Labels::new("abc", "def+dirty");
        let (paired, left_out) = pairs(&cells, &labels, &offers(&["a", "gone"]), &offers(&["a", "new"]));
        let names: Vec<String> = paired[0].variants.iter().map(ToString::to_string).collect();
        assert_eq!((paired.len(), names), (1, vec!["a/cpu/f32/1t@abc".into(), "a/cpu/f32/1t@def+dirty".into()]));
        let missing: Vec<_> = left_out.iter().map(|one| (one.variant.as_str(), one.missing)).collect();
        assert_eq!(missing, [("new/cpu/f32/1t", Missing::New), ("gone", Missing::Gone)]);
    }

    #[test]
    fn what_the_other_build_calls_by_another_name_is_left_out_with_the_reason() {
        let one =
            |name: &&str| ParamSpec { name: (*name).into(), default: Value::Int(1), doc: String::new(), within: None };
        let workload = |params: &[&str]| WorkloadInfo {
            name: "w".into(),
            about: String::new(),
            presets: Vec::new(),
            params: params.iter().map(one).collect(),
            seeds: 3,
        };
        let known = |params: &[&str]| Description { workloads: vec![workload(params)], ..offers(&["a"]) };
        let params = Params::default().with("block_size", Value::Int(16)).with("more", Value::Int(1));
        let case = Case { workload: "w".into(), name: "c".into(), params };
        let cells = [Cell { case, variants: vec![variant("a")], seeds: 3 }];
        let labels = Labels::new("abc", "def");
        let compared = |baseline: &[&str]| pairs(&cells, &labels, &known(baseline), &known(&["block_size", "more"]));
        assert_eq!(compared(&["block_size"]).0.len(), 1, "what it does not know has its default");
        let (paired, left_out) = compared(&["block"]);
        assert!(paired.is_empty() && left_out[0].why.contains("`block`"), "{}", left_out[0].why);
    }

    #[test]
    fn a_revision_beside_itself_has_two_names() {
        let labels = Labels::new("abc", "abc");
        assert_ne!(labels.baseline, labels.candidate);
    }
}
