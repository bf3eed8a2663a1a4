//! Names that try to be more than text: in a terminal, in Markdown, in an error.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use benchbook_record::Store;
use benchbook_tests::{Bench, Ran, program};

/// A suite that sets the title of a terminal and colours it, and is markup, and speaks to a person.
const SUITE: &str =
    "\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e}<script>alert(1)</script> ## heading | `x` [a](b) @someone";

fn hostile() -> Bench {
    let bench = Bench::faulty();
    let escaped: String = SUITE.chars().map(|c| format!("\\U{:08x}", c as u32)).collect();
    let plan = format!(
        "suite = \"{escaped}\"\nreplicates = 1\n[sampling]\nblocks = 3\nmin_sample_ns = 1000\nwarmup_ns = 1000\n\
         [[cases]]\nworkload = \"double\"\npreset = \"quick\"\nimplementations = [\"good\", \"twin\"]\n"
    );
    fs::write(bench.folder().join("plan.toml"), plan).unwrap();
    bench.ok(&["run", "plan.toml"]);
    bench
}

/// What a terminal would obey, or read in another direction.
fn orders(text: &str) -> Vec<char> {
    text.chars()
        .filter(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || ('\u{202a}'..='\u{202e}').contains(c))
        .collect()
}

#[test]
fn no_name_gives_a_terminal_orders() {
    let bench = hostile();
    assert_eq!(bench.sql("select suite from runs")[0]["suite"], SUITE, "the record keeps what was written");
    let escape = "\u{1b}]0;owned\u{7}";
    let header = format!("select 1 as \"{escape}\"");
    let statement = format!("select \"{escape}\" from runs");
    let parameter = format!("{escape}=1");
    let words: [&[&str]; 12] = [
        &["run", "plan.toml", "--dry-run"],
        &["run", "plan.toml"],
        &["run", "double", "--set", &parameter],
        &["run", "double", "--tag", escape],
        &["store", "ls"],
        &["compare"],
        &["compare", escape],
        &["sql", &header],
        &["sql", &statement],
        &["--store", escape, "store", "merge", escape],
        &["report", "--output", escape],
        &["run", "double", "--time", escape],
    ];
    for words in words {
        let Ran { stdout, stderr, .. } = bench.run(words);
        assert!(orders(&stdout).is_empty(), "{words:?}: {stdout:?}");
        assert!(orders(&stderr).is_empty(), "{words:?}: {stderr:?}");
        assert!(!(stdout + &stderr).trim().is_empty(), "{words:?} says something");
    }
}

#[test]
fn markdown_shows_names_as_text() {
    let bench = hostile();
    bench.ok(&["report", "--output", "r.md"]);
    let text = fs::read_to_string(bench.folder().join("r.md")).unwrap();
    assert!(orders(&text).is_empty(), "{text}");
    for markup in ["<script", "## heading", "`x`", "[a](b)", "@someone"] {
        assert!(!text.contains(markup), "{markup}: {text}");
    }
    assert!(text.contains("&#60;script&#62;alert(1)&#60;/script&#62; &#35;&#35; heading &#124;"), "{text}");
    let tables = text.lines().filter(|line| line.starts_with("|---") || line.starts_with("|-")).count();
    assert!(tables >= 2, "tables are still tables: {text}");
}

#[test]
fn reports_are_as_private_as_the_user_is() {
    let bench = hostile();
    for (umask, mode) in [("077", 0o600), ("022", 0o644)] {
        for file in ["r.md", "r.html", "r.json"] {
            let mut command = Command::new("sh");
            command.args(["-c", "umask \"$0\"; exec \"$@\"", umask]).arg(program("benchbook"));
            command.args(["report", "--output", file]).current_dir(bench.folder()).env_remove("BENCHBOOK_STORE");
            assert!(command.output().unwrap().status.success(), "{file} under {umask}");
            let found = fs::metadata(bench.folder().join(file)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{file} under {umask}: {found:o}");
        }
    }
}

#[test]
fn no_error_tells_a_password() {
    let bench = Bench::new();
    let refusing = format!("http://me:hunter2@{}/store", refusing());
    bench.fails(&["--store", &refusing, "store", "ls"], 4, &["http://me:***@127.0.0.1"]);
    let places = [
        refusing.as_str(),
        "https://me:hunter2@127.0.0.1:port/store",
        "http://me:a/hunter2@127.0.0.1:9/store",
        "ftp://me:hunter2@127.0.0.1/store",
    ];
    for store in places {
        for words in
            [&["store", "ls"][..], &["sql", "select 1"], &["doctor"], &["store", "merge", store], &["run", "no"]]
        {
            let ran = bench.run(&[&["--store", store][..], words].concat());
            assert!(!(ran.stdout.clone() + &ran.stderr).contains("hunter2"), "{store} {words:?}: {ran:?}");
        }
        let error = Store::open(store).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "a library's user is not told either: {error}");
    }
}

/// A server that refuses whatever it is asked, until the test ends.
fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut asked in listener.incoming().flatten() {
            let mut begun = [0; 1024];
            let _ = asked.read(&mut begun);
            let _ = asked.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    address
}
