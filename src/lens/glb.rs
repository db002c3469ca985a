//! Binary glTF models, by the length in their header (glTF 2.0, 4.4): `glTF`, version, length of the whole file.

use super::input::{Fields, Input};
use super::{Flaw, Parsed};

const HEADER_LEN: usize = 12;

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let header: [u8; HEADER_LEN] = input.array("the header", 0)?;
    let fields = Fields::little(&header);
    let (version, len) = (fields.u32(4), u64::from(fields.u32(8)));
    if !(1..=2).contains(&version) || len < HEADER_LEN as u64 {
        return Err(Flaw::Unknown);
    }
    input.must_hold("the model", 0, len)
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_models_are_torn() {
        assert_cuts_are_torn(Format::Glb, "a.glb", sample!("model.glb"), 4);
        assert_eq!(reason("a.glb", &sample!("model.glb")[..99]), "the model ends at 444, the file at 99");
        assert_eq!(verdict("a.glb", b"glTF of another kind"), Verdict::Unknown);
    }
}
