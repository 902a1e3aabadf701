//! What a Rust source file says about itself, read from its tokens: the paths it names and its unsafe code.
//!
//! Tokens and not text, so that comments and strings say nothing, and macro bodies do. What stands under
//! `#[cfg(test)]` is marked, not left out: each rule decides whether it cares.

use std::str::FromStr;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A path such as `crate::arena::guard`, with one of these for every leaf of a `use` tree.
#[derive(Debug)]
pub struct UsedPath {
    /// Its names, first to last; `*` for a glob.
    pub segments: Vec<String>,
    /// The line of its first name.
    pub line: usize,
    /// It stands in a `use` or an `extern crate`.
    pub imported: bool,
    /// It stands under `#[cfg(test)]`.
    pub test: bool,
    /// The modules around it, from the crate's root down.
    pub module: Vec<String>,
}

impl UsedPath {
    /// The module of the crate's root that this path leads into; none for its own folder and for other crates.
    /// The root itself is `""`.
    pub fn root_module(&self) -> Option<&str> {
        let names: Vec<&str> =
            self.segments.iter().map(String::as_str).skip_while(|name| *name == "self").collect();
        let ups = names.iter().take_while(|name| **name == "super").count();
        let above_root = match *names.first()? {
            "crate" => 1,
            "super" if ups >= self.module.len() => ups,
            _ => return None,
        };
        if names.len() <= above_root && !self.imported {
            return None; // `pub(crate)` and the like
        }
        Some(names.get(above_root).filter(|name| !["*", "self"].contains(name)).unwrap_or(&""))
    }
}

/// One use of the word `unsafe`.
#[derive(Debug)]
pub struct UnsafeCode {
    /// Its line.
    pub line: usize,
    /// It is a block or an implementation, which owes a reason (a function owes a `# Safety` section instead).
    pub owes_reason: bool,
}

/// A source file.
#[derive(Debug, Default)]
pub struct Source {
    /// Its path below `src`, such as `pool/worker.rs`.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Every path it names, single names too.
    pub paths: Vec<UsedPath>,
    /// All its unsafe code.
    pub unsafe_code: Vec<UnsafeCode>,
    /// The modules that it declares as `#[cfg(test)] mod NAME;`.
    pub test_modules: Vec<String>,
}

impl Source {
    /// Reads the text of `file`.
    ///
    /// # Errors
    /// If it does not consist of Rust's tokens.
    pub fn read(file: &str, text: &str) -> Result<Self, String> {
        let tokens = TokenStream::from_str(text).map_err(|error| format!("src/{file}: {error}"))?;
        let mut source = Self { file: file.to_owned(), text: text.to_owned(), ..Self::default() };
        let module = source.module();
        source.scan(tokens, &module, false);
        Ok(source)
    }

    /// The module that the file is, from the root down; empty for the root itself.
    pub fn module(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if names.last().is_some_and(|last| last == "mod")
            || ["lib.rs", "main.rs"].contains(&self.file.as_str())
        {
            names.pop();
        }
        names
    }

    fn scan(&mut self, stream: TokenStream, module: &[String], in_test: bool) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        // `#[cfg(test)]` holds until the end of the item behind it: a `;` or a block.
        let mut item_in_test = false;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let test = in_test || item_in_test;
            at += 1;
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    item_in_test |= tokens.get(at).is_some_and(means_test);
                }
                TokenTree::Punct(mark) if mark.as_char() == ';' => item_in_test = false,
                TokenTree::Ident(word) if word == "mod" => {
                    let name = tokens.get(at).map(ToString::to_string).unwrap_or_default();
                    match tokens.get(at + 1) {
                        Some(TokenTree::Group(body)) => {
                            self.scan(body.stream(), &[module, &[name]].concat(), test);
                        }
                        _ if test => self.test_modules.push(name),
                        _ => {}
                    }
                    item_in_test = false;
                    at += 2;
                }
                TokenTree::Ident(word) if word == "unsafe" => {
                    let owes_reason = match tokens.get(at) {
                        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
                        Some(TokenTree::Ident(next)) => next == "impl",
                        _ => false,
                    };
                    self.unsafe_code.push(UnsafeCode { line: line(word), owes_reason });
                }
                TokenTree::Ident(word) => {
                    let imported = word == "use" || (word == "extern" && names(&tokens, at, "crate"));
                    let start = match (imported, word == "use") {
                        (true, true) => skip_colons(&tokens, at),
                        (true, false) => at + 1,
                        _ => at - 1,
                    };
                    let found = UsedPath {
                        segments: Vec::new(),
                        line: line(word),
                        imported,
                        test,
                        module: module.to_vec(),
                    };
                    at = self.path(&tokens, start, found).max(at);
                }
                TokenTree::Group(group) => {
                    self.scan(group.stream(), module, test);
                    if group.delimiter() == Delimiter::Brace {
                        item_in_test = false;
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads the path or `use` tree at `at`, behind what `so_far` has already; gives the place behind it.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, mut so_far: UsedPath) -> usize {
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(name)) => so_far.segments.push(name.to_string()),
                Some(TokenTree::Punct(mark)) if mark.as_char() == '*' => so_far.segments.push("*".to_owned()),
                Some(TokenTree::Group(tree)) if tree.delimiter() == Delimiter::Brace => {
                    self.tree(tree.stream(), &so_far);
                    return at + 1;
                }
                _ => {
                    self.paths.push(so_far); // a turbofish, or a macro's variable
                    return at;
                }
            }
            at += 1;
            let behind = skip_colons(tokens, at);
            if behind == at {
                self.paths.push(so_far);
                return at;
            }
            at = behind;
        }
    }

    fn tree(&mut self, stream: TokenStream, prefix: &UsedPath) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
        for branch in tokens.split(is_comma).filter(|branch| !branch.is_empty()) {
            let line = branch.first().map_or(prefix.line, |token| token.span().start().line);
            let so_far = UsedPath {
                segments: prefix.segments.clone(),
                line,
                imported: prefix.imported,
                test: prefix.test,
                module: prefix.module.clone(),
            };
            self.path(branch, skip_colons(branch, 0), so_far);
        }
    }
}

/// Whether an attribute's brackets say `cfg(test)`, alone or among other conditions.
fn means_test(brackets: &TokenTree) -> bool {
    let TokenTree::Group(group) = brackets else { return false };
    let tokens: Vec<String> = group.stream().into_iter().map(|token| token.to_string()).collect();
    let [name, conditions] = tokens.as_slice() else { return false };
    let words: Vec<&str> = conditions.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    name == "cfg" && words.contains(&"test") && !words.contains(&"not")
}

fn names(tokens: &[TokenTree], at: usize, word: &str) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Ident(name)) if name == word)
}

fn skip_colons(tokens: &[TokenTree], at: usize) -> usize {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    if colon(at) && colon(at + 1) { at + 2 } else { at }
}

fn line(word: &Ident) -> usize {
    word.span().start().line
}
