//! Whatever the values of its knobs, an implementation is right.

use benchbook_core::{DType, Implementation, KnobInfo, Knobs, Params, Support};

use crate::common::{SEED, registry, setting};

/// The usual values, and of each knob its least and its most, one at a time, and all together.
fn settings(known: &[KnobInfo]) -> Vec<Knobs> {
    let usual = Knobs::read("", known).unwrap();
    let ends = |knob: &KnobInfo| [knob.values[0], knob.values[knob.values.len() - 1]];
    let single = known.iter().flat_map(|knob| ends(knob).map(|value| usual.clone().with(&knob.name, value)));
    let all = [0, 1].map(|end| known.iter().fold(usual.clone(), |all, knob| all.with(&knob.name, ends(knob)[end])));
    [usual.clone()].into_iter().chain(single).chain(all).collect()
}

#[test]
fn knobs_change_no_answer_beyond_rounding() {
    let registry = registry();
    let tuned: Vec<&dyn Implementation> = registry.implementations().filter(|one| !one.knobs().is_empty()).collect();
    assert!(tuned.len() >= 3, "tiles of a product, and chunks of two mixers");
    for implementation in tuned {
        let workload = registry.find_workload(implementation.workload()).unwrap();
        let known: Vec<KnobInfo> = implementation.knobs().iter().map(KnobInfo::from).collect();
        let (on, mut taken) = (setting("flex", DType::F32), 0);
        for given in workload.ugly() {
            let params: Params = workload.case(given).unwrap().params;
            if implementation.supports(&on.device, on.dtype, &params) != Support::Yes {
                continue;
            }
            taken += 1;
            let posed = workload.pose(&params).unwrap();
            let inputs = posed.inputs(SEED);
            let (right, tolerance) = (posed.reference(&inputs, SEED), posed.tolerance(on.dtype));
            for knobs in settings(&known) {
                let mut subject = implementation.prepare_with(&on, &params, &inputs, &knobs).unwrap();
                subject.run(1);
                subject.sync().unwrap();
                for found in right.compare(&subject.outputs().unwrap()) {
                    let error = found.max_scaled_error;
                    // Not `>`, to which no number is large.
                    assert!(error <= tolerance, "{} {knobs:?} {params}: {error}", implementation.name());
                }
            }
        }
        assert!(taken > 0, "{} takes an ugly case", implementation.name());
    }
}

#[test]
fn every_knob_may_be_as_usual_and_has_its_values_in_order() {
    let registry = registry();
    for implementation in registry.implementations() {
        for knob in implementation.knobs() {
            let told = format!("{} {}", implementation.name(), knob.name);
            assert!(knob.values.contains(&knob.usual) && knob.values.len() > 1, "{told}");
            assert!(knob.values.is_sorted_by(|a, b| a < b) && !knob.about.is_empty(), "{told}");
            // They stand in names, between colons.
            assert!(knob.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{told}");
        }
        assert!(!implementation.name().contains(':'), "{}", implementation.name());
    }
}
