//! Snapshots: of workers as plain dictionaries, of the many things they carry as they lie in memory.

use std::collections::HashMap;
use std::sync::Arc;

use loupe_core::io::Handle;
use loupe_core::stats::{DelayHistogram, Figure, Figures, WorkerStats};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString, PyTuple};

/// One snapshot of all workers, at most a second old. All counters only grow while their owner lives.
#[pyclass(frozen, module = "mediaserver._dataplane")]
pub(crate) struct Stats {
    workers: Vec<Arc<WorkerStats>>,
}

impl Stats {
    pub(crate) fn new(workers: Vec<Arc<WorkerStats>>) -> Stats {
        Stats { workers }
    }

    fn by_handle(&self, part: Part) -> FiguresByHandle {
        FiguresByHandle::new(&self.workers, part)
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
    fn transports(&self) -> FiguresByHandle {
        self.by_handle(|worker| &worker.transports)
    }

    /// Per publication handle.
    #[getter]
    fn publications(&self) -> FiguresByHandle {
        self.by_handle(|worker| &worker.publications)
    }

    /// Per subscription handle.
    #[getter]
    fn subscriptions(&self) -> FiguresByHandle {
        self.by_handle(|worker| &worker.subscriptions)
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

/// One kind of things of a worker's snapshot.
type Part = fn(&WorkerStats) -> &[(Handle, Figures)];

/// Where a thing's figures are: the worker's place, and its own among that worker's.
type Place = (u32, u32);

/// Figures of all things of one kind, by handle. They stay where the workers wrote them: of some twenty figures of each of
/// a thousand things hardly half are asked for in a second, and objects for all would be made and walked each time.
#[pyclass(frozen, mapping, module = "mediaserver._dataplane")]
pub(crate) struct FiguresByHandle {
    workers: Vec<Arc<WorkerStats>>,
    part: Part,
    places: HashMap<u64, Place>,
}

impl FiguresByHandle {
    fn new(workers: &[Arc<WorkerStats>], part: Part) -> FiguresByHandle {
        let mut places = HashMap::with_capacity(workers.iter().map(|worker| part(worker).len()).sum());
        for (worker, stats) in workers.iter().enumerate() {
            let handles = part(stats).iter().map(|(handle, _)| handle.0);
            places.extend(handles.enumerate().map(|(index, handle)| (handle, (worker as u32, index as u32))));
        }
        FiguresByHandle { workers: workers.to_vec(), part, places }
    }

    fn figures(&self, handle: u64) -> Option<&Figures> {
        let (worker, index) = *self.places.get(&handle)?;
        Some(&(self.part)(&self.workers[worker as usize])[index as usize].1)
    }

    fn at(&self, (worker, index): Place) -> PyFigures {
        PyFigures {
            worker: Arc::clone(&self.workers[worker as usize]),
            part: self.part,
            index: index as usize,
        }
    }
}

#[pymethods]
impl FiguresByHandle {
    /// The figures of a thing, or `default`.
    #[pyo3(signature = (handle, default = None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        handle: u64,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.places.get(&handle) {
            Some(place) => Ok(Some(Bound::new(py, self.at(*place))?.into_any())),
            None => Ok(default),
        }
    }

    /// Handles with their figures.
    fn items(&self) -> Vec<(u64, PyFigures)> {
        self.places.iter().map(|(handle, place)| (*handle, self.at(*place))).collect()
    }

    /// All handles, each with the figures of these `names` (None where a thing has no such figure), and behind them by
    /// how much those of `grown` grew since `before`: 0 for what was not there. One pass over what the workers wrote.
    fn rows<'py>(
        &self,
        py: Python<'py>,
        names: Vec<String>,
        grown: Vec<String>,
        before: Option<&FiguresByHandle>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut columns: Vec<Column> = names.into_iter().map(Column::new).collect();
        let mut counters: Vec<(Column, Column)> =
            grown.into_iter().map(|name| (Column::new(name.clone()), Column::new(name))).collect();
        let rows = PyDict::new(py);
        for worker in &self.workers {
            for (handle, figures) in (self.part)(worker) {
                let earlier = before.and_then(|before| before.figures(handle.0));
                let mut row = Vec::with_capacity(columns.len() + counters.len());
                for column in &mut columns {
                    row.push(column.of(figures).map(|figure| of_figure(py, figure)).transpose()?);
                }
                for (now, then) in &mut counters {
                    let count = grown_by(now.of(figures), earlier.and_then(|figures| then.of(figures)));
                    row.push(Some(count.into_pyobject(py)?.into_any()));
                }
                rows.set_item(handle.0, PyTuple::new(py, row)?)?;
            }
        }
        Ok(rows)
    }

    fn __getitem__(&self, handle: u64) -> PyResult<PyFigures> {
        let place = self.places.get(&handle).ok_or_else(|| PyKeyError::new_err(handle))?;
        Ok(self.at(*place))
    }

    fn __contains__(&self, handle: u64) -> bool {
        self.places.contains_key(&handle)
    }

    fn __len__(&self) -> usize {
        self.places.len()
    }
}

/// One name, looked for first where it was found last: things of one kind have their figures in one order.
struct Column {
    name: String,
    place: usize,
}

impl Column {
    fn new(name: String) -> Column {
        Column { name, place: 0 }
    }

    fn of<'figures>(&mut self, figures: &'figures Figures) -> Option<&'figures Figure> {
        if figures.get(self.place).is_none_or(|(name, _)| *name != self.name) {
            self.place = figures.iter().position(|(name, _)| *name == self.name)?;
        }
        Some(&figures[self.place].1)
    }
}

fn grown_by(now: Option<&Figure>, before: Option<&Figure>) -> u64 {
    match (now, before) {
        (Some(Figure::Count(now)), Some(Figure::Count(before))) => now.saturating_sub(*before),
        _ => 0,
    }
}

/// Named figures of one transport, publication or subscription.
#[pyclass(frozen, mapping, name = "Figures", module = "mediaserver._dataplane")]
pub(crate) struct PyFigures {
    worker: Arc<WorkerStats>,
    part: Part,
    index: usize,
}

impl PyFigures {
    fn figures(&self) -> &Figures {
        &(self.part)(&self.worker)[self.index].1
    }

    fn find(&self, name: &str) -> Option<&Figure> {
        self.figures().iter().find(|(known, _)| *known == name).map(|(_, figure)| figure)
    }
}

#[pymethods]
impl PyFigures {
    /// A figure, or `default`; None while it is not known.
    #[pyo3(signature = (name, default = None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.find(name).map_or(Ok(default), |figure| Ok(Some(of_figure(py, figure)?)))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let figure = self.find(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        of_figure(py, figure)
    }

    fn __contains__(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn __len__(&self) -> usize {
        self.figures().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.figures().iter().map(|(name, _)| *name))?.try_iter()
    }
}

fn of_figure<'py>(py: Python<'py>, figure: &Figure) -> PyResult<Bound<'py, PyAny>> {
    Ok(match figure {
        Figure::Count(count) => count.into_pyobject(py)?.into_any(),
        Figure::Measure(measure) => measure.into_pyobject(py)?.into_any(),
        Figure::Unknown => py.None().into_bound(py),
        // Words are few and are kept by whoever asks.
        Figure::Word(word) => PyString::intern(py, word).into_any(),
        Figure::List(numbers) => PyList::new(py, numbers)?.into_any(),
    })
}
