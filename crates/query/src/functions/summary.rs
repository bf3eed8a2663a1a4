//! A family as a DataFusion aggregate that returns a struct.

use std::any::type_name;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::family::{DEFAULT_LEVEL, Family, struct_array};
use super::state::{Rows, State};

/// The aggregate of the family whose state is `S`, under its own name or the short name of a field.
///
/// Short names exist so that the SQL planner finds them; it replaces each by a field of the summary.
#[derive(Debug)]
pub(crate) struct Summary<S> {
    name: &'static str,
    signature: Signature,
    state: PhantomData<fn() -> S>,
}

impl<S: State> Summary<S> {
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name, signature: Signature::user_defined(Volatility::Immutable), state: PhantomData }
    }
}

impl<S> PartialEq for Summary<S> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<S> Eq for Summary<S> {}

impl<S> Hash for Summary<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        type_name::<S>().hash(state);
        self.name.hash(state);
    }
}

impl<S: State> AggregateUDFImpl for Summary<S> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let family = S::family();
        let mut coerced = Vec::with_capacity(given.len());
        for (index, given) in given.iter().enumerate() {
            match family.kind_at(index) {
                Some((_, kind)) if kind.accepts(given) => coerced.push(kind.data_type()),
                Some((name, kind)) => {
                    let signature = family.signature(family.summary, true);
                    return plan_err!("`{name}` of {signature} must be {}, not {given}", kind.word());
                }
                None => return plan_err!("too many arguments: {}", family.signature(family.summary, true)),
            }
        }
        Ok(coerced)
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(S::family().fields()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let rename = |field: arrow::datatypes::Field| {
            let name = format_state_name(args.name, field.name());
            Arc::new(field.with_name(name))
        };
        Ok(S::state_fields().into_iter().map(rename).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single { state: [S::default()], level: level(S::family(), &args)?, groups: Vec::new() }))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups { states: Vec::<S>::new(), level: level(S::family(), &args)? }))
    }
}

/// The level of a call, which must be a constant inside (0, 1).
fn level(family: &Family, args: &AccumulatorArgs) -> Result<f64> {
    if args.is_distinct {
        return plan_err!("DISTINCT has no meaning for {}", family.summary);
    }
    let Some(expr) = args.exprs.get(family.arguments.len()).filter(|_| family.level) else {
        return Ok(DEFAULT_LEVEL);
    };
    let empty = RecordBatch::new_empty(Arc::new(args.schema.clone()));
    let ColumnarValue::Scalar(ScalarValue::Float64(Some(level))) = expr.evaluate(&empty)? else {
        return plan_err!("the level of {} must be a constant, as 0.95", family.summary);
    };
    if !(level > 0.0 && level < 1.0) {
        return plan_err!("the level of {} must lie between 0 and 1, as 0.95, not {level}", family.summary);
    }
    Ok(level)
}

/// States of many groups.
struct Groups<S> {
    states: Vec<S>,
    level: f64,
}

impl<S: State> Groups<S> {
    fn grow(&mut self, groups: usize) {
        if groups > self.states.len() {
            self.states.resize_with(groups, S::default);
        }
    }
}

impl<S: State> GroupsAccumulator for Groups<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.grow(total);
        S::update(&mut self.states, values, &Rows { groups, filter })?;
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let rows: Vec<_> = emit_to.take_needed(&mut self.states).iter().map(|state| state.finish(self.level)).collect();
        Ok(Arc::new(struct_array(S::family(), &rows)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        S::export(&emit_to.take_needed(&mut self.states))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        S::merge(&mut self.states, values, groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(rows) = values.first().map(|column| column.len()) else {
            return exec_err!("{} got no argument", S::family().summary);
        };
        let mut states = vec![S::default(); rows];
        let groups: Vec<usize> = (0..rows).collect();
        S::update(&mut states, values, &Rows { groups: &groups, filter })?;
        S::export(&states)
    }

    fn size(&self) -> usize {
        let kept: usize = self.states.iter().map(State::heap_bytes).sum();
        size_of::<Self>() + self.states.capacity() * size_of::<S>() + kept
    }
}

/// The state of a query without groups.
#[derive(Debug)]
struct Single<S> {
    state: [S; 1],
    level: f64,
    groups: Vec<usize>,
}

impl<S: State> Single<S> {
    fn zeros(&mut self, rows: usize) -> &[usize] {
        if self.groups.len() < rows {
            self.groups.resize(rows, 0);
        }
        &self.groups[..rows]
    }
}

impl<S: State> Accumulator for Single<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.zeros(values[0].len());
        let Self { state, groups, .. } = self;
        S::update(state, values, &Rows { groups: &groups[..values[0].len()], filter: None })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let row = struct_array(S::family(), &[self.state[0].finish(self.level)]);
        Ok(ScalarValue::Struct(Arc::new(row)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.state[0].heap_bytes() + self.groups.capacity() * size_of::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        S::export(&self.state)?.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.zeros(states[0].len());
        let Self { state, groups, .. } = self;
        S::merge(state, states, &groups[..states[0].len()])
    }
}

/// The column of numbers at `index`.
pub(crate) fn floats(columns: &[ArrayRef], index: usize) -> Result<&Float64Array> {
    match columns.get(index) {
        Some(column) => as_float64_array(column),
        None => exec_err!("argument {index} is missing"),
    }
}
