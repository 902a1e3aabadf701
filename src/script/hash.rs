//! SHA-256 of values and files, as lower-case hexadecimal digits.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use rhai::{Blob, Engine, EvalAltResult};
use sha2::{Digest, Sha256};

use super::files::fault;
use super::files::path::to_disk;

/// Every name that [`register`] gives to scripts.
pub const NAMES: &[&str] = &["sha256", "sha256_file"];

/// A file is read in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// Gives scripts the functions of [`NAMES`].
pub fn register(engine: &mut Engine) {
    engine.register_fn("sha256", |bytes: &mut Blob| of_bytes(bytes));
    engine.register_fn("sha256", |text: &str| of_bytes(text.as_bytes()));
    engine.register_fn("sha256_file", |path: &str| -> Result<String, Box<EvalAltResult>> {
        of_file(path).map_err(|error| fault::on(path, &error).raise())
    });
}

fn of_bytes(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new().chain_update(bytes))
}

/// The hash of the file's bytes, in constant memory.
fn of_file(path: &str) -> io::Result<String> {
    let mut file = File::open(to_disk(path))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hexadecimal(hash)),
            Ok(count) => hash.update(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hexadecimal(hash: Sha256) -> String {
    base16ct::lower::encode_string(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use rhai::{Engine, EvalAltResult};

    use super::{PIECE, of_bytes, of_file, register};
    use crate::wire::Error;

    /// From FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn strings_and_blobs_hash_as_their_bytes() {
        let mut engine = Engine::new();
        register(&mut engine);
        assert_eq!(engine.eval::<String>(r#"sha256("abc")"#).unwrap(), ABC);
        assert_eq!(engine.eval::<String>(r#"const B = "abc".to_blob(); sha256(B)"#).unwrap(), ABC);
        assert_eq!(engine.eval::<String>(r#"sha256("")"#).unwrap(), EMPTY);

        let error = engine.run(r#"sha256_file("/no such file")"#).unwrap_err();
        let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() else {
            panic!("{error}");
        };
        assert_eq!(value.clone().cast::<Error>().kind(), "FileNotFoundError");
    }

    #[test]
    fn a_file_hashes_as_its_bytes_whatever_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let name = path.to_str().unwrap();
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17] {
            let bytes: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(of_file(name).unwrap(), of_bytes(&bytes), "{size}");
        }
        assert!(of_file(dir.path().to_str().unwrap()).is_err());
    }
}
