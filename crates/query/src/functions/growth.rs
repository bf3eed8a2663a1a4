//! The bytes that a function makes of its arguments, at most, told before it is called.

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, Int64Array, OffsetSizeTrait};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// The bytes that a call makes of one row.
pub(super) type RowBytes = fn(&Arguments, usize) -> u64;

/// The functions that make much of little: their output grows with the value of an argument, or with the product of
/// the sizes of two. That of all others grows with the sum of their arguments.
pub(super) const GROWING: &[(&str, RowBytes)] = &[
    ("repeat", repeated),
    ("lpad", padded),
    ("rpad", padded),
    ("replace", replaced),
    ("regexp_replace", replaced_by_pattern),
    ("range", ranged),
    ("generate_series", ranged),
    ("array_repeat", array_repeated),
    ("array_resize", array_resized),
    ("array_to_string", joined),
    ("array_replace", |call, row| array_replaced(call, row, 1)),
    ("array_replace_n", |call, row| array_replaced(call, row, call.count(3, row))),
    ("array_replace_all", |call, row| array_replaced(call, row, u64::MAX)),
];

/// A character of UTF-8.
const CHARACTER_BYTES: u64 = 4;

/// The longest text of a floating-point number, which the engine writes without an exponent.
const FLOAT_BYTES: u64 = 330;

/// The longest text of any other value that is no text.
const VALUE_BYTES: u64 = 80;

/// What a row takes beside its values while a list is built: two lists of indices.
const INDEX_BYTES: u64 = 16;

/// The shortest day, on which the clocks are put forward.
const DAY_NS: i128 = 23 * 3_600_000_000_000;

/// The days of the shortest month.
const MONTH_DAYS: i128 = 28;

/// The arguments of a call.
pub(super) struct Arguments {
    columns: Vec<Column>,
    rows: usize,
}

/// An argument: one value for all rows, or one for each.
struct Column {
    values: ArrayRef,
    /// The same as whole numbers, where they are some; of times in the unit of their type.
    numbers: Option<Int64Array>,
    constant: bool,
}

impl Column {
    fn new(argument: &ColumnarValue) -> Result<Self> {
        let mut values = argument.to_array(1)?;
        if let DataType::Dictionary(_, plain) = values.data_type() {
            let plain = plain.as_ref().clone();
            values = cast(&values, &plain)?;
        }
        let kind = values.data_type();
        let whole = kind.is_integer() || matches!(kind, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
        let numbers =
            if whole { Some(cast(&values, &DataType::Int64)?.as_primitive::<Int64Type>().clone()) } else { None };
        Ok(Self { values, numbers, constant: matches!(argument, ColumnarValue::Scalar(_)) })
    }

    fn at(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }
}

impl Arguments {
    pub(super) fn new(call: &ScalarFunctionArgs) -> Result<Self> {
        let columns = call.args.iter().map(Column::new).collect::<Result<_>>()?;
        Ok(Self { columns, rows: call.number_rows })
    }

    /// The bytes that the call makes of all rows.
    pub(super) fn bytes(&self, of_row: RowBytes) -> u64 {
        match self.columns.iter().find(|column| !column.constant) {
            Some(column) => (0..column.values.len()).fold(0, |sum: u64, row| sum.saturating_add(of_row(self, row))),
            // It is made once, for no rows too, and then written out for each.
            None => of_row(self, 0).saturating_mul(self.rows.max(1) as u64),
        }
    }

    /// An argument in a row as an array of one value.
    fn value(&self, column: usize, row: usize) -> Option<ArrayRef> {
        let column = self.columns.get(column)?;
        Some(column.values.slice(column.at(row), 1))
    }

    /// A text; nothing where it is absent or null.
    fn text(&self, column: usize, row: usize) -> Option<&str> {
        let column = self.columns.get(column)?;
        let (values, row) = (&column.values, column.at(row));
        if values.is_null(row) {
            return None;
        }
        match values.data_type() {
            DataType::Utf8 => Some(values.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Some(values.as_string::<i64>().value(row)),
            DataType::Utf8View => Some(values.as_string_view().value(row)),
            _ => None,
        }
    }

    /// The bytes of a text.
    fn length(&self, column: usize, row: usize) -> u64 {
        self.text(column, row).map_or(0, |text| text.len() as u64)
    }

    /// A whole number or a time; nothing where it is absent or null.
    fn number(&self, column: usize, row: usize) -> Option<i64> {
        let column = self.columns.get(column)?;
        let (numbers, row) = (column.numbers.as_ref()?, column.at(row));
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    /// A whole number that counts, which one below zero does not.
    fn count(&self, column: usize, row: usize) -> u64 {
        self.number(column, row).map_or(0, |number| u64::try_from(number).unwrap_or(0))
    }

    /// An interval in months, days and nanoseconds; nothing where it is absent or null.
    fn interval(&self, column: usize, row: usize) -> Option<[i128; 3]> {
        let value = self.value(column, row)?;
        let intervals = value.as_primitive_opt::<IntervalMonthDayNanoType>()?;
        if intervals.is_null(0) {
            return None;
        }
        let (months, days, ns) = IntervalMonthDayNanoType::to_parts(intervals.value(0));
        Some([months.into(), days.into(), ns.into()])
    }

    fn kind(&self, column: usize) -> Option<&DataType> {
        self.columns.get(column).map(|column| column.values.data_type())
    }
}

/// `repeat(text, count)`.
fn repeated(call: &Arguments, row: usize) -> u64 {
    call.length(0, row).saturating_mul(call.count(1, row))
}

/// `lpad(text, characters[, fill])`, and `rpad`.
fn padded(call: &Arguments, row: usize) -> u64 {
    let fill = if call.columns.len() > 2 { call.length(2, row) } else { 1 };
    call.length(0, row).saturating_add(call.count(1, row).saturating_mul(fill.min(CHARACTER_BYTES)))
}

/// `replace(text, from, to)`.
fn replaced(call: &Arguments, row: usize) -> u64 {
    let [text, from, to] = [0, 1, 2].map(|column| call.length(column, row));
    text.saturating_add(text.checked_div(from).unwrap_or(0).saturating_mul(to))
}

/// `regexp_replace(text, pattern, replacement[, flags])`, whose replacement may take up groups of each match.
fn replaced_by_pattern(call: &Arguments, row: usize) -> u64 {
    let text = call.length(0, row);
    let replacement = call.text(2, row).unwrap_or_default();
    let groups = replacement.bytes().filter(|byte| matches!(byte, b'\\' | b'$')).count() as u64;
    let all = call.text(3, row).is_some_and(|flags| flags.contains('g'));
    // An empty match fits before each byte and at the end.
    let matches = if all { text + 1 } else { 1 };
    text.saturating_mul(1 + groups).saturating_add(matches.saturating_mul(replacement.len() as u64))
}

/// `range([start, ]stop[, step])`, and `generate_series`, of whole numbers or times.
fn ranged(call: &Arguments, row: usize) -> u64 {
    let (start, stop) = match call.columns.len() {
        1 => (Some(0), call.number(0, row)),
        _ => (call.number(0, row), call.number(1, row)),
    };
    let (unit, step) = match call.kind(2) {
        None => (1, Some(1)),
        Some(DataType::Interval(_)) => {
            let Some(parts) = call.interval(2, row) else { return 0 };
            // One whose parts point both ways may never arrive.
            let Some(step) = step_ns(parts, call.kind(0)) else { return u64::MAX };
            (unit_ns(call.kind(0)), Some(step))
        }
        Some(_) => (1, call.number(2, row).map(i128::from)),
    };
    let (Some(start), Some(stop), Some(step)) = (start, stop, step) else { return 0 };
    let span = (i128::from(stop) - i128::from(start)) * unit;
    // The function itself refuses a step of nothing.
    if step == 0 || span.signum() * step.signum() < 0 {
        return 0;
    }
    let values = span.abs() / step.abs() + 1;
    u64::try_from(values).unwrap_or(u64::MAX).saturating_mul(size_of::<i64>() as u64)
}

/// What the number of a time counts.
fn unit_ns(kind: Option<&DataType>) -> i128 {
    match kind {
        Some(DataType::Date32) => 86_400_000_000_000,
        Some(DataType::Timestamp(TimeUnit::Second, _)) => 1_000_000_000,
        Some(DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _)) => 1_000_000,
        Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => 1_000,
        _ => 1,
    }
}

/// The least that an interval moves a time of this kind; nothing where its parts point both ways.
fn step_ns(parts: [i128; 3], kind: Option<&DataType>) -> Option<i128> {
    let [months, days, ns] = parts;
    if parts.iter().any(|part| *part > 0) && parts.iter().any(|part| *part < 0) {
        return None;
    }
    // A date moves by whole days.
    let ns = if matches!(kind, Some(DataType::Date32 | DataType::Date64)) { 0 } else { ns };
    Some((months * MONTH_DAYS + days) * DAY_NS + ns)
}

/// `array_repeat(element, count)`.
fn array_repeated(call: &Arguments, row: usize) -> u64 {
    let Some(element) = call.value(0, row) else { return 0 };
    let indices = items(&element).map_or(1, |items| 1 + items.len() as u64).saturating_mul(INDEX_BYTES);
    call.count(1, row).saturating_mul(copied(&element).saturating_add(indices))
}

/// `array_resize(list, size[, fill])`, which makes what it fills with, and then copies it.
fn array_resized(call: &Arguments, row: usize) -> u64 {
    let fill = call.value(2, row).map_or(0, |fill| copied(&fill)).max(INDEX_BYTES);
    let list = call.value(0, row).map_or(0, |list| copied(&list));
    list.saturating_add(call.count(1, row).saturating_mul(fill).saturating_mul(2))
}

/// `array_to_string(list, delimiter[, null])`.
fn joined(call: &Arguments, row: usize) -> u64 {
    let between = call.length(1, row).saturating_add(call.length(2, row));
    call.value(0, row).map_or(0, |list| written(&list, between))
}

/// `array_replace(list, from, to)`, and those that replace more than the first.
fn array_replaced(call: &Arguments, row: usize, most: u64) -> u64 {
    let (Some(list), Some(to)) = (call.value(0, row), call.value(2, row)) else { return 0 };
    let places = items(&list).map_or(0, |items| items.len() as u64).min(most);
    copied(&list).saturating_add(places.saturating_mul(copied(&to)))
}

/// The items of all lists, where the values are lists.
fn items(values: &dyn Array) -> Option<ArrayRef> {
    fn within<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> ArrayRef {
        let offsets = lists.value_offsets();
        let [first, last] =
            [offsets.first(), offsets.last()].map(|offset| offset.map_or(0, |offset| offset.as_usize()));
        lists.values().slice(first, last - first)
    }
    match values.data_type() {
        DataType::List(_) => Some(within(values.as_list::<i32>())),
        DataType::LargeList(_) => Some(within(values.as_list::<i64>())),
        DataType::FixedSizeList(..) => Some(values.as_fixed_size_list().values().clone()),
        _ => None,
    }
}

/// The bytes of a copy of the values.
fn copied(values: &dyn Array) -> u64 {
    if let Some(items) = items(values) {
        return copied(&items).saturating_add((values.len() as u64 + 1) * size_of::<i64>() as u64);
    }
    if let Some(parts) = values.as_struct_opt() {
        return parts.columns().iter().fold(0, |sum: u64, part| sum.saturating_add(copied(part)));
    }
    values.to_data().get_slice_memory_size().map_or(u64::MAX, |bytes| bytes as u64)
}

/// The bytes of the values as text, each with so many more.
fn written(values: &dyn Array, between: u64) -> u64 {
    if let Some(items) = items(values) {
        return written(&items, between);
    }
    let (texts, longest) = match values.data_type() {
        DataType::Utf8View => (values.as_string_view().iter().flatten().map(|text| text.len() as u64).sum::<u64>(), 0),
        DataType::Utf8 | DataType::LargeUtf8 => (copied(values), 0),
        kind if kind.is_floating() => (0, FLOAT_BYTES),
        _ => (0, VALUE_BYTES),
    };
    (values.len() as u64).saturating_mul(between.saturating_add(longest)).saturating_add(texts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, FieldRef};
    use datafusion::common::ScalarValue;
    use datafusion::config::ConfigOptions;
    use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
    use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDF};

    use super::*;

    fn text(text: &str) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(text))
    }

    fn whole(number: i64) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(number))
    }

    fn date(days: i32) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::Date32(Some(days)))
    }

    fn time(days: i64) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::TimestampNanosecond(Some(days * 86_400_000_000_000), None))
    }

    fn interval(months: i32, days: i32, ns: i64) -> ColumnarValue {
        let interval = IntervalMonthDayNanoType::make_value(months, days, ns);
        ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(interval)))
    }

    fn list(text: &str, count: usize) -> ColumnarValue {
        let items = vec![ScalarValue::from(text); count];
        ColumnarValue::Scalar(ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Utf8)))
    }

    fn function(name: &str) -> Arc<ScalarUDF> {
        SessionStateBuilder::new_with_default_features().build().udf(name).expect(name)
    }

    fn call(function: &ScalarUDF, args: Vec<ColumnarValue>, number_rows: usize) -> ScalarFunctionArgs {
        let field = |argument: &ColumnarValue| Arc::new(Field::new("argument", argument.data_type(), true));
        let arg_fields: Vec<FieldRef> = args.iter().map(field).collect();
        let constants = args.iter().map(|argument| match argument {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        });
        let constants: Vec<Option<&ScalarValue>> = constants.collect();
        let types = ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &constants };
        let return_field = function.return_field_from_args(types).expect("it takes these");
        let config_options = Arc::new(ConfigOptions::default());
        ScalarFunctionArgs { args, arg_fields, number_rows, return_field, config_options }
    }

    fn told(name: &str, call: &ScalarFunctionArgs) -> u64 {
        let (_, row_bytes) = GROWING.iter().find(|(known, _)| *known == name).expect(name);
        Arguments::new(call).expect("they can be read").bytes(*row_bytes)
    }

    #[test]
    fn what_is_made_is_what_was_told_or_somewhat_less() {
        let dashed = "a-".repeat(1_000);
        let cases = [
            ("repeat", vec![text("é-"), whole(700)]),
            ("lpad", vec![text("abc"), whole(2_000)]),
            ("lpad", vec![text("abc"), whole(2_000), text("é")]),
            ("rpad", vec![text("abc"), whole(2_000), text("xy")]),
            ("replace", vec![text(&dashed), text("a"), text("bcd")]),
            ("regexp_replace", vec![text(&dashed), text("x*"), text("<\\0>"), text("g")]),
            ("regexp_replace", vec![text(&dashed), text("^(.*)$"), text("\\1\\1")]),
            ("range", vec![whole(1_000)]),
            ("range", vec![whole(1_000), whole(0), whole(-3)]),
            ("generate_series", vec![whole(0), whole(1_000), whole(2)]),
            ("range", vec![date(0), date(1_000), interval(0, 1, 0)]),
            ("generate_series", vec![date(0), date(100_000), interval(1, 0, 0)]),
            ("generate_series", vec![time(1_000), time(0), interval(0, -1, 0)]),
            ("array_repeat", vec![text("abc"), whole(500)]),
            ("array_repeat", vec![list("abc", 3), whole(500)]),
            ("array_resize", vec![list("abc", 3), whole(500), text("abc")]),
            ("array_resize", vec![list("abc", 3), whole(500)]),
            ("array_to_string", vec![list("abc", 500), text(", ")]),
            ("array_replace", vec![list("abc", 500), text("abc"), text(&dashed)]),
            ("array_replace_n", vec![list("abc", 500), text("abc"), text(&dashed), whole(3)]),
            ("array_replace_all", vec![list("abc", 500), text("abc"), text(&dashed)]),
        ];
        for (name, arguments) in cases {
            let function = function(name);
            for rows in [1, 3] {
                let each = |argument: &ColumnarValue| match rows {
                    1 => argument.clone(),
                    _ => ColumnarValue::Array(argument.to_array(rows).expect("rows")),
                };
                let call = call(&function, arguments.iter().map(each).collect(), rows);
                let told = told(name, &call);
                let made = function.invoke_with_args(call).expect(name).into_array(rows).expect("rows");
                // Offsets and nulls of the rows are not told.
                let (made, beside) = (copied(&made), 64 * rows as u64);
                assert!(made <= told + beside && told <= 10 * made, "{name}, {rows} rows: {told} told, {made} made");
            }
        }
    }

    #[test]
    fn a_constant_counts_for_each_row() {
        let function = function("repeat");
        let of_rows = |rows| told("repeat", &call(&function, vec![text("ab"), whole(1_000)], rows));
        assert_eq!([0, 1, 5].map(of_rows), [2_000, 2_000, 10_000]);
    }

    #[test]
    fn a_step_that_may_never_arrive_has_no_end() {
        let steps = |start, stop, step| told("range", &call(&function("range"), vec![start, stop, step], 1));
        // From the first of a February with 29 days, this step leads to the same day again.
        assert_eq!(steps(date(18_293), date(18_322), interval(1, -29, 0)), u64::MAX);
        assert_eq!(steps(date(0), date(1), interval(0, 1, -86_400_000_000_000)), u64::MAX);
        assert_eq!(steps(date(1), date(0), interval(0, 1, 0)), 0, "it leads away");
        assert_eq!(steps(whole(i64::MIN), whole(i64::MAX), whole(1)), u64::MAX);
    }
}
