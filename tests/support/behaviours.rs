//! The table of observable behaviours, `tests/conformance/behaviours.tsv`: one row each, with an id.

use std::path::Path;

/// Whether scripts can show a behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applicable {
    /// As it stands.
    Yes,
    /// In another shape, which the row's note gives.
    Adapted,
    /// Not at all, for the reason in the row's note.
    No,
}

/// A behaviour.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Such as `queue.07`; it begins with the area.
    pub id: String,
    /// Such as `queue`.
    pub area: String,
    /// Whether scripts can show it.
    pub applicable: Applicable,
}

/// Reads the committed table.
///
/// # Errors
/// If it can't be read, or as [`parse`].
pub fn table() -> Result<Vec<Behaviour>, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/behaviours.tsv");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse(&text)
}

/// Reads a table: a heading, then rows of six columns.
///
/// # Errors
/// Naming the first line that is none, or that repeats an id.
pub fn parse(text: &str) -> Result<Vec<Behaviour>, String> {
    let mut rows: Vec<Behaviour> = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let wrong = |what: &str| format!("behaviours.tsv:{}: {what}", index + 1);
        let columns: Vec<&str> = line.split('\t').collect();
        let &[id, area, _, _, applicable, _] = columns.as_slice() else {
            return Err(wrong(&format!("{} columns instead of 6", columns.len())));
        };
        let applicable = match applicable {
            "yes" => Applicable::Yes,
            "adapted" => Applicable::Adapted,
            "no" => Applicable::No,
            other => return Err(wrong(&format!("`{other}` is neither yes, adapted nor no"))),
        };
        if id.rsplit_once('.').is_none_or(|(prefix, _)| prefix != area) {
            return Err(wrong(&format!("`{id}` is no id of area `{area}`")));
        }
        if rows.iter().any(|row| row.id == id) {
            return Err(wrong(&format!("`{id}` stands there twice")));
        }
        rows.push(Behaviour { id: id.to_owned(), area: area.to_owned(), applicable });
    }
    Ok(rows)
}
