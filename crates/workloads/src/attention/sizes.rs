//! What the parameters of every attention workload must be.

use benchbook_core::{DType, Error, Params, Result};

/// Scores of a case at most.
const MOST_SCORES: f64 = 1e13;

/// Keys over which an average may be taken at a product's tolerance.
const FEW_KEYS: f64 = 4096.0;

/// The tolerance of an average over `keys` values.
///
/// An average of n numbers is √n smaller than they are, and what a scaled error is measured by shrinks with it, while what
/// rounding adds does not. Not so in f64, where the average itself is rounded when it is read back, and little else.
pub fn tolerance_of_average(dtype: DType, keys: i64) -> f64 {
    let product = crate::tolerance(dtype);
    if dtype == DType::F64 { product } else { product * (keys as f64 / FEW_KEYS).sqrt().max(1.0) }
}

/// A parameter that is not given takes the value of another.
pub fn follow(mut given: Params, name: &str, source: &str) -> Params {
    if let (None, Some(value)) = (given.0.get(name), given.0.get(source).cloned()) {
        given = given.with(name, value);
    }
    given
}

/// Refuses a parameter, with the reason.
///
/// # Errors
/// Always.
pub fn wrong(workload: &str, name: &str, reason: String) -> Result<()> {
    Err(Error::Param { workload: workload.into(), name: name.into(), reason })
}

/// Refuses sizes that are none.
///
/// # Errors
/// A parameter of `names` that is not within 1 and `most`.
pub fn check_sizes(workload: &str, params: &Params, names: &[&str], most: i64) -> Result<()> {
    for name in names {
        let value = params.int(name);
        if !(1..=most).contains(&value) {
            return wrong(workload, name, format!("{value} is not a size, give 1 to {most}"));
        }
    }
    Ok(())
}

/// Refuses `kv_heads` that `heads` cannot share evenly.
///
/// # Errors
/// `kv_heads` does not divide `heads`.
pub fn check_kv_heads(workload: &str, params: &Params) -> Result<()> {
    let (heads, kv_heads) = (params.int("heads"), params.int("kv_heads"));
    if heads % kv_heads != 0 {
        return wrong(workload, "kv_heads", format!("{kv_heads} does not divide heads {heads}"));
    }
    Ok(())
}

/// Refuses more scores than any machine computes in a day.
///
/// # Errors
/// The product of `names` is over 10^13.
pub fn check_scores(workload: &str, params: &Params, names: [&str; 4]) -> Result<()> {
    if names.map(|name| params.int(name) as f64).into_iter().product::<f64>() > MOST_SCORES {
        return wrong(workload, names[2], format!("{} is over 10^13 scores", names.join(" × ")));
    }
    Ok(())
}
