//! Errors of the driver as Python's own exceptions.

use loupe_driver::{SendError, StartError};
use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};

/// `ValueError` for a configuration that cannot be meant, else `OSError` with the system's number, so that Python
/// makes the right subclass (`PermissionError`) of it.
pub(crate) fn start_failed(error: &StartError) -> PyErr {
    let text = error.to_string();
    match error {
        StartError::Config(_) => PyValueError::new_err(text),
        StartError::Bind { source, .. } | StartError::System(source) => match source.raw_os_error() {
            Some(number) => PyOSError::new_err((number, text)),
            None => PyOSError::new_err(text),
        },
    }
}

/// A worker that has ended is no error here: `WorkerFailed` tells of it, and its handles are gone.
pub(crate) fn sent(result: Result<(), SendError>) -> Result<(), PyErr> {
    match result {
        Ok(()) | Err(SendError::Gone) => Ok(()),
        Err(SendError::Full) => Err(PyRuntimeError::new_err(SendError::Full.to_string())),
    }
}

/// `ValueError` that names the field.
pub(crate) fn bad(field: &str, wanted: &str) -> PyErr {
    PyValueError::new_err(format!("{field}: {wanted}"))
}
