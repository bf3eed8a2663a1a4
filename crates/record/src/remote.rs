//! Blocking access to an object store.

use std::future::Future;
use std::io::Write;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Error, Result, parquet_file};

/// An object store rooted at a benchbook store, with something that drives its futures.
#[derive(Debug)]
pub(crate) struct Remote {
    location: String,
    store: Arc<dyn ObjectStore>,
    driver: Driver,
}

#[derive(Debug)]
enum Driver {
    Own(Option<Runtime>),
    Given(Handle),
}

impl Drop for Driver {
    fn drop(&mut self) {
        // An ordinary drop panics inside an asynchronous context.
        if let Self::Own(runtime) = self
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}

impl Remote {
    pub(crate) fn new(location: &str, store: Arc<dyn ObjectStore>, handle: Option<Handle>) -> Result<Self> {
        let driver = match handle {
            Some(handle) => Driver::Given(handle),
            None => {
                let runtime = Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| Error::Location { location: location.to_owned(), reason: error.to_string() })?;
                Driver::Own(Some(runtime))
            }
        };
        Ok(Self { location: location.to_owned(), store, driver })
    }

    /// Waits for a future, from inside or outside of a runtime.
    fn wait<F>(&self, future: F) -> Result<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let handle = match &self.driver {
            Driver::Given(handle) => handle.clone(),
            Driver::Own(Some(runtime)) if Handle::try_current().is_err() => return Ok(runtime.block_on(future)),
            Driver::Own(Some(runtime)) => {
                return Ok(thread::scope(|scope| {
                    scope.spawn(|| runtime.block_on(future)).join().unwrap_or_else(|panic| resume_unwind(panic))
                }));
            }
            Driver::Own(None) => {
                return Err(Error::Location { location: self.location.clone(), reason: "it is being closed".into() });
            }
        };
        if Handle::try_current().is_err() {
            return Ok(handle.block_on(future));
        }
        Ok(thread::scope(|scope| {
            scope.spawn(|| handle.block_on(future)).join().unwrap_or_else(|panic| resume_unwind(panic))
        }))
    }

    fn failed(&self) -> impl Fn(object_store::Error) -> Error {
        |cause| Error::Remote { location: self.location.clone(), cause: cause.into() }
    }

    pub(crate) fn list(&self) -> Result<Vec<ObjectMeta>> {
        self.wait(self.store.list(None).try_collect::<Vec<_>>())?.map_err(self.failed())
    }

    pub(crate) fn size_bytes(&self, path: &str) -> Result<u64> {
        let path = Path::from(path);
        Ok(self.wait(self.store.head(&path))?.map_err(self.failed())?.size)
    }

    /// Passes an object's bytes to `to`, piece by piece.
    pub(crate) fn copy(&self, path: &str, to: &mut (dyn Write + Send)) -> Result<()> {
        let object = Path::from(path);
        let copied: Result<Result<(), std::io::Error>, object_store::Error> = self.wait(async {
            let mut pieces = self.store.get(&object).await?.into_stream();
            while let Some(piece) = pieces.try_next().await? {
                if let Err(error) = to.write_all(&piece) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })?;
        copied.map_err(self.failed())?.map_err(|cause| Error::Io { doing: "copy", path: path.to_owned(), cause })
    }

    pub(crate) fn parquet(&self, path: &str) -> Result<Vec<RecordBatch>> {
        let object = Path::from(path);
        let bytes = self.wait(async { self.store.get(&object).await?.bytes().await })?.map_err(self.failed())?;
        parquet_file::read(path, bytes)
    }
}
