//! What the data plane tells, as frozen Python objects that `match` can take apart.

use loupe_core::io::{CloseReason, Event, LinkState};
use loupe_driver::WorkerEvent;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple, PyType};

/// A value inside an event: how Python gets it, and how `repr` shows it.
trait Field {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;
    fn show(&self) -> String;
}

macro_rules! number_fields {
    ($($number:ty)*) => { $(
        impl Field for $number {
            fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.into_bound_py_any(py)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

number_fields!(u32 u64 usize);

impl Field for Option<u8> {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.into_bound_py_any(py)
    }

    fn show(&self) -> String {
        self.map_or_else(|| "None".to_owned(), |number| number.to_string())
    }
}

impl Field for String {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyString::new(py, self).into_any())
    }

    fn show(&self) -> String {
        format!("'{}'", self.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

/// Bit *n* is set when layer *n* flows; Python sees a tuple of numbers.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Layers(u32);

impl Layers {
    fn indices(&self) -> impl Iterator<Item = u32> {
        let bits = self.0;
        (0..u32::BITS).filter(move |index| bits & (1 << index) != 0)
    }
}

impl Field for Layers {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyTuple::new(py, self.indices().collect::<Vec<_>>())?.into_any())
    }

    fn show(&self) -> String {
        format!("layers {:?}", self.indices().collect::<Vec<_>>())
    }
}

/// Bytes from a network: shown by their number only.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Payload(Vec<u8>);

impl Field for Payload {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyBytes::new(py, &self.0).into_any())
    }

    fn show(&self) -> String {
        format!("<{} bytes>", self.0.len())
    }
}

/// The path to a viewer, for whoever chooses layers.
#[pyclass(frozen, eq, hash, module = "mediaserver._dataplane", name = "LinkState")]
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PyLinkState(LinkState);

// No measure of a path is ever undefined.
impl Eq for PyLinkState {}

impl std::hash::Hash for PyLinkState {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.phase.hash(state);
        self.0.queue_delay.hash(state);
    }
}

#[pymethods]
impl PyLinkState {
    #[getter]
    fn phase(&self) -> &'static str {
        self.0.phase.name()
    }

    #[getter]
    fn queue_delay_seconds(&self) -> f64 {
        self.0.queue_delay.as_secs_f64()
    }

    #[getter]
    fn inherent_loss(&self) -> f64 {
        self.0.inherent_loss
    }

    #[getter]
    fn congestion_loss(&self) -> f64 {
        self.0.congestion_loss
    }

    #[getter]
    fn round_trip_seconds(&self) -> Option<f64> {
        self.0.round_trip.map(|it| it.as_secs_f64())
    }

    #[getter]
    fn volatility(&self) -> f64 {
        self.0.volatility
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl Field for PyLinkState {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        (*self).into_bound_py_any(py)
    }

    fn show(&self) -> String {
        self.__repr__()
    }
}

macro_rules! event_class {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ }) => {
        $(#[$doc])*
        #[pyclass(frozen, eq, hash, module = "mediaserver._dataplane")]
        #[derive(PartialEq, Eq, Hash)]
        pub(crate) struct $name { $($field: $kind),+ }

        #[pymethods]
        impl $name {
            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
                PyTuple::new(py, [$(stringify!($field)),+])
            }

            $(
                #[getter]
                fn $field<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                    self.$field.to_python(py)
                }
            )+

            fn __repr__(&self) -> String {
                let fields = [$(format!("{}={}", stringify!($field), self.$field.show())),+];
                format!("{}({})", stringify!($name), fields.join(", "))
            }
        }
    };
}

event_class! {
    /// An authenticated path stands, for the first time or again; DTLS may use it.
    TransportReady { transport: u64 }
}
event_class! {
    /// The path moved to another address by an authenticated check.
    PathChanged { transport: u64 }
}
event_class! {
    /// A DTLS datagram from the transport's validated peer.
    DtlsDatagram { transport: u64, payload: Payload }
}
event_class! {
    /// No authenticated check for 6 s, or for 15 s where reports came: nothing is sent until `TransportReady`.
    ConsentLost { transport: u64 }
}
event_class! {
    /// What the link to a viewer carries, in bits per second with all headers, and what layer choice needs beside it.
    Bandwidth { transport: u64, estimate: u64, link: PyLinkState }
}
event_class! {
    /// Which layers of a publication flow now (indices, lowest first).
    LayersChanged { publication: u64, active: Layers }
}
event_class! {
    /// A subscription now forwards this layer (`None`: nothing).
    LayerForwarded { subscription: u64, layer: Option<u8> }
}
event_class! {
    /// Silence of a picture's source in milliseconds: told at 500 and 1,000, and 0 when it flows again.
    Stalled { publication: u64, silent_ms: u32 }
}
event_class! {
    /// The plane ended a transport by itself: `consent_expired` or `never_connected`.
    Closed { transport: u64, reason: String }
}
event_class! {
    /// A worker's thread ended by a panic; all its transports are gone.
    WorkerFailed { worker: usize, reason: String }
}

/// Adds all classes to the module, and `Event`, their union.
pub(crate) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let classes: [Bound<'_, PyType>; 10] = [
        py.get_type::<TransportReady>(),
        py.get_type::<PathChanged>(),
        py.get_type::<DtlsDatagram>(),
        py.get_type::<ConsentLost>(),
        py.get_type::<Bandwidth>(),
        py.get_type::<LayersChanged>(),
        py.get_type::<LayerForwarded>(),
        py.get_type::<Stalled>(),
        py.get_type::<Closed>(),
        py.get_type::<WorkerFailed>(),
    ];
    module.add_class::<PyLinkState>()?;
    let mut union: Option<Bound<'_, PyAny>> = None;
    for class in classes {
        module.add(class.name()?, &class)?;
        union = Some(match union {
            Some(union) => union.bitor(class)?,
            None => class.into_any(),
        });
    }
    module.add("Event", union)
}

/// One event as its Python object.
pub(crate) fn to_python(py: Python<'_>, event: WorkerEvent) -> PyResult<Bound<'_, PyAny>> {
    let event = match event {
        WorkerEvent::Plane(event) => event,
        WorkerEvent::WorkerFailed { worker, reason } => {
            return WorkerFailed { worker, reason }.into_bound_py_any(py);
        }
    };
    match event {
        Event::TransportReady { transport } => {
            TransportReady { transport: transport.0 }.into_bound_py_any(py)
        }
        Event::PathChanged { transport } => PathChanged { transport: transport.0 }.into_bound_py_any(py),
        Event::DtlsDatagram { transport, payload } => {
            DtlsDatagram { transport: transport.0, payload: Payload(payload) }.into_bound_py_any(py)
        }
        Event::ConsentLost { transport } => ConsentLost { transport: transport.0 }.into_bound_py_any(py),
        Event::Bandwidth { transport, estimate, link } => {
            let link = PyLinkState(link);
            Bandwidth { transport: transport.0, estimate: estimate.0, link }.into_bound_py_any(py)
        }
        Event::LayersChanged { publication, active } => {
            LayersChanged { publication: publication.0, active: Layers(active) }.into_bound_py_any(py)
        }
        Event::LayerForwarded { subscription, layer } => {
            LayerForwarded { subscription: subscription.0, layer }.into_bound_py_any(py)
        }
        Event::Stalled { publication, silent_ms } => {
            Stalled { publication: publication.0, silent_ms }.into_bound_py_any(py)
        }
        Event::Closed { transport, reason } => {
            Closed { transport: transport.0, reason: close_reason(reason).to_owned() }.into_bound_py_any(py)
        }
    }
}

fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::ConsentExpired => "consent_expired",
        CloseReason::NeverConnected => "never_connected",
    }
}
