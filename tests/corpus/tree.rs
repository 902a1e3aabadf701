//! Source text as a tree of pieces, so that a program can be made smaller piece by piece.
//!
//! A template says what stands around a piece's parts: each `@` is the place of one.

use std::fmt;

/// What a piece is, which says what may stand in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Expression,
    /// One of a block's, with its end.
    Statement,
    /// Statements one after the other, without braces: any of them can be left out.
    Block,
    /// Neither: a `switch` case, a closure's body with its bars.
    Other,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Piece(Tree),
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Tree {
    kind: Kind,
    parts: Vec<Part>,
}

impl Tree {
    /// A piece by its template. Every `@` takes one of `pieces`, in order.
    pub fn new(kind: Kind, template: &str, pieces: impl IntoIterator<Item = Tree>) -> Self {
        let mut pieces = pieces.into_iter();
        let mut parts = Vec::new();
        for (index, text) in template.split('@').enumerate() {
            if index > 0 {
                parts.push(Part::Piece(pieces.next().expect("a piece for every @")));
            }
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
        }
        assert!(pieces.next().is_none(), "an @ for every piece: {template}");
        Self { kind, parts }
    }

    /// An expression without parts.
    pub fn leaf(text: impl Into<String>) -> Self {
        Self { kind: Kind::Expression, parts: vec![Part::Text(text.into())] }
    }

    /// Statements.
    pub fn block(statements: Vec<Tree>) -> Self {
        Self { kind: Kind::Block, parts: statements.into_iter().map(Part::Piece).collect() }
    }

    fn pieces(&self) -> impl Iterator<Item = &Tree> {
        self.parts.iter().filter_map(|part| if let Part::Piece(piece) = part { Some(piece) } else { None })
    }

    /// How many pieces it consists of.
    pub fn size(&self) -> usize {
        1 + self.pieces().map(Tree::size).sum::<usize>()
    }

    /// This tree with one change that makes it smaller, for every such change, the greatest first.
    pub fn smaller(&self) -> Vec<Tree> {
        let mut found = Vec::new();
        self.replace(&mut |piece| {
            let mut instead = Vec::new();
            match piece.kind {
                Kind::Block => instead.extend((0..piece.parts.len()).map(|index| {
                    let mut block = piece.clone();
                    block.parts.remove(index);
                    block
                })),
                Kind::Expression if piece.size() > 1 || piece.text().len() > 2 => {
                    let own = piece.pieces().filter(|part| part.kind == Kind::Expression);
                    instead.extend(own.cloned());
                    instead.extend(["0", "1", "()"].map(Tree::leaf));
                }
                // What stands in a statement's blocks in its place.
                Kind::Statement => {
                    let blocks = piece.pieces().filter(|part| part.kind == Kind::Block);
                    instead.extend(blocks.map(|block| Tree::new(Kind::Statement, "@", [block.clone()])));
                }
                Kind::Expression | Kind::Other => {}
            }
            instead
        })
        .into_iter()
        .for_each(|tree| found.push(tree));
        found.sort_by_key(Tree::size);
        found
    }

    /// This tree with one piece replaced, for every piece and every replacement that `instead` gives for it.
    fn replace(&self, instead: &mut impl FnMut(&Tree) -> Vec<Tree>) -> Vec<Tree> {
        let mut found = instead(self);
        for (index, part) in self.parts.iter().enumerate() {
            let Part::Piece(piece) = part else { continue };
            for new in piece.replace(instead) {
                let mut tree = self.clone();
                if let Some(place) = tree.parts.get_mut(index) {
                    *place = Part::Piece(new);
                }
                found.push(tree);
            }
        }
        found
    }

    /// The source text.
    pub fn text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.write_str(text)?,
                Part::Piece(piece) => piece.fmt(out)?,
            }
            if self.kind == Kind::Block {
                out.write_str("\n")?;
            }
        }
        Ok(())
    }
}
