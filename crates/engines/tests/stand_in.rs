//! What stands in for libtorch, in processes that find it there: each is the test in it, started once more.
#![cfg(feature = "libtorch")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use benchbook_core::{Array, DType, Inputs, Params, Registry, Setting};
use benchbook_engines::{libraries, probe, register, set_threads, settle, thread_pools};

/// Set in the process that is to do without libtorch.
const INSIDE: &str = "BENCHBOOK_TEST_STAND_IN";

/// Names of what a process has loaded for libtorch.
const REAL: &str = "/libtorch_cpu.so";
const STAND_IN: &str = "/stand-in.so";

fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// A folder of one test's own.
fn below(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("benchbook-{}-{name}", std::process::id()))
}

/// How the test called `name` ends in a process that finds the libraries of the device `flex` first, and what it says.
fn spared(name: &str) -> (Output, String) {
    let below = below(name);
    let folder = libraries("flex", &below).expect("a test starts without libtorch too");
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([name, "--exact", "--nocapture"]).env(INSIDE, "1").env("LD_LIBRARY_PATH", folder);
    let output = again.output().unwrap();
    fs::remove_dir_all(below).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, said)
}

/// The upper left element of a product of matrices of ones.
fn product(implementation: &str, device: &str) -> f64 {
    let mut registry = Registry::default();
    register(&mut registry);
    let [m, n, k] = [5, 6, 7];
    let ones = |rows: usize, columns: usize| Array::new(vec![rows, columns], &vec![1.0_f32; rows * columns]);
    let inputs = Inputs::from([("a", ones(m, k)), ("b", ones(k, n))]);
    let setting = Setting { device: device.into(), dtype: DType::F32, threads: 1, copies: 1 };
    let matmul = registry.find_implementation("matmul", implementation).unwrap();
    let mut subject = matmul.prepare(&setting, &Params::default(), &inputs).unwrap();
    subject.run(1);
    subject.outputs().unwrap()[0].to_f64()[0]
}

#[test]
fn a_process_that_needs_no_libtorch_does_not_load_it() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    if inside() {
        assert!(maps.contains(STAND_IN) && !maps.contains(REAL), "{maps}");
        assert_eq!((set_threads(1), thread_pools()), (Ok(()), Vec::new()));
        for implementation in ["burn", "tiled"] {
            assert_eq!(product(implementation, "flex"), 7.0, "{implementation}");
        }
        assert_eq!((probe("flex"), settle("flex")), (None, Ok(None)));
        for device in ["libtorch", "libtorch-mkl"] {
            assert!(settle(device).unwrap_err().contains("needs no libtorch"), "{device}");
        }
        return;
    }
    assert!(maps.contains(REAL) && !maps.contains(STAND_IN));
    let (output, said) = spared("a_process_that_needs_no_libtorch_does_not_load_it");
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn whoever_calls_it_all_the_same_ends_with_a_word() {
    if inside() {
        // A controller that has mixed up its devices is told so before (`settle`).
        product("torch-mm", "libtorch");
        return;
    }
    let (output, said) = spared("whoever_calls_it_all_the_same_ends_with_a_word");
    assert!(!output.status.success() && said.contains("libtorch was called in a process"), "{said}");
}

#[test]
fn it_is_made_once_and_again_where_it_is_damaged() {
    let below = below("made");
    let folder = libraries("flex", &below).unwrap();
    let file = folder.join("stand-in.so");
    let whole = fs::read(&file).unwrap();
    let made = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(libraries("flex", &below), Some(folder.clone()));
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), made);
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(libraries("flex", &below), Some(folder.clone()));
    assert_eq!(fs::read(&file).unwrap(), whole);
    let allow = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (link, strange) = (folder.join("libtorch_cpu.so"), folder.join("libstrange.so"));
    let damages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&link).unwrap(),
        &|| {
            fs::remove_file(&link).unwrap();
            symlink("/lib/libstrange.so", &link).unwrap();
        },
        &|| fs::write(&strange, "anything").unwrap(),
        &|| allow(&folder, 0o775),
    ];
    for damage in damages {
        damage();
        assert_eq!(libraries("flex", &below), Some(folder.clone()));
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("stand-in.so"));
        assert!(!strange.exists() && fs::metadata(&folder).unwrap().permissions().mode() & 0o022 == 0);
    }
    allow(&below, 0o775);
    assert_eq!(libraries("flex", &below), None, "where others can put libraries, none is taken");
    allow(&below, 0o700);
    assert_eq!(fs::read_dir(&below).unwrap().count(), 1, "nothing else stays behind");
    assert_eq!(libraries("libtorch", &below), None);
    fs::remove_dir_all(&below).unwrap();
    fs::write(&below, "no folder").unwrap();
    assert_eq!(libraries("flex", &below), None, "where nothing can be made, all is as without it");
    fs::remove_file(below).unwrap();
}
