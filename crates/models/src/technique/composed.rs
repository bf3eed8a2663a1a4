//! Several techniques in one model, by a list: each has to change another thing.

use super::narrow::Narrowed;
use super::{Applied, Change, Technique};
use crate::decoder::{Forms, Keeps, Plan};
use crate::description::Description;
use crate::error::{Error, Result};
use crate::weights::Source;

/// The model that several techniques make of one, whose weights `source` gives; positions up to `positions` are going to be read. The one
/// that leaves heads, channels or a block out comes first, wherever it stands in the list, and all others are of the model that is left;
/// a search tries each layer of that, without the others. Of no technique it is the model as it is.
///
/// # Errors
/// One of them cannot be applied to what the one before it has left, or changes what another one has changed already; or what the source
/// says.
pub fn composed<'a>(
    techniques: &[&Technique],
    model: &Description,
    source: &'a dyn Source,
    positions: usize,
) -> Result<Applied<'a>> {
    let (first, others): (Vec<&Technique>, Vec<&Technique>) =
        techniques.iter().copied().partition(|technique| leaves_out(technique.change));
    let mut applied = match first.as_slice() {
        [] => Applied {
            description: model.clone(),
            plan: Plan::default(),
            tried: Vec::new(),
            has_searched: false,
            source: Narrowed { source, wide: model.clone(), narrow: None, without: None },
            positions,
        },
        [only] => only.applied(model, source, positions)?,
        [one, other, ..] => return Err(refused(other, format!("{} has left parts of the model out", one.name))),
    };
    for technique in others {
        if matches!(technique.change, Change::Chunks(_) | Change::Guesses(_)) {
            return Err(refused(technique, "it changes how a text comes, and nothing of a model".to_owned()));
        }
        let Applied { plan, tried, has_searched, .. } =
            technique.applied(&applied.description, &applied.source, positions)?;
        let Some(both) = joined(&applied.plan, &plan) else {
            return Err(refused(technique, "it would change what another one has changed".to_owned()));
        };
        applied.plan = both;
        applied.tried.extend(tried);
        applied.has_searched |= has_searched;
    }
    Ok(applied)
}

/// Whether it makes matrices smaller, or takes a layer out.
fn leaves_out(change: Change) -> bool {
    matches!(change, Change::Heads(_) | Change::Channels(_) | Change::Block)
}

fn refused(technique: &Technique, reason: String) -> Error {
    Error::Inapplicable { technique: technique.name, reason }
}

/// What two plans change; nothing where both change the same, or the one parts a network whose matrices the other gives another form.
fn joined(one: &Plan, other: &Plan) -> Option<Plan> {
    let both = Plan {
        forms: either(&one.forms, &other.forms)?,
        keeps: Keeps {
            window: either(&one.keeps.window, &other.keeps.window)?,
            bits: either(&one.keeps.bits, &other.keeps.bits)?,
        },
        exit: either(&one.exit, &other.exit)?,
        least: either(&one.least, &other.least)?,
        scan: either(&one.scan, &other.scan)?,
        split: either(&one.split, &other.split)?,
    };
    (both.split.is_none() || both.forms == Forms::default()).then_some(both)
}

/// The one of both that is not the usual; nothing where neither is.
fn either<T: Clone + Default + PartialEq>(one: &T, other: &T) -> Option<T> {
    let usual = T::default();
    match (*one == usual, *other == usual) {
        (true, _) => Some(other.clone()),
        (_, true) => Some(one.clone()),
        _ => None,
    }
}
