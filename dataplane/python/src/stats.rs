//! Snapshots as plain dictionaries.

use std::sync::Arc;

use loupe_core::io::Handle;
use loupe_core::stats::{DelayHistogram, Figure, Figures, WorkerStats};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// One snapshot of all workers, at most a second old. All counters only grow while their owner lives.
#[pyclass(frozen, module = "mediaserver._dataplane")]
pub(crate) struct Stats {
    workers: Vec<Arc<WorkerStats>>,
}

impl Stats {
    pub(crate) fn new(workers: Vec<Arc<WorkerStats>>) -> Stats {
        Stats { workers }
    }

    fn by_handle<'py>(
        &self,
        py: Python<'py>,
        part: impl Fn(&WorkerStats) -> &[(Handle, Figures)],
    ) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        let mut names = Names::default();
        for (handle, figures) in self.workers.iter().flat_map(|worker| part(worker)) {
            all.set_item(handle.0, named(py, figures, &mut names)?)?;
        }
        Ok(all)
    }
}

#[pymethods]
impl Stats {
    /// Per worker: `counters` {name: int}, `drops` {reason: int}, `forward_delay` (bucket bounds in seconds,
    /// cumulative counts, sum), `transports`, `publications`, `subscriptions` (numbers alive), `busy_seconds`.
    #[getter]
    fn workers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let workers: PyResult<Vec<_>> = self.workers.iter().map(|worker| of_worker(py, worker)).collect();
        PyList::new(py, workers?)
    }

    /// Per transport handle.
    #[getter]
    fn transports<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.by_handle(py, |worker| &worker.transports)
    }

    /// Per publication handle.
    #[getter]
    fn publications<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.by_handle(py, |worker| &worker.publications)
    }

    /// Per subscription handle.
    #[getter]
    fn subscriptions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.by_handle(py, |worker| &worker.subscriptions)
    }
}

fn of_worker<'py>(py: Python<'py>, stats: &WorkerStats) -> PyResult<Bound<'py, PyDict>> {
    let worker = PyDict::new(py);
    worker.set_item("counters", counts(py, stats.counters.named())?)?;
    worker.set_item("drops", counts(py, stats.counters.named_drops())?)?;
    worker.set_item("forward_delay", delay(&stats.forward_delay))?;
    worker.set_item("transports", stats.transports.len())?;
    worker.set_item("publications", stats.publications.len())?;
    worker.set_item("subscriptions", stats.subscriptions.len())?;
    worker.set_item("busy_seconds", stats.busy_seconds)?;
    Ok(worker)
}

fn counts(py: Python<'_>, named: impl Iterator<Item = (&'static str, u64)>) -> PyResult<Bound<'_, PyDict>> {
    let counts = PyDict::new(py);
    for (name, count) in named {
        counts.set_item(name, count)?;
    }
    Ok(counts)
}

/// (bounds in seconds, cumulative counts with one more than bounds, sum in seconds), as a Prometheus histogram has it.
fn delay(histogram: &DelayHistogram) -> (Vec<f64>, Vec<u64>, f64) {
    let bounds = DelayHistogram::BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6).collect();
    let cumulative = histogram.counts().iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    (bounds, cumulative.collect(), histogram.sum_micros() as f64 / 1e6)
}

/// Figures' names as Python has them, by place: things of one kind have the same figures in the same order.
#[derive(Default)]
struct Names<'py> {
    by_place: Vec<(&'static str, Bound<'py, PyString>)>,
}

impl<'py> Names<'py> {
    /// Interned, so that whoever asks a dictionary for a name in its code finds it by identity.
    fn name(&mut self, py: Python<'py>, place: usize, name: &'static str) -> Bound<'py, PyString> {
        match self.by_place.get(place) {
            Some((known, found)) if std::ptr::eq(*known, name) => found.clone(),
            _ => {
                let found = PyString::intern(py, name);
                self.by_place.truncate(place);
                self.by_place.push((name, found.clone()));
                found
            }
        }
    }
}

fn named<'py>(py: Python<'py>, figures: &Figures, names: &mut Names<'py>) -> PyResult<Bound<'py, PyDict>> {
    let named = PyDict::new(py);
    for (place, (name, figure)) in figures.iter().enumerate() {
        let name = names.name(py, place, name);
        match figure {
            Figure::Count(count) => named.set_item(name, count)?,
            Figure::Measure(measure) => named.set_item(name, measure)?,
            Figure::Unknown => named.set_item(name, py.None())?,
            Figure::Word(word) => named.set_item(name, word)?,
            Figure::List(numbers) => named.set_item(name, numbers)?,
        }
    }
    Ok(named)
}
