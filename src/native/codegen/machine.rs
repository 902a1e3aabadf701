//! The memory that code is generated into, and what links it to the helpers.
//!
//! Invariants
//! 1. Code is freed with the machine, and whoever runs code keeps its machine alive.

use std::collections::HashMap;

use cranelift_codegen::ir::{AbiParam, FuncRef, Function, Signature, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};

use super::value::machine;
use crate::native::runtime::{Helper, Part};
use crate::native::types::Type;

/// See the head of this file.
pub struct Machine {
    pub module: Option<JITModule>,
    pub context: FunctionBuilderContext,
    helpers: HashMap<Helper, FuncId>,
    named: usize,
    /// Bytes of code so far.
    pub bytes: usize,
}

impl Machine {
    /// None if this processor has no compiler.
    pub fn new() -> Option<Self> {
        let mut flags = settings::builder();
        let wanted = [
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
            ("opt_level", "speed"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ];
        for (name, value) in wanted {
            flags.set(name, value).ok()?;
        }
        let target = cranelift_native::builder().ok()?.finish(settings::Flags::new(flags)).ok()?;
        let mut builder = JITBuilder::with_isa(target, default_libcall_names());
        for helper in Helper::ALL {
            builder.symbol(helper.name(), helper.address());
        }
        let module = JITModule::new(builder);
        let (context, helpers) = (FunctionBuilderContext::new(), HashMap::new());
        Some(Self { module: Some(module), context, helpers, named: 0, bytes: 0 })
    }

    pub fn module(&mut self) -> &mut JITModule {
        self.module.as_mut().expect("only taken when the machine is dropped")
    }

    /// A reference to a helper for the function being generated.
    pub fn helper(&mut self, helper: Helper, function: &mut Function) -> FuncRef {
        let known = self.helpers.get(&helper).copied();
        let module = self.module.as_mut().expect("only taken when the machine is dropped");
        let id = known.unwrap_or_else(|| {
            let mut signature = module.make_signature();
            let part = |part: &Part| {
                AbiParam::new(match part {
                    Part::Word => types::I64,
                    Part::Float => types::F64,
                })
            };
            let (takes, gives) = helper.signature();
            signature.params.extend(takes.iter().map(part));
            signature.returns.extend(gives.iter().map(part));
            module
                .declare_function(helper.name(), Linkage::Import, &signature)
                .expect("a helper is declared once")
        });
        self.helpers.insert(helper, id);
        module.declare_func_in_func(id, function)
    }

    /// The signature of a form, see the head of the folder.
    pub fn signature(&mut self, parameters: &[Type], result: Type) -> Signature {
        let mut signature = self.module().make_signature();
        let words = [types::I64, types::I64].into_iter().map(AbiParam::new);
        signature.params.extend(words);
        let kinds = parameters.iter().filter(|kind| **kind != Type::Unit);
        signature.params.extend(kinds.map(|kind| AbiParam::new(machine(*kind))));
        if result.is_boxed() {
            signature.params.push(AbiParam::new(types::I64));
        }
        signature.returns.push(AbiParam::new(machine(result)));
        signature.returns.push(AbiParam::new(types::I64));
        signature
    }

    pub fn declare(&mut self, name: &str, signature: &Signature) -> Option<FuncId> {
        self.named += 1;
        let name = format!("{name}#{}", self.named);
        self.module().declare_function(&name, Linkage::Local, signature).ok()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: no code of it runs, by invariant 1.
            unsafe { module.free_memory() };
        }
    }
}
