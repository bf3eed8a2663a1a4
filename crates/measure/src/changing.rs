//! Inputs that change while a trial is timed: a kernel that remembers its answer gives a wrong one, or computes it anew.

use benchbook_core::{Inputs, Result, Subject};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The inputs of a trial as its subject holds them, of which a row changes before each sample.
pub struct Changing {
    inputs: Inputs,
    names: Vec<String>,
    rng: ChaCha8Rng,
}

impl Changing {
    /// Changes of `inputs` in what `subject` can overwrite, in an order that follows from `seed`.
    ///
    /// # Errors
    /// The subject refuses what it says that it holds.
    pub fn new(inputs: Inputs, seed: u64, subject: &mut dyn Subject) -> Result<Self> {
        let mut names = Vec::new();
        for name in inputs.real() {
            let array = inputs.get(&name);
            if subject.write(&name, 0, &array.of::<f32>()[..array.width()])? {
                names.push(name);
            }
        }
        Ok(Self { inputs, names, rng: ChaCha8Rng::seed_from_u64(seed) })
    }

    /// Whether there is anything that can change.
    pub fn any(&self) -> bool {
        !self.names.is_empty()
    }

    /// The inputs as they are now.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Changes a row of one input: its numbers move on by one place, and the one that comes round changes its sign, so that
    /// the row has the same norm and was never like this before.
    ///
    /// # Errors
    /// The subject refuses.
    pub fn change(&mut self, subject: &mut dyn Subject) -> Result<()> {
        self.write(subject, |values| {
            values.rotate_right(1);
            values[0] = -values[0];
        })
    }

    /// Writes a row as [`Changing::change`] does, and changes nothing.
    ///
    /// # Errors
    /// The subject refuses.
    pub fn touch(&mut self, subject: &mut dyn Subject) -> Result<()> {
        self.write(subject, |_| ())
    }

    fn write(&mut self, subject: &mut dyn Subject, change: impl FnOnce(&mut [f32])) -> Result<()> {
        if self.names.is_empty() {
            return Ok(());
        }
        let name = &self.names[self.rng.random_range(0..self.names.len())];
        let Some(array) = self.inputs.get_mut(name) else { return Ok(()) };
        let (width, row) = (array.width(), self.rng.random_range(0..array.rows()));
        let values = &mut array.of_mut::<f32>()[row * width..(row + 1) * width];
        change(values);
        subject.write(name, row, values).map(drop)
    }

    /// Puts other inputs in the place of all that can change.
    ///
    /// # Errors
    /// The subject refuses.
    pub fn replace(&mut self, mut others: Inputs, subject: &mut dyn Subject) -> Result<()> {
        for name in &self.names {
            if let Some(other) = others.remove(name) {
                subject.write(name, 0, other.of())?;
                self.inputs.insert(name, other);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::Array;

    /// Holds one of two inputs.
    struct Holder(Array);

    impl Subject for Holder {
        fn run(&mut self, _iterations: u64) {}

        fn sync(&mut self) -> Result<()> {
            Ok(())
        }

        fn outputs(&mut self) -> Result<Vec<Array>> {
            Ok(vec![self.0.clone()])
        }

        fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
            if input == "x" {
                self.0.write(first, values);
            }
            Ok(input == "x")
        }
    }

    fn inputs(seed: u64) -> Inputs {
        let array = |stream| Array::normal(vec![3, 4], seed, stream);
        Inputs::from([("x", array(1)), ("y", array(2)), ("table", Array::new(vec![1], &[2_i32]))])
    }

    #[test]
    fn what_changes_is_the_same_on_both_sides_and_never_twice_alike() {
        let mut holder = Holder(inputs(1).get("x").clone());
        let mut changing = Changing::new(inputs(1), 7, &mut holder).unwrap();
        let mut seen = vec![holder.0.clone()];
        for _ in 0..20 {
            changing.change(&mut holder).unwrap();
            assert_eq!(changing.inputs().get("x"), &holder.0);
            assert!(!seen.contains(&holder.0));
            seen.push(holder.0.clone());
        }
        assert_eq!(changing.inputs().get("y"), inputs(1).get("y"), "nobody can overwrite it");
        let before = holder.0.clone();
        changing.touch(&mut holder).unwrap();
        assert_eq!(holder.0, before);
        changing.replace(inputs(2), &mut holder).unwrap();
        assert_eq!((&holder.0, changing.inputs().get("y")), (inputs(2).get("x"), inputs(1).get("y")));
    }

    #[test]
    fn equal_seeds_change_equally() {
        let changed = |seed| {
            let mut holder = Holder(inputs(1).get("x").clone());
            let mut changing = Changing::new(inputs(1), seed, &mut holder).unwrap();
            (0..5).for_each(|_| changing.change(&mut holder).unwrap());
            holder.0
        };
        assert_eq!(changed(3), changed(3));
        assert_ne!(changed(3), changed(4));
    }
}
