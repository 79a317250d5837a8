//! The seam: the data plane as the Python module `mediaserver._dataplane`. Its contract is `_dataplane.pyi`.
//!
//! No Python object crosses into a worker and no worker ever waits for the interpreter: what comes in is converted
//! here, on the caller's thread, and what goes out waits in a queue until the caller takes it.
#![deny(unsafe_code)]
// What Python hands over arrives as values, never as borrowed slices of them.
#![allow(clippy::needless_pass_by_value)]

mod convert;
mod error;
mod events;
mod ice;
mod plane;
mod stats;

use pyo3::prelude::*;
use pyo3::types::{PyModule, PyTuple};

/// The seam between the control plane (Python) and the data plane (Rust): typed commands down, typed events up.
#[pymodule]
fn _dataplane(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<ice::LocalIce>()?;
    module.add_class::<convert::PyExtensions>()?;
    module.add_class::<convert::PyEncoding>()?;
    module.add_class::<convert::PyInboundMedia>()?;
    module.add_class::<convert::PyOutboundMedia>()?;
    module.add_class::<stats::Stats>()?;
    module.add_class::<stats::FiguresByHandle>()?;
    module.add_class::<stats::PyFigures>()?;
    module.add_class::<plane::DataPlane>()?;
    events::add_classes(module)?;
    add_names(module)?;
    // PyO3 adds it by itself; the contract has none, since nothing imports a seam by asterisk.
    module.delattr("__all__")
}

/// The names of the contract that are types of `typing`, so that they can be imported at run time as well.
fn add_names(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let profiles = ["SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80"];
    module.add("SrtpProfileName", one_of(module.py(), &profiles)?)?;
    module.add("TapReaderName", one_of(module.py(), &["recorder", "probe"])?)?;
    module.add("PhaseName", one_of(module.py(), &["start", "steady", "drain", "silent"])?)?;
    module.add("KindName", one_of(module.py(), &["audio", "video"])?)
}

/// A union of literals, which is what a type checker makes of `Literal["a", "b"]`, too.
fn one_of<'py>(py: Python<'py>, texts: &[&str]) -> PyResult<Bound<'py, PyAny>> {
    let typing = py.import("typing")?;
    let literal = typing.getattr("Literal")?;
    let literals: PyResult<Vec<_>> = texts.iter().map(|text| literal.get_item(text)).collect();
    typing.getattr("Union")?.get_item(PyTuple::new(py, literals?)?)
}
