//! What can be measured: workloads and their implementations.

use crate::{Case, Error, Implementation, ParamSpec, Params, RESERVED, Result, Workload, unknown};

/// Workloads and implementations by name.
///
/// Adding one is one file and one line that registers it.
#[derive(Default)]
pub struct Registry {
    workloads: Vec<Box<dyn Workload>>,
    implementations: Vec<Box<dyn Implementation>>,
}

impl Registry {
    /// Adds a workload.
    ///
    /// # Panics
    /// If the name is taken, a parameter has another type in another workload, or a name that a column of `results` has.
    pub fn workload(&mut self, workload: impl Workload + 'static) -> &mut Self {
        assert!(self.workloads.iter().all(|w| w.name() != workload.name()), "workload {} twice", workload.name());
        for spec in workload.params() {
            assert!(
                !RESERVED.contains(&spec.name.as_str()),
                "parameter {} of {}: a column is called so",
                spec.name,
                workload.name()
            );
            if let Some(other) = self.param_specs().find(|other| other.name == spec.name) {
                assert_eq!(other.default.kind(), spec.default.kind(), "parameter {} has two types", spec.name);
            }
        }
        self.workloads.push(Box::new(workload));
        self
    }

    /// Adds an implementation.
    ///
    /// # Panics
    /// If the workload already has an implementation of that name.
    pub fn implementation(&mut self, implementation: impl Implementation + 'static) -> &mut Self {
        let (name, workload) = (implementation.name(), implementation.workload());
        assert!(
            self.implementations.iter().all(|i| i.name() != name || i.workload() != workload),
            "implementation {name} of {workload} twice"
        );
        self.implementations.push(Box::new(implementation));
        self
    }

    /// Adds an implementation, in the place of one of the same name if there is one.
    pub fn replace(&mut self, implementation: Box<dyn Implementation>) -> &mut Self {
        let (name, workload) = (implementation.name(), implementation.workload());
        self.implementations.retain(|known| known.name() != name || known.workload() != workload);
        self.implementations.push(implementation);
        self
    }

    /// Every workload, in the order of registration.
    pub fn workloads(&self) -> impl Iterator<Item = &dyn Workload> {
        self.workloads.iter().map(AsRef::as_ref)
    }

    /// Every implementation, in the order of registration.
    pub fn implementations(&self) -> impl Iterator<Item = &dyn Implementation> {
        self.implementations.iter().map(AsRef::as_ref)
    }

    /// Every parameter of every workload; a name that two workloads share comes twice.
    pub fn param_specs(&self) -> impl Iterator<Item = ParamSpec> {
        self.workloads.iter().flat_map(|workload| workload.params())
    }

    /// The workload called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn find_workload(&self, name: &str) -> Result<&dyn Workload> {
        self.workloads()
            .find(|workload| workload.name() == name)
            .ok_or_else(|| unknown("workload", name, self.workloads().map(Workload::name)))
    }

    /// The implementation of `workload` called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name among the workload's implementations.
    pub fn find_implementation(&self, workload: &str, name: &str) -> Result<&dyn Implementation> {
        let mut of_workload = self.implementations().filter(|i| i.workload() == workload);
        of_workload.find(|i| i.name() == name).ok_or_else(|| {
            let known = self.implementations().filter(|i| i.workload() == workload);
            unknown("implementation", name, known.map(Implementation::name))
        })
    }

    /// A case of `workload` from parameters.
    ///
    /// # Errors
    /// An unknown workload or impossible parameters.
    pub fn case(&self, workload: &str, params: Params) -> Result<Case, Error> {
        self.find_workload(workload)?.case(params)
    }
}
