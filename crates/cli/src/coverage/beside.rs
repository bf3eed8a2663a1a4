//! What this machine has beside the program: a Python with its packages, processors, and the roofs that they were given.

use benchbook_workloads::CATEGORIES;

use super::Available;
use super::evidence::{Finding, implementation, label};

/// The category whose workloads are roofs.
const ROOFS: &str = "hardware";

/// What follows the name of instructions that a row is written for and this processor lacks.
const ABSENT: &str = "absent";

/// Rows of the Python worker that claim `id`, by a package; a worker that has been started knows better.
pub fn python(package: &str, id: &str, available: &Available) -> Finding {
    if available.implementations.iter().any(|info| info.catalogue.iter().any(|claimed| claimed == id)) {
        return implementation(id, available);
    }
    let python = &available.python;
    if !python.claims.iter().any(|claimed| claimed == id) {
        return Finding::Missing(format!("no row of the Python worker claims {id}"));
    }
    match &python.absent {
        Some(reason) => Finding::NotHere(format!("the Python worker: {reason}")),
        None if python.packages.iter().any(|one| one == package) => {
            Finding::Found(format!("rows of the Python worker by {package}"))
        }
        None => Finding::NotHere(format!("the Python worker: its Python has no {package}")),
    }
}

/// A processor of this machine in whose name this stands.
pub fn chip(name: &str, available: &Available) -> Finding {
    match available.chips.iter().find(|chip| chip.contains(name)) {
        Some(chip) => Finding::Found(chip.clone()),
        None => Finding::NotHere(format!("no {name} in this machine: {}", available.chips.join(", "))),
    }
}

/// A roof by these instructions. The engine of a row ends with them: `0.1.0 AVX2`, or `0.1.0 AVX2 absent`.
pub fn roof(instructions: &str, available: &Available) -> Finding {
    let roofs = CATEGORIES.iter().find(|category| category.name == ROOFS).map(|category| category.workloads);
    let roofs = roofs.unwrap_or_default();
    let rows = available.implementations.iter().filter(|info| roofs.contains(&info.workload.as_str()));
    let by = |version: &str, ends: &str| version.split_once(' ').is_some_and(|(_, words)| words == ends);
    let (mut here, mut away) = (Vec::new(), false);
    for row in rows {
        here.extend(row.engines.iter().any(|(_, version)| by(version, instructions)).then(|| label(row)));
        away |= row.engines.iter().any(|(_, version)| by(version, &format!("{instructions} {ABSENT}")));
    }
    match here.first() {
        Some(_) => Finding::Found(format!("by {instructions} {}", here.join(", "))),
        None if away => Finding::NotHere(format!("this processor has no {instructions}")),
        None => Finding::Missing(format!("no roof by {instructions}")),
    }
}
