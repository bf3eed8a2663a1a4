//! Integers beside torchao, which chooses scales and zero points, and ONNX, which rounds.

use benchbook_formats::{Axis, Grid, Groups, Integers, Rounding};

use crate::help::{crc_of, fixture, matrix};

/// The names of grids in the fixtures.
const GRIDS: [(&str, Grid); 3] =
    [("symmetric", Grid::Symmetric), ("ends", Grid::Ends), ("zero-point", Grid::ZeroPoint)];

#[test]
fn codes_scales_and_zero_points_are_those_of_torchao_and_onnx() {
    let numbers = matrix(96, 40, 13);
    for (along, axis, size) in [("rows", Axis::Rows, 32), ("columns", Axis::Columns, 8)] {
        let groups = Groups::new([96, 40], axis, size).unwrap();
        for bits in [4, 8] {
            for (name, grid) in GRIDS {
                let found = Integers { bits, grid }.quantised(&numbers, &groups, Rounding::NearestEven).unwrap();
                let checks = [crc32fast::hash(&found.codes), crc_of(&found.scales), crc32fast::hash(&found.zeros)];
                let name = format!("integers/{along}/{bits}/{name}");
                assert_eq!(checks.to_vec(), fixture(&name), "{name}");
            }
        }
    }
}
