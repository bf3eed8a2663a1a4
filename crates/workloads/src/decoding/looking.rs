//! A model that looks, in `f64`.

use benchbook_core::Inputs;

use super::axes::Axes;
use super::choice::Advance;
use super::exact::Model;
use super::multimodal_image::MultimodalImageParams;

/// The part that reads of an image and writes, a position at a time.
pub struct Looking<'a> {
    model: Model<'a>,
    sections: Option<[usize; 3]>,
    /// By what the next token of text is turned.
    next: usize,
}

impl<'a> Looking<'a> {
    /// One that has taken what comes before the image, and the image, whose tokens come as these lists `[tokens, width]`: a token for each
    /// cell of its grid, or for some cells alone, row by row, which stand where they stood.
    pub fn new(
        params: &MultimodalImageParams,
        inputs: &'a Inputs,
        lists: &[Vec<f64>],
        cells: Option<&[usize]>,
    ) -> Self {
        let mut looking = Self { model: Model::new(params.sizes(), inputs), sections: params.sections(), next: 0 };
        for id in &inputs.get("prompt").of::<i32>()[..params.before] {
            looking.advance(*id as usize);
        }
        let [rows, columns] = params.grid();
        for token in 0..cells.map_or(rows * columns, <[usize]>::len) {
            let parts: Vec<&[f64]> = lists.iter().map(|list| &list[token * params.width..][..params.width]).collect();
            let cell = cells.map_or(token, |cells| cells[token]);
            let place = [0, cell / columns, cell % columns].map(|at| looking.next + at);
            let axes = looking.axes(place);
            looking.model.pass(parts[0].to_vec(), axes, &parts[1..]);
        }
        looking.next += rows.max(columns);
        looking
    }

    /// Where the next position stands, if it is not behind all that came before it.
    fn axes(&self, place: [usize; 3]) -> Option<Axes> {
        self.sections.map(|sections| Axes::at(place, sections))
    }
}

impl Advance for Looking<'_> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        let axes = self.axes([self.next; 3]);
        self.next += 1;
        self.model.pass(self.model.embedded(token), axes, &[])
    }

    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        self.model.logits(hidden)
    }
}
