//! Functions of the engine that could ask for any amount of memory at once, each behind a check of what it would make.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, StructFieldMapping, Volatility,
};

use super::growth::{Arguments, GROWING, RowBytes};
use crate::error::{MORE_MEMORY, size};

/// Puts the check before each of these functions: none makes more at once than `pool`, of `limit_bytes`, has left.
pub(crate) fn bound(registry: &mut dyn FunctionRegistry, pool: &Arc<dyn MemoryPool>, limit_bytes: u64) -> Result<()> {
    for (name, row_bytes) in GROWING {
        let inner = registry.udf(name)?;
        // A constant would be made of it while nobody knows yet for how many rows.
        let signature = Signature { volatility: Volatility::Volatile, ..inner.signature().clone() };
        let growing = Growing { inner, signature, row_bytes: *row_bytes, pool: Arc::clone(pool), limit_bytes };
        registry.register_udf(Arc::new(ScalarUDF::from(growing)))?;
    }
    Ok(())
}

/// A function under its own name that is called once the bytes that it makes are known to fit.
#[derive(Debug)]
struct Growing {
    inner: Arc<ScalarUDF>,
    signature: Signature,
    row_bytes: RowBytes,
    pool: Arc<dyn MemoryPool>,
    limit_bytes: u64,
}

impl PartialEq for Growing {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Growing {}

impl Hash for Growing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Growing {
    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = Arguments::new(&call)?.bytes(self.row_bytes);
        // Held until the function is done, since others make theirs meanwhile.
        let held = MemoryConsumer::new(self.name()).register(&self.pool);
        let fits = bytes <= self.limit_bytes && usize::try_from(bytes).is_ok_and(|bytes| held.try_grow(bytes).is_ok());
        if !fits {
            return Err(DataFusionError::Execution(format!(
                "`{}` would take {} of memory at once, and the question may take {} in all: ask for less, or \
                 {MORE_MEMORY}",
                self.name(),
                size(bytes),
                size(self.limit_bytes)
            )));
        }
        self.inner.invoke_with_args(call)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        self.inner.schema_name(arguments)
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        self.inner.return_type(kinds)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn simplify(&self, arguments: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(arguments, context)
    }

    fn preimage(&self, arguments: &[Expr], literal: &Expr, context: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(arguments, literal, context)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(&self, arguments: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(arguments)
    }

    fn evaluate_bounds(&self, arguments: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(arguments)
    }

    fn propagate_constraints(&self, output: &Interval, arguments: &[&Interval]) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(output, arguments)
    }

    fn output_ordering(&self, arguments: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(arguments)
    }

    fn preserves_lex_ordering(&self, arguments: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(arguments)
    }

    fn strictly_order_preserving(&self, arguments: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(arguments)
    }

    fn struct_field_mapping(&self, literals: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(literals)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(arguments)
    }
}
