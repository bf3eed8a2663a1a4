//! Paired blocks: what verdicts use. Every block is kept until the group is finished.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field};
use benchbook_stats::verdict::{Label, Rules, Scope, paired_verdict};
use datafusion::common::Result;
use datafusion::common::cast::{as_boolean_array, as_float64_array, as_int64_array};

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::lists;
use super::state::{Rows, State};
use super::summary::floats;

/// The reason given where blocks would have to be resampled in order, but their order is unknown.
const NO_ORDER: &str = "block-order-unknown";

pub(super) static PAIRED: Family = Family {
    summary: "paired_summary",
    arguments: &[Argument { name: "log_ratio", kind: Kind::Float }, Argument { name: "replicate", kind: Kind::Int }],
    level: true,
    optional: &[
        Argument { name: "block", kind: Kind::Int },
        Argument { name: "pilot", kind: Kind::Int },
        Argument { name: "margin", kind: Kind::Float },
        Argument { name: "exact", kind: Kind::Flag },
    ],
    outputs: &[
        Output { name: "speedup", kind: Kind::Float },
        Output { name: "low", kind: Kind::Float },
        Output { name: "high", kind: Kind::Float },
        Output { name: "equivalence_low", kind: Kind::Float },
        Output { name: "equivalence_high", kind: Kind::Float },
        Output { name: "hierarchical_low", kind: Kind::Float },
        Output { name: "hierarchical_high", kind: Kind::Float },
        Output { name: "verdict", kind: Kind::Text },
        Output { name: "reason", kind: Kind::Text },
        Output { name: "mde", kind: Kind::Float },
        Output { name: "replicates", kind: Kind::Int },
        Output { name: "blocks", kind: Kind::Int },
        Output { name: "scope", kind: Kind::Text },
        Output { name: "p_value", kind: Kind::Float },
        Output { name: "standard_error", kind: Kind::Float },
        Output { name: "df", kind: Kind::Float },
        Output { name: "equivalence_p", kind: Kind::Float },
        // The bounds of the equivalence interval by their names of old.
        Output { name: "size_low", kind: Kind::Float },
        Output { name: "size_high", kind: Kind::Float },
    ],
    shorts: &[
        Short {
            name: "paired_speedup",
            field: "speedup",
            level: true,
            doc: "Ratio of times, baseline over candidate, from the log ratios of paired blocks; above 1 the candidate \
                  is faster.",
        },
        Short {
            name: "paired_speedup_low",
            field: "low",
            level: true,
            doc: "Lower bound of paired_speedup: Student's t over replicate means from 5 replicates on, else a \
                  bootstrap of blocks.",
        },
        Short {
            name: "paired_speedup_high",
            field: "high",
            level: true,
            doc: "Upper bound of paired_speedup: Student's t over replicate means from 5 replicates on, else a \
                  bootstrap of blocks.",
        },
        Short {
            name: "paired_verdict",
            field: "verdict",
            level: true,
            doc: "faster, slower, equivalent (within the margin, 1 %) or undecided, of this comparison alone: the view \
                  verdicts judges it as one of its run. Undecided below 5 replicates.",
        },
        Short {
            name: "paired_reason",
            field: "reason",
            level: true,
            doc: "Why the verdict is what it is, or why there is none, as a word.",
        },
        Short {
            name: "paired_mde",
            field: "mde",
            level: true,
            doc: "The minimum detectable effect, found 9 times in 10, as a fraction of the time.",
        },
        Short {
            name: "paired_scope",
            field: "scope",
            level: true,
            doc: "How far the verdict reaches: across replicates, or only within one process.",
        },
        Short {
            name: "paired_p",
            field: "p_value",
            level: true,
            doc: "Two-sided p-value of no difference, by the test behind the interval, from 5 replicates on; q_value \
                  adjusts it for a suite.",
        },
        Short {
            name: "paired_se",
            field: "standard_error",
            level: true,
            doc: "Standard error of the mean log ratio: about the relative error of paired_speedup.",
        },
        Short {
            name: "paired_df",
            field: "df",
            level: true,
            doc: "Degrees of freedom of the Student multiplier of the interval.",
        },
    ],
    doc: "Speedup of paired blocks with its interval, verdict, reason, minimum detectable effect, p-value and \
          standard error. Replicates of fewer than 5 are resampled in the order of `block`; a `pilot` of so many \
          replicates, where it fixed the number of all, widens the interval; `margin` is the share up to which both \
          are equivalent, 0.01 where it is not given; where `exact` is true, ratios that do not vary are exact and \
          not the sign of a coarse clock. They stand after the level, or are the columns of these names beside \
          log_ratio. Keeps every block.",
};

#[derive(Debug, Clone, Copy)]
struct Block {
    replicate: i64,
    block: Option<i64>,
    pilot: Option<i64>,
    log_ratio: f64,
}

/// State of `paired_summary`: the blocks, in no order, and what a metric says of all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PairedState {
    blocks: Vec<Block>,
    /// The narrowest margin that was given.
    margin: Option<f64>,
    /// Whether every block is exact; nothing where none says it.
    exact: Option<bool>,
}

impl PairedState {
    fn narrow(&mut self, margin: Option<f64>, exact: Option<bool>) {
        self.margin = [self.margin, margin].into_iter().flatten().reduce(f64::min);
        self.exact = [self.exact, exact].into_iter().flatten().reduce(|one, other| one && other);
    }

    /// The blocks by replicate in the order they were run, and whether that order is known.
    fn in_order(&self) -> (Vec<(i64, f64)>, bool) {
        let mut blocks = self.blocks.clone();
        let known = blocks.iter().all(|block| block.block.is_some());
        // The ratio breaks ties, so that the result never depends on the order of arrival.
        blocks.sort_unstable_by(|a, b| {
            let rank = |block: &Block| (block.replicate, if known { block.block } else { None });
            rank(a).cmp(&rank(b)).then(a.log_ratio.total_cmp(&b.log_ratio))
        });
        (blocks.into_iter().map(|block| (block.replicate, block.log_ratio)).collect(), known)
    }

    /// The least pilot that any block belongs to: it widens the interval most.
    fn pilot(&self) -> Option<usize> {
        self.blocks.iter().filter_map(|block| usize::try_from(block.pilot?).ok()).min()
    }

    fn rules(&self, level: f64) -> Rules {
        let usual = Rules { level, pilot: self.pilot(), exact: self.exact.unwrap_or_default(), ..Rules::default() };
        Rules { margin: self.margin.unwrap_or(usual.margin), ..usual }
    }
}

impl State for PairedState {
    fn family() -> &'static Family {
        &PAIRED
    }

    fn state_fields() -> Vec<Field> {
        vec![
            lists::field("replicates", DataType::Int64),
            lists::field("blocks", DataType::Int64),
            lists::field("pilots", DataType::Int64),
            lists::field("log_ratios", DataType::Float64),
            Field::new("margin", DataType::Float64, true),
            Field::new("exact", DataType::Boolean, true),
        ]
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let log_ratio = floats(arguments, 0)?;
        let replicate = as_int64_array(&arguments[1])?;
        let block = arguments.get(3).map(|column| as_int64_array(column)).transpose()?;
        let pilot = arguments.get(4).map(|column| as_int64_array(column)).transpose()?;
        let margin = arguments.get(5).map(|column| as_float64_array(column)).transpose()?;
        let exact = arguments.get(6).map(|column| as_boolean_array(column)).transpose()?;
        rows.each(&[log_ratio, replicate], |row, group| {
            let state = &mut states[group];
            state.blocks.push(Block {
                replicate: replicate.value(row),
                block: block.filter(|block| block.is_valid(row)).map(|block| block.value(row)),
                pilot: pilot.filter(|pilot| pilot.is_valid(row)).map(|pilot| pilot.value(row)),
                log_ratio: log_ratio.value(row),
            });
            state.narrow(
                margin.filter(|margin| margin.is_valid(row)).map(|margin| margin.value(row)),
                exact.filter(|exact| exact.is_valid(row)).map(|exact| exact.value(row)),
            );
        });
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let (replicates, ranges) = lists::parts(&columns[0])?;
        let (blocks, _) = lists::parts(&columns[1])?;
        let (pilots, _) = lists::parts(&columns[2])?;
        let (log_ratios, _) = lists::parts(&columns[3])?;
        let replicates = as_int64_array(replicates)?;
        let blocks = as_int64_array(blocks)?;
        let pilots = as_int64_array(pilots)?;
        let log_ratios = as_float64_array(log_ratios)?;
        // The four lists of a row have the same length, but a slice may start elsewhere in each.
        let first = start(&columns[0])?;
        let (block_start, pilot_start, ratio_start) = (start(&columns[1])?, start(&columns[2])?, start(&columns[3])?);
        let at = |list: &Int64Array, index: usize| list.is_valid(index).then(|| list.value(index));
        let (margins, exacts) = (as_float64_array(&columns[4])?, as_boolean_array(&columns[5])?);
        for (row, (group, range)) in groups.iter().zip(ranges).enumerate() {
            let state = &mut states[*group];
            state.narrow(
                margins.is_valid(row).then(|| margins.value(row)),
                exacts.is_valid(row).then(|| exacts.value(row)),
            );
            state.blocks.extend(range.map(|index| Block {
                replicate: replicates.value(index),
                block: at(blocks, index - first + block_start),
                pilot: at(pilots, index - first + pilot_start),
                log_ratio: log_ratios.value(index - first + ratio_start),
            }));
        }
        Ok(())
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        lists::check(states.iter().map(|state| state.blocks.len()).sum())?;
        let all = || states.iter().flat_map(|state| &state.blocks);
        let lengths = || states.iter().map(|state| state.blocks.len());
        let replicates: Int64Array = all().map(|block| Some(block.replicate)).collect();
        let blocks: Int64Array = all().map(|block| block.block).collect();
        let pilots: Int64Array = all().map(|block| block.pilot).collect();
        let log_ratios: Float64Array = all().map(|block| Some(block.log_ratio)).collect();
        Ok(vec![
            lists::column(lengths(), Arc::new(replicates))?,
            lists::column(lengths(), Arc::new(blocks))?,
            lists::column(lengths(), Arc::new(pilots))?,
            lists::column(lengths(), Arc::new(log_ratios))?,
            Arc::new(states.iter().map(|state| state.margin).collect::<Float64Array>()),
            Arc::new(states.iter().map(|state| state.exact).collect::<BooleanArray>()),
        ])
    }

    fn finish(&self, level: f64) -> Vec<Cell> {
        let (blocks, ordered) = self.in_order();
        let mut replicates: Vec<i64> = blocks.iter().map(|block| block.0).collect();
        replicates.dedup();
        let counts = [Cell::count(replicates.len()), Cell::count(blocks.len())];
        let verdict = match paired_verdict(&blocks, &self.rules(level)) {
            Ok(verdict) => verdict,
            Err(error) => return without_verdict(None, reason(&error), counts),
        };
        // Only replicate means are free of the order of their blocks.
        if !ordered && verdict.scope != Scope::AcrossReplicates && verdict.standard_error.is_some() {
            return without_verdict(Some(verdict.ratio), NO_ORDER, counts);
        }
        let [replicates, blocks] = counts;
        vec![
            Cell::Float(Some(verdict.ratio)),
            Cell::Float(verdict.low),
            Cell::Float(verdict.high),
            Cell::Float(verdict.equivalence_low),
            Cell::Float(verdict.equivalence_high),
            Cell::Float(verdict.hierarchical.map(|interval| interval.low)),
            Cell::Float(verdict.hierarchical.map(|interval| interval.high)),
            Cell::Text(Some(verdict.label.text())),
            Cell::Text(Some(verdict.reason.code())),
            Cell::Float(verdict.minimum_detectable_effect),
            replicates,
            blocks,
            Cell::Text(Some(verdict.scope.code())),
            Cell::Float(verdict.p_value),
            Cell::Float(verdict.standard_error),
            Cell::Float(verdict.df),
            Cell::Float(verdict.equivalence_p),
            Cell::Float(verdict.equivalence_low),
            Cell::Float(verdict.equivalence_high),
        ]
    }

    fn heap_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
    }
}

/// Where the first list of a column starts in its values.
fn start(column: &ArrayRef) -> Result<usize> {
    let (_, mut ranges) = lists::parts(column)?;
    Ok(ranges.next().map_or(0, |range| range.start))
}

fn without_verdict(speedup: Option<f64>, reason: &'static str, [replicates, blocks]: [Cell; 2]) -> Vec<Cell> {
    vec![
        Cell::Float(speedup),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Text(Some(Label::Undecided.text())),
        Cell::Text(Some(reason)),
        Cell::Float(None),
        replicates,
        blocks,
        Cell::Text(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
        Cell::Float(None),
    ]
}
