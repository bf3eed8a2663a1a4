//! Pages of prose with blocks that are run.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What follows its fence.
    pub language: &'a str,
    /// What stands in it.
    pub text: String,
}

/// The blocks of a page, and what stands between them.
///
/// # Panics
/// A block that has no end, or one without a fence, which nobody runs.
pub fn blocks(page: &str) -> (Vec<Block<'_>>, String) {
    let (mut blocks, mut prose, mut open) = (Vec::new(), String::new(), None::<Block<'_>>);
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some(Block { language, text: String::new() }),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                assert!(!line.starts_with("    "), "nothing runs a block without a fence: {line}");
                prose += line;
                prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block has no end");
    (blocks, prose)
}

/// The commands of a block: lines, joined where a quotation goes on.
///
/// # Panics
/// A quotation that has no end.
pub fn commands(text: &str) -> Vec<String> {
    let (mut commands, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        open += line;
        if open.matches('"').count() % 2 == 1 {
            open.push('\n');
        } else if !open.trim().is_empty() {
            commands.push(std::mem::take(&mut open));
        }
    }
    assert!(open.trim().is_empty(), "a quotation has no end: {open}");
    commands
}
