//! Comparisons, figures and tables as people meet them: by any metric, of a sweep, in a browser, beside what is lacking.

mod metrics;
mod sweeps;
mod tables;
mod warnings;
