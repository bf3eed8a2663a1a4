//! The schema for people.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field};

use crate::{DOC_KEY, SCHEMA_VERSION, Table, UNIT_KEY};

fn type_name(kind: &DataType) -> String {
    let fields = |fields: &arrow::datatypes::Fields| {
        let named = |field: &std::sync::Arc<Field>| format!("{}: {}", field.name(), type_name(field.data_type()));
        fields.iter().map(named).collect::<Vec<_>>().join(", ")
    };
    match kind {
        DataType::List(item) => format!("List<{}>", type_name(item.data_type())),
        DataType::Struct(inner) => format!("Struct{{{}}}", fields(inner)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(inner) => {
                let kinds: Vec<String> = inner.iter().map(|field| type_name(field.data_type())).collect();
                format!("Map<{}>", kinds.join(", "))
            }
            other => format!("Map<{other}>"),
        },
        DataType::Timestamp(_, zone) => format!("Timestamp({})", zone.as_deref().unwrap_or("no zone")),
        other => other.to_string(),
    }
}

/// Every table with every column, its type, its unit and its meaning, from the schemas themselves.
pub fn describe_schema() -> String {
    let mut text = format!("benchbook schema version {SCHEMA_VERSION}\n");
    for table in Table::ALL {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{table}: a row is {}\n", table.doc());
        let schema = table.schema();
        let label = |field: &Field| {
            let optional = if field.is_nullable() { "?" } else { "" };
            format!("{}{optional}", field.name())
        };
        let unit = |field: &Field| field.metadata().get(UNIT_KEY).cloned().unwrap_or_default();
        let fields = schema.fields();
        let name_width = fields.iter().map(|field| label(field).len()).max().unwrap_or_default();
        // The long types of maps stand on their own instead of widening every row.
        let type_width = fields.iter().map(|field| type_name(field.data_type()).len()).filter(|len| *len <= 14).max();
        let type_width = type_width.unwrap_or_default();
        for field in fields {
            let doc = field.metadata().get(DOC_KEY).cloned().unwrap_or_default();
            let (name, kind, unit) = (label(field), type_name(field.data_type()), unit(field));
            let _ = writeln!(text, "  {name:name_width$}  {kind:type_width$}  {unit:5}  {doc}");
        }
    }
    text.push_str("\n?: may be NULL. Times (*_ns) are nanoseconds on one monotonic clock since runs.started_at.\n");
    text
}
