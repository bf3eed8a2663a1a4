//! A worker of protocol 2, for the tests of a gate across the change of protocols.

fn main() -> std::io::Result<()> {
    benchbook_tests::serve_old()
}
