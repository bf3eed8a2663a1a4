//! What a search chooses from: the shape of a case, and the settings of a variant; and what a point of it means.

use benchbook_core::message::{Description, ImplementationInfo};
use benchbook_core::{Axis as Values, Case, DType, KnobInfo, Knobs, Params, Registry, Value, Variant, unknown};
use benchbook_measure::all_threads;
use benchbook_search::{self as search, Axis, Domain, Scale, Space};

use crate::error::Failure;

/// What stands on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Param,
    Knob,
    Implementation,
    Dtype,
    Threads,
}

/// An axis: what it is, and its values. Numbers are in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    pub what: What,
    pub name: String,
    pub values: Vec<Value>,
}

/// What is asked for, as words of whatever command.
pub struct Asked<'a> {
    pub workload: &'a str,
    pub sets: &'a [(String, Values)],
    pub implementations: &'a [String],
    pub knobs: &'a [(String, Values)],
    pub device: Option<&'a str>,
    pub dtypes: &'a [DType],
    pub threads: &'a [usize],
    /// Whether the values keep the order in which they are given, and knobs are left as usual.
    pub as_given: bool,
}

/// A variant on a case: what is measured at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub case: Case,
    pub variant: Variant,
}

impl Subject {
    /// Case and variant as a store names them.
    pub fn key(&self) -> (String, String) {
        (self.case.name.clone(), self.variant.to_string())
    }
}

/// Everything that can be chosen, and what stays as it is.
pub struct Choice {
    pub dimensions: Vec<Dimension>,
    workload: String,
    params: Params,
    variant: Variant,
    knobs: Vec<KnobInfo>,
    /// Values of knobs that are given, and not chosen.
    set: Knobs,
    problems: Registry,
    /// The one case, where no parameter is chosen.
    case: Option<Case>,
    /// All cases of a workload that this program does not link, as its worker has made them.
    owned: Vec<Case>,
}

impl Choice {
    /// What can be chosen of what is asked for; `cases` are those of the first values, as a plan resolves them, and those of all values
    /// where only a worker makes them.
    ///
    /// # Errors
    /// Names that nothing has, values that a knob may not be, or several cases where none is chosen.
    pub fn new(asked: &Asked<'_>, known: &Description, cases: &[Case]) -> Result<Self, Failure> {
        let offered = offered(asked, known)?;
        let first = offered.first().ok_or_else(|| Failure::say(format!("nothing solves {}", asked.workload)))?;
        let names: Vec<String> = offered.iter().map(|(_, name)| name.clone()).collect();
        let knobs = match &offered[..] {
            // A loop changes one thing, and knobs are others.
            [(info, name)] if info.name == *name && !asked.as_given => info.knobs.clone(),
            _ => Vec::new(),
        };
        let device = device(asked, first.0, known)?;
        let threads = asked.threads.first().copied().unwrap_or_else(all_threads);
        let variant = Variant {
            implementation: names[0].clone(),
            device,
            dtype: asked.dtypes.first().copied().unwrap_or(DType::F32),
            threads,
            build: None,
        };
        let mut dimensions = Vec::new();
        for (name, values) in asked.sets {
            dimensions.push(Dimension::of(What::Param, name, values.0.clone(), asked.as_given));
        }
        for knob in &knobs {
            dimensions.push(Dimension::of(What::Knob, &knob.name, values_of(knob, first.0, asked)?, asked.as_given));
        }
        if let Some((name, _)) = asked.knobs.iter().find(|(name, _)| knobs.iter().all(|knob| knob.name != *name)) {
            return Err(unknown("knob", name, knobs.iter().map(|knob| knob.name.as_str())).into());
        }
        let text = |name: &String| Value::Text(name.clone());
        dimensions.push(Dimension::of(What::Implementation, "implementation", names.iter().map(text).collect(), true));
        let dtypes = asked.dtypes.iter().map(|dtype| Value::Text(dtype.to_string())).collect();
        dimensions.push(Dimension::of(What::Dtype, "dtype", dtypes, true));
        let threads = asked.threads.iter().map(|threads| Value::Int(*threads as i64)).collect();
        dimensions.push(Dimension::of(What::Threads, "threads", threads, asked.as_given));
        let (mut params, mut set) = (Params::default(), Knobs::default());
        for dimension in &dimensions {
            match (dimension.what, &dimension.values[..]) {
                (What::Param, [value]) => params = params.with(&dimension.name, value.clone()),
                (What::Knob, [Value::Int(value)]) => set = set.with(&dimension.name, *value),
                _ => {}
            }
        }
        dimensions.retain(|dimension| dimension.values.len() > 1);
        let shapes = dimensions.iter().any(|dimension| dimension.what == What::Param);
        let case = match cases {
            _ if shapes => None,
            [case] => Some(case.clone()),
            several => {
                let told = several.len();
                return Err(Failure::say(format!("{told} cases at once: tune one, whose parameters --set names")));
            }
        };
        let workload = asked.workload.to_owned();
        let problems = benchbook_workloads::problems();
        let owned = if problems.find_workload(&workload).is_ok() { Vec::new() } else { cases.to_vec() };
        Ok(Self { dimensions, workload, params, variant, knobs, set, problems, case, owned })
    }

    /// The space of all that can be chosen.
    ///
    /// # Errors
    /// Nothing can be chosen.
    pub fn space(&self) -> Result<Space, Failure> {
        let axes = self.dimensions.iter().map(Dimension::axis).collect();
        Space::new(axes)
            .map_err(|error| Failure::say(format!("{error} (with --set, --implementation, --dtype or --threads)")))
    }

    /// Whether all points are of one case, so that they stand in the same blocks.
    pub fn is_paired(&self) -> bool {
        self.case.is_some()
    }

    /// What is measured at a point.
    ///
    /// # Errors
    /// Why no case is like that, in words.
    pub fn subject(&self, point: &[search::Value]) -> Result<Subject, String> {
        let chosen: Vec<(&Dimension, &Value)> =
            self.dimensions.iter().zip(point).filter_map(|(of, value)| Some((of, of.value(*value)?))).collect();
        self.meant(&chosen, self.set.clone())
    }

    /// What everything that is chosen stands beside: the usual values of knobs, and the first of all else.
    ///
    /// # Errors
    /// As [`Choice::subject`].
    pub fn usual(&self) -> Result<Subject, String> {
        let firsts = self.dimensions.iter().filter(|dimension| dimension.what == What::Param);
        let firsts: Vec<_> = firsts.filter_map(|dimension| Some((dimension, dimension.values.first()?))).collect();
        self.meant(&firsts, Knobs::default())
    }

    fn meant(&self, chosen: &[(&Dimension, &Value)], mut knobs: Knobs) -> Result<Subject, String> {
        let (mut params, mut variant) = (self.params.clone(), self.variant.clone());
        for (dimension, value) in chosen {
            match (dimension.what, value) {
                (What::Param, value) => params = params.with(&dimension.name, (*value).clone()),
                (What::Knob, Value::Int(value)) => knobs = knobs.with(&dimension.name, *value),
                (What::Implementation, Value::Text(name)) => variant.implementation.clone_from(name),
                (What::Dtype, Value::Text(name)) => {
                    variant.dtype = name.parse().map_err(|error: benchbook_core::Error| error.to_string())?;
                }
                (What::Threads, Value::Int(threads)) => {
                    variant.threads = usize::try_from(*threads).map_err(|error| error.to_string())?;
                }
                (_, value) => return Err(format!("{} cannot be {value}", dimension.name)),
            }
        }
        if !self.knobs.is_empty() {
            variant.implementation = knobs.name(Knobs::bare(&self.variant.implementation), &self.knobs);
        }
        let case = match &self.case {
            Some(case) => case.clone(),
            None if self.owned.is_empty() => {
                self.problems.case(&self.workload, params).map_err(|error| error.to_string())?
            }
            None => {
                let found = self.owned.iter().find(|case| has(&case.params, &params)).cloned();
                found.ok_or_else(|| format!("{} has no case with {params}", self.workload))?
            }
        };
        Ok(Subject { case, variant })
    }

    /// A point in words.
    pub fn words(&self, point: &[search::Value]) -> String {
        let word = |(of, value): (&Dimension, &search::Value)| {
            let value = of.value(*value).map_or_else(|| "?".to_owned(), Value::to_string);
            format!("{}={value}", of.name)
        };
        self.dimensions.iter().zip(point).map(word).collect::<Vec<_>>().join(" ")
    }
}

impl Dimension {
    /// An axis of different values; numbers in their order, unless they are to stay as they are given.
    fn of(what: What, name: &str, given: Vec<Value>, as_given: bool) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for value in given {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if !as_given && values.iter().all(|value| number(value).is_some()) {
            values.sort_by(|a, b| number(a).unwrap_or(f64::NAN).total_cmp(&number(b).unwrap_or(f64::NAN)));
        }
        Self { what, name: name.to_owned(), values }
    }

    /// The axis of a search: numbers by their place in the order, all else as choices.
    pub fn axis(&self) -> Axis {
        let most = i64::try_from(self.values.len()).unwrap_or(i64::MAX) - 1;
        let domain = match self.values.iter().all(|value| number(value).is_some()) && most > 0 {
            true => Domain::Integers { least: 0, most, scale: Scale::Linear },
            false => Domain::Choices(self.values.len()),
        };
        Axis { name: self.name.clone(), domain }
    }

    /// The value at a place of the axis.
    pub fn value(&self, place: search::Value) -> Option<&Value> {
        let place = match place {
            search::Value::Int(place) => usize::try_from(place).ok()?,
            search::Value::Choice(place) => place,
            search::Value::Float(_) => return None,
        };
        self.values.get(place)
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(_) | Value::Bool(_) => None,
    }
}

/// Whether a case has these parameters among its own.
fn has(all: &Params, some: &Params) -> bool {
    some.0.iter().all(|(name, value)| all.0.get(name) == Some(value))
}

/// The implementations that are asked for, by the names that they are asked by: else the one that has knobs, else all that
/// are not on request.
fn offered<'a>(asked: &Asked<'_>, known: &'a Description) -> Result<Vec<(&'a ImplementationInfo, String)>, Failure> {
    let on =
        |info: &&ImplementationInfo| asked.device.is_none_or(|device| info.devices.iter().any(|one| one == device));
    let all: Vec<&ImplementationInfo> =
        known.implementations.iter().filter(|info| info.workload == asked.workload).filter(on).collect();
    if asked.implementations.is_empty() {
        let with_knobs: Vec<&&ImplementationInfo> = all.iter().filter(|info| !info.knobs.is_empty()).collect();
        return Ok(match with_knobs[..] {
            [one] => vec![(*one, one.name.clone())],
            _ => all.iter().filter(|info| !info.on_request).map(|info| (*info, info.name.clone())).collect(),
        });
    }
    let named = |name: &String| -> Result<(&'a ImplementationInfo, String), Failure> {
        let found = all.iter().find(|info| info.is_called(name)).map(|info| (*info, name.clone()));
        found.ok_or_else(|| unknown("implementation", name, all.iter().map(|info| info.name.as_str())).into())
    };
    asked.implementations.iter().map(named).collect()
}

/// The device that is asked for: else `flex` where the implementation runs on it, else its first that is here.
fn device(asked: &Asked<'_>, first: &ImplementationInfo, known: &Description) -> Result<String, Failure> {
    if let Some(device) = asked.device {
        return Ok(device.to_owned());
    }
    let is_here = |name: &&String| known.devices.iter().any(|one| one.name == **name && one.unavailable.is_none());
    let here: Vec<&String> = first.devices.iter().filter(is_here).collect();
    let found = here.iter().find(|name| **name == "flex").or(here.first());
    found.map(|name| (*name).clone()).ok_or_else(|| Failure::say(format!("{} has no device here", first.name)))
}

/// The values of a knob that may be chosen.
fn values_of(knob: &KnobInfo, info: &ImplementationInfo, asked: &Asked<'_>) -> Result<Vec<Value>, Failure> {
    let Some((_, given)) = asked.knobs.iter().find(|(name, _)| *name == knob.name) else {
        return Ok(knob.values.iter().copied().map(Value::Int).collect());
    };
    for value in &given.0 {
        // One that it may not be is an error, in the words of all that reads knobs.
        Knobs::read(&format!("{}:{}={value}", info.name, knob.name), &info.knobs)?;
    }
    Ok(given.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::message::{DeviceInfo, InputsFrom};

    fn implementation(name: &str, knobs: Vec<KnobInfo>, on_request: bool) -> ImplementationInfo {
        ImplementationInfo {
            name: name.into(),
            workload: "matmul".into(),
            about: String::new(),
            devices: vec!["far".into(), "flex".into()],
            engines: Vec::new(),
            catalogue: Vec::new(),
            inputs: InputsFrom::Made,
            approximates: false,
            on_request,
            knobs,
        }
    }

    fn known() -> Description {
        let knob =
            |name: &str, usual: i64| KnobInfo { name: name.into(), about: String::new(), values: vec![1, 2, 4], usual };
        let device = |name: &str| DeviceInfo {
            name: name.into(),
            engine: String::new(),
            engine_version: String::new(),
            unavailable: (name == "far").then(|| "it is far".to_owned()),
            libraries: None,
        };
        Description {
            workloads: Vec::new(),
            implementations: vec![
                implementation("tiled", vec![knob("depth", 2), knob("panels", 4)], false),
                implementation("plain", Vec::new(), false),
                implementation("rare", Vec::new(), true),
            ],
            devices: ["far", "flex"].map(device).into(),
            build: Vec::new(),
            thread_pools: Vec::new(),
        }
    }

    fn nothing<'a>() -> Asked<'a> {
        Asked {
            workload: "matmul",
            sets: &[],
            implementations: &[],
            knobs: &[],
            device: None,
            dtypes: &[DType::F32],
            threads: &[1],
            as_given: false,
        }
    }

    fn case() -> Vec<Case> {
        vec![benchbook_workloads::problems().case("matmul", Params::default()).unwrap()]
    }

    fn values(name: &str, values: &[i64]) -> (String, Values) {
        (name.to_owned(), Values(values.iter().copied().map(Value::Int).collect()))
    }

    fn variants(choice: &Choice) -> Vec<String> {
        let space = choice.space().unwrap();
        let points = (0..space.points().unwrap()).filter_map(|number| space.point(number));
        points.map(|point| choice.subject(&point).unwrap().variant.to_string()).collect()
    }

    #[test]
    fn the_one_implementation_with_knobs_is_tuned_and_the_usual_values_are_beside_it() {
        let choice = Choice::new(&nothing(), &known(), &case()).unwrap();
        assert!(choice.is_paired());
        let all = variants(&choice);
        assert_eq!(all.len(), 9);
        assert_eq!(
            [all[0].as_str(), all[8].as_str()],
            ["tiled:depth=1:panels=1/flex/f32/1t", "tiled:depth=4/flex/f32/1t"]
        );
        assert_eq!(choice.usual().unwrap().variant.to_string(), "tiled/flex/f32/1t");
        let point = choice.space().unwrap().point(8).unwrap();
        assert_eq!(choice.words(&point), "depth=4 panels=4");
    }

    #[test]
    fn what_is_given_is_not_chosen() {
        let knobs = [values("depth", &[4]), values("panels", &[2, 1])];
        let choice = Choice::new(&Asked { knobs: &knobs, ..nothing() }, &known(), &case()).unwrap();
        assert_eq!(variants(&choice), ["tiled:depth=4:panels=1/flex/f32/1t", "tiled:depth=4:panels=2/flex/f32/1t"]);
        assert_eq!(choice.usual().unwrap().variant.implementation, "tiled");
    }

    #[test]
    fn implementations_dtypes_and_threads_are_choices_too() {
        let names = ["plain".to_owned(), "rare".to_owned()];
        let asked = Asked { implementations: &names, dtypes: &[DType::F32, DType::F64], threads: &[2, 1], ..nothing() };
        let choice = Choice::new(&asked, &known(), &case()).unwrap();
        let all = variants(&choice);
        assert_eq!(all.len(), 8);
        assert!(all.contains(&"rare/flex/f64/2t".to_owned()), "{all:?}");
        // What others stand beside is the first of all that is given.
        assert_eq!(choice.usual().unwrap().variant.to_string(), "plain/flex/f32/2t");
    }

    #[test]
    fn parameters_with_several_values_are_shapes_and_have_cases_of_their_own() {
        let sets = [values("m", &[16, 8]), values("k", &[4])];
        let names = ["plain".to_owned()];
        let asked = Asked { sets: &sets, implementations: &names, ..nothing() };
        let choice = Choice::new(&asked, &known(), &case()).unwrap();
        assert!(!choice.is_paired());
        let space = choice.space().unwrap();
        let cases = [0, 1].map(|number| choice.subject(&space.point(number).unwrap()).unwrap().case.name);
        assert_eq!(cases, ["8×4·4×8", "16×4·4×16"]);
        let impossible = [values("m", &[0, 8])];
        let choice = Choice::new(&Asked { sets: &impossible, ..asked }, &known(), &case()).unwrap();
        let point = choice.space().unwrap().point(0).unwrap();
        assert!(choice.subject(&point).unwrap_err().contains('m'), "no matrix has no rows");
    }

    #[test]
    fn cases_that_only_a_worker_makes_are_those_that_it_has_made() {
        let of = |batch: i64| Case {
            workload: "elsewhere".into(),
            name: format!("b{batch}"),
            params: Params::default().with("batch", Value::Int(batch)).with("layers", Value::Int(2)),
        };
        let mut known = known();
        known.implementations[1].workload = "elsewhere".into();
        let sets = [values("batch", &[2, 4, 5])];
        let asked = Asked { workload: "elsewhere", sets: &sets, ..nothing() };
        let choice = Choice::new(&asked, &known, &[of(2), of(4)]).unwrap();
        let space = choice.space().unwrap();
        let case = |number: u64| choice.subject(&space.point(number).unwrap()).map(|subject| subject.case.name);
        assert_eq!([case(0), case(1)], [Ok("b2".to_owned()), Ok("b4".to_owned())]);
        assert!(case(2).unwrap_err().contains("elsewhere has no case with "));
        assert_eq!(choice.usual().unwrap().case.name, "b2");
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_with_what_can() {
        let refused = |asked: &Asked<'_>, cases: &[Case]| match Choice::new(asked, &known(), cases) {
            Ok(choice) => choice.space().err().map(|failure| failure.to_string()).unwrap_or_default(),
            Err(failure) => failure.to_string(),
        };
        let case = case();
        let of = |name: &str, at: &[i64]| {
            let knobs = [values(name, at)];
            refused(&Asked { knobs: &knobs, ..nothing() }, &case)
        };
        assert!(of("dept", &[1, 2]).contains("did you mean `depth`"));
        assert!(of("depth", &[1, 3]).contains("depth may be 1, 2, 4"));
        let names = ["tield".to_owned()];
        let told = refused(&Asked { implementations: &names, ..nothing() }, &case);
        assert!(told.contains("did you mean `tiled`"), "{told}");
        let names = ["plain".to_owned()];
        let told = refused(&Asked { implementations: &names, ..nothing() }, &case);
        assert!(told.contains("nothing to choose"), "{told}");
        let two = [case.clone(), case.clone()].concat();
        assert!(refused(&nothing(), &two).contains("2 cases at once"));
        assert!(refused(&Asked { workload: "conv", ..nothing() }, &case).contains("nothing solves conv"));
    }
}
