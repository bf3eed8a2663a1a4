//! A subject that has figures of its own.

use benchbook_core::{Figure, HostArray, Result, Subject};

/// What is timed, with figures that were found when it was prepared.
pub struct WithFigures {
    pub subject: Box<dyn Subject>,
    pub figures: Vec<Figure>,
}

impl Subject for WithFigures {
    fn run(&mut self, iterations: u64) {
        self.subject.run(iterations);
    }

    fn sync(&mut self) -> Result<()> {
        self.subject.sync()
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        self.subject.write(input, first, values)
    }

    fn output(&mut self) -> Result<HostArray> {
        self.subject.output()
    }

    fn figures(&self) -> Vec<Figure> {
        self.figures.clone()
    }
}
