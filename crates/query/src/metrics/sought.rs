//! Another metric that is sought in a view of times, where it never is: an empty answer would look like one.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, TableFactor, TableWithJoins, Value, ValueWithSpan, Visit, Visitor,
};

use super::{TIME, table_functions};
use crate::names::quoted;

/// What to write in the place of a view of times whose column `metric` is to be another one, if a statement asks that.
pub(crate) fn sought_in_times(statement: &Statement) -> Option<String> {
    struct Seeks(Option<String>);

    impl Visitor for Seeks {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let mut tables = query.with.iter().flat_map(|with| &with.cte_tables);
            if tables.any(|table| view_of(&table.alias.name.value).is_some()) {
                // It is another table that has this name.
                self.0 = None;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            self.0 = self.0.take().or_else(|| instead(select));
            ControlFlow::Continue(())
        }
    }

    match statement {
        Statement::Explain(explain) => sought_in_times(&explain.statement),
        Statement::Statement(inner) => {
            let mut seeks = Seeks(None);
            let _ = inner.visit(&mut seeks);
            seeks.0
        }
        _ => None,
    }
}

/// The view of times of this name, which is a function of a metric too.
fn view_of(name: &str) -> Option<&'static str> {
    table_functions().map(|function| function.name).find(|view| name.eq_ignore_ascii_case(view))
}

/// What to write in the place of the only table of a SELECT.
fn instead(select: &Select) -> Option<String> {
    let [TableWithJoins { relation: TableFactor::Table { name, alias, args: None, .. }, joins }] =
        select.from.as_slice()
    else {
        return None;
    };
    let view = view_of(&name.to_string()).filter(|_| joins.is_empty())?;
    let table = alias.as_ref().map_or(view, |alias| alias.name.value.as_str());
    let metric = wanted(select.selection.as_ref()?, table).filter(|metric| *metric != TIME)?;
    let call = format!("{view}({})", quoted(metric));
    Some(format!("`{view}` holds times, and no row of it is of the metric `{metric}`: write {call} in its place"))
}

/// The metric that a condition asks of a table, where that is a part of it which all rows must meet.
fn wanted<'a>(condition: &'a Expr, table: &str) -> Option<&'a str> {
    match condition {
        Expr::Nested(inner) => wanted(inner, table),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => wanted(left, table).or_else(|| wanted(right, table)),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let text = if is_metric(left, table) {
                right
            } else if is_metric(right, table) {
                left
            } else {
                return None;
            };
            match &**text {
                Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(metric), .. }) => Some(metric.as_str()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether an expression is the column `metric` of a table.
fn is_metric(column: &Expr, table: &str) -> bool {
    let (of, name) = match column {
        Expr::Identifier(name) => (table, name),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [of, name] => (of.value.as_str(), name),
            _ => return false,
        },
        _ => return false,
    };
    of.eq_ignore_ascii_case(table) && name.value.eq_ignore_ascii_case("metric")
}
