//! What can be chosen: axes of whole numbers, floats and choices, and the points of all of them together.

use crate::{Error, Result};

/// How the numbers of an axis are spread: by their differences, or by their ratios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From 1 to 2 is as far as from 101 to 102.
    Linear,
    /// From 1 to 2 is as far as from 100 to 200; all numbers are above zero.
    Log,
}

/// The values that an axis has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// Whole numbers, both ends included.
    Integers {
        /// The least of them.
        least: i64,
        /// The most of them.
        most: i64,
        /// How they are spread.
        scale: Scale,
    },
    /// Numbers between two.
    Floats {
        /// The least of them.
        least: f64,
        /// The most of them.
        most: f64,
        /// How they are spread.
        scale: Scale,
    },
    /// So many things without an order, by their number from 0.
    Choices(usize),
}

/// A value of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Of [`Domain::Integers`].
    Int(i64),
    /// Of [`Domain::Floats`].
    Float(f64),
    /// Of [`Domain::Choices`].
    Choice(usize),
}

/// A value for each axis of a space, in their order.
pub type Point = Vec<Value>;

/// An axis and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The name, for errors and tables.
    pub name: String,
    /// Its values.
    pub domain: Domain,
}

/// Axes of which each has a name of its own and at least one value, and one of them a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    axes: Vec<Axis>,
}

impl Domain {
    /// How many values there are; nothing where they are not counted.
    pub fn values(&self) -> Option<u64> {
        match *self {
            Self::Integers { least, most, .. } => most.abs_diff(least).checked_add(1),
            Self::Floats { least, most, .. } => (least == most).then_some(1),
            Self::Choices(count) => u64::try_from(count).ok(),
        }
    }

    /// What is wrong with it, in words that follow its name.
    fn fault(&self) -> Option<String> {
        let (least, most, scale) = match *self {
            Self::Choices(0) => return Some("has no choices: give it some".to_owned()),
            Self::Choices(_) => return None,
            Self::Integers { least, most, scale } => (least as f64, most as f64, scale),
            Self::Floats { least, most, scale } => (least, most, scale),
        };
        if !(least.is_finite() && most.is_finite()) {
            return Some(format!("goes from {least} to {most}: give it finite ends"));
        }
        if least > most {
            return Some(format!("goes from {least} down to {most}: give the lower end first"));
        }
        if scale == Scale::Log && least <= 0.0 {
            return Some(format!("is spread by ratios from {least} on: begin above zero"));
        }
        None
    }

    /// Its two ends on its own scale. A whole number stands for all that is rounded to it, so that each has as much room.
    fn ends(&self) -> [f64; 2] {
        match *self {
            Self::Integers { least, most, scale } => {
                [least as f64 - 0.5, most as f64 + 0.5].map(|end| scaled(end, scale))
            }
            Self::Floats { least, most, scale } => [least, most].map(|end| scaled(end, scale)),
            Self::Choices(count) => [0.0, count as f64],
        }
    }

    /// Where a value lies between the ends of its axis, from 0 to 1: whole numbers in the middle of their room.
    pub(crate) fn place(&self, value: Value) -> f64 {
        let at = match (*self, value) {
            (Self::Integers { scale, .. }, Value::Int(value)) => scaled(value as f64, scale),
            (Self::Floats { scale, .. }, Value::Float(value)) => scaled(value, scale),
            (_, Value::Choice(value)) => value as f64 + 0.5,
            (_, Value::Int(value)) => value as f64,
            (_, Value::Float(value)) => value,
        };
        let [low, high] = self.ends();
        if high > low { ((at - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
    }

    /// The value at a place from 0 to 1.
    pub(crate) fn at(&self, place: f64) -> Value {
        let [low, high] = self.ends();
        let at = low + place.clamp(0.0, 1.0) * (high - low);
        match *self {
            Self::Integers { least, most, scale } => {
                Value::Int((unscaled(at, scale).round() as i64).clamp(least, most))
            }
            Self::Floats { least, most, scale } => Value::Float(unscaled(at, scale).clamp(least, most)),
            Self::Choices(count) => Value::Choice((at as usize).min(count - 1)),
        }
    }

    /// The value of this number, of those that are counted.
    fn numbered(&self, number: u64) -> Value {
        match *self {
            Self::Integers { least, .. } => Value::Int(least.saturating_add_unsigned(number)),
            Self::Floats { least, .. } => Value::Float(least),
            Self::Choices(_) => Value::Choice(usize::try_from(number).unwrap_or(usize::MAX)),
        }
    }

    fn holds(&self, value: Value) -> bool {
        match (*self, value) {
            (Self::Integers { least, most, .. }, Value::Int(value)) => (least..=most).contains(&value),
            (Self::Floats { least, most, .. }, Value::Float(value)) => (least..=most).contains(&value),
            (Self::Choices(count), Value::Choice(value)) => value < count,
            _ => false,
        }
    }
}

fn scaled(value: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => value.ln(),
    }
}

fn unscaled(value: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => value.exp(),
    }
}

impl Space {
    /// The space of these axes.
    ///
    /// # Errors
    /// [`Error::Axis`] for one without values, or with the name of another; [`Error::EmptySpace`] where nothing is left to
    /// choose.
    pub fn new(axes: Vec<Axis>) -> Result<Self> {
        for (index, Axis { name, domain }) in axes.iter().enumerate() {
            let twice = axes[..index].iter().any(|other| other.name == *name);
            let twice = twice.then(|| "is given twice: leave one of them out".to_owned());
            if let Some(reason) = domain.fault().or(twice) {
                return Err(Error::Axis { axis: name.clone(), reason });
            }
        }
        if axes.iter().all(|axis| axis.domain.values() == Some(1)) {
            return Err(Error::EmptySpace);
        }
        Ok(Self { axes })
    }

    /// Its axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many points it has; nothing where they are not counted, or are more than 2⁶⁴.
    pub fn points(&self) -> Option<u64> {
        self.axes.iter().try_fold(1_u64, |points, axis| points.checked_mul(axis.domain.values()?))
    }

    /// The point of this number, the last axis varying fastest; nothing where the points are not counted, or are fewer.
    pub fn point(&self, number: u64) -> Option<Point> {
        if number >= self.points()? {
            return None;
        }
        let mut rest = number;
        let mut point: Point = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let values = axis.domain.values()?;
            point.push(axis.domain.numbered(rest % values));
            rest /= values;
        }
        point.reverse();
        Some(point)
    }

    /// Whether a point is one of this space.
    pub fn holds(&self, point: &[Value]) -> bool {
        point.len() == self.axes.len() && self.axes.iter().zip(point).all(|(axis, value)| axis.domain.holds(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, domain: Domain) -> Axis {
        Axis { name: name.into(), domain }
    }

    fn integers(least: i64, most: i64) -> Domain {
        Domain::Integers { least, most, scale: Scale::Linear }
    }

    #[test]
    fn every_point_has_a_number_and_is_held() {
        let space = Space::new(vec![axis("a", integers(-1, 2)), axis("b", Domain::Choices(3))]).unwrap();
        assert_eq!(space.points(), Some(12));
        let points: Vec<Point> = (0..12).map(|number| space.point(number).unwrap()).collect();
        assert_eq!(points[0], [Value::Int(-1), Value::Choice(0)]);
        assert_eq!(points[4], [Value::Int(0), Value::Choice(1)]);
        for (index, point) in points.iter().enumerate() {
            assert!(space.holds(point) && !points[..index].contains(point));
        }
        assert_eq!(space.point(12), None);
        for strange in [vec![Value::Int(3), Value::Choice(0)], vec![Value::Int(0)], vec![Value::Choice(0); 2]] {
            assert!(!space.holds(&strange), "{strange:?}");
        }
    }

    #[test]
    fn a_value_lies_where_it_is_drawn_from() {
        for domain in [
            integers(-3, 40),
            Domain::Integers { least: 1, most: 1024, scale: Scale::Log },
            Domain::Choices(7),
            integers(5, 5),
        ] {
            for number in 0..domain.values().unwrap() {
                let value = domain.numbered(number);
                assert_eq!(domain.at(domain.place(value)), value, "{domain:?}");
            }
            assert!(domain.holds(domain.at(0.0)) && domain.holds(domain.at(1.0)));
        }
        let floats = Domain::Floats { least: 1e-5, most: 1e-1, scale: Scale::Log };
        let Value::Float(middle) = floats.at(0.5) else { panic!("a float") };
        // Half way between the ends by their ratio.
        assert!((middle / 1e-3 - 1.0).abs() < 1e-9, "{middle}");
    }

    #[test]
    fn whole_numbers_have_as_much_room_each() {
        let domain = integers(10, 13);
        let counts = (0..400).fold([0; 4], |mut counts, step| {
            let Value::Int(value) = domain.at((f64::from(step) + 0.5) / 400.0) else { panic!("an integer") };
            counts[usize::try_from(value - 10).unwrap()] += 1;
            counts
        });
        assert_eq!(counts, [100; 4]);
    }

    #[test]
    fn what_cannot_be_searched_is_refused_with_the_reason() {
        let refused = |axes: Vec<Axis>| Space::new(axes).unwrap_err();
        assert_eq!(refused(Vec::new()), Error::EmptySpace);
        assert_eq!(refused(vec![axis("a", integers(4, 4)), axis("b", Domain::Choices(1))]), Error::EmptySpace);
        let floats = |least, most, scale| Domain::Floats { least, most, scale };
        for (domain, part) in [
            (integers(4, 3), "the lower end first"),
            (Domain::Choices(0), "has no choices"),
            (floats(0.0, f64::NAN, Scale::Linear), "finite ends"),
            (floats(0.0, f64::INFINITY, Scale::Linear), "finite ends"),
            (floats(0.0, 1.0, Scale::Log), "begin above zero"),
            (Domain::Integers { least: 0, most: 9, scale: Scale::Log }, "begin above zero"),
        ] {
            let told = refused(vec![axis("tile", domain), axis("b", integers(0, 1))]).to_string();
            assert!(told.starts_with("the axis `tile`") && told.contains(part), "{told}");
        }
        let told = refused(vec![axis("a", integers(0, 1)), axis("a", integers(0, 1))]).to_string();
        assert!(told.contains("given twice"), "{told}");
    }

    #[test]
    fn what_is_not_counted_has_no_numbers() {
        let many = Domain::Choices(usize::MAX);
        for domain in [Domain::Floats { least: 0.0, most: 1.0, scale: Scale::Linear }, many] {
            let space = Space::new(vec![axis("a", domain), axis("b", many)]).unwrap();
            assert_eq!((space.points(), space.point(0)), (None, None));
        }
    }
}
