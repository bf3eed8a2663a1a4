//! What equal programs usually differ by on the machine of a run, where that makes its verdicts doubtful.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, Float64Array};
use arrow::datatypes::DataType;
use benchbook_record::same_machine;
use datafusion::common::cast::{as_float64_array, as_string_array};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::calibration::Accuracy;
use crate::session::Session;

/// By run: what the calibrations of its machine show. Runs of machines that give no cause for doubt are left out.
#[derive(Debug, Default)]
pub(crate) struct Noise(HashMap<String, Arc<[Accuracy]>>);

impl Noise {
    /// Reads the calibrations of the store; in one without any, nothing but the names of suites.
    pub(crate) fn read(session: &Session) -> crate::Result<Self> {
        let machines: Vec<_> = session
            .doubtful_machines()?
            .into_iter()
            .map(|(row, found)| (row, Arc::<[Accuracy]>::from(found)))
            .collect();
        let mut by_run = HashMap::new();
        if machines.is_empty() {
            return Ok(Self(by_run));
        }
        for run_id in session.run_ids("true")? {
            let row = session.store().run_row(&run_id)?;
            if let Some((_, found)) = machines.iter().find(|(machine, _)| same_machine(machine, &row)) {
                by_run.insert(run_id, Arc::clone(found));
            }
        }
        Ok(Self(by_run))
    }

    /// The usual difference that a calibration with samples of about that length shows, if it is doubtful.
    fn usual_difference(&self, run_id: &str, sample_ns: f64) -> Option<f64> {
        let distance = |one: &Accuracy| (one.sample_ns / sample_ns).ln().abs();
        let nearest = self.0.get(run_id)?.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        nearest.is_doubtful().then_some(nearest.usual_difference)
    }
}

/// `usual_difference(run_id, sample_ns)`, known to the plan of `verdicts` alone: it needs a session that has filled
/// in what it reads.
#[derive(Debug)]
pub(crate) struct UsualDifference {
    signature: Signature,
    noise: Arc<OnceLock<Noise>>,
}

impl UsualDifference {
    pub(crate) const NAME: &'static str = "usual_difference";

    pub(crate) fn new(noise: Arc<OnceLock<Noise>>) -> Self {
        Self { signature: Signature::user_defined(Volatility::Stable), noise }
    }
}

impl PartialEq for UsualDifference {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.noise, &other.noise)
    }
}

impl Eq for UsualDifference {}

impl Hash for UsualDifference {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Self::NAME.hash(state);
    }
}

impl ScalarUDFImpl for UsualDifference {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_, _] => Ok(vec![DataType::Utf8, DataType::Float64]),
            _ => plan_err!("{} takes a run and the length of its samples", Self::NAME),
        }
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let (run_ids, lengths) = (as_string_array(&columns[0])?, as_float64_array(&columns[1])?);
        let noise = self.noise.get();
        let of = |row: usize| {
            let known = run_ids.is_valid(row) && lengths.is_valid(row);
            noise.filter(|_| known)?.usual_difference(run_ids.value(row), lengths.value(row))
        };
        Ok(ColumnarValue::Array(Arc::new((0..run_ids.len()).map(of).collect::<Float64Array>())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accuracy(sample_ns: f64, rate_low: f64, usual_difference: f64) -> Accuracy {
        Accuracy { sample_ns, verdicts: 100, significant: 20, rate_low, rate_high: 0.3, usual_difference }
    }

    #[test]
    fn the_calibration_of_like_samples_counts_if_it_is_doubtful() {
        let known = [accuracy(1e5, 0.13, 0.01), accuracy(1e6, 0.04, 0.02), accuracy(1e7, 0.13, 0.03)];
        let noise = Noise(HashMap::from([("here".to_owned(), Arc::from(known))]));
        assert_eq!(noise.usual_difference("here", 2e5), Some(0.01));
        assert_eq!(noise.usual_difference("here", 2e6), None);
        assert_eq!(noise.usual_difference("here", 9e9), Some(0.03));
        assert_eq!(noise.usual_difference("elsewhere", 2e5), None);
    }
}
