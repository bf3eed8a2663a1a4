//! Variables of a notebook as parameters of SQL.

use datafusion::common::ScalarValue;

use crate::Run;

/// A value that a cell of SQL can take for a `$parameter`.
#[diagnostic::on_unimplemented(
    message = "a value of the type `{Self}` cannot be a parameter of SQL",
    note = "numbers, `bool`, text, runs, and `Option`s of these can"
)]
pub trait Given {
    /// The value as SQL has it.
    fn given(&self) -> ScalarValue;
}

macro_rules! given {
    ($($rust:ty => $variant:ident($sql:ty)),+ $(,)?) => {
        $(impl Given for $rust {
            fn given(&self) -> ScalarValue {
                ScalarValue::$variant(Some(<$sql>::from(*self)))
            }
        })+
    };
}

given! {
    i8 => Int64(i64),
    i16 => Int64(i64),
    i32 => Int64(i64),
    i64 => Int64(i64),
    u8 => Int64(i64),
    u16 => Int64(i64),
    u32 => Int64(i64),
    u64 => UInt64(u64),
    f32 => Float64(f64),
    f64 => Float64(f64),
    bool => Boolean(bool),
}

impl Given for usize {
    fn given(&self) -> ScalarValue {
        (*self as u64).given()
    }
}

impl Given for isize {
    fn given(&self) -> ScalarValue {
        (*self as i64).given()
    }
}

impl Given for str {
    fn given(&self) -> ScalarValue {
        ScalarValue::Utf8(Some(self.to_owned()))
    }
}

impl Given for String {
    fn given(&self) -> ScalarValue {
        self.as_str().given()
    }
}

/// A run is known by its id.
impl Given for Run {
    fn given(&self) -> ScalarValue {
        self.id().given()
    }
}

impl<T: Given + ?Sized> Given for &T {
    fn given(&self) -> ScalarValue {
        (**self).given()
    }
}

impl<T: Given> Given for Option<T> {
    fn given(&self) -> ScalarValue {
        // A default that is made before would have to be let go, by code that a cell compiles.
        match self {
            Some(value) => value.given(),
            None => ScalarValue::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type() {
        let pairs = [
            (7_u8.given(), ScalarValue::Int64(Some(7))),
            (u64::MAX.given(), ScalarValue::UInt64(Some(u64::MAX))),
            ((-3_isize).given(), ScalarValue::Int64(Some(-3))),
            (0.5_f32.given(), ScalarValue::Float64(Some(0.5))),
            (true.given(), ScalarValue::Boolean(Some(true))),
            ("a'b".given(), ScalarValue::Utf8(Some("a'b".into()))),
            (Some(String::from("x")).given(), ScalarValue::Utf8(Some("x".into()))),
            (None::<i32>.given(), ScalarValue::Null),
        ];
        for (found, expected) in pairs {
            assert_eq!(found, expected);
        }
    }
}
