//! The matrix of models and techniques from a notebook or a program, as `benchbook matrix` measures it.

use std::sync::atomic::Ordering;

use benchbook_core::Plan;
use benchbook_matrix::{Matrix, MatrixPlan, Runner};
use benchbook_measure::run::{Ready, RunSummary};
use benchbook_query::Answer;
use benchbook_record::LocalStore;
use benchbook_report::charts::Figure;
use benchbook_report::matrix_figures;

use crate::run::{as_asked, observer, start};
use crate::{Lab, Result, display, notebook};

impl Lab {
    /// Measures what the store lacks of a matrix of models and techniques, in fresh worker processes, and gives the cells of all
    /// matrices of its kind (quick or not): the rows of the named query `matrix`.
    ///
    /// What the store holds is not measured again, so that a matrix that was ended goes on where it was.
    ///
    /// # Errors
    /// A name that no model or technique has, a worker that cannot be started, or a store that cannot be written.
    pub fn matrix(&self, plan: &MatrixPlan) -> Result<Answer> {
        let matrix = Matrix::of(plan)?;
        matrix.filled(&self.0.asked.store, &mut Runs(self))?;
        Ok(matrix.asked(&self.session()?, "matrix")?)
    }

    /// Heat maps of speed and memory of the cells that [`Lab::matrix`] gives; of each model with real weights its quality against speed;
    /// and how far answers of seeded ones move, against speed, which says nothing of quality.
    ///
    /// # Errors
    /// Columns of another answer.
    pub fn matrix_figures(&self, cells: &Answer) -> Result<Vec<Figure>> {
        Ok(matrix_figures(cells)?)
    }
}

/// Runs as [`Lab::run`] starts and tells of them.
struct Runs<'a>(&'a Lab);

impl Runner for Runs<'_> {
    fn start(&mut self, plan: Plan) -> benchbook_measure::Result<Ready> {
        start(as_asked(&plan)).beside(self.0.0.beside.clone()).command("notebook").workers()
    }

    fn run(&mut self, ready: &mut Ready, store: &LocalStore) -> benchbook_measure::Result<RunSummary> {
        ready.run(store, observer().as_mut())
    }

    fn say(&mut self, line: &str) {
        if notebook::live() {
            display::say(line);
        }
    }

    fn is_ended(&self) -> bool {
        notebook::interrupted().load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn names_that_nothing_has_are_refused_before_anything_starts() {
        let folder = tempfile::tempdir().unwrap();
        let lab = Lab::open(folder.path().join("store")).unwrap();
        for (plan, part) in [
            (MatrixPlan::quick().models(["gpt-9"]), "smollm2-135m"),
            (MatrixPlan::quick().techniques(["int9"]), "did you mean `int8`"),
        ] {
            let error = lab.matrix(&plan).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Matrix(_)));
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(lab.query("runs", &[]).unwrap().rows(), 0);
    }
}
