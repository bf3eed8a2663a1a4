//! Several results in one cell.

use super::Bundle;

/// Results one under the other; [`stack!`](crate::stack) makes it.
#[derive(Debug, Clone, Default)]
pub struct Stack(Vec<Bundle>);

impl Stack {
    /// These bundles, from top to bottom.
    pub fn of(bundles: Vec<Bundle>) -> Self {
        Self(bundles)
    }

    /// All of them as one bundle.
    pub(super) fn joined(&self) -> Bundle {
        if let [only] = self.0.as_slice() {
            return only.clone();
        }
        // Plotly's JSON holds one figure and would hide the rest.
        let join = |part: fn(&Bundle) -> &str, between: &str| self.0.iter().map(part).collect::<Vec<_>>().join(between);
        Bundle { html: join(|one| &one.html, ""), text: join(|one| &one.text, "\n"), ..Bundle::default() }
    }
}

/// Shows several results in one cell: `stack![lab.compare("latest", "naive")?, lab.speedup("latest", "naive")?]`.
#[macro_export]
macro_rules! stack {
    ($($one:expr),+ $(,)?) => {
        $crate::Stack::of(vec![$($crate::Show::bundle(&$one)),+])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_holds_all_and_one_alone_is_itself() {
        let [a, b] = ["a", "b"].map(Bundle::of_text);
        let both = Stack::of(vec![a.clone(), b]).joined();
        assert_eq!((both.text.as_str(), both.html.as_str()), ("a\nb", "<pre>a</pre>\n<pre>b</pre>\n"));
        let figure = Bundle { plotly: Some("{}".into()), ..a };
        assert_eq!(Stack::of(vec![figure.clone()]).joined(), figure);
    }
}
