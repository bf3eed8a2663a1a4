//! Calls of other people's code as things to time.

use benchbook_core::{Array, Error, Result, Subject};

use crate::flex::failed;

/// A call of other people's code on inputs of its own, which keeps its last result. Why it is refused is text.
pub trait Turn {
    /// Whether all that a call allocates comes from Rust's allocator.
    const IN_RUST: bool;

    /// The call.
    ///
    /// # Errors
    /// The engine refuses.
    fn call(&mut self) -> std::result::Result<(), String>;

    /// See [`Subject::write`].
    ///
    /// # Errors
    /// The engine refuses.
    fn overwrite(&mut self, input: &str, first: usize, values: &[f32]) -> std::result::Result<bool, String>;

    /// What the last call has given.
    ///
    /// # Errors
    /// The engine refuses.
    fn outputs(&self) -> std::result::Result<Vec<Array>, String>;
}

/// Calls with copies of the inputs, made in turn.
pub struct Turns<T> {
    implementation: &'static str,
    device: String,
    copies: Vec<T>,
    next: usize,
    last: Option<usize>,
    failure: Option<String>,
}

impl<T> Turns<T> {
    /// A subject that makes each of these calls in turn.
    ///
    /// # Errors
    /// What making one of the copies says.
    pub fn new(
        implementation: &'static str,
        device: &str,
        copies: impl IntoIterator<Item = std::result::Result<T, String>>,
    ) -> Result<Self> {
        let copies: std::result::Result<Vec<T>, String> = copies.into_iter().collect();
        let copies = copies.map_err(|reason| failed(implementation, device, &reason))?;
        Ok(Self { implementation, device: device.to_owned(), copies, next: 0, last: None, failure: None })
    }

    fn error(&self, reason: &str) -> Error {
        failed(self.implementation, &self.device, reason)
    }
}

impl<T: Turn> Subject for Turns<T> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            if let Err(reason) = self.copies[self.next].call() {
                // The first tells most.
                self.failure.get_or_insert(reason);
            }
            self.last = Some(self.next);
            self.next = if self.next + 1 == self.copies.len() { 0 } else { self.next + 1 };
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), |reason| Err(self.error(&reason)))
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let last = self.last.ok_or_else(|| self.error("nothing has run yet"))?;
        self.copies[last].outputs().map_err(|reason| self.error(&reason))
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        let mut written = false;
        for copy in &mut self.copies {
            match copy.overwrite(input, first, values) {
                Ok(is_written) => written |= is_written,
                Err(reason) => return Err(failed(self.implementation, &self.device, &reason)),
            }
        }
        Ok(written)
    }

    fn allocates_in_rust(&self) -> bool {
        T::IN_RUST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses the calls of these numbers.
    struct Refusing(Vec<u32>, u32);

    impl Turn for Refusing {
        const IN_RUST: bool = false;

        fn call(&mut self) -> std::result::Result<(), String> {
            self.1 += 1;
            if self.0.contains(&self.1) { Err(format!("call {} is refused", self.1)) } else { Ok(()) }
        }

        fn overwrite(&mut self, input: &str, first: usize, _values: &[f32]) -> std::result::Result<bool, String> {
            if first > 9 { Err("no such row".into()) } else { Ok(input == "a") }
        }

        fn outputs(&self) -> std::result::Result<Vec<Array>, String> {
            Ok(vec![Array::new(vec![1], &[self.1 as f32])])
        }
    }

    fn turns(refused: [&[u32]; 2]) -> Turns<Refusing> {
        Turns::new("one", "somewhere", refused.map(|calls| Ok(Refusing(calls.to_vec(), 0)))).unwrap()
    }

    #[test]
    fn copies_take_turns_and_the_last_is_read() {
        let mut turns = turns([&[], &[]]);
        assert!(turns.outputs().is_err(), "nothing has run yet");
        turns.run(3);
        assert!(turns.sync().is_ok());
        // The first copy has made the first call and the third.
        assert_eq!(turns.outputs().unwrap()[0].of::<f32>(), [2.0]);
        turns.run(1);
        assert_eq!(turns.outputs().unwrap()[0].of::<f32>(), [2.0], "the second copy, its second call");
    }

    #[test]
    fn the_first_refusal_of_a_sample_is_told_once() {
        let mut turns = turns([&[2], &[1]]);
        turns.run(4);
        let told = turns.sync().unwrap_err().to_string();
        assert!(told.contains("one") && told.contains("somewhere") && told.contains("call 1 is refused"), "{told}");
        assert!(turns.sync().is_ok());
    }

    #[test]
    fn every_copy_is_overwritten_and_a_refusal_is_told() {
        let mut turns = turns([&[], &[]]);
        assert!(turns.write("a", 0, &[1.0]).unwrap() && !turns.write("b", 0, &[1.0]).unwrap());
        let told = turns.write("a", 10, &[1.0]).unwrap_err().to_string();
        assert!(told.contains("no such row"), "{told}");
        let none: Result<Turns<Refusing>> = Turns::new("one", "somewhere", [Err("no memory".to_owned())]);
        assert!(none.is_err_and(|error| error.to_string().contains("no memory")));
    }
}
